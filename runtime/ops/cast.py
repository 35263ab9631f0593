"""Changes of plain numbers' element type, and the inversion of their bits."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import QuantizationError, ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from . import bind_elementwise
from .base import Op, Step
from .operands import content, given, work

__all__ = ["Cast", "Not"]


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

    def bind(self, step: Step) -> bool:
        """Bind what has a kernel of plain integers; see `Op.bind`."""
        ones = 1 if step.types.outputs[0].dtype is DType.BOOL else -1
        return bind_elementwise.whole_with(step, ("Xor", ones))

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

    def bind(self, step: Step) -> bool:
        """Bind the conversions between common types."""
        return bind_elementwise.cast(step)

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
