"""The number rules that every int8 kernel follows bit for bit, in NumPy."""

from __future__ import annotations

import math

import numpy as np

from linnet.errors import QuantizationError
from linnet.types import Array, DType, Quantization, TensorType

from .base import Clamp


def limits(dtype: DType) -> tuple[int, int]:
    """Return the smallest and largest stored value of an integer type."""
    info = np.iinfo(dtype.numpy)
    return int(info.min), int(info.max)


def pair(tensor: TensorType) -> tuple[np.float32, int]:
    """Return (scale, zero point) of a per-tensor quantized type.

    Raises
    ------
    QuantizationError
        If the type has no quantization or one per channel.
    """
    q = tensor.quantization
    if q is None or not q.per_tensor:
        raise QuantizationError(
            f"{tensor} has {q}; expected one scale and zero point for the tensor"
        )
    return np.float32(q.scale[0]), int(q.zero_point[0])


def clamp_bounds(clamp: Clamp, tensor: TensorType) -> tuple[int, int]:
    """Return the stored bounds of a fused activation: round_half_even(bound / scale) + zero_point.

    Bounds outside the storage range, infinite ones among them, become the range's ends.
    """
    low, high = limits(tensor.dtype)
    scale, zero = pair(tensor)
    bounds = []
    for bound, end in ((clamp[0], low), (clamp[1], high)):
        if math.isinf(bound):
            bounds.append(end)
            continue
        stored = int(np.rint(np.float64(bound) / np.float64(scale))) + zero
        bounds.append(min(max(stored, low), high))
    return bounds[0], bounds[1]


def requantize(accumulator: Array, scale: Array, zero_point: int, low: int, high: int) -> Array:
    """Return clip(round_half_even(float32(acc) * float32(scale)) + zero_point, low, high).

    Parameters
    ----------
    accumulator : ndarray of int32
    scale : ndarray of float32, broadcastable to the accumulator
        input scale * weight scale / output scale, in float32.
    zero_point, low, high : int
        Output zero point and the stored bounds.

    Returns
    -------
    ndarray of int32
    """
    real = accumulator.astype(np.float32) * np.asarray(scale, np.float32)
    real = np.clip(real, np.float32(low - zero_point), np.float32(high - zero_point))
    return np.rint(real).astype(np.int32) + np.int32(zero_point)


def fixed_ratios(left: float, right: float) -> tuple[int, int, int]:
    """Return (left, right, shift): the ratios as integers, ratio = integer / 2**shift.

    The larger ratio keeps 21 bits, so that the sum of two int8 differences times these integers
    fits int32: the recipe of XNNPACK's quantized addition. Ratios below 2**-10 keep fewer bits;
    those beyond 2**19 count as 2**19, where every step saturates.

    Examples
    --------
    >>> fixed_ratios(1.0, 0.5)
    (1048576, 524288, 20)
    """
    left, right = min(float(left), 2.0**19), min(float(right), 2.0**19)
    shift = min(20 - (math.frexp(max(left, right))[1] - 1), 30)
    return round(math.ldexp(left, shift)), round(math.ldexp(right, shift)), shift


def quantize(real: Array, tensor: TensorType, axis_rank: int | None = None) -> Array:
    """Return clip(round_half_even(float32(real) / scale) + zero_point) in the type's dtype.

    NaN becomes the zero point. Per-axis parameters run along the quantization's axis.
    """
    q = tensor.quantization
    if q is None:
        raise QuantizationError(f"{tensor} has no quantization to quantize to")
    low, high = limits(tensor.dtype)
    scale, zero = spread(q, real.ndim if axis_rank is None else axis_rank)
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.asarray(real, np.float32) / scale
        steps = np.nan_to_num(np.rint(steps), nan=0.0, posinf=3e38, neginf=-3e38)
        stored = np.clip(steps.astype(np.float64) + zero, low, high)
    return stored.astype(tensor.dtype.numpy)


def dequantize(stored: Array, tensor: TensorType) -> Array:
    """Return float32(stored - zero_point) * scale."""
    q = tensor.quantization
    if q is None:
        return stored.astype(np.float32)
    scale, zero = spread(q, stored.ndim)
    return (stored.astype(np.int64) - zero).astype(np.float32) * scale


def spread(q: Quantization, rank: int) -> tuple[Array, Array]:
    """Return scale and zero point shaped to broadcast along the quantization's axis."""
    if q.axis is None or rank == 0:
        return q.scale[0], q.zero_point[0]
    shape = [1] * rank
    shape[q.axis] = -1
    return q.scale.reshape(shape), q.zero_point.reshape(shape)
