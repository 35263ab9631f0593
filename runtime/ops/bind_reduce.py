"""Binding of pooling and reductions to kernels; each function returns False where none serves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linnet.types import DType, TensorType

from .arithmetic import clamp_bounds, pair
from .base import Clamp, Step
from .window import Window

_SUFFIXES = {DType.INT8: "s8", DType.INT16: "s16"}
# So many differences of stored numbers fit int32.
_MOST_SUMMED = {DType.INT8: 2**23, DType.INT16: 2**15}
# The int8 pooling kernel sums the rows of a window in int16.
_MOST_ROWS = 255
# The int8 kernel of ArgMax keeps a place in 16 bits.
_MOST_PLACES = 2**16
# In the order of Fold in kernels/src/select/params.h.
_FOLDS = ("sum", "max", "min", "product")
_WHOLE = (DType.INT32, DType.INT64, DType.UINT8, DType.BOOL)
_ORDERED = (DType.FLOAT32, DType.INT32, DType.INT64, DType.INT8)
# In the order of MeanRounding in kernels/src/reduce/params.h.
ROUNDINGS = ("half_even", "half_up", "half_away")


def mean_scale(x: TensorType, y: TensorType, count: int = 1) -> np.float32:
    """Return float32(s_x / s_y) / float32(count), rounded to float32 at each step."""
    return np.float32(np.float32(pair(x)[0] / pair(y)[0]) / np.float32(count))


def stored_clamp(clamp: Clamp, y: TensorType) -> tuple[float, float]:
    """Return the clamp as stored values where the type is quantized."""
    return clamp_bounds(clamp, y) if y.is_quantized else clamp


def folded_shape(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[int, int, int, int, int] | None:
    """Return the shape as (outer, first, middle, second, inner), first and second being reduced.

    None where the reduced axes form more than two groups.

    Examples
    --------
    >>> folded_shape((2, 3, 4, 5), (1, 2)), folded_shape((2, 3, 4), (0, 2))
    ((2, 1, 1, 12, 5), (1, 2, 3, 4, 1))
    """
    groups: list[tuple[bool, int]] = []
    for axis, dim in enumerate(shape):
        reduced = axis in axes
        if dim == 1:
            continue
        if groups and groups[-1][0] == reduced:
            groups[-1] = (reduced, groups[-1][1] * dim)
        else:
            groups.append((reduced, dim))
    outer = groups.pop(0)[1] if groups and not groups[0][0] else 1
    inner = groups.pop()[1] if groups and not groups[-1][0] else 1
    sizes = [dim for _, dim in groups]
    if not sizes:
        return 1, 1, 1, 1, outer
    if len(sizes) == 1:
        return outer, 1, 1, sizes[0], inner
    return (outer, sizes[0], sizes[1], sizes[2], inner) if len(sizes) == 3 else None


def _stored(step: Step, name: str) -> Any:
    """Return the kernel of that name for the type that both ends store, None where none is."""
    x, y = step.inputs[0].type, step.outputs[0].type
    suffix = _SUFFIXES.get(x.dtype)
    if not (x.is_quantized and y.is_quantized) or x.dtype is not y.dtype or suffix is None:
        return None
    return getattr(step.program, f"{name}_{suffix}")


def reduction(step: Step, kind: str, axes: tuple[int, ...], *, mean: bool) -> bool:
    """Bind a sum, mean, extreme or product ("sum", "max", "min", "product") over normal axes."""
    x, y = step.inputs[0], step.outputs[0]
    sizes = folded_shape(x.type.static_shape, axes)
    if sizes is None or x.array is not None or x.type.size == 0:
        return False
    count = sizes[1] * sizes[3]
    arguments = (kind, x.pointer, y.pointer, sizes)
    stored = _stored(step, "reduce")
    if x.type.dtype is DType.FLOAT32 and kind != "product":
        step.program.reduce_f32(*arguments, float(count) if mean else 1.0)
    elif x.type.dtype is DType.INT8 and kind in ("max", "min"):
        step.program.reduce_s8(*arguments, 1.0, (0, 0))
    elif stored is not None and kind in ("max", "min"):
        stored(*arguments, 1.0, (0, 0))
    elif stored is not None and kind == "sum" and count <= _MOST_SUMMED[x.type.dtype]:
        scale = float(mean_scale(x.type, y.type, count if mean else 1))
        stored(*arguments, scale, (pair(x.type)[1], pair(y.type)[1]))
    elif x.type.dtype in _WHOLE and not x.type.is_quantized:
        return _whole(step, kind, sizes, mean=mean)
    else:
        return False
    return True


def _whole(step: Step, kind: str, sizes: tuple[int, ...], *, mean: bool) -> bool:
    """Bind a reduction of plain integers or bool."""
    x, y = step.inputs[0], step.outputs[0]
    if x.type.dtype is DType.BOOL and kind in ("sum", "product"):
        return False
    fold = _FOLDS.index(kind)
    step.program.reduce_whole(fold, x.pointer, y.pointer, sizes, x.type.dtype.value, mean)
    return True


def _lines(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """Return the shape as (outer, length, inner) around an axis."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def top_k(step: Step, axis: int, *, largest: bool) -> bool:
    """Bind TopK along a normal axis."""
    x, (values, places) = step.inputs[0].type, step.outputs
    wide = places.type.dtype is DType.INT64
    if x.dtype not in _ORDERED or not (wide or places.type.dtype is DType.INT32):
        return False
    step.program.top_k(
        step.inputs[0].pointer,
        values.pointer,
        places.pointer,
        _lines(x.static_shape, axis),
        values.type.static_shape[axis],
        x.dtype.value,
        largest,
        wide,
    )
    return True


