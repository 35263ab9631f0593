"""Element types narrower than any that linnet computes in: values rounded to what they can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, NodeTypes, TensorType

from .base import Op
from .operands import content, work

__all__ = ["Narrow", "NarrowSoftmax"]


@dataclass(frozen=True)
class _Float:
    """A small float: bits of exponent and mantissa, bias, largest value, whether it has infinity.

    ``nan`` is whether it has a NaN.
    """

    mantissa: int
    least: int
    largest: float
    infinity: bool
    nan: bool = True


# Least: exponent of the smallest normal number.
FLOATS: dict[str, _Float] = {
    "bfloat16": _Float(7, -126, 3.3895313892515355e38, True),
    "float8e4m3fn": _Float(3, -6, 448.0, False),
    "float8e4m3fnuz": _Float(3, -7, 240.0, False),
    "float8e5m2": _Float(2, -14, 57344.0, True),
    "float8e5m2fnuz": _Float(2, -15, 57344.0, False),
    "float4e2m1": _Float(1, 0, 6.0, False, nan=False),
}
INTEGERS: dict[str, tuple[int, int]] = {
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int2": (-2, 1),
    "uint2": (0, 3),
}


class Narrow(Op, frozen=True):
    """Round to the nearest value of a narrower element type, ties to even.

    Floats beyond the largest become it where ``saturate`` is set, else infinity, or NaN for types
    without one. Integers keep their low bits.

    Parameters
    ----------
    format : str
        bfloat16, float8e4m3fn, float8e4m3fnuz, float8e5m2, float8e5m2fnuz, float8e8m0, float4e2m1;
        int4, uint4, int2, uint2.
    saturate : bool
    rounding : "nearest", "up" or "down"
        Of float8e8m0, which holds powers of two only.

    References
    ----------
    ONNX technical notes, "Float stored in 8 bits" and "4 bit integer types".
    """

    since: ClassVar[int] = 2
    format: str
    saturate: bool = False
    rounding: Literal["nearest", "up", "down"] = "nearest"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type."""
        x = types[0]
        if self.format not in (*FLOATS, *INTEGERS, "float8e8m0"):
            raise ShapeError(f"there is no narrow type '{self.format}'")
        if x is None or x.is_quantized or x.dtype.is_float == (self.format in INTEGERS):
            raise ShapeError(f"input is {x}; it cannot hold {self.format}")
        return (x.with_(value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Round with NumPy."""
        (x,) = content(arrays)
        if self.format in INTEGERS:
            low, high = INTEGERS[self.format]
            span = high - low + 1
            wide = x.astype(np.int64)
            return (((wide - low) % span + low).astype(x.dtype),)
        with np.errstate(all="ignore"):
            if self.format == "float8e8m0":
                return (_power(x, self.rounding).astype(x.dtype),)
            return (_rounded(x, FLOATS[self.format], self.saturate).astype(x.dtype),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element."""
        return work(types, 1)


class NarrowSoftmax(Op, frozen=True):
    """Softmax with every step rounded to a narrow type, the sum after each term.

    That is what frameworks compute whose arrays hold the narrow type itself.
    """

    since: ClassVar[int] = 2
    axis: int = -1
    format: str = "bfloat16"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type."""
        x = types[0]
        if x is None or not x.dtype.is_float or not -x.rank <= self.axis < x.rank:
            raise ShapeError(f"input is {x}; expected floats with an axis {self.axis}")
        if self.format not in FLOATS:
            raise ShapeError(f"there is no narrow float '{self.format}'")
        return (x.with_(value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Round after each operation."""
        form = FLOATS[self.format]
        x = np.moveaxis(content(arrays)[0], self.axis, 0)
        if not len(x):
            return (content(arrays)[0],)
        with np.errstate(all="ignore"):
            powers = _rounded(np.exp(_rounded(x - x.max(0), form, False)), form, False)
            total = np.zeros_like(powers[0])
            for power in powers:
                total = _rounded(total + power, form, False)
            made = _rounded(powers / total, form, False).astype(x.dtype)
        return (np.ascontiguousarray(np.moveaxis(made, 0, self.axis)),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count four operations per element."""
        return work(types, 4)


def _rounded(x: Array, form: _Float, saturate: bool) -> Array:
    wide = x.astype(np.float64)
    exponent = np.maximum(np.frexp(wide)[1] - 1, form.least)
    step = np.ldexp(1.0, exponent - form.mantissa)
    near = np.where(np.isfinite(wide), np.rint(wide / step) * step, wide)
    over = np.abs(near) > form.largest
    if saturate or not form.nan:
        beyond = np.copysign(form.largest, wide)
        over &= ~np.isnan(wide)
    elif form.infinity:
        beyond = np.copysign(np.inf, wide)
    else:
        beyond = np.full_like(wide, np.nan)
    if not form.nan:
        near = np.where(np.isnan(wide), 0.0, near)
    return np.where(over, beyond, near)


def _power(x: Array, rounding: str) -> Array:
    """Return a power of two beside each value, as scales of blocks are stored."""
    wide = np.abs(x.astype(np.float64))
    # A value is mantissa * 2 ** exponent, the mantissa at least 0.5: that is the power below it.
    mantissa, exponent = np.frexp(wide)
    limit = {"nearest": 0.75, "up": np.nextafter(0.5, 1.0), "down": 2.0}[rounding]
    power = np.where(mantissa >= limit, exponent, exponent - 1)
    made = np.ldexp(1.0, np.clip(np.where(wide > 0, power, -127), -127, 127))
    return np.where(np.isfinite(wide), made, np.nan)
