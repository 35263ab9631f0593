"""Reductions along axes: sums, means, extremes, arg-extremes, running sums and the k best.

An empty ``axes`` means every axis. Quantized sums and means accumulate ``x - zero_point`` exactly
and requantize once; extremes of quantized tensors keep the input's quantization.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, DType, NodeTypes, Shape, TensorType

from . import bind_reduce
from .arithmetic import dequantize, limits, pair, quantize, requantize
from .base import Op, Step
from .bind_reduce import mean_scale

__all__ = [
    "ArgMax",
    "ArgMin",
    "CumSum",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "TopK",
]


def normal_axis(axis: int, rank: int) -> int:
    """Return the axis counted from the front.

    Raises
    ------
    ShapeError
        If the tensor has no such axis.
    """
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} of a tensor of rank {rank}; expected {-rank} to {rank - 1}")
    return axis % rank


def normal_axes(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Return the axes counted from the front, in order; empty means all.

    Raises
    ------
    ShapeError
        If an axis does not exist or is named twice.
    """
    found = sorted(normal_axis(axis, rank) for axis in axes)
    if len(set(found)) != len(found):
        raise ShapeError(f"axes {axes} name an axis twice")
    return tuple(found) or tuple(range(rank))


def reduced_shape(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """Return the shape after reducing the (normal) axes."""
    if keepdims:
        return tuple(1 if i in axes else dim for i, dim in enumerate(shape))
    return tuple(dim for i, dim in enumerate(shape) if i not in axes)


def _given(tensor: TensorType | None) -> TensorType:
    if tensor is None:
        raise ShapeError("the first input is absent; expected a tensor")
    return tensor


class _Reduce(Op, frozen=True, kw_only=True):
    """Shared fields and shape rule of the reductions."""

    axes: tuple[int, ...] = ()
    keepdims: bool = True
    keeps_quantization: ClassVar[bool] = False
    kernel: ClassVar[str] = ""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type with the axes reduced."""
        x = _given(types[0])
        shape = reduced_shape(x.shape, normal_axes(self.axes, x.rank), self.keepdims)
        return (TensorType(x.dtype, shape, x.quantization if self.keeps_quantization else None),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per input element."""
        x, y = _given(types.inputs[0]), types.outputs[0]
        return Cost(x.size, x.nbytes + y.nbytes)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Reduce with NumPy: quantized, float (in float64) or plain integer arithmetic."""
        x_type, y_type = _given(types.inputs[0]), types.outputs[0]
        x = np.asarray(arrays[0])
        axes = normal_axes(self.axes, x.ndim)
        with np.errstate(invalid="ignore", over="ignore"):
            if x_type.is_quantized and not self.keeps_quantization:
                y = self.quantized(x, axes, x_type, y_type)
            else:
                y = self.plain(x, axes)
            return (np.asarray(y).astype(y_type.dtype.numpy).reshape(y_type.static_shape),)

    def bind(self, step: Step) -> bool:
        """Add the reduction kernel for float and int8; see `Op.bind`."""
        axes = normal_axes(self.axes, step.inputs[0].type.rank)
        mean = isinstance(self, ReduceMean)
        return bool(self.kernel) and bind_reduce.reduction(step, self.kernel, axes, mean=mean)

    def plain(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Reduce plain numbers."""
        raise TypeError(f"{type(self).__name__} does not define plain")

    def quantized(
        self, x: Array, axes: tuple[int, ...], x_type: TensorType, y_type: TensorType
    ) -> Array:
        """Reduce the real values in float32 and quantize the result."""
        return quantize(self.plain(dequantize(x, x_type), axes), y_type)


def _wide(x: Array) -> Array:
    """Return the array in the type that its reference arithmetic runs in."""
    return x.astype(np.float64) if x.dtype.kind == "f" else x.astype(np.int64)


def _quantized_sum(
    x: Array, axes: tuple[int, ...], x_type: TensorType, y_type: TensorType, count: int
) -> Array:
    zero_out = pair(y_type)[1]
    total = (x.astype(np.int64) - pair(x_type)[1]).sum(axis=axes)
    scale = np.asarray(mean_scale(x_type, y_type, count))
    return requantize(np.asarray(total), scale, zero_out, *limits(y_type.dtype))


class ReduceSum(_Reduce, frozen=True, kw_only=True):
    """Sum along axes.

    Quantized: clip(rint(float32(sum(x - zx)) * float32(s_x / s_y)) + zy).
    """

    kernel: ClassVar[str] = "sum"

    def plain(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Sum in float64 or in wrapping integers."""
        return np.asarray(_wide(x).sum(axis=axes))

    def quantized(
        self, x: Array, axes: tuple[int, ...], x_type: TensorType, y_type: TensorType
    ) -> Array:
        """Sum exactly, requantize once."""
        return _quantized_sum(x, axes, x_type, y_type, 1)


class ReduceMean(_Reduce, frozen=True, kw_only=True):
    """Arithmetic mean along axes; integers truncate toward zero.

    Quantized: clip(rint(float32(sum(x - zx)) * (float32(s_x / s_y) / float32(count))) + zy).
    """

    kernel: ClassVar[str] = "sum"

    def plain(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Average in float64, or truncate the integer quotient."""
        count = math.prod(x.shape[axis] for axis in axes)
        total = _wide(x).sum(axis=axes)
        with np.errstate(divide="ignore"):
            if x.dtype.kind == "f":
                return np.asarray(total / np.float64(count))
            quotient = np.abs(total) // max(count, 1)
        return np.asarray(np.sign(total) * quotient)

    def quantized(
        self, x: Array, axes: tuple[int, ...], x_type: TensorType, y_type: TensorType
    ) -> Array:
        """Sum exactly, requantize once with the count folded into the scale."""
        count = math.prod(x.shape[axis] for axis in axes)
        return _quantized_sum(x, axes, x_type, y_type, max(count, 1))


class ReduceProd(_Reduce, frozen=True, kw_only=True):
    """Product along axes (quantized: of the real values, then quantized)."""

    kernel: ClassVar[str] = "product"

    def plain(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Multiply in float64 or in wrapping integers."""
        return np.asarray(_wide(x).prod(axis=axes))


class ReduceMax(_Reduce, frozen=True, kw_only=True):
    """Largest element along axes; NaN wins, and nothing at all gives the type's lowest value."""

    keeps_quantization: ClassVar[bool] = True
    kernel: ClassVar[str] = "max"

    def plain(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Take the maximum."""
        return np.asarray(x.max(axis=axes, initial=extremes(x.dtype)[0]))


class ReduceMin(_Reduce, frozen=True, kw_only=True):
    """Smallest element along axes; NaN wins, and nothing at all gives the type's highest value."""

    keeps_quantization: ClassVar[bool] = True
    kernel: ClassVar[str] = "min"

    def plain(self, x: Array, axes: tuple[int, ...]) -> Array:
        """Take the minimum."""
        return np.asarray(x.min(axis=axes, initial=extremes(x.dtype)[1]))


def extremes(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return the lowest and highest value of an element type, infinities for floats."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    if dtype.kind == "b":
        return False, True
    info = np.iinfo(dtype)
    return info.min, info.max


class _ArgReduce(Op, frozen=True, kw_only=True):
    """Shared fields and shape rule of ArgMax and ArgMin."""

    axis: int = -1
    keepdims: bool = False
    select_last: bool = False
    dtype: DType = DType.INT64

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return indices with the axis reduced."""
        x = _given(types[0])
        axis = normal_axis(self.axis, x.rank)
        if x.shape[axis] == 0:
            raise ShapeError(f"{x} has no element along axis {axis}; expected at least one")
        return (TensorType(self.dtype, reduced_shape(x.shape, (axis,), self.keepdims)),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one comparison per input element."""
        x, y = _given(types.inputs[0]), types.outputs[0]
        return Cost(x.size, x.nbytes + y.nbytes)

    def _select(self, x: Array, axis: int) -> Array:
        raise TypeError(f"{type(self).__name__} does not define how to select")

    def bind(self, step: Step) -> bool:
        """Add the kernel for the last axis of float and int8 tensors; see `Op.bind`."""
        axis = normal_axis(self.axis, step.inputs[0].type.rank)
        largest = isinstance(self, ArgMax)
        return bind_reduce.arg_extreme(step, axis, largest=largest, last=self.select_last)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Select with NumPy; on ties the first index, or the last where so asked."""
        x = np.asarray(arrays[0])
        axis = normal_axis(self.axis, x.ndim)
        if self.select_last:
            index = x.shape[axis] - 1 - self._select(np.flip(x, axis), axis)
        else:
            index = self._select(x, axis)
        index = np.expand_dims(index, axis) if self.keepdims else index
        return (np.ascontiguousarray(index, self.dtype.numpy).reshape(np.shape(index)),)


class ArgMax(_ArgReduce, frozen=True, kw_only=True):
    """Index of the largest element along one axis; NaN counts as largest."""

    def _select(self, x: Array, axis: int) -> Array:
        return np.asarray(np.argmax(x, axis=axis))


class ArgMin(_ArgReduce, frozen=True, kw_only=True):
    """Index of the smallest element along one axis; NaN counts as smallest."""

    def _select(self, x: Array, axis: int) -> Array:
        return np.asarray(np.argmin(x, axis=axis))


class CumSum(Op, frozen=True, kw_only=True):
    """Running sum along an axis: y[i] = sum of x[0..i], x[i] left out where ``exclusive``.

    ``reverse`` runs from the end, ``product`` multiplies instead. Floats accumulate in float64;
    integers wrap.
    """

    axis: int = 0
    exclusive: bool = False
    reverse: bool = False
    product: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type without quantization."""
        x = _given(types[0])
        normal_axis(self.axis, x.rank)
        return (TensorType(x.dtype, x.shape),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one addition per element."""
        x, y = _given(types.inputs[0]), types.outputs[0]
        return Cost(x.size, x.nbytes + y.nbytes)

    def bind(self, step: Step) -> bool:
        """Add the kernel for plain numbers; see `Op.bind`."""
        axis = normal_axis(self.axis, step.inputs[0].type.rank)
        modes = {"exclusive": self.exclusive, "reverse": self.reverse, "product": self.product}
        return bind_reduce.cumulate(step, axis, **modes)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Accumulate with NumPy."""
        x_type, y_type = _given(types.inputs[0]), types.outputs[0]
        x = np.asarray(arrays[0])
        wide = _wide(dequantize(x, x_type) if x_type.is_quantized else x)
        wide = np.flip(wide, self.axis) if self.reverse else wide
        total = (np.cumprod if self.product else np.cumsum)(wide, axis=self.axis)
        if self.exclusive:
            total = np.roll(total, 1, axis=self.axis)
            first = [slice(None)] * x.ndim
            first[self.axis] = slice(0, 1)
            total[tuple(first)] = int(self.product)
        total = np.flip(total, self.axis) if self.reverse else total
        if y_type.is_quantized:
            return (quantize(total, y_type),)
        return (np.ascontiguousarray(total.astype(y_type.dtype.numpy)),)


class TopK(Op, frozen=True, kw_only=True):
    """The k largest (or smallest) elements along an axis, in order, and their indices.

    Of equal elements the one with the lower index comes first. Where ``k`` is None the second
    input gives it. Outputs: values (the input's quantization), indices of ``dtype``.
    """

    arity: ClassVar[tuple[int, int]] = (1, 2)
    k: int | None = None
    axis: int = -1
    largest: bool = True
    dtype: DType = DType.INT64

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return 2

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the types of the values and of the indices."""
        x = _given(types[0])
        axis = normal_axis(self.axis, x.rank)
        count = types[1] if len(types) > 1 else None
        k: Dim = f"?{axis}"
        if self.k is not None:
            k = self.k
        elif count is None:
            raise ShapeError("neither the attribute nor the second input gives k; expected one")
        elif count.value is not None:
            k = int(np.asarray(count.value).reshape(-1)[0])
        dim = x.shape[axis]
        if isinstance(k, int) and isinstance(dim, int) and not 0 <= k <= dim:
            raise ShapeError(f"k = {k} along axis {axis} of {x}; expected 0 to {dim}")
        shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
        return TensorType(x.dtype, shape, x.quantization), TensorType(self.dtype, shape)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one comparison per input element and halving of k."""
        x, y = _given(types.inputs[0]), types.outputs[0]
        kept = y.static_shape[normal_axis(self.axis, x.rank)]
        moved = x.nbytes + sum(t.nbytes for t in types.outputs)
        return Cost(x.size * max(1, kept.bit_length()), moved)

    def bind(self, step: Step) -> bool:
        """Add the kernel; see `Op.bind`."""
        axis = normal_axis(self.axis, step.inputs[0].type.rank)
        return bind_reduce.top_k(step, axis, largest=self.largest)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Sort stably with NumPy and keep the first k."""
        x = np.asarray(arrays[0])
        axis = normal_axis(self.axis, x.ndim)
        k = self.k if self.k is not None else int(np.asarray(arrays[1]).reshape(-1)[0])
        if not 0 <= k <= x.shape[axis]:
            raise ShapeError(f"k = {k} along axis {axis}; expected 0 to {x.shape[axis]}")
        if self.largest:
            backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
            order = x.shape[axis] - 1 - np.flip(backwards, axis)
        else:
            order = np.argsort(x, axis=axis, kind="stable")
        order = np.take(order, np.arange(k), axis=axis)
        values = np.take_along_axis(x, order, axis=axis)
        return np.ascontiguousarray(values), np.ascontiguousarray(order.astype(self.dtype.numpy))
