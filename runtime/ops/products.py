"""What convolutions and matrix products share: type rules and the way from sums to outputs."""

from __future__ import annotations

import numpy as np

from linnet.errors import QuantizationError, ShapeError
from linnet.panels import LANE, packed_bytes
from linnet.types import Array, DType, NodeTypes, TensorType

from .arithmetic import clamp_bounds, limits, pair, requantize, spread
from .base import NO_CLAMP, Clamp

_STORED = (DType.INT8, DType.UINT8, DType.INT16)


def check_operands(x: TensorType, w: TensorType, axis: int | None) -> None:
    """Check the element types and the quantization of a product's operands.

    Parameters
    ----------
    x, w : TensorType
        Activations (per tensor) and weights.
    axis : int or None
        The only axis along which the weights may be quantized per channel.

    Raises
    ------
    ShapeError, QuantizationError
        If they cannot be multiplied.
    """
    if not (x.is_quantized or w.is_quantized):
        if x.dtype != w.dtype:
            raise ShapeError(
                f"operands are {x.dtype.value} and {w.dtype.value}; expected one element type"
            )
        return
    if x.quantization is None or w.quantization is None:
        missing = "first" if x.quantization is None else "second"
        raise QuantizationError(
            f"the {missing} operand has no quantization; expected both or none (dequantize one)"
        )
    for name, operand in (("first", x), ("second", w)):
        if operand.dtype not in _STORED:
            names = ", ".join(dtype.value for dtype in _STORED)
            raise QuantizationError(
                f"the {name} operand is quantized {operand.dtype.value}; expected one of {names}"
            )
    if not x.quantization.per_tensor:
        raise QuantizationError("activations are quantized per channel; expected per tensor")
    q = w.quantization
    if not q.per_tensor and (q.axis is None or axis is None or q.axis % w.rank != axis):
        raise QuantizationError(
            f"weights are quantized along axis {q.axis}; expected per tensor or axis {axis}"
        )
    size = 0 if axis is None else w.shape[axis]
    if not q.per_tensor and isinstance(size, int) and q.scale.size != size:
        raise QuantizationError(f"weights have {q.scale.size} scales for {size} channels")


def check_bias(bias: TensorType | None, channels: int | str, x: TensorType) -> None:
    """Check the shape and the element type of an optional bias.

    Raises
    ------
    ShapeError
        If it is not one number per output channel, of a type that fits the operands.
    """
    if bias is None:
        return
    if bias.rank != 1 or not _fits(bias.shape[0], channels):
        raise ShapeError(f"bias has shape {bias.shape}; expected ({channels},)")
    expected = (DType.INT32, DType.INT64) if x.is_quantized else (x.dtype,)
    if bias.dtype not in expected:
        names = " or ".join(dtype.value for dtype in expected)
        raise ShapeError(f"bias is {bias.dtype.value}; expected {names}")


def _fits(left: int | str, right: int | str) -> bool:
    return left == right or isinstance(left, str) or isinstance(right, str)


def channels_fit(found: int | str, expected: int | str, what: str) -> None:
    """Check that two dimensions agree where both are known.

    Raises
    ------
    ShapeError
        If they are different numbers.
    """
    if not _fits(found, expected):
        raise ShapeError(f"{what}: found {found}, expected {expected}")


def centered(array: Array, tensor: TensorType) -> Array:
    """Return the stored values less their zero points, in float64 (exact for sums of products).

    Float operands are only widened.
    """
    wide = array.astype(np.float64)
    if tensor.quantization is None:
        return wide
    return wide - spread(tensor.quantization, array.ndim)[1].astype(np.float64)


def read_panels(x: TensorType, w: TensorType) -> bool:
    """Return whether kernels read constant weights of these types in panels, in place."""
    stored = x.dtype is DType.INT8 and w.dtype is DType.INT8 and w.is_static
    if not stored or w.rank < 2 or w.quantization is None or w.quantization.zero_point.any():
        return False
    shape = w.static_shape
    # Padding may cost a third; elsewhere kernels pack what they need.
    return shape[-1] % LANE == 0 and 0 < 3 * packed_bytes(shape) <= 4 * w.size


def product_scale(x: TensorType, w: TensorType, y: TensorType) -> Array:
    """Return float32(x scale * w scale) / y scale, one per output channel or one for all."""
    if w.quantization is None:
        raise QuantizationError("weights have no quantization")
    scale: Array = pair(x)[0] * w.quantization.scale
    return scale / pair(y)[0]


def finish(
    total: Array,
    bias: Array | None,
    types: NodeTypes,
    clamp: Clamp = NO_CLAMP,
    scale: Array | None = None,
) -> Array:
    """Return the output for exact sums of products, channels last.

    Parameters
    ----------
    total : ndarray of float64
        Sums of centered products; whole numbers where the operands are quantized.
    bias : ndarray or None
        One number per channel: int32 in units of x scale * w scale, or float.
    types : NodeTypes
    clamp : (float, float)
        Real bounds of the output.
    scale : ndarray of float32, optional
        Requantization scale that broadcasts to ``total``; `product_scale` where absent.
    """
    x, w, y = types.inputs[0], types.inputs[1], types.outputs[0]
    if x is None or w is None:
        raise ShapeError("a product needs both operands")
    if not x.is_quantized:
        real = total if bias is None else total + bias
        return np.clip(real, *clamp).astype(y.dtype.numpy)
    exact = total.astype(np.int64)
    if bias is not None:
        exact = exact + bias.astype(np.int64)
    factor = product_scale(x, w, y) if scale is None else scale
    low, high = clamp_bounds(clamp, y) if clamp != NO_CLAMP else limits(y.dtype)
    return requantize(exact, factor, pair(y)[1], low, high).astype(y.dtype.numpy)
