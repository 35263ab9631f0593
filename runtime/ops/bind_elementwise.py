"""How elementwise ops add their kernels to a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet.types import Array, DType, NodeTypes, Quantization, TensorType

from . import arithmetic
from .base import NO_CLAMP, Clamp, Op, Step

MAX_DIMS = 6
_BYTES = (DType.INT8, DType.UINT8)
_WHOLE = (DType.INT32, DType.INT64, DType.UINT8, DType.BOOL)
_STORED = (*_BYTES, DType.INT16)
_NUMBERS = (DType.FLOAT32, DType.INT32, DType.INT64, DType.INT8, DType.UINT8, DType.BOOL)
# Runs this long hide what it costs to start one.
_LONG_RUN = 512
_TOP_BIT = np.arange(256, dtype=np.uint8) ^ 0x80


def collapse(
    shape: Sequence[int], operands: Sequence[Sequence[int]]
) -> tuple[list[int], list[list[int]]]:
    """Return the fewest dimensions that describe a broadcast, and each operand's strides in them.

    Strides count elements and are 0 where an operand repeats.

    Examples
    --------
    >>> collapse((2, 3, 4), [(2, 3, 4), (4,)])
    ([6, 4], [[4, 1], [0, 1]])
    >>> collapse((2, 3, 4), [(2, 3, 4), ()])
    ([24], [[1], [0]])
    """
    sizes: list[int] = []
    strides: list[list[int]] = [[] for _ in operands]
    counts = [1] * len(operands)
    padded = [(1,) * (len(shape) - len(operand)) + tuple(operand) for operand in operands]
    for axis in reversed(range(len(shape))):
        size = shape[axis]
        if size == 1:
            continue
        steps = [0 if operand[axis] == 1 else n for operand, n in zip(padded, counts, strict=True)]
        counts = [n * operand[axis] for operand, n in zip(padded, counts, strict=True)]
        if sizes and all(
            step == known[0] * sizes[0] for step, known in zip(steps, strides, strict=True)
        ):
            sizes[0] *= size
            continue
        sizes.insert(0, size)
        for step, known in zip(steps, strides, strict=True):
            known.insert(0, step)
    if not sizes:
        return [1], [[1] for _ in operands]
    return sizes, strides


def walk(step: Step) -> tuple[Any, ...] | None:
    """Return the addresses, then sizes and strides of a broadcast, None where it is too deep.

    A constant that repeats a few elements is copied end to end, so that runs are long.
    """
    types = step.types
    operands = [item.static_shape for item in types.inputs if item is not None]
    sizes, strides = collapse(types.outputs[0].static_shape, operands)
    pointers = [item.pointer for item in (*step.inputs, *step.outputs)]
    if len(sizes) > MAX_DIMS:
        return None
    for k, item in enumerate(step.inputs):
        if len(operands) == 2 and item.array is not None and len(sizes) > 1:
            times = _repeats(sizes, strides[k], strides[1 - k])
            if times > 1:
                copies = step.keep(np.tile(np.ravel(item.array), times))
                pointers[k] = copies.ctypes.data
                sizes = [*sizes[:-2], sizes[-2] // times, sizes[-1] * times]
                strides[1 - k] = [*strides[1 - k][:-2], sizes[-1], 1]
    return *pointers, sizes, strides


def _repeats(sizes: list[int], repeated: list[int], other: list[int]) -> int:
    """Return how often to copy an operand that only the last dimension moves, 1 for not at all."""
    outer, inner = sizes[-2:]
    alone = repeated[-1] == 1 and not any(repeated[:-1]) and other[-2:] == [inner, 1]
    if not alone or not 0 < inner < _LONG_RUN:
        return 1
    return max(n for n in range(1, _LONG_RUN // inner + 1) if outer % n == 0)


def every_byte(tensor: TensorType) -> Array:
    """Return all 256 stored values, in the order of their unsigned bytes."""
    return np.arange(256, dtype=np.uint8).view(tensor.dtype.numpy)


def has_bytes(*types: TensorType) -> bool:
    """Whether every type is of one byte with at most one scale."""
    return all(
        item.dtype in _BYTES and (item.quantization is None or item.quantization.per_tensor)
        for item in types
    )


def table(op: Op, step: Step) -> bool:
    """Bind an op of one operand, both ends bytes, by its reference on all 256 stored values."""
    (x,), (y,) = step.types
    if x is None or not has_bytes(x, y):
        return False
    ends = (x.with_(shape=(256,), value=None),), (y.with_(shape=(256,), value=None),)
    (result,) = op.reference(NodeTypes(*ends), every_byte(x))
    entries = np.ascontiguousarray(result).view(np.uint8)
    source, target = step.inputs[0].pointer, step.outputs[0].pointer
    if np.array_equal(entries, _TOP_BIT):
        step.program.flip_u8(source, target, y.size)
    else:
        step.program.table_u8(source, target, step.keep(entries).ctypes.data, y.size)
    return True


def unary_f32(step: Step, name: str, a: float = 0.0, b: float = 0.0) -> bool:
    """Bind a function of the first operand's float32 elements by the kernel's name."""
    x, y = step.types.inputs[0], step.types.outputs[0]
    if x is None or x.shape != y.shape:
        return False
    if x.dtype is not DType.FLOAT32 or y.dtype is not DType.FLOAT32:
        return False
    source, target = step.inputs[0].pointer, step.outputs[0].pointer
    step.program.unary_f32(name, source, target, y.size, float(a), float(b))
    return True


def unary(op: Op, step: Step, kernel: tuple[str, float, float] | None) -> bool:
    """Bind a function of one operand: bytes by table, float32 by the named kernel."""
    return table(op, step) or (kernel is not None and unary_f32(step, *kernel))


def _pointers(step: Step) -> list[int]:
    return [item.pointer for item in (*step.inputs, *step.outputs)]


def binary_f32(name: str, step: Step, clamp: Clamp = NO_CLAMP) -> bool:
    """Bind a float32 op of two operands by name."""
    if any(item is None or item.dtype is not DType.FLOAT32 for item in _all(step)):
        return False
    route = walk(step)
    if route is None:
        return False
    step.program.binary_f32(name, *route, *clamp)
    return True


def compare_f32(name: str, step: Step) -> bool:
    """Bind a relation of two float32 operands by name."""
    if any(item is None or item.dtype is not DType.FLOAT32 for item in step.types.inputs):
        return False
    route = walk(step)
    if route is None:
        return False
    step.program.compare_f32(name, *route)
    return True


def binary_s8(name: str, step: Step, ratios: tuple[Any, Any, Any], clamp: Clamp = NO_CLAMP) -> bool:
    """Bind an int8 op of two operands by name; ratios are those of its formula."""
    operands = _all(step)
    if any(item is None or item.dtype is not DType.INT8 for item in operands):
        return False
    route = walk(step)
    if route is None:
        return False
    zeros = [arithmetic.pair(item)[1] for item in operands if item is not None]
    bounds = arithmetic.clamp_bounds(clamp, step.types.outputs[0])
    fixed = arithmetic.fixed_ratios(ratios[0], ratios[1])
    floats = [float(ratio) for ratio in ratios]
    step.program.binary_s8(name, *route, floats, fixed, zeros, bounds)
    return True


def pair_table(op: Op, step: Step) -> bool:
    """Bind any op of two quantized bytes by its reference on all pairs of stored values."""
    x, y = step.types.inputs
    (z,) = step.types.outputs
    if x is None or y is None or not has_bytes(x, y):
        return False
    if z.dtype is not DType.BOOL and not has_bytes(z):
        return False
    route = walk(step)
    if route is None:
        return False
    ends = (x.with_(shape=(256, 1), value=None), y.with_(shape=(1, 256), value=None))
    types = NodeTypes(ends, (z.with_(shape=(256, 256), value=None),))
    (result,) = op.reference(types, every_byte(x)[:, None], every_byte(y)[None, :])
    entries = step.keep(np.ascontiguousarray(result).view(np.uint8))
    step.program.pair_table_u8(*route, entries.ctypes.data)
    return True


def whole(name: str, step: Step, swapped: bool = False) -> bool:
    """Bind an op of two operands of plain integers or bool, in either order, by name."""
    route = walk(step) if _are_whole(step) else None
    if route is None:
        return False
    left, right, target, sizes, strides = route
    if swapped:
        left, right, strides = right, left, strides[::-1]
    kind = step.inputs[0].type.dtype.value
    step.program.binary_whole(name, left, right, target, sizes, strides, kind)
    return True


def whole_with(step: Step, *pairs: tuple[str, int]) -> bool:
    """Bind an op of one operand of plain integers or bool: named ops with a number, in turn."""
    if not _are_whole(step):
        return False
    (x,), (z,) = step.inputs, step.outputs
    source = x.pointer
    for name, number in pairs:
        other = step.keep(np.array([number]).astype(x.type.dtype.numpy))
        ends = source, other.ctypes.data, z.pointer
        step.program.binary_whole(name, *ends, [z.type.size], [[1], [0]], x.type.dtype.value)
        source = z.pointer
    return True


def _are_whole(step: Step) -> bool:
    """Whether the inputs are what the kernel of plain integers and bool takes."""
    return all(
        t is not None and not t.is_quantized and t.dtype in _WHOLE for t in step.types.inputs
    )


def where(step: Step) -> bool:
    """Bind a selection that moves elements as they are."""
    route = walk(step)
    _, x, y = step.types.inputs
    (z,) = step.types.outputs
    if route is None or x is None or y is None or z.dtype.itemsize > 8:
        return False
    if not x.quantization == y.quantization == z.quantization:
        return False
    step.program.where(*route, z.dtype.itemsize)
    return True


def _all(step: Step) -> tuple[TensorType | None, ...]:
    return (*step.types.inputs, *step.types.outputs)


def _affine(step: Step, tensor: TensorType, q: Quantization) -> tuple[list[int], int, int]:
    """Return the layout (outer, channels, inner) and the addresses of scales and zero points."""
    shape = tensor.static_shape
    scale = step.keep(np.ascontiguousarray(q.scale, np.float32))
    zero = step.keep(np.ascontiguousarray(q.zero_point, np.int32))
    if q.per_tensor or q.axis is None:
        layout = [1, 1, tensor.size]
    else:
        axis = q.axis % len(shape)
        outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
        layout = [outer, shape[axis], inner]
    return layout, scale.ctypes.data, zero.ctypes.data


def quantize(op: Op, step: Step) -> bool:
    """Bind float32 to stored numbers, or bytes to bytes by table."""
    (x,), (y,) = step.types
    if table(op, step):
        return True
    q = y.quantization
    if x is None or q is None or x.dtype is not DType.FLOAT32 or y.dtype not in _STORED:
        return False
    bounds = arithmetic.limits(y.dtype)
    step.program.quantize_f32(*_pointers(step), *_affine(step, y, q), *bounds, y.dtype.value)
    return True


def dequantize(step: Step) -> bool:
    """Bind stored numbers to float32."""
    (x,), _ = step.types
    if x is None or x.quantization is None or x.dtype not in _STORED:
        return False
    layout = _affine(step, x, x.quantization)
    step.program.dequantize(*_pointers(step), *layout, x.dtype.value)
    return True


def cast(step: Step) -> bool:
    """Bind a conversion between the common number types."""
    (x,), (y,) = step.types
    if x is None or x.dtype not in _NUMBERS or y.dtype not in _NUMBERS:
        return False
    step.program.cast(*_pointers(step), y.size, x.dtype.value, y.dtype.value)
    return True
