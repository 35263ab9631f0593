"""Binding of float convolutions and matrix products to kernels.

Constant weights are packed into panels of 16 output channels; other operands are read in place.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from linnet.types import Array, DType, TensorType

from . import bind_sparse
from .base import Clamp, Step

_PANELS, _ROWS, _COLUMNS = range(3)
_PANEL = 16
_OVER_READ = 64


def aligned(count: int, dtype: type = np.float32) -> Array:
    """Return ``count`` zeros on a 64-byte boundary, 64 more readable bytes behind them."""
    size = count * np.dtype(dtype).itemsize + _OVER_READ
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype)


def padded(array: Array) -> Array:
    """Return a flat copy that kernels may read a vector beyond."""
    copy = aligned(array.size, array.dtype.type)
    copy[: array.size] = array.reshape(-1)
    return copy


def readable(step: Step, index: int) -> int:
    """Return the address of an input that a kernel reads beyond: constants are copied."""
    buffer = step.inputs[index]
    if buffer.array is None:
        return int(buffer.pointer)
    copy: Array = step.cached(f"padded{index}", lambda: padded(buffer.array))
    return int(copy.ctypes.data)


def is_float(step: Step) -> bool:
    """Return whether every operand and result is float32."""
    present = [t for t in (*step.types.inputs, *step.types.outputs) if t is not None]
    return all(t.dtype == DType.FLOAT32 for t in present)


def _type(step: Step, index: int) -> TensorType:
    found: TensorType = step.inputs[index].type
    return found


def pack(program: Any, matrices: Array) -> Array:
    """Return the matrices (count, columns, depth) as panels, one after the other."""
    source = np.ascontiguousarray(matrices, np.float32)
    count, columns, depth = source.shape
    size = program.panels_f32_size(columns, depth)
    packed = aligned(count * size)
    for i in range(count):
        program.pack_panels_f32(
            dst=packed.ctypes.data + 4 * i * size,
            src=source.ctypes.data + 4 * i * columns * depth,
            columns=columns,
            depth=depth,
            column_stride=depth,
            depth_stride=1,
        )
    return packed


def pack_bias(step: Step, groups: int) -> int:
    """Return the address of the bias, each group of it padded to whole panels; 0 without one."""
    if len(step.inputs) < 3 or step.inputs[2] is None:
        return 0

    def make() -> Array:
        bias = step.inputs[2].array.reshape(groups, -1)
        width = -(-bias.shape[1] // _PANEL) * _PANEL
        packed = aligned(groups * width)
        packed[: groups * width].reshape(groups, width)[:, : bias.shape[1]] = bias
        return packed

    address: Array = step.cached("bias", make)
    return int(address.ctypes.data)


def is_constant(step: Step, index: int) -> bool:
    """Return whether an input is constant or absent."""
    if index >= len(step.inputs) or step.inputs[index] is None:
        return True
    return step.inputs[index].array is not None


def _offsets(step: Step, values: Array) -> int:
    kept: Array = step.keep(np.ascontiguousarray(values, np.int64))
    return int(kept.ctypes.data)


def _gemm(
    step: Step,
    b: int,
    layout: int,
    sizes: tuple[int, int, int],
    *,
    clamp: Clamp,
    bias: int = 0,
    strides: tuple[int, int] = (0, 0),
    a_columns: bool = False,
    batch: tuple[Array, Array] | None = None,
) -> bool:
    """Add the product kernel; ``sizes`` is (rows, columns, depth), ``strides`` (lda, ldb)."""
    rows, columns, depth = sizes
    a_offsets, b_offsets = (np.zeros(1), np.zeros(1)) if batch is None else batch
    step.program.gemm_f32(
        a=readable(step, 0) if a_columns else step.inputs[0].pointer,
        b=b,
        bias=bias,
        c=step.outputs[0].pointer,
        a_offsets=_offsets(step, a_offsets),
        b_offsets=_offsets(step, b_offsets),
        batch=a_offsets.size,
        rows=rows,
        columns=columns,
        depth=depth,
        lda=strides[0] or depth,
        ldb=strides[1] or depth,
        b_layout=layout,
        a_columns=a_columns,
        low=clamp[0],
        high=clamp[1],
    )
    return True


def fully_connected(step: Step, op: Any) -> bool:
    """Bind a float `FullyConnected`; False where no kernel serves it."""
    if not is_float(step):
        return False
    outputs, depth = _type(step, 1).static_shape
    rows = math.prod(_type(step, 0).static_shape[:-1])
    if not (is_constant(step, 1) and is_constant(step, 2)):
        bias = readable(step, 2) if len(step.inputs) > 2 and step.inputs[2] is not None else 0
        b = readable(step, 1)
        return _gemm(step, b, _COLUMNS, (rows, outputs, depth), clamp=op.clamp, bias=bias)
    weights = step.inputs[1].array
    bias = pack_bias(step, 1)
    if bind_sparse.product(step, weights, rows, op.clamp, bias):
        return True
    panels: Array = step.cached("panels", lambda: pack(step.program, weights[None]))
    address = panels.ctypes.data
    return _gemm(step, address, _PANELS, (rows, outputs, depth), clamp=op.clamp, bias=bias)


def _batch_offsets(batch: tuple[int, ...], shape: tuple[int, ...], size: int) -> Array:
    """Return the offset of every broadcast batch entry's matrix of ``size`` elements."""
    own = np.arange(math.prod(shape[:-2]), dtype=np.int64).reshape(shape[:-2])
    return np.ascontiguousarray(np.broadcast_to(own * size, batch)).reshape(-1)


