"""Elementwise ops of one input.

On quantized tensors every op computes quantize(f(dequantize(x))): f in float64 on float32 reals.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, NodeTypes, TensorType

from . import bind_elementwise
from .base import Op, Step
from .operands import clip, content, given, integer_bounds, real, store, work

__all__ = [
    "Abs",
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
    "Swish",
    "Tanh",
]

_SQRT_HALF = math.sqrt(0.5)
_GELU_SLOPE = math.sqrt(2.0 / math.pi)


class _Unary(Op, frozen=True):
    """An op that computes ``_function`` of each element.

    Notes
    -----
    ``integers`` tells whether plain integers are allowed (``_whole`` computes them), ``operations``
    is the work per element that `cost` reports, ``_kernel`` the float32 kernel's name and constants
    (None where there is none).
    """

    in_place: ClassVar[tuple[int, ...]] = (0,)
    elementwise: ClassVar[bool] = True
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

    def _kernel(self) -> tuple[str, float, float] | None:
        return type(self).__name__, 0.0, 0.0

    def bind(self, step: Step) -> bool:
        """Bind stored numbers by table, float32 by its kernel, plain integers by some."""
        if bind_elementwise.unary(self, step, self._kernel()):
            return True
        from . import bind_int16

        if bind_int16.table(self, step):
            return True
        return self.integers and self._bind_whole(step)

    def _bind_whole(self, step: Step) -> bool:
        """Bind plain integers by ops of two operands."""
        return False

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

    def _kernel(self) -> tuple[str, float, float]:
        return "Clip", self.minimum, self.maximum

    def _function(self, x: Array) -> Array:
        return clip(x, (self.minimum, self.maximum))

    def _whole(self, x: Array) -> Array:
        return clip(x, (self.minimum, self.maximum))

    def _bind_whole(self, step: Step) -> bool:
        if not step.types.outputs[0].dtype.is_integer:
            return False
        low, high = integer_bounds((self.minimum, self.maximum), step.types.outputs[0].dtype)
        return bind_elementwise.whole_with(step, ("Maximum", low), ("Minimum", high))


class LeakyRelu(_Unary, frozen=True):
    """Pass x where x >= 0, else alpha * x."""

    alpha: float = 0.01

    def _kernel(self) -> tuple[str, float, float]:
        return "LeakyRelu", self.alpha, 0.0

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

    def _bind_whole(self, step: Step) -> bool:
        return bind_elementwise.whole_with(step, ("Mul", -1))


class Abs(_Unary, frozen=True):
    """Magnitude; the least plain integer wraps to itself."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return np.abs(x)

    def _whole(self, x: Array) -> Array:
        return np.abs(x)

    def _bind_whole(self, step: Step) -> bool:
        return bind_elementwise.whole_with(step, ("PRelu", -1))


class Square(_Unary, frozen=True):
    """Product of x with itself; plain integers wrap."""

    integers: ClassVar[bool] = True

    def _function(self, x: Array) -> Array:
        return x * x

    def _whole(self, x: Array) -> Array:
        return x * x

    def _bind_whole(self, step: Step) -> bool:
        return bind_elementwise.whole_with(step, ("SquaredDifference", 0))


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

    def _kernel(self) -> tuple[str, float, float]:
        return "GeluTanh" if self.approximate else "Gelu", 0.0, 0.0

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

    def _kernel(self) -> tuple[str, float, float]:
        return "HardSigmoid", self.alpha, self.beta

    def _function(self, x: Array) -> Array:
        return clip(self.alpha * x + self.beta, (0.0, 1.0))


class Silu(_Unary, frozen=True):
    """Product of x and its logistic function."""

    operations: ClassVar[int] = 13

    def _function(self, x: Array) -> Array:
        return x / (1.0 + np.exp(-x))


class Swish(_Unary, frozen=True):
    """Product of x and the logistic function of alpha * x; OpenAI's CLIP has 1.702 for alpha."""

    since: ClassVar[int] = 2
    operations: ClassVar[int] = 14

    alpha: float = 1.0

    def _kernel(self) -> tuple[str, float, float]:
        return "Swish", self.alpha, 0.0

    def _function(self, x: Array) -> Array:
        return x / (1.0 + np.exp(-self.alpha * x))


class Elu(_Unary, frozen=True):
    """Pass x where x > 0, else alpha * (exp(x) - 1)."""

    alpha: float = 1.0
    operations: ClassVar[int] = 12

    def _kernel(self) -> tuple[str, float, float]:
        return "Elu", self.alpha, 0.0

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

    def _bind_whole(self, step: Step) -> bool:
        pairs = [("Minimum", 1), ("Maximum", -1)]
        signed = step.types.outputs[0].dtype.numpy.kind == "i"
        return bind_elementwise.whole_with(step, *pairs[: 1 + signed])


def erf(x: Array) -> Array:
    """Return the error function of each element, in float64."""
    values = np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size)
    return values.reshape(x.shape)