def cumulate(step: Step, axis: int, *, exclusive: bool, reverse: bool, product: bool) -> bool:
    """Bind a running sum or product along a normal axis."""
    x, y = step.inputs[0], step.outputs[0]
    if x.type.dtype not in _ORDERED[:3] or x.type.is_quantized:
        return False
    sizes = _lines(x.type.static_shape, axis)
    kind = x.type.dtype.value
    step.program.cumulate(x.pointer, y.pointer, sizes, kind, exclusive, reverse, product)
    return True


def arg_extreme(step: Step, axis: int, *, largest: bool, last: bool) -> bool:
    """Bind ArgMax or ArgMin along a normal axis."""
    x, y = step.inputs[0], step.outputs[0]
    sizes = _lines(x.type.static_shape, axis)
    wide = y.type.dtype is DType.INT64
    if not (wide or y.type.dtype is DType.INT32):
        return False
    rows = sizes[2] == 1 and x.array is None
    if x.type.dtype is DType.FLOAT32 and rows:
        step.program.arg_extreme_f32(x.pointer, y.pointer, sizes[:2], largest, last, wide)
    elif x.type.dtype is DType.INT8 and rows and sizes[1] <= _MOST_PLACES:
        step.program.arg_extreme_s8(x.pointer, y.pointer, sizes[:2], largest, last, wide)
    elif x.type.dtype in (*_ORDERED, DType.UINT8, DType.BOOL):
        kind = x.type.dtype.value
        step.program.arg_lines(x.pointer, y.pointer, sizes, kind, largest, last, wide)
    else:
        return False
    return True


def max_pool(step: Step, window: Window, clamp: Clamp) -> bool:
    """Bind MaxPool2D."""
    arguments = _pool_arguments(step, window, clamp)
    if step.inputs[0].array is not None:
        return False
    if step.inputs[0].type.dtype is DType.FLOAT32:
        step.program.max_pool_f32(*arguments)
    elif (stored := _stored(step, "max_pool")) is not None:
        stored(*arguments)
    else:
        return False
    return True


def average_pool(
    step: Step, window: Window, clamp: Clamp, count_padding: bool, rounding: str
) -> bool:
    """Bind AveragePool2D."""
    arguments = _pool_arguments(step, window, clamp)
    x, y = step.inputs[0], step.outputs[0]
    stored = _stored(step, "average_pool")
    if x.array is not None:
        return False
    if x.type.dtype is DType.FLOAT32:
        step.program.average_pool_f32(*arguments, count_padding)
    elif x.type.dtype is DType.INT8 and window.kernel[0] > _MOST_ROWS:
        return False
    elif stored is not None and math.prod(window.kernel) <= _MOST_SUMMED[x.type.dtype]:
        ratio = float(mean_scale(x.type, y.type))
        zeros = (pair(x.type)[1], pair(y.type)[1])
        stored(*arguments, count_padding, ratio, zeros, ROUNDINGS.index(rounding))
    else:
        return False
    return True


def _pool_arguments(step: Step, window: Window, clamp: Clamp) -> tuple[Any, ...]:
    x, y = step.inputs[0], step.outputs[0]
    return (
        x.pointer,
        y.pointer,
        x.type.static_shape,
        window.output,
        window.kernel,
        window.strides,
        window.dilations,
        window.pads,
        stored_clamp(clamp, y.type),
    )
