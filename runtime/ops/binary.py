"""Elementwise ops of two inputs with NumPy broadcasting.

Quantized Add, Sub, Mul and PRelu follow the integer rules that the int8 kernels follow; the other
ops compute quantize(f(dequantize(x), dequantize(y))).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from linnet.types import Array, DType, NodeTypes

from . import arithmetic, bind_elementwise
from .base import NO_CLAMP, Clamp, Op, Step
from .operands import clip, given
from .pairs import _Binary

__all__ = [
    "Add",
    "Atan2",
    "Div",
    "FloorDiv",
    "Maximum",
    "Minimum",
    "Mod",
    "Mul",
    "PRelu",
    "Pow",
    "SquaredDifference",
    "Sub",
]


class _Clamped(_Binary, frozen=True):
    """Arithmetic with a fused activation."""

    clamp: Clamp = NO_CLAMP
    exact: ClassVar[bool] = True

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute, then clip to the clamp's real bounds."""
        (result,) = super().reference(types, *arrays)
        if self.clamp == NO_CLAMP:
            return (result,)
        if types.outputs[0].is_quantized:
            return (clip(result, arithmetic.clamp_bounds(self.clamp, types.outputs[0])),)
        return (clip(result, self.clamp),)

    def bind(self, step: Step) -> bool:
        """Bind quantized bytes by table, other numbers by the kernel of the op's name."""
        if step.types.outputs[0].is_quantized:
            return bind_elementwise.pair_table(self, step)
        name = type(self).__name__
        if bind_elementwise.binary_f32(name, step, self.clamp):
            return True
        return self.clamp == NO_CLAMP and bind_elementwise.whole(name, step)


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


def _fixed(types: NodeTypes, operands: list[Array], sign: int) -> Array:
    """Return the stored sum of x and sign * y, int64 steps of their own scales."""
    x, y = operands
    left, right, shift = arithmetic.fixed_ratios(*_ratios(types)[:2])
    output = types.outputs[0]
    steps = (x * left + sign * y * right + (1 << (shift - 1))) >> shift
    steps = np.clip(steps + arithmetic.pair(output)[1], *arithmetic.limits(output.dtype))
    return np.asarray(steps).astype(output.dtype.numpy)


class _Linear(_Clamped, frozen=True):
    """Arithmetic with an int8 kernel of its own."""

    total: ClassVar[bool] = True

    def bind(self, step: Step) -> bool:
        """Bind int8 and int16 by kernels, other bytes by table, float32 by its kernel."""
        if step.types.outputs[0].is_quantized:
            ratios = _ratios(step.types)
            call = type(self).__name__, step, ratios, self.clamp
            if bind_elementwise.binary_s8(*call):
                return True
            from . import bind_int16

            if bind_int16.binary(*call):
                return True
        return super().bind(step)


class Add(_Linear, frozen=True):
    """Sum.

    Notes
    -----
    Quantized, in whole numbers: ((x - z_x) * m_x + (y - z_y) * m_y + 2^(shift - 1)) >> shift with
    the ratios s_x / s_out and s_y / s_out as m / 2^shift (`arithmetic.fixed_ratios`); ties go up.
    """

    def _function(self, x: Array, y: Array) -> Array:
        return x + y

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        return _fixed(types, _centered(types, x, y), 1)


class Sub(_Linear, frozen=True):
    """Difference; quantized like `Add`."""

    def _function(self, x: Array, y: Array) -> Array:
        return x - y

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        return _fixed(types, _centered(types, x, y), -1)


class Mul(_Linear, frozen=True):
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


_POWERS = {-1.0: "Reciprocal", 0.5: "Root", 2.0: "Square", 3.0: "Cube"}


