"""Binding of recurrent layers to kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from linnet.types import Array

from .base import Step
from .bind_linear import PANEL, aligned, pack_weights
from .fixed_point import sigmoid_table, tanh_table

if TYPE_CHECKING:
    from .integer_lstm import CellConstants, IntegerLSTM

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
    layout = step.program.layout_s8
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
