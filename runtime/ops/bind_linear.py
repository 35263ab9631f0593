"""Binding of linear layers and embeddings with small integer weights to kernels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from linnet.types import Array, DType

from .base import Step
from .bind_float import padded, readable

PANEL = 16
# Sums over a deeper column do not fit the two 16-bit numbers that the kernel multiplies.
_DEEPEST = 1 << 15


class PackedLinear(NamedTuple):
    """Weights in the form that the kernel reads; see kernels/src/linear/params.h."""

    weights: Array
    scale: Array
    column_sums: Array
    weight_zero: Array | None
    bias: Array | None


def aligned(shape: tuple[int, ...], dtype: type) -> Array:
    """Return zeros on a 64-byte boundary, 64 more readable bytes behind them."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64
    array: Array = raw[start : start + nbytes].view(dtype).reshape(shape)
    return array


def pack_weights(weights: Array, group: int) -> Array:
    """Return int8 weights (outputs, depth) as [panel][k / group][16][group], padded with zeros."""
    outputs, depth = weights.shape
    panels, lanes = -(-outputs // PANEL), -(-depth // group)
    full = np.zeros((panels * PANEL, lanes * group), np.int8)
    full[:outputs, :depth] = weights
    packed = aligned((panels, lanes, PANEL, group), np.int8)
    packed[...] = full.reshape(panels, PANEL, lanes, group).transpose(0, 2, 1, 3)
    return packed


def _pack(step: Step, splits: tuple[int, ...]) -> PackedLinear:
    w, bias = step.inputs[1], (*step.inputs, None)[2]
    outputs, q = w.type.static_shape[0], w.type.quantization

    def spread(values: Array, dtype: type) -> Array:
        """Return one number per output, every split padded with zeros to whole panels."""
        parts = np.split(np.broadcast_to(values, (outputs,)), np.cumsum(splits)[:-1])
        full = aligned((sum(-(-n // PANEL) * PANEL for n in splits),), dtype)
        at = 0
        for part in parts:
            full[at : at + part.size] = part
            at += -(-part.size // PANEL) * PANEL
        return full

    group = step.program.word_layout_s8[0]
    packed = [pack_weights(part, group) for part in np.split(w.array, np.cumsum(splits)[:-1])]
    return PackedLinear(
        packed[0] if len(packed) == 1 else _joined(packed),
        spread(q.scale, np.float32),
        spread(_halves(w.array.sum(axis=1, dtype=np.int64)), np.int32),
        spread(q.zero_point, np.int32) if q.zero_point.any() else None,
        None if bias is None else spread(bias.array, np.float32),
    )


def _halves(sums: Array) -> Array:
    """Return sums as two 16-bit numbers, the low one in 0..127, the high one in steps of 128."""
    return sums & 127 | sums >> 7 << 16


def _joined(packed: list[Array]) -> Array:
    whole = aligned((sum(p.shape[0] for p in packed), *packed[0].shape[1:]), np.int8)
    np.concatenate(packed, out=whole)
    return whole


def _address(array: Array | None) -> int:
    return 0 if array is None else int(array.ctypes.data)


def dynamic(step: Step, activation: int, per_tensor: bool, splits: tuple[int, ...]) -> bool:
    """Bind a `DynamicLinear`; False where no kernel serves it."""
    x, w, bias, residual = (*step.inputs, None, None)[:4]
    if w.array is None or (bias is not None and bias.array is None):
        return False
    outputs, depth = w.type.static_shape
    y = step.outputs[0]
    whole = (*x.type.static_shape[:-1], outputs)
    if residual is not None and not whole == residual.type.static_shape == y.type.static_shape:
        return False
    if depth > _DEEPEST:
        return False
    packed: PackedLinear = step.cached("dynamic linear", lambda: _pack(step, splits or (outputs,)))
    rows = math.prod(x.type.static_shape[:-1])
    source, limits = readable(step, 0), 0
    if per_tensor:
        found = step.keep(aligned((16,), np.float32))
        limits = _address(found)
        step.program.range_f32(x=source, out=limits, count=rows * depth)
    step.program.dynamic_linear(
        x=source,
        range=limits,
        weights=_address(packed.weights),
        scale=_address(packed.scale),
        bias=_address(packed.bias),
        column_sums=_address(packed.column_sums),
        weight_zero=_address(packed.weight_zero),
        residual=0 if residual is None else residual.pointer,
        parts=[(b.pointer, b.type.static_shape[-1]) for b in step.outputs],
        sizes=(rows, depth),
        activation=activation,
    )
    return True


def embedding(step: Step) -> bool:
    """Bind an `Embedding`; False where no kernel serves it."""
    table, indices = step.inputs
    if table.array is None:
        return False
    q = table.type.quantization
    scale = step.keep(padded(np.asarray(q.scale, np.float32)))
    zero = step.keep(padded(np.asarray(q.zero_point, np.int32)))
    rows, width = table.type.static_shape
    step.program.embedding_s8(
        table=table.pointer,
        scale=_address(scale),
        zero=_address(zero),
        indices=indices.pointer,
        y=step.outputs[0].pointer,
        sizes=(rows, width, math.prod(indices.type.static_shape)),
        per_row=q.axis is not None,
        wide=indices.type.dtype is DType.INT64,
    )
    return True