class Pow(_Binary, frozen=True):
    """Raise x to the power y; plain integers to a negative power truncate toward zero."""

    vectorized: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    operations: ClassVar[int] = 30

    def bind(self, step: Step) -> bool:
        """Bind a few constant powers of float32, and pairs of quantized bytes by table."""
        power = step.inputs[1].array
        name = None if power is None or power.size != 1 else _POWERS.get(float(power.flat[0]))
        if name is not None and bind_elementwise.unary_f32(step, name):
            return True
        return super().bind(step)

    def _function(self, x: Array, y: Array) -> Array:
        # NumPy takes a square root, NaN at -infinity, for some layouts of an exponent of 0.5.
        return np.where((y == 0.5) & np.isinf(x), np.inf, np.power(x, y))

    def _whole(self, x: Array, y: Array) -> Array:
        raised = np.power(x, np.maximum(y, 0))
        if y.dtype.kind == "u":
            return raised
        unit = np.where(np.abs(x) == 1, np.power(x, np.abs(y % 2)), 0)
        return np.where(y >= 0, raised, unit).astype(x.dtype)


def _bind_extreme(op: Op, step: Step) -> bool:
    """Bind the lesser or greater of two quantized reals."""
    from . import bind_int16

    types = [item for item in (*step.types.inputs, *step.types.outputs) if item is not None]
    name = type(op).__name__
    if bind_int16.extreme(name, step):
        return True
    if not all(item.is_quantized and item.dtype is DType.INT8 for item in types):
        return False
    left, right, output = (arithmetic.pair(item)[0] for item in types)
    return bind_elementwise.binary_s8(name, step, (left, right, output))


class Minimum(_Binary, frozen=True):
    """Lesser of two; NaN wins."""

    exact: ClassVar[bool] = True

    def bind(self, step: Step) -> bool:
        """Bind int8 by a kernel that compares reals, the rest like other pairs."""
        return _bind_extreme(self, step) or super().bind(step)

    def _function(self, x: Array, y: Array) -> Array:
        return np.minimum(x, y)


class Maximum(_Binary, frozen=True):
    """Greater of two; NaN wins."""

    exact: ClassVar[bool] = True

    def bind(self, step: Step) -> bool:
        """Bind int8 by a kernel that compares reals, the rest like other pairs."""
        return _bind_extreme(self, step) or super().bind(step)

    def _function(self, x: Array, y: Array) -> Array:
        return np.maximum(x, y)


class FloorDiv(_Binary, frozen=True):
    """Quotient rounded down; plain integers: x // 0 is 0."""

    vectorized: ClassVar[bool] = False
    operations: ClassVar[int] = 5

    def _function(self, x: Array, y: Array) -> Array:
        return np.floor_divide(x, y)


class Mod(_Binary, frozen=True):
    """Remainder with the sign of y, or of x where ``fmod``; plain integers: x mod 0 is 0."""

    fmod: bool = False
    vectorized: ClassVar[bool] = False
    operations: ClassVar[int] = 6

    def bind(self, step: Step) -> bool:
        """Bind plain integers, the rest like other pairs."""
        fmod = self.fmod and bind_elementwise.whole("Fmod", step)
        return fmod or super().bind(step)

    def _function(self, x: Array, y: Array) -> Array:
        return np.fmod(x, y) if self.fmod else np.mod(x, y)


class Atan2(_Binary, frozen=True):
    """Angle of the point (y, x) of inputs y and x, from -pi to pi."""

    since: ClassVar[int] = 2
    vectorized: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    operations: ClassVar[int] = 20

    def _function(self, x: Array, y: Array) -> Array:
        return np.arctan2(x, y)


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

    def bind(self, step: Step) -> bool:
        """Bind int8 by its kernel, the rest like other pairs."""
        quantized = step.types.outputs[0].is_quantized
        if quantized and bind_elementwise.binary_s8("PRelu", step, _ratios(step.types)):
            return True
        return super().bind(step)

    def _function(self, x: Array, y: Array) -> Array:
        return np.where(x >= 0, x, x * y)

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        x, y = _centered(types, x, y)
        ratio, _, product = _ratios(types)
        steps = np.where(x >= 0, x.astype(np.float32) * ratio, (x * y).astype(np.float32) * product)
        return _stored(types, steps)
