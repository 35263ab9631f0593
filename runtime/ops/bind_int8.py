"""Binding of int8 convolutions and matrix products to kernels: packing, folding, geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linnet.types import Array, DType, TensorType

from .arithmetic import clamp_bounds, pair
from .base import NO_CLAMP, Clamp, Step
from .products import product_scale

if TYPE_CHECKING:
    from .conv import Conv2D, ConvTranspose2D
    from .matmul import FullyConnected, MatMul

PANEL = 16
_INT32 = 2**31


class Packed(NamedTuple):
    """Weights in the form that the kernels read; see kernels/src/int8/params.h."""

    weights: Array
    bias: Array
    scale: Array
    weight_zero: Array | None


def conv2d(step: Step, op: Conv2D) -> bool:
    """Bind an int8 `Conv2D`; False where no kernel serves it."""
    x, w, bias = (*step.inputs, None)[:3]
    y = step.outputs[0]
    if not _servable(x, w, bias, y):
        return False
    packed = _pack(step, w.array, bias, op.groups)
    if packed is None:
        return False
    window = op.window(x.type, w.type)
    batch, height, width, _ = x.type.static_shape
    outputs, _, _, channels = w.type.static_shape
    out_height, out_width = window.output
    _, zero = pair(x.type)
    step.program.conv_s8(
        x=x.pointer,
        y=y.pointer,
        **_addresses(packed),
        image=(batch, height, width, channels, op.groups),
        window=(*window.kernel, *window.strides, *window.dilations, *window.pads[:2]),
        out=(out_height, out_width, outputs // op.groups),
        steps=(out_height * out_width * outputs, out_width * outputs, outputs),
        zero=zero,
        bounds=_bounds(op.clamp, y.type),
    )
    return True


def conv_transpose2d(step: Step, op: ConvTranspose2D) -> bool:
    """Bind an int8 `ConvTranspose2D`; False where no kernel serves it."""
    return False


def fully_connected(step: Step, op: FullyConnected) -> bool:
    """Bind an int8 `FullyConnected`; False where no kernel serves it."""
    x, w, bias = (*step.inputs, None)[:3]
    if not _servable(x, w, bias, step.outputs[0]):
        return False
    return _rows(step, w.array, bias, op.clamp)


def matmul(step: Step, op: MatMul) -> bool:
    """Bind an int8 `MatMul`; False where no kernel serves it."""
    a, b = step.inputs
    if op.transpose_a or a.array is not None:
        return False
    if b.array is None:
        return _activations(step, op)
    if b.type.rank < 2 or b.type.size != int(np.prod(b.type.static_shape[-2:])):
        return False
    if not _servable(a, b, None, step.outputs[0]):
        return False
    weights = b.array.reshape(b.type.static_shape[-2:])
    return _rows(step, weights if op.transpose_b else weights.T, None, NO_CLAMP)


def _activations(step: Step, op: MatMul) -> bool:
    """Multiply two activations, the second one packed at run time."""
    a, b, y = *step.inputs, step.outputs[0]
    if not all(t.type.dtype is DType.INT8 for t in (a, b, y)) or not y.type.is_quantized:
        return False
    left, right = (tuple(int(dim) for dim in shape) for shape in op.shapes(a.type, b.type))
    rows, (depth, columns) = left[-2], right[-2:]
    zeros = pair(a.type)[1], pair(b.type)[1]
    scale = product_scale(a.type, b.type, y.type)
    if depth * 255 * 255 >= _INT32 or not np.isfinite(scale).all():
        return False
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    offsets = [
        step.keep(_offsets(shape[:-2], batch, shape[-2] * shape[-1])) for shape in (left, right)
    ]
    scales = np.full((1, columns), scale[0], np.float32)
    padded = step.keep(_columns(scales, -(-columns // PANEL), np.float32))
    step.program.matmul_s8(
        a=a.pointer,
        b=b.pointer,
        y=y.pointer,
        a_offsets=offsets[0].ctypes.data,
        b_offsets=offsets[1].ctypes.data,
        scale=padded.ctypes.data,
        sizes=(int(np.prod(batch)), rows, depth, columns),
        b_transposed=op.transpose_b and b.type.rank > 1,
        zeros=zeros,
        bounds=_bounds(NO_CLAMP, y.type),
    )
    return True


def _offsets(shape: tuple[int, ...], batch: tuple[int, ...], size: int) -> Array:
    """Return where each matrix of a broadcast batch starts, in elements."""
    count = int(np.prod(shape))
    starts = np.arange(count, dtype=np.int64).reshape(shape) * size
    return np.ascontiguousarray(np.broadcast_to(starts, batch)).reshape(-1)


def _rows(step: Step, weights: Array, bias: Any, clamp: Clamp) -> bool:
    """Multiply every row of input 0 with weights (outputs, depth)."""
    packed = _pack(step, weights, bias, 1)
    if packed is None:
        return False
    x, y = step.inputs[0], step.outputs[0]
    outputs, depth = weights.shape
    rows = y.type.size // outputs if outputs else 0
    step.program.conv_s8(
        x=x.pointer,
        y=y.pointer,
        **_addresses(packed),
        image=(1, 1, rows, depth, 1),
        window=(1, 1, 1, 1, 1, 1, 0, 0),
        out=(1, rows, outputs),
        steps=(rows * outputs, rows * outputs, outputs),
        zero=0,
        bounds=_bounds(clamp, y.type),
    )
    return True


def _servable(x: Any, w: Any, bias: Any, y: Any) -> bool:
    """Return whether types and constants are what the kernels take."""
    constant = w.array is not None and (bias is None or bias.array is not None)
    bytes_only = all(t.type.dtype is DType.INT8 for t in (x, w, y))
    return constant and bytes_only and x.array is None and y.type.is_quantized


def _bounds(clamp: Clamp, y: TensorType) -> tuple[int, int, int]:
    return (pair(y)[1], *clamp_bounds(clamp, y))


def _addresses(packed: Packed) -> dict[str, int]:
    zero = packed.weight_zero
    return {
        "weights": packed.weights.ctypes.data,
        "bias": packed.bias.ctypes.data,
        "scale": packed.scale.ctypes.data,
        "weight_zero": 0 if zero is None else zero.ctypes.data,
    }


def _pack(step: Step, weights: Array, bias: Any, groups: int) -> Packed | None:
    """Pack the weights and fold the bias; None where an int32 sum could overflow.

    Weights are cached by session: another input shape packs nothing again.
    """
    x, w, y = step.inputs[0].type, step.inputs[1].type, step.outputs[0].type
    scale = product_scale(x, w, y)
    if not np.isfinite(scale).all():
        return None

    def make() -> Packed | None:
        return pack(
            weights.reshape(weights.shape[0], -1),
            w.quantization.zero_point,
            scale,
            None if bias is None else bias.array,
            pair(x)[1],
            groups,
            step.program.layout_s8,
        )

    packed: Packed | None = step.cached(f"int8 weights for {step.program.isa}", make)
    return packed


def pack(
    weights: Array,
    weight_zero: Array,
    scale: Array,
    bias: Array | None,
    zero: int,
    groups: int,
    layout: tuple[int, int],
) -> Packed | None:
    """Return packed weights, or None where an int32 sum could overflow.

    Parameters
    ----------
    weights : ndarray of int8, shape (outputs, depth)
    weight_zero, scale : ndarray, shape (1,) or (outputs,)
        Zero points of the weights; scales of the requantization.
    bias : ndarray of int, shape (outputs,), optional
    zero : int
        Zero point of the activations.
    groups : int
        Blocks of outputs, each padded to whole panels of 16.
    layout : (int, int)
        Consecutive k per lane, and what the kernel adds to activations.
    """
    outputs, depth = weights.shape
    group, shift = layout
    zeros = np.broadcast_to(weight_zero.astype(np.int64), (outputs,))
    wide = weights.astype(np.int64)
    start = np.zeros(outputs, np.int64) if bias is None else bias.astype(np.int64)
    reach = np.abs(wide - zeros[:, None]).sum(axis=1) * max(zero + 128, 127 - zero) + abs(start)
    if (reach >= _INT32).any():
        return None
    folded = start + (depth * zeros - wide.sum(axis=1)) * (zero + shift)
    wrapped = (folded + _INT32) % (2 * _INT32) - _INT32
    per_group = outputs // groups
    panels = -(-per_group // PANEL)
    return Packed(
        _panels(weights.reshape(groups, per_group, depth), panels, group),
        _columns(wrapped.reshape(groups, per_group), panels, np.int32),
        _columns(np.broadcast_to(scale, (outputs,)).reshape(groups, -1), panels, np.float32),
        _columns(zeros.reshape(groups, per_group), panels, np.int32) if zeros.any() else None,
    )


def _panels(weights: Array, panels: int, group: int) -> Array:
    """Return weights (groups, outputs, depth) as [groups][panel][depth / group][16][group]."""
    groups, outputs, depth = weights.shape
    lanes = -(-depth // group)
    full = np.zeros((groups, panels * PANEL, lanes * group), np.int8)
    full[:, :outputs, :depth] = weights
    packed = aligned((groups, panels, lanes, PANEL, group), np.int8)
    packed[...] = full.reshape(groups, panels, PANEL, lanes, group).transpose(0, 1, 3, 2, 4)
    return packed


def _columns(values: Array, panels: int, dtype: Any) -> Array:
    """Return (groups, outputs) padded with zeros to whole panels."""
    groups, outputs = values.shape
    full = aligned((groups, panels * PANEL), dtype)
    full[...] = 0
    full[:, :outputs] = values
    return full


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an uninitialized array that starts on a 64-byte boundary."""
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64
    array: Array = raw[start : start + nbytes].view(dtype).reshape(shape)
    return array
