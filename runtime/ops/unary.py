"""Elementwise ops of one input.

On quantized tensors every op computes quantize(f(dequantize(x))): f in float64 on float32 reals.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from linnet.errors import QuantizationError, ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from .base import Op
from .operands import clip, content, given, real, store, work

__all__ = [
    "Abs",
    "Cast",
    "Ceil",
    "Clip",
    "Cos",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Log",
    "Neg",
    "Not",
    "Reciprocal",
    "Round",
    "Rsqrt",
    "Sigmoid",
    "Sign",
    "Silu",
    "Sin",
    "Softplus",
    "Sqrt",
    "Square",
    "Tanh",
]

_SQRT_HALF = math.sqrt(0.5)
_GELU_SLOPE = math.sqrt(2.0 / math.pi)


class _Unary(Op, frozen=True):
    """An op that computes ``_function`` of each element.

    Notes
    -----
    ``integers`` tells whether plain integers are allowed (``_whole`` computes them), ``operations``
    is the work per element that `cost` reports.
    """

    in_place: ClassVar[tuple[int, ...]] = (0,)
    integers: ClassVar[bool] = False
    operations: ClassVar[int] = 1

    def _function(self, x: Array) -> Array:
        """Return the function of real values (float64)."""
        raise TypeError(f"{type(self).__name__} does not define function")

    def _whole(self, x: Array) -> Array:
        """Return the function of plain integers in their own type."""
        raise TypeError(f"{type(self).__name__} does not define whole")

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type; quantization is the output's own declaration."""
        (x,) = given(types)
        plain_integer = x.dtype.is_integer and not x.is_quantized
        if not (x.dtype.is_float or x.is_quantized or (plain_integer and self.integers)):
            allowed = "float, integer or quantized" if self.integers else "float or quantized"
            raise ShapeError(f"input is {x}; expected {allowed} elements: insert Cast")
        return (x.with_(quantization=None, value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64 and round once; plain integers stay integers."""
        (source,) = given(types.inputs)
        (x,) = content(arrays)
        if not source.dtype.is_float and not source.is_quantized:
            return (self._whole(x),)
        with np.errstate(all="ignore"):
            return (store(self._function(real(source, x)), types.outputs[0]),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the operations of the function per element."""
        return work(types, self.operations)


class Clip(_Unary, frozen=True):
    """min(max(x, minimum), maximum); where the bounds cross, maximum wins.

    Plain integers take the tightest integer bounds inside [minimum, maximum]. NaN stays NaN.
    """

    minimum: float = -math.inf
    maximum: float = math.inf
    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return clip(x, (self.minimum, self.maximum))

    def _whole(self, x: Array) -> Array:
        return clip(x, (self.minimum, self.maximum))


class LeakyRelu(_Unary, frozen=True):
    """Pass x where x >= 0, else alpha * x."""

    alpha: float = 0.01

    def _function(self, x: Array) -> Array:
        return np.where(x >= 0, x, self.alpha * x)


class Sigmoid(_Unary, frozen=True):
    """1 / (1 + exp(-x))."""

    operations: ClassVar[int] = 12

    def _function(self, x: Array) -> Array:
        return 1.0 / (1.0 + np.exp(-x))


class Tanh(_Unary, frozen=True):
    """Hyperbolic tangent."""

    operations: ClassVar[int] = 14

    def _function(self, x: Array) -> Array:
        return np.tanh(x)


class Exp(_Unary, frozen=True):
    """e to the power x."""

    operations: ClassVar[int] = 9

    def _function(self, x: Array) -> Array:
        return np.exp(x)


class Log(_Unary, frozen=True):
    """Natural logarithm; NaN below zero."""

    operations: ClassVar[int] = 14

    def _function(self, x: Array) -> Array:
        return np.log(x)


class Sqrt(_Unary, frozen=True):
    """Square root; NaN below zero."""

    operations: ClassVar[int] = 4

    def _function(self, x: Array) -> Array:
        return np.sqrt(x)


class Rsqrt(_Unary, frozen=True):
    """1 / sqrt(x)."""

    operations: ClassVar[int] = 8

    def _function(self, x: Array) -> Array:
        return 1.0 / np.sqrt(x)


class Neg(_Unary, frozen=True):
    """-x; plain integers wrap."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return -x

    def _whole(self, x: Array) -> Array:
        return np.negative(x)


class Abs(_Unary, frozen=True):
    """Magnitude; the least plain integer wraps to itself."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return np.abs(x)

    def _whole(self, x: Array) -> Array:
        return np.abs(x)


class Square(_Unary, frozen=True):
    """Product of x with itself; plain integers wrap."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return x * x

    def _whole(self, x: Array) -> Array:
        return x * x


class Erf(_Unary, frozen=True):
    """Error function."""

    operations: ClassVar[int] = 16

    def _function(self, x: Array) -> Array:
        return erf(x)


class Gelu(_Unary, frozen=True):
    """Product of x and the normal distribution function Phi(x).

    Exact by erf, or by tanh where ``approximate``; the two differ by up to 5e-4.
    """

    approximate: bool = False
    operations: ClassVar[int] = 20

    def _function(self, x: Array) -> Array:
        if self.approximate:
            return 0.5 * x * (1.0 + np.tanh(_GELU_SLOPE * (x + 0.044715 * x**3)))
        return 0.5 * x * (1.0 + erf(x * _SQRT_HALF))


class HardSwish(_Unary, frozen=True):
    """Product of x and clip(x + 3, 0, 6) / 6."""

    operations: ClassVar[int] = 4

    def _function(self, x: Array) -> Array:
        return x * clip(x + 3.0, (0.0, 6.0)) / 6.0


class HardSigmoid(_Unary, frozen=True):
    """clip(alpha * x + beta, 0, 1)."""

    alpha: float = 0.2
    beta: float = 0.5
    operations: ClassVar[int] = 3

    def _function(self, x: Array) -> Array:
        return clip(self.alpha * x + self.beta, (0.0, 1.0))


class Silu(_Unary, frozen=True):
    """Product of x and its logistic function."""

    operations: ClassVar[int] = 13

    def _function(self, x: Array) -> Array:
        return x / (1.0 + np.exp(-x))


class Elu(_Unary, frozen=True):
    """Pass x where x > 0, else alpha * (exp(x) - 1)."""

    alpha: float = 1.0
    operations: ClassVar[int] = 12

    def _function(self, x: Array) -> Array:
        return np.where(x > 0, x, self.alpha * np.expm1(x))


class Softplus(_Unary, frozen=True):
    """log(1 + exp(x))."""

    operations: ClassVar[int] = 22

    def _function(self, x: Array) -> Array:
        return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


class Sin(_Unary, frozen=True):
    """Sine of x in radians."""

    operations: ClassVar[int] = 16

    def _function(self, x: Array) -> Array:
        return np.sin(x)


class Cos(_Unary, frozen=True):
    """Cosine of x in radians."""

    operations: ClassVar[int] = 16

    def _function(self, x: Array) -> Array:
        return np.cos(x)


class Floor(_Unary, frozen=True):
    """Largest whole number not above x."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return np.floor(x)

    def _whole(self, x: Array) -> Array:
        return x.copy()


class Ceil(_Unary, frozen=True):
    """Smallest whole number not below x."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return np.ceil(x)

    def _whole(self, x: Array) -> Array:
        return x.copy()


class Round(_Unary, frozen=True):
    """Nearest whole number, ties to even."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return np.rint(x)

    def _whole(self, x: Array) -> Array:
        return x.copy()


class Reciprocal(_Unary, frozen=True):
    """1 / x."""

    operations: ClassVar[int] = 4

    def _function(self, x: Array) -> Array:
        return 1.0 / x


class Sign(_Unary, frozen=True):
    """-1, 0 or 1; NaN stays NaN."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return np.sign(x)

    def _whole(self, x: Array) -> Array:
        return np.sign(x)


class Not(Op, frozen=True):
    """Logical negation of bool; bitwise negation of plain integers."""

    in_place: ClassVar[tuple[int, ...]] = (0,)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type."""
        (x,) = given(types)
        if x.is_quantized or not (x.dtype is DType.BOOL or x.dtype.is_integer):
            raise ShapeError(f"input is {x}; expected bool or plain integers")
        return (x.with_(value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Invert every bit that the type has."""
        return (np.invert(content(arrays)[0]),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element."""
        return work(types, 1)


class Cast(Op, frozen=True):
    """Convert the element type of plain numbers.

    Floats become integers by truncation toward zero, saturated to the type's range, NaN becoming 0.
    Integers become narrower integers modulo their range. Anything but zero becomes True (NaN too).
    """

    to: DType

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's shape with the new element type."""
        (x,) = given(types)
        if x.is_quantized:
            raise QuantizationError(
                f"input is {x} with {x.quantization}; Cast takes plain numbers: use Dequantize"
            )
        return (TensorType(self.to, x.shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Convert with defined results for every input."""
        return (cast(content(arrays)[0], self.to),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element."""
        return work(types, 1)


def cast(array: Array, to: DType) -> Array:
    """Return the array in another element type by the rules of `Cast`."""
    target = to.numpy
    with np.errstate(all="ignore"):
        if array.dtype.kind != "f" or target.kind not in "iu":
            return array.astype(target)
        info = np.iinfo(target)
        low, past = float(info.min), float(info.max) + (1.0 if info.bits < 64 else 0.0)
        whole = np.nan_to_num(np.trunc(array.astype(np.float64)), nan=0.0, posinf=past, neginf=low)
        inside = (whole >= low) & (whole < past)
        result = np.where(inside, whole, 0.0).astype(target)
        return np.where(inside, result, np.where(whole < 0, info.min, info.max).astype(target))


def erf(x: Array) -> Array:
    """Return the error function of each element, in float64."""
    values = np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size)
    return values.reshape(x.shape)
