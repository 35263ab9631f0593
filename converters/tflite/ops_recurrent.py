"""Rules of recurrent operators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linnet.errors import FormatError, UnsupportedError
from linnet.ops import (
    Add,
    Concat,
    FullyConnected,
    Identity,
    IntegerLSTM,
    Mul,
    SequenceLSTM,
    Sigmoid,
    Split,
    Squeeze,
    Tanh,
    Unsqueeze,
)
from linnet.types import Array, DType, Quantization, Shape

from .node import TfliteNode
from .ops_rnn import beside, dynamic_mode, emit_directions, sources

# Positions among the operator's inputs.
_STATE_H, _STATE_C, _NORMS, _HIDDEN = 18, 19, 20, 4
_TANH = 4
_HAS_NORMS = 24


def unidirectional_sequence_lstm(node: TfliteNode) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: float, int8 weights beside floats, or int8 throughout."""
    _check_tanh(node)
    if node.type(0).dtype is DType.INT8:
        _integer_lstm(node)
    else:
        _float_lstm(node)


def lstm(node: TfliteNode) -> None:
    """LSTM: one step of the sequence operator, x[batch, inputs]."""
    _check_tanh(node)
    if node.option("KernelType", 0) == 1:
        return _basic_lstm(node)
    if node.output_count != 1:
        raise FormatError(f"{node.output_count} outputs of the full kernel; expected one")
    if node.type(0).rank != 2 or not node.type(0).dtype.is_float:
        raise UnsupportedError(f"input {node.type(0)}; only float rows are known")
    x = node.step(Unsqueeze(axes=(1,)), [node.input(0)], "steps")
    y, h, c = _sequence(node, x, Cell(), (_STATE_H, _STATE_C))
    node.keep(_STATE_H, h)
    node.keep(_STATE_C, c)
    node.emit(Squeeze(axes=(1,)), [y])


def _basic_lstm(node: TfliteNode) -> None:
    """One step of gates in one product: input, new, forget and output, of x beside the last h."""
    if not node.type(0).dtype.is_float:
        raise UnsupportedError("the basic kernel on integers; only floats are known")
    x, h, weights, bias, state = (node.input(i) for i in range(5))
    joined = node.step(Concat(axis=1), [x, h], "joined")
    gates = node.step(FullyConnected(), [joined, weights, bias], "gates")
    size = node.type(1).shape[1]
    if not isinstance(size, int):
        raise UnsupportedError(f"a state {node.type(1)} of unknown width")
    parts = node.steps(Split(axis=1, sizes=(size,) * 4), [gates], "parts")
    taken, kept, shown = (
        node.step(Sigmoid(), [parts[i]], name)
        for i, name in ((0, "input"), (2, "forget"), (3, "output"))
    )
    new = node.step(Mul(), [taken, node.step(Tanh(), [parts[1]], "new")], "added")
    cell = node.step(Add(), [new, node.step(Mul(), [kept, state], "kept")], "cell")
    node.emit_one(0, Mul(), [shown, node.step(Tanh(), [cell], "squashed")])
    for position, name in ((1, cell), (2, joined), (3, gates)):
        node.emit_one(position, Identity(), [name])


def bidirectional_sequence_lstm(node: TfliteNode) -> None:
    """BIDIRECTIONAL_SEQUENCE_LSTM: one sequence from each end, side by side or apart."""
    _check_tanh(node)
    if not node.type(0).dtype.is_float:
        raise UnsupportedError("integers; only floats are known")
    cells = (
        Cell(norms=48, auxiliary=40),
        Cell(first=18, projection=33, norms=48, auxiliary=44, reverse=True),
    )
    made, read = [], sources(node, 39, 41)
    for x, cell, states in zip(read, cells, ((35, 36), (37, 38)), strict=True):
        y, h, c = _sequence(node, x, cell, states)
        node.keep(states[0], h)
        node.keep(states[1], c)
        made.append(y)
    emit_directions(node, made)


@dataclass(frozen=True)
class Cell:
    """Where one direction's operands lie among the operator's inputs."""

    first: int = 1
    projection: int = 16
    norms: int = 20
    auxiliary: int = -1
    reverse: bool = False


def _check_tanh(node: TfliteNode) -> None:
    number = node.option("FusedActivationFunction", 0)
    if number != _TANH:
        raise UnsupportedError(f"activation number {number}; only tanh is known")


def _float_lstm(node: TfliteNode) -> None:
    y, h, c = _sequence(node, node.input(0), Cell(), (_STATE_H, _STATE_C))
    node.keep(_STATE_H, h)
    node.keep(_STATE_C, c)
    node.emit(Identity(), [y])


