"""Elementwise ops of two inputs (and Where), with NumPy broadcasting.

Quantized Add, Sub, Mul and PRelu follow the integer rules that the int8 kernels follow; the other
ops compute quantize(f(dequantize(x), dequantize(y))).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from . import arithmetic
from .base import NO_CLAMP, Clamp, Op
from .operands import broadcast_shapes, clip, content, given, real, same_kind, store, work

__all__ = [
    "Add",
    "And",
    "Div",
    "Equal",
    "FloorDiv",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Maximum",
    "Minimum",
    "Mod",
    "Mul",
    "Or",
    "PRelu",
    "Pow",
    "SquaredDifference",
    "Sub",
    "Where",
    "Xor",
]


class _Binary(Op, frozen=True):
    """An op that computes ``_function`` of each pair of elements.

    Notes
    -----
    ``exact`` tells that float32 operands are computed in float32 (one rounding per operation),
    otherwise in float64 and rounded once.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    in_place: ClassVar[tuple[int, ...]] = (0, 1)
    exact: ClassVar[bool] = False
    operations: ClassVar[int] = 1

    def _function(self, x: Array, y: Array) -> Array:
        """Return the function of reals."""
        raise TypeError(f"{type(self).__name__} does not define function")

    def _whole(self, x: Array, y: Array) -> Array:
        """Return the function of plain integers."""
        return self._function(x, y)

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        """Return the stored result of stored operands."""
        left, right = given(types.inputs)
        return store(self._function(real(left, x), real(right, y)), types.outputs[0])

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the broadcast shape; quantization is the output's own declaration."""
        x, y = given(types)
        same_kind(x, y)
        if not (x.dtype.is_float or x.dtype.is_integer):
            raise ShapeError(f"operands are {x} and {y}; expected numbers: insert Cast")
        return (TensorType(x.dtype, broadcast_shapes(x, y)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute with NumPy by the rules of the element type."""
        left, _ = given(types.inputs)
        x, y = content(arrays)
        with np.errstate(all="ignore"):
            if left.is_quantized:
                return (self._quantized(types, x, y),)
            if not left.dtype.is_float:
                return (self._whole(x, y),)
            if not self.exact:
                x, y = x.astype(np.float64), y.astype(np.float64)
            return (self._function(x, y).astype(left.dtype.numpy),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the operations per element of the output."""
        return work(types, self.operations)


class _Clamped(_Binary, frozen=True):
    """Arithmetic with a fused activation."""

    clamp: Clamp = NO_CLAMP
    exact: ClassVar[bool] = True

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute, then clip to the clamp's real bounds."""
        (result,) = super().reference(types, *arrays)
        if types.outputs[0].is_quantized:
            return (clip(result, arithmetic.clamp_bounds(self.clamp, types.outputs[0])),)
        return (clip(result, self.clamp),)


def _centered(types: NodeTypes, *arrays: Array) -> list[Array]:
    """Return the stored operands less their zero points, in int64."""
    zeros = (arithmetic.pair(item)[1] for item in given(types.inputs))
    return [a.astype(np.int64) - zero for a, zero in zip(arrays, zeros, strict=True)]


def _ratios(types: NodeTypes) -> tuple[Any, Any, Any]:
    """Return float32 (s_x / s_out, s_y / s_out, s_x * s_y / s_out) of operands x and y."""
    left, right = (arithmetic.pair(item)[0] for item in given(types.inputs))
    scale, _ = arithmetic.pair(types.outputs[0])
    return left / scale, right / scale, (left * right) / scale


def _stored(types: NodeTypes, steps: Array) -> Array:
    """Return float32 steps of the output rounded, moved and saturated."""
    output = types.outputs[0]
    _, zero = arithmetic.pair(output)
    low, high = arithmetic.limits(output.dtype)
    steps = np.clip(steps, np.float32(low - zero), np.float32(high - zero))
    return (np.rint(steps).astype(np.int32) + zero).astype(output.dtype.numpy)


class Add(_Clamped, frozen=True):
    """Sum.

    Notes
    -----
    Quantized: float32(x - z_x) * (s_x / s_out) + float32(y - z_y) * (s_y / s_out), the products and
    the sum each rounded to float32, clipped, rounded half to even.
    """

    def _function(self, x: Array, y: Array) -> Array:
        return x + y

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        x, y = _centered(types, x, y)
        left, right, _ = _ratios(types)
        return _stored(types, x.astype(np.float32) * left + y.astype(np.float32) * right)


class Sub(_Clamped, frozen=True):
    """Difference; quantized like `Add`."""

    def _function(self, x: Array, y: Array) -> Array:
        return x - y

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        x, y = _centered(types, x, y)
        left, right, _ = _ratios(types)
        return _stored(types, x.astype(np.float32) * left - y.astype(np.float32) * right)


class Mul(_Clamped, frozen=True):
    """Product; quantized: float32((x - z_x) * (y - z_y)) * float32(s_x * s_y / s_out)."""

    def _function(self, x: Array, y: Array) -> Array:
        return x * y

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        x, y = _centered(types, x, y)
        return _stored(types, (x * y).astype(np.float32) * _ratios(types)[2])


class Div(_Clamped, frozen=True):
    """Quotient; plain integers truncate toward zero, and x / 0 is 0."""

    operations: ClassVar[int] = 4

    def _function(self, x: Array, y: Array) -> Array:
        return x / y

    def _whole(self, x: Array, y: Array) -> Array:
        floor = x // y
        inexact = (floor * y != x) & (y != 0) & ((x < 0) != (y < 0))
        return np.asarray(floor + inexact.astype(floor.dtype))


class Pow(_Binary, frozen=True):
    """Raise x to the power y; plain integers to a negative power truncate toward zero."""

    operations: ClassVar[int] = 30

    def _function(self, x: Array, y: Array) -> Array:
        return np.power(x, y)

    def _whole(self, x: Array, y: Array) -> Array:
        raised = np.power(x, np.maximum(y, 0))
        if y.dtype.kind == "u":
            return raised
        unit = np.where(np.abs(x) == 1, np.power(x, np.abs(y % 2)), 0)
        return np.where(y >= 0, raised, unit).astype(x.dtype)


class Minimum(_Binary, frozen=True):
    """Lesser of two; NaN wins."""

    exact: ClassVar[bool] = True

    def _function(self, x: Array, y: Array) -> Array:
        return np.minimum(x, y)


class Maximum(_Binary, frozen=True):
    """Greater of two; NaN wins."""

    exact: ClassVar[bool] = True

    def _function(self, x: Array, y: Array) -> Array:
        return np.maximum(x, y)


class FloorDiv(_Binary, frozen=True):
    """Quotient rounded down; plain integers: x // 0 is 0."""

    operations: ClassVar[int] = 5

    def _function(self, x: Array, y: Array) -> Array:
        return np.floor_divide(x, y)


class Mod(_Binary, frozen=True):
    """Remainder with the sign of y, or of x where ``fmod``; plain integers: x mod 0 is 0."""

    fmod: bool = False
    operations: ClassVar[int] = 6

    def _function(self, x: Array, y: Array) -> Array:
        return np.fmod(x, y) if self.fmod else np.mod(x, y)


class SquaredDifference(_Binary, frozen=True):
    """(x - y) * (x - y)."""

    exact: ClassVar[bool] = True
    operations: ClassVar[int] = 2

    def _function(self, x: Array, y: Array) -> Array:
        return np.asarray(np.square(x - y))


class PRelu(_Binary, frozen=True):
    """Pass x where x >= 0, else x * slope; the slope broadcasts to x.

    Notes
    -----
    Quantized: float32(x - z_x) * (s_x / s_out) where x >= z_x, else
    float32((x - z_x) * (slope - z_s)) * float32(s_x * s_s / s_out); clipped, rounded half to even.
    """

    in_place: ClassVar[tuple[int, ...]] = (0,)
    exact: ClassVar[bool] = True
    operations: ClassVar[int] = 2

    def _function(self, x: Array, y: Array) -> Array:
        return np.where(x >= 0, x, x * y)

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        x, y = _centered(types, x, y)
        ratio, _, product = _ratios(types)
        steps = np.where(x >= 0, x.astype(np.float32) * ratio, (x * y).astype(np.float32) * product)
        return _stored(types, steps)


class _Comparison(_Binary, frozen=True):
    """A relation of two operands, of any one element type; the result is bool."""

    in_place: ClassVar[tuple[int, ...]] = ()
    exact: ClassVar[bool] = True

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return bool in the broadcast shape."""
        x, y = given(types)
        same_kind(x, y)
        return (TensorType(DType.BOOL, broadcast_shapes(x, y)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compare what is stored, or the reals where it is quantized."""
        left, right = given(types.inputs)
        x, y = content(arrays)
        if left.is_quantized:
            x, y = real(left, x), real(right, y)
        return (self._function(x, y),)


class Equal(_Comparison, frozen=True):
    """x == y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.equal(x, y)


class Less(_Comparison, frozen=True):
    """x < y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.less(x, y)


class LessOrEqual(_Comparison, frozen=True):
    """x <= y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.less_equal(x, y)


class Greater(_Comparison, frozen=True):
    """x > y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.greater(x, y)


class GreaterOrEqual(_Comparison, frozen=True):
    """x >= y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.greater_equal(x, y)


class _Logic(_Binary, frozen=True):
    """A logical op of bool; bitwise on plain integers."""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the operands' type in the broadcast shape."""
        x, y = given(types)
        same_kind(x, y)
        if x.is_quantized or not (x.dtype is DType.BOOL or x.dtype.is_integer):
            raise ShapeError(f"operands are {x} and {y}; expected bool or plain integers")
        return (TensorType(x.dtype, broadcast_shapes(x, y)),)


class And(_Logic, frozen=True):
    """Conjunction."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.bitwise_and(x, y)


class Or(_Logic, frozen=True):
    """Disjunction."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.bitwise_or(x, y)


class Xor(_Logic, frozen=True):
    """Exclusive disjunction."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.bitwise_xor(x, y)


class Where(Op, frozen=True):
    """Pick from x where the condition holds, else from y; all three broadcast.

    Quantized operands are requantized to the output's parameters.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    in_place: ClassVar[tuple[int, ...]] = (1, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the broadcast of all three."""
        condition, x, y = given(types)
        if condition.dtype is not DType.BOOL:
            raise ShapeError(f"condition is {condition}; expected bool: insert Cast")
        same_kind(x, y)
        return (TensorType(x.dtype, broadcast_shapes(condition, x, y)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Select, in the output's parameters."""
        _, left, right = given(types.inputs)
        condition, x, y = content(arrays)
        output = types.outputs[0]
        if left.is_quantized:
            x, y = store(real(left, x), output), store(real(right, y), output)
        return (np.where(condition, x, y),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one selection per element."""
        return work(types, 1)