def matmul(step: Step, op: Any) -> bool:
    """Bind a float `MatMul`; False where no kernel serves it."""
    if not is_float(step):
        return False
    a, b = _type(step, 0), _type(step, 1)
    left, right = (tuple(int(dim) for dim in shape) for shape in op.shapes(a, b))
    rows, depth, columns = left[-2], left[-1], right[-1]
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    if math.prod(right[:-2]) == 1 and not op.transpose_a:
        rows, batch, left = math.prod(left[:-1]), (), left[-2:]
        right = right[-2:]
    panels = -(-columns // _PANEL) * _PANEL * depth
    constant = step.inputs[1].array is not None
    offsets = (
        _batch_offsets(batch, left, left[-2] * left[-1]),
        _batch_offsets(batch, right, panels if constant else depth * columns),
    )
    layout = _PANELS if constant else _COLUMNS if op.transpose_b else _ROWS
    address = _packed_operand(step, op) if constant else step.inputs[1].pointer
    return _gemm(
        step,
        address,
        layout,
        (rows, columns, depth),
        clamp=(-math.inf, math.inf),
        strides=(left[-2] if op.transpose_a else depth, depth if op.transpose_b else columns),
        a_columns=op.transpose_a,
        batch=offsets,
    )


def _packed_operand(step: Step, op: Any) -> int:
    """Return the address of MatMul's constant second operand as panels, batch by batch."""

    def make() -> Array:
        matrix = step.inputs[1].array
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix
        swapped = matrix if op.transpose_b else matrix.swapaxes(-1, -2)
        count = math.prod(swapped.shape[:-2])
        return pack(step.program, swapped.reshape(count, *swapped.shape[-2:]))

    packed: Array = step.cached("panels", make)
    return int(packed.ctypes.data)


def bounds(op: Any) -> dict[str, float]:
    """Return the fused activation's bounds as the kernels take them."""
    return {"low": op.clamp[0], "high": op.clamp[1]}


def conv_weights(step: Step, key: str, weights: Any, dilation: int) -> int:
    """Return the address of packed weights.

    Parameters
    ----------
    weights : callable
        Gives them as (groups, outputs, kernel height, kernel width, depth).
    dilation : int
        Of the kernel's columns.
    """

    def make() -> Array:
        array = np.ascontiguousarray(weights(), np.float32)
        groups, outputs, *kernel, depth = array.shape
        sizes = {"groups": groups, "outputs": outputs, "kernel": kernel, "depth": depth}
        pack_conv = partial(step.program.pack_conv_f32, **sizes, dilation=dilation)
        packed = aligned(pack_conv(dst=0, src=0))
        pack_conv(dst=packed.ctypes.data, src=array.ctypes.data)
        return packed

    packed: Array = step.cached(key, make)
    return int(packed.ctypes.data)


def _winograd(step: Step, op: Any, window: Any, bias: int) -> bool:
    """Bind a 3x3 convolution by Winograd's transforms; False where windows are faster."""
    batch, height, width, channels = _type(step, 0).static_shape
    weights = step.inputs[1].array
    outputs, (rows, columns) = weights.shape[0], window.output
    plain = window.kernel == (3, 3) and window.strides == window.dilations == (1, 1)
    if not plain or op.groups > 1 or channels < 16 or outputs < 8:
        return False
    # A tile multiplies 36 numbers per weight matrix: few tiles only pay while those stay cached.
    tiles = batch * -(-rows // 4) * -(-columns // 4)
    if tiles < (4 if channels * outputs <= 4096 else 16):
        return False

    def make() -> Array:
        source = np.ascontiguousarray(weights, np.float32)
        packed = aligned(step.program.winograd_f32_size(outputs, channels))
        step.program.pack_winograd_f32(
            dst=packed.ctypes.data, src=source.ctypes.data, outputs=outputs, channels=channels
        )
        return packed

    packed: Array = step.cached("winograd", make)
    step.program.winograd_f32(
        x=readable(step, 0),
        w=packed.ctypes.data,
        bias=bias,
        y=step.outputs[0].pointer,
        image=(batch, height, width, channels),
        result=(rows, columns, outputs),
        begins=window.pads[:2],
        **bounds(op),
    )
    return True


def conv2d(step: Step, op: Any) -> bool:
    """Bind a float `Conv2D`; False where no kernel serves it."""
    if not (is_float(step) and is_constant(step, 1) and is_constant(step, 2)):
        return False
    x, w = _type(step, 0), _type(step, 1)
    batch, height, width, channels = x.static_shape
    window = op.window(x, w)
    outputs = w.static_shape[0] // op.groups
    kernel, weights = window.kernel, step.inputs[1].array
    bias = pack_bias(step, op.groups)
    if kernel == (1, 1) == window.strides and not any(window.pads) and op.groups == 1:
        sizes = (batch * height * width, outputs, channels)
        matrix = weights.reshape(outputs, channels)
        if bind_sparse.product(step, matrix, sizes[0], op.clamp, bias):
            return True
        panels: Array = step.cached("panels", lambda: pack(step.program, matrix[None]))
        return _gemm(step, panels.ctypes.data, _PANELS, sizes, clamp=op.clamp, bias=bias)
    if _winograd(step, op, window, bias):
        return True
    shape = (op.groups, outputs, *kernel, channels // op.groups)
    dilation = window.dilations[1]
    address = conv_weights(step, "weights", lambda: weights.reshape(shape), dilation)
    pixel = outputs * op.groups
    rows, columns = window.output
    step.program.conv_f32(
        x=readable(step, 0),
        w=address,
        bias=bias,
        y=step.outputs[0].pointer,
        image=(batch, height, width, channels // op.groups),
        result=(rows, columns, outputs, op.groups),
        kernel=kernel,
        strides=window.strides,
        dilations=window.dilations,
        begins=window.pads[:2],
        y_steps=(rows * columns * pixel, columns * pixel, pixel),
        **bounds(op),
    )
    return True
