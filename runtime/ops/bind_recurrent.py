"""Binding of recurrent layers to kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linnet.types import Array, DType

from .base import Step
from .bind_control import counter
from .bind_float import readable
from .bind_linear import PANEL, _address, aligned, pack_weights
from .bind_move import kept
from .fixed_point import sigmoid_table, tanh_table

if TYPE_CHECKING:
    from .integer_lstm import CellConstants, IntegerLSTM
    from .recurrent import _Recurrent
    from .sequence_lstm import SequenceLSTM
    from .sequence_rnn import SVDF

# Recurrent weights from which on threads share the units of every step.
_WORTH_SHARING = 2**16

# What a factor of 31 bits is multiplied with: the product fits 64 bits.
_MOST = 2**32


class PackedLstm(NamedTuple):
    """Weights and biases of all gates in the form that the kernel reads."""

    input_weights: Array
    input_bias: Array
    recurrent_weights: Array
    recurrent_bias: Array


def _gates(
    cell: CellConstants, kind: str, units: int, layout: tuple[int, int]
) -> tuple[Array, Array] | None:
    """Return packed weights and biases of four gates; None where a sum could grow too large."""
    weights = cell.weights[:4] if kind == "w" else cell.weights[4:8]
    biases = cell.bias_x if kind == "w" else cell.bias_h
    group, shift = layout
    panels = -(-units // PANEL)
    known = [w for w in weights if w is not None]
    full = np.zeros((4 * panels * PANEL, known[0].shape[1]), np.int8)
    sums = aligned((4 * panels * PANEL,), np.int32)
    for gate, (w, bias) in enumerate(zip(weights, biases, strict=True)):
        if w is None:
            continue
        at = slice(gate * panels * PANEL, gate * panels * PANEL + units)
        folded = np.asarray(bias) - shift * w.sum(axis=1)
        reach = int((256 * np.abs(w).sum(axis=1) + np.abs(folded)).max(initial=0))
        if reach << max(cell.factors[f"{kind}{gate}"][1], 0) >= _MOST:
            return None
        full[at] = w
        sums[at] = folded
    return pack_weights(full, group), sums


def _pack(cell: CellConstants, units: int, layout: tuple[int, int]) -> PackedLstm | None:
    inputs, recurrent = (_gates(cell, kind, units, layout) for kind in "wr")
    return None if inputs is None or recurrent is None else PackedLstm(*inputs, *recurrent)


def lstm_s8(op: IntegerLSTM, step: Step, cell: CellConstants) -> bool:
    """Bind an `IntegerLSTM` of constant weights without peepholes, projection or normalization."""
    x, h, c = (step.inputs[i] for i in (0, 18, 19))
    if x.array is not None:
        return False
    batch, units = c.type.static_shape
    time, depth = x.type.static_shape[0 if op.time_major else 1], x.type.static_shape[2]
    layout = step.program.word_layout_s8
    packed = step.cached("gates", lambda: _pack(cell, units, layout))
    if packed is None or cell.factors["hidden"][1] > 1:
        return False
    tables = (sigmoid_table(), tanh_table(3), tanh_table(15 - cell.point))
    none = (0, 0)
    scales = [cell.factors.get(f"{kind}{gate}", none) for kind in "wr" for gate in range(4)]
    step.program.lstm_s8(
        given=(x.pointer, h.pointer, c.pointer),
        made=tuple(out.pointer for out in step.outputs),
        packed=tuple(array.ctypes.data for array in packed),
        tables=tuple(step.keep(table).ctypes.data for table in tables),
        scales=[*scales, cell.factors["hidden"]],
        cell=(op.hidden[1], 30 - cell.point, cell.cell_clip),
        sizes=(batch, time, depth, units),
        coupled=cell.coupled,
        time_major=op.time_major,
    )
    return True


class PackedCell(NamedTuple):
    """Float or int8 gates in the form that the float kernel reads."""

    input_weights: Array
    recurrent_weights: Array
    input_scale: Array | None
    recurrent_scale: Array | None
    input_sums: Array | None
    recurrent_sums: Array | None
    bias: Array
    peepholes: Array | None
    nothing: Array


def _spread(values: Array, gates: int, units: int, dtype: type) -> Array:
    """Return numbers per unit, each gate padded with zeros to whole panels."""
    whole = -(-units // PANEL) * PANEL
    full = aligned((gates * whole, *values.shape[1:]), dtype)
    split = full.reshape(gates, whole, *values.shape[1:])
    split[:, :units] = values.reshape(gates, units, *values.shape[1:])
    return full


def _float_panels(weights: Array) -> Array:
    """Return rows as [panel][k][16]."""
    rows, depth = weights.shape
    packed = aligned((rows // PANEL, depth, PANEL), np.float32)
    packed[...] = weights.reshape(-1, PANEL, depth).transpose(0, 2, 1)
    return packed


def _packed_rows(step: Step, index: int, gates: int, units: int) -> list[Array | None]:
    """Return weights, scales and sums of an input of stacked gates, the last two of int8 ones."""
    item = step.inputs[index]
    q = item.type.quantization
    full = _spread(item.array, gates, units, item.array.dtype.type)
    if q is None:
        return [_float_panels(full), None, None]
    sums = aligned((full.shape[0],), np.int32)
    sums[:] = full.sum(axis=1, dtype=np.int64)
    packed = pack_weights(full, step.program.word_layout_s8[0])
    scale = np.broadcast_to(q.scale, (gates * units,))
    return [packed, _spread(scale, gates, units, np.float32), sums]


def _pack_cell(step: Step, units: int) -> PackedCell:
    (w, w_scale, w_sums), (r, r_scale, r_sums) = (_packed_rows(step, i, 4, units) for i in (1, 2))
    bias, peepholes = step.inputs[3], step.inputs[4]
    width = 4 * (-(-units // PANEL) * PANEL)
    assert w is not None and r is not None
    return PackedCell(
        w, r, w_scale, r_scale, w_sums, r_sums,
        _spread(np.zeros(4 * units, np.float32) if bias is None else bias.array, 4, units,
                np.float32),
        None if peepholes is None else _spread(_real(peepholes), 3, units, np.float32),
        aligned((width,), np.int32),
    )  # fmt: skip


def _real(item: Any) -> Array:
    q = item.type.quantization
    return np.asarray(item.array if q is None else item.array.astype(np.float32) * q.scale)


def lstm_f32(op: SequenceLSTM, step: Step) -> bool:
    """Bind a `SequenceLSTM` of constant weights without projection or normalization."""
    x, c = step.inputs[0], step.inputs[8]
    rest = (step.inputs[5], *step.inputs[9:])
    constants = [item for item in step.inputs[1:5] if item is not None]
    if any(item is not None for item in rest) or any(w.array is None for w in constants):
        return False
    (batch, units), steps_axis = c.type.static_shape, 0 if op.time_major else 1
    time, depth = x.type.static_shape[steps_axis], x.type.static_shape[2]
    if max(depth, units) * 128 * 256 >= 2**31:
        return False
    packed = step.cached("cell", lambda: _pack_cell(step, units))
    step.program.lstm_f32(
        given=(readable(step, 0), readable(step, 7), c.pointer),
        made=tuple(out.pointer for out in step.outputs),
        packed=tuple(map(_address, packed)),
        clip=op.cell_clip,
        sizes=(batch, time, depth, units),
        flags=(op.dynamic == "asymmetric", op.coupled, op.time_major, op.reverse),
    )
    return True


def _filter_arrays(step: Step) -> bool:
    """Whether all weights of a decomposed filter are part of the model, its input is not."""
    x, *weights, _ = step.inputs
    return x.array is None and all(w is None or w.array is not None for w in weights)


def _filter_sizes(op: SVDF, step: Step) -> tuple[int, int, int, int, int]:
    batch, depth = step.inputs[0].type.static_shape
    filters, memory = step.inputs[2].type.static_shape
    return batch, depth, filters, memory, op.rank


def _filter_tensors(step: Step) -> tuple[int, int, int, int]:
    y, after = step.outputs
    return readable(step, 0), step.inputs[4].pointer, y.pointer, after.pointer


def _by_time(time: Array, dtype: type) -> Array:
    """Return weights of time as [memory, filters]."""
    turned = aligned((time.shape[1], time.shape[0]), dtype)
    turned[...] = time.T
    return turned


def svdf_f32(op: SVDF, step: Step) -> bool:
    """Bind an `SVDF` of floats, its weights float or int8."""
    if not _filter_arrays(step) or step.inputs[1].type.static_shape[1] * 128 * 256 >= 2**31:
        return False
    sizes = _filter_sizes(op, step)
    bias = step.inputs[3]

    def pack() -> tuple[Array | None, ...]:
        rows = _packed_rows(step, 1, 1, sizes[2])
        time = _by_time(op.real_time(step.types, step.inputs[2].array), np.float32)
        nothing = aligned((-(-sizes[2] // PANEL) * PANEL,), np.int32)
        return (*rows, nothing, time, None if bias is None else np.array(bias.array))

    step.program.svdf_f32(
        tensors=_filter_tensors(step),
        packed=tuple(map(_address, step.cached("filter", pack))),
        bounds=op.bounds(),
        sizes=sizes,
        flags=(op.dynamic == "asymmetric", op.activation == "tanh"),
    )
    return True


def svdf_s8(op: SVDF, step: Step) -> bool:
    """Bind an `SVDF` of int8."""
    first, second = op.factors(step.types)
    sizes = _filter_sizes(op, step)
    group, shift = step.program.word_layout_s8
    if not _filter_arrays(step) or sizes[1] * 128 * 256 << max(first[1], 0) >= _MOST:
        return False
    if second[1] > 1:
        return False
    zero = int(step.inputs[0].type.quantization.zero_point[0])

    def pack() -> tuple[Array | None, ...]:
        w, bias = step.inputs[1].array, step.inputs[3]
        sums = aligned((-(-sizes[2] // PANEL) * PANEL,), np.int32)
        sums[: sizes[2]] = -(zero + shift) * w.sum(axis=1, dtype=np.int64)
        time = _by_time(step.inputs[2].array, np.int16)
        return pack_weights(w, group), sums, time, None if bias is None else np.array(bias.array)

    step.program.svdf_s8(
        tensors=_filter_tensors(step),
        packed=tuple(map(_address, step.cached("filter", pack))),
        scales=(*first, *second, int(step.outputs[0].type.quantization.zero_point[0])),
        sizes=sizes,
    )
    return True


# Kinds of layers as the kernel counts them, by their gates.
_KINDS = {1: 0, 3: 1, 4: 2}


def _pack_walk(step: Step, units: int, gates: int) -> tuple[Array, Array, Array | None]:
    """Return weights, the bias of a GRU and peepholes of an LSTM in the form of the kernel."""
    stored = _spread(step.inputs[1].array.astype(np.float32), gates, units, np.float32)
    extra = _at(step, {3: 4, 4: 5}.get(gates, len(step.inputs)))
    bias = np.zeros(gates * units, np.float32)
    if extra is not None and gates == 3:
        bias = extra.array.astype(np.float32).reshape(-1)
    looks = None
    if extra is not None and gates == 4:
        looks = _spread(extra.array.astype(np.float32).reshape(-1), 3, units, np.float32)
    return _float_panels(stored), _spread(bias, gates, units, np.float32), looks


def _at(step: Step, index: int) -> Any:
    return step.inputs[index] if index < len(step.inputs) else None


def walk_f32(op: _Recurrent, step: Step) -> bool:
    """Bind an `LSTM`, `GRU` or `RNN` of constant weights and the usual activations."""
    gates, x = op.gates, step.inputs[0]
    extra = _at(step, {3: 4, 4: 5}.get(gates, len(step.inputs)))
    constants = [step.inputs[1], *([] if extra is None else [extra])]
    real = all(item.type.dtype is DType.FLOAT32 for item in (x, *step.outputs, *constants))
    if op.activations or not real or any(item.array is None for item in constants):
        return False
    steps, batch, width = x.type.static_shape
    units = width // gates
    packed = step.cached("walk", lambda: _pack_walk(step, units, gates))
    states = [_at(step, 2), _at(step, 3) if gates == 4 else None]
    lengths = _at(step, 4 if gates == 4 else 3)
    if lengths is not None and lengths.type.dtype is not DType.INT32:
        return False
    if any(s is not None and s.type.dtype is not DType.FLOAT32 for s in states):
        return False
    made = [out.pointer for out in step.outputs]
    reset_after = getattr(op, "reset_after", False)
    arguments = {
        "given": (readable(step, 0), *(0 if i is None else i.pointer for i in (*states, lengths))),
        "made": (*made, 0)[:3],
        "packed": tuple(0 if array is None else array.ctypes.data for array in packed),
        "clip": max(op.clip, 0.0),
        "kind": _KINDS[gates],
        "sizes": (steps, batch, units),
        "flags": (op.backward, getattr(op, "coupled", False), reset_after),
    }
    one = steps > 0 and batch == 1 and lengths is None and (gates != 3 or reset_after)
    if one and step.program.threads > 1 and step.inputs[1].type.size >= _WORTH_SHARING:
        done = counter(step)
        step.program.begin_loop(done, kept(step, np.array([steps]), np.int64))
        step.program.walk_step_f32(**arguments, done=done)
        step.program.end_block()
    else:
        step.program.walk_f32(**arguments)
    return True
