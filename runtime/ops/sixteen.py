"""Functions of int16 activations as TFLite defines them: tables, and lines between their entries.

TFLite's 16-bit kernels differ from the functions by more than a step; models quantized for them
expect these numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from . import bind_int16
from .arithmetic import pair
from .base import Op, Step
from .fixed_point import multiplier, scaled
from .movement import given, need

__all__ = ["IntegerSoftmax", "Lookup"]

_LOW, _HIGH, _STEPS = -32768, 32767, 512


def away(value: Array) -> Array:
    """Return numbers rounded, halves away from zero."""
    return np.asarray(np.sign(value) * np.floor(np.abs(value) + 0.5))


def sampled(
    function: Callable[[Array], Array], low: float, high: float, least: float, most: float
) -> Array:
    """Return 513 samples of a function as int64, half of the error of lines between them off.

    Parameters
    ----------
    function : callable
        Of float64 arrays.
    low, high : float
        Where the first and the last sample lie.
    least, most : float
        What the smallest and the largest 16-bit number stand for.
    """
    step = (high - low) / _STEPS
    at = low + np.arange(_STEPS + 1) * step
    at[-1] = high
    inverse = (_HIGH - _LOW + 1) / (most - least)
    with np.errstate(all="ignore"):
        here = function(at) * inverse
        middle = away(function(at[:-1] + step / 2) * inverse)
        between = away((here[1:] + away(here[:-1])) / 2)
        samples = away(here)
        samples[:-1] -= away((between - middle) / 2)
    return np.asarray(np.clip(np.nan_to_num(samples, nan=0.0), _LOW, _HIGH), np.int64)


def interpolated(table: Array, x: Array) -> Array:
    """Return numbers on the lines between 513 samples, int64; x is int64 from -32768 to 32767."""
    index, offset = 256 + (x >> 7), x & 0x7F
    base = table[index]
    return np.asarray(base + (((table[index + 1] - base) * offset + 64) >> 7))


class Lookup(Op, frozen=True):
    """The entry of a table that an int16 number tells: ``table[x + 32768]``.

    Inputs are x and the table int16 [65536]; the output's quantization is the graph's.
    """

    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return x's shape."""
        x, table = need(types[0], "x"), need(types[1], "the table")
        wanted = (DType.INT16, (_HIGH - _LOW + 1,))
        if x.dtype is not DType.INT16 or (table.dtype, table.shape) != wanted:
            raise ShapeError(f"x {x} and table {table}; expected int16 and int16[65536]")
        return (x.with_(value=None, quantization=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Take the entries."""
        return (given(arrays[1])[given(arrays[0]).astype(np.int32) - _LOW],)

    def bind(self, step: Step) -> bool:
        """Bind a constant table; see `Op.bind`."""
        table = step.inputs[1].array
        if table is None:
            return False
        return bind_int16.look_up(step, step.cached("table", lambda: np.roll(table, _LOW)))

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element."""
        size = types.outputs[0].size
        return Cost(size, 4 * size)


@cache
def _exponents() -> Array:
    return sampled(np.exp, -10.0, 0.0, -1.0, 1.0)


@cache
def _reciprocals() -> Array:
    return sampled(lambda x: 1 / (1 + x), 0.0, 1.0, -1.0, 1.0)


class IntegerSoftmax(Op, frozen=True):
    """Softmax of int16 numbers along the last axis, in steps of 1 / 32768.

    Parameters
    ----------
    beta : float
        Factor of x.

    Notes
    -----
    Exponents of ``x - max(x)`` down to -10 and the reciprocal of their sum come from tables of 513
    samples; the sum is normalized to [1, 2) before.
    """

    since: ClassVar[int] = 2
    beta: float = 1.0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return x's shape."""
        x = need(types[0], "x")
        if x.dtype is not DType.INT16 or not x.is_quantized or x.rank == 0:
            raise ShapeError(f"x is {x}; expected quantized int16")
        pair(x)
        return (x.with_(value=None, quantization=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Work in whole numbers."""
        x = given(arrays[0]).astype(np.int64)
        if x.size == 0:
            return (np.zeros(x.shape, np.int16),)
        factor = multiplier(self._factor(need(types.inputs[0], "x")))
        below = scaled(x - x.max(axis=-1, keepdims=True), factor) + _HIGH
        powers = interpolated(_exponents(), np.clip(below, _LOW, _HIGH))
        total = powers.sum(axis=-1, keepdims=True)
        shift = 31 - np.floor(np.log2(np.clip(total, 1, 2**31 - 1))).astype(np.int64)
        normal = ((total << (shift - 1)) + (1 << 13)) >> 14
        inverse = interpolated(_reciprocals(), np.clip(normal - 98304, _LOW, _HIGH))
        right = 31 - shift
        half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
        return (np.clip((powers * inverse + half) >> right, 0, _HIGH).astype(np.int16),)

    def bind(self, step: Step) -> bool:
        """Bind the kernel, which works in the same whole numbers; see `Op.bind`."""
        scale = self._factor(step.inputs[0].type)
        return bind_int16.softmax(step, scale, _exponents(), _reciprocals())

    def _factor(self, x: TensorType) -> float:
        """Return the steps of the table of exponents that one step of x is."""
        return float(pair(x)[0]) * self.beta / (10.0 / 65535.0)

    def cost(self, types: NodeTypes) -> Cost:
        """Count ten operations per element."""
        size = types.outputs[0].size
        return Cost(10 * size, 4 * size)