def _sequence(node: TfliteNode, x: str, cell: Cell, states: tuple[int, int]) -> list[str]:
    """Add the LSTM of one direction; return its sequence and states."""
    first, coupled = cell.first, not node.has(cell.first)
    w = [first + gate for gate in range(4)]
    r, p = [first + 4 + gate for gate in range(4)], [first + 8 + gate for gate in range(3)]
    b = [first + 11 + gate for gate in range(4)]
    norms = [cell.norms + gate for gate in range(4)]
    suffix = "backward" if cell.reverse else "forward"
    stack = _stacked(node, w, f"{suffix} w", coupled)
    if cell.auxiliary > 0 and node.has(cell.auxiliary + 1):
        places = [cell.auxiliary + gate for gate in range(4)]
        stack = beside(node, stack, _stacked(node, places, f"{suffix} auxiliary", coupled))
    op = SequenceLSTM(
        time_major=bool(node.option("TimeMajor", False)),
        reverse=cell.reverse,
        coupled=coupled,
        cell_clip=float(node.option("CellClip", 0.0)),
        projection_clip=float(node.option("ProjClip", 0.0)),
        dynamic=dynamic_mode(node, w[1]),
    )
    type_ = node.graph.known_type(x)
    if type_.rank != 3:
        raise UnsupportedError(f"sequence {type_}; expected [batch, time, inputs]")
    batch = type_.shape[1 if op.time_major else 0]
    declared = [_state_shape(node, i) for i in states]
    normalized = [n for n in norms if node.has(n)] if cell.norms + 3 < _HAS_NORMS else []
    inputs = [
        x,
        stack,
        _stacked(node, r, f"{suffix} r", coupled),
        _stacked(node, b, f"{suffix} b", coupled) if node.has(b[1]) else "",
        _stacked(node, p, f"{suffix} p", coupled) if node.has(p[1]) else "",
        node.optional(cell.projection),
        node.optional(cell.projection + 1),
        *(node.state(i, (batch, *shape[1:])) for i, shape in zip(states, declared, strict=True)),
        _stacked(node, norms, f"{suffix} n", coupled) if normalized else "",
    ]
    return node.steps(op, inputs if inputs[-1] else inputs[:-1], suffix)


def _state_shape(node: TfliteNode, position: int) -> Shape:
    if not node.has(position):
        raise FormatError(
            f"{node.operator.kind} node {node.operator.index} has no state {position}"
        )
    return node.importer.declared(node.operator.inputs[position]).shape


def _stacked(node: TfliteNode, positions: list[int], what: str, coupled: bool) -> str:
    """Return constants one above the other, zeros where the input gate's are absent."""
    parts: list[Array | None] = []
    scales: list[Quantization | None] = []
    for position in positions:
        if not node.has(position):
            if not coupled or position != positions[0]:
                raise FormatError(f"{node.operator.kind} node {node.operator.index}: no {what}")
            parts.append(None)
            scales.append(None)
            continue
        parts.append(node.constant(position, "weights"))
        scales.append(node.type(position).quantization)
    known = next(part for part in parts if part is not None)
    whole = np.concatenate([np.zeros_like(known) if part is None else part for part in parts])
    name = node.importer.fresh(f"{node.output_name}:{what}")
    if known.dtype == np.float32:
        return node.graph.add_constant(name, whole)
    if any(s is not None and (not s.per_tensor or s.zero_point[0]) for s in scales):
        raise UnsupportedError(f"{what}: scales per channel, or zero points")
    lengths = [known.shape[0]] * len(parts)
    each = [np.float32(1) if s is None else s.scale[0] for s in scales]
    return node.graph.add_constant(name, whole, Quantization(np.repeat(each, lengths), 0, 0))


def _integer_lstm(node: TfliteNode) -> None:
    gates, scale = [2.0**-12] * 4, node.type(2).quantization
    if scale is None:
        raise UnsupportedError("float weights beside int8 activations")
    for gate in range(4):
        if node.has(_NORMS + gate):
            gates[gate] = _intermediate(node, gate)[0]
    op = IntegerLSTM(
        time_major=bool(node.option("TimeMajor", False)),
        cell_clip=float(node.option("CellClip", 0.0)),
        projection_clip=float(node.option("ProjClip", 0.0)),
        hidden=_intermediate(node, _HIDDEN),
        gate_scales=(gates[0], gates[1], gates[2], gates[3]),
    )
    if node.type(0).rank != 3:
        raise UnsupportedError(f"sequence {node.type(0)}; expected [batch, time, inputs]")
    batch = node.type(0).shape[1 if op.time_major else 0]
    shapes = [(batch, *_state_shape(node, i)[1:]) for i in (_STATE_H, _STATE_C)]
    inputs = [node.optional(i) for i in range(_STATE_H)]
    inputs += [node.state(_STATE_H, shapes[0]), node.state(_STATE_C, shapes[1])]
    inputs += [node.optional(i) for i in range(_NORMS, node.input_count)]
    h, c = node.emit_first(op, inputs)
    node.keep(_STATE_H, h)
    node.keep(_STATE_C, c)


def _intermediate(node: TfliteNode, position: int) -> tuple[float, int]:
    """Return scale and zero point of an intermediate tensor that the operator lists."""
    listed = node.operator.intermediates
    index = listed[position] if position < len(listed) else -1
    found = None if index < 0 else node.importer.main.tensors[index].quantization
    if found is None:
        raise UnsupportedError(f"intermediate tensor {position} has no scale")
    return float(found.scale[0]), int(found.zero_point[0])


CONVERTERS = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": bidirectional_sequence_lstm,
    "LSTM": lstm,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": unidirectional_sequence_lstm,
}
