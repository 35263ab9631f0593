"""What elementwise ops and normalizations share: operands, broadcasting, real values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, Shape, TensorType

from . import arithmetic
from .base import Clamp


def given(items: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
    """Return the types of inputs none of which may be absent.

    Raises
    ------
    ShapeError
        If one is absent.
    """
    present = tuple(item for item in items if item is not None)
    if len(present) != len(items):
        missing = [i for i, item in enumerate(items) if item is None]
        raise ShapeError(f"inputs {missing} are absent; expected all {len(items)}")
    return present


def content(arrays: Sequence[Array | None]) -> list[Array]:
    """Return the arrays that are present."""
    return [array for array in arrays if array is not None]


def broadcast_shapes(*types: TensorType) -> Shape:
    """Return the NumPy broadcast of the shapes, symbolic dimensions included.

    Raises
    ------
    ShapeError
        If two dimensions differ and neither is 1.
    """
    rank = max(item.rank for item in types)
    result: list[int | str] = [1] * rank
    for item in types:
        for at, dim in enumerate(item.shape, rank - item.rank):
            fitted = dims.broadcast(result[at], dim)
            if fitted is None:
                shown = " and ".join(str(t) for t in types)
                raise ShapeError(f"{shown} do not broadcast: {result[at]} against {dim}")
            result[at] = fitted
    return tuple(result)


def same_kind(*types: TensorType) -> None:
    """Check that all types share the element type, and are all quantized or all plain.

    Raises
    ------
    ShapeError
        If they do not.
    """
    first = types[0]
    for other in types[1:]:
        if other.dtype != first.dtype or other.is_quantized != first.is_quantized:
            shown = ", ".join(f"{t}{' quantized' if t.is_quantized else ''}" for t in types)
            raise ShapeError(
                f"operands are {shown}; expected one element type, all quantized or none: "
                "insert Cast or Quantize"
            )


def real(tensor: TensorType, stored: Array) -> Array:
    """Return the real values in float64: dequantized in float32 where quantized."""
    if tensor.is_quantized:
        return arithmetic.dequantize(stored, tensor).astype(np.float64)
    return stored.astype(np.float64)


def store(values: Array, tensor: TensorType) -> Array:
    """Return real values as the type stores them: quantized, or rounded to its float type."""
    if tensor.is_quantized:
        with np.errstate(over="ignore"):
            return arithmetic.quantize(values.astype(np.float32), tensor)
    with np.errstate(over="ignore"):
        return values.astype(tensor.dtype.numpy)


def integer_bounds(clamp: Clamp, dtype: DType) -> tuple[int, int]:
    """Return the tightest stored bounds inside a clamp of real bounds, for plain integers."""
    low, high = arithmetic.limits(dtype)
    least, most = clamp
    if not math.isinf(least):
        low = min(max(math.ceil(least), low), high)
    elif least > 0:
        low = high
    if not math.isinf(most):
        high = max(min(math.floor(most), high), arithmetic.limits(dtype)[0])
    elif most < 0:
        high = arithmetic.limits(dtype)[0]
    return low, high


def clip(array: Array, clamp: Clamp) -> Array:
    """Return min(max(array, low), high) in the array's own type; NaN stays NaN."""
    least: Any
    most: Any
    if array.dtype.kind in "iu":
        least, most = integer_bounds(clamp, DType.of(array))
    else:
        least, most = clamp
    with np.errstate(over="ignore"):
        kind = array.dtype.type
        return np.asarray(np.minimum(np.maximum(array, kind(least)), kind(most)))


def work(types: NodeTypes, per_element: int) -> Cost:
    """Return the cost of ``per_element`` operations for each element of the first output."""
    present = [t for t in (*types.inputs, *types.outputs) if t is not None]
    return Cost(per_element * types.outputs[0].size, sum(t.nbytes for t in present))
