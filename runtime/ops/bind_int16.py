"""Binding of ops on int16 activations to kernels; each function returns False where none serves.

Convolutions and matrix products are in `bind_int8`, pooling and reductions in `bind_reduce`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from linnet.types import Array, DType, NodeTypes, TensorType

from .arithmetic import clamp_bounds, fixed_ratios, pair
from .base import NO_CLAMP, Clamp, Op, Step
from .bind_elementwise import walk
from .fixed_point import multiplier
from .pack_int16 import panel_columns, repeated
from .packed import INT32, PANEL
from .products import product_scale

if TYPE_CHECKING:
    from .bind_depthwise import Depthwise

_STORED = (DType.INT8, DType.UINT8, DType.INT16, DType.UINT16)
# Sums of so many exponents fit 31 bits.
_LONGEST_SOFTMAX = 2**16 - 1


def depthwise(step: Step, op: Depthwise, geometry: dict[str, Any]) -> bool:
    """Bind a `DepthwiseConv2D` of int16 with int8 weights whose sums fit int32."""
    x, w, y = step.inputs[0].type, step.inputs[1].type, step.outputs[0].type
    if (w.dtype, y.dtype) != (DType.INT8, DType.INT16):
        return False
    channels = w.static_shape[3]
    zeros = repeated(w.quantization.zero_point.astype(np.int32), channels)
    weights = step.inputs[1].array.reshape(-1, channels).astype(np.int32) - zeros
    bias = np.zeros(channels, np.int64)
    if len(step.inputs) > 2 and step.inputs[2] is not None:
        bias = step.inputs[2].array.astype(np.int64)
    folded = bias - weights.sum(axis=0, dtype=np.int64) * pair(x)[1]
    reach = np.abs(folded) + (np.abs(weights).sum(axis=0, dtype=np.int64) << 15)
    if (reach >= INT32).any():
        return False
    scale = repeated(product_scale(x, w, y), channels)
    step.program.depthwise_s16(
        **geometry,
        weights=_padded(step, weights & 0xFFFF, np.int32),
        bias=_padded(step, folded[None], np.int32),
        scale=_padded(step, scale[None], np.float32),
        zeros=(pair(x)[1], pair(y)[1]),
        bounds=clamp_bounds(op.clamp, y),
    )
    return True


def _padded(step: Step, rows: Array, dtype: type) -> int:
    """Return the address of rows of channels, padded to whole panels."""
    kept: Array = step.keep(panel_columns(rows, -(-rows.shape[1] // PANEL), dtype))
    return kept.ctypes.data


def binary(name: str, step: Step, ratios: tuple[Any, Any, Any], clamp: Clamp = NO_CLAMP) -> bool:
    """Bind an op of two int16 operands by name; ratios are those of its formula."""
    operands = [item for item in (*step.types.inputs, *step.types.outputs) if item is not None]
    if any(item.dtype is not DType.INT16 or not item.is_quantized for item in operands):
        return False
    zeros = [pair(item)[1] for item in operands]
    if name == "Mul" and (32768 + abs(zeros[0])) * (32768 + abs(zeros[1])) >= INT32:
        return False
    route = walk(step)
    if route is None:
        return False
    bounds = clamp_bounds(clamp, operands[2])
    fixed = fixed_ratios(ratios[0], ratios[1])
    step.program.binary_s16(name, *route, float(ratios[2]), fixed, zeros, bounds)
    return True


def extreme(name: str, step: Step) -> bool:
    """Bind the lesser or greater of two int16 numbers of one scale."""
    first, *others = (item for item in (*step.types.inputs, *step.types.outputs) if item)
    if any(item.quantization != first.quantization for item in others):
        return False
    return binary(name, step, (1.0, 1.0, 1.0))


def table(op: Op, step: Step) -> bool:
    """Bind an op of one stored operand, one end int16, by its reference on all stored values."""
    (x,), (y,) = step.types
    if x is None or not _per_tensor(x) or not _per_tensor(y):
        return False
    if max(x.dtype.itemsize, y.dtype.itemsize) != 2:
        return False
    entries: Array = step.cached("table", lambda: _entries(op, x, y))
    return look_up(step, entries)


def _per_tensor(tensor: TensorType) -> bool:
    q = tensor.quantization
    return tensor.dtype in _STORED and q is not None and q.per_tensor


def _entries(op: Op, x: TensorType, y: TensorType) -> Array:
    """Return the op's output for every stored input, in the order of unsigned numbers."""
    bits = 8 * x.dtype.itemsize
    every = np.arange(1 << bits).astype(f"u{x.dtype.itemsize}").view(x.dtype.numpy)
    ends = (x.with_(shape=every.shape, value=None),), (y.with_(shape=every.shape, value=None),)
    (result,) = op.reference(NodeTypes(*ends), every)
    return np.ascontiguousarray(result)


def look_up(step: Step, entries: Array) -> bool:
    """Bind a lookup of input 0 in entries that lie in the order of unsigned numbers."""
    x, y = step.inputs[0], step.outputs[0]
    address = step.keep(entries).ctypes.data
    sizes = x.type.dtype.itemsize, y.type.dtype.itemsize
    step.program.table_s16(x.pointer, y.pointer, address, y.type.size, *sizes)
    return True


def softmax(step: Step, scale: float, exponents: Array, reciprocals: Array) -> bool:
    """Bind an `IntegerSoftmax` whose factor is ``scale``, given its tables."""
    x, y = step.inputs[0], step.outputs[0]
    length = x.type.static_shape[-1]
    factor, shift = multiplier(scale)
    if not 0 < length <= _LONGEST_SOFTMAX or shift > 14 or x.array is not None:
        return False
    tables = [
        step.keep(entries.astype(np.int16)).ctypes.data for entries in (exponents, reciprocals)
    ]
    rows = x.type.size // length
    step.program.softmax_s16(x.pointer, y.pointer, *tables, rows, length, factor, shift)
    return True
