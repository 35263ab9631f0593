"""Fixed-point arithmetic of int16 recurrent cells, as gemmlowp and TFLite define it.

Numbers are plain NumPy integers; ``bits`` says how many of a 16-bit number's 15 are before the
binary point. Everything is exact, so that kernels can give the same bytes.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from linnet.types import Array

_LOW, _HIGH = -32768, 32767
# Both functions are known on one side by what they are on the other.
_BELOW = -np.arange(1 - _LOW, dtype=np.int32)


def multiplier(scale: float) -> tuple[int, int]:
    """Return (integer, shift): scale = integer * 2 ** (shift - 31), integer of 31 bits.

    Examples
    --------
    >>> multiplier(0.5), multiplier(6.0)
    ((1073741824, 0), (1610612736, 3))
    """
    if scale == 0:
        return 0, 0
    fraction, shift = math.frexp(scale)
    fixed = math.floor(fraction * (1 << 31) + 0.5)
    if fixed == 1 << 31:
        fixed, shift = fixed // 2, shift + 1
    return (0, 0) if shift < -31 else (fixed, shift)


def shifted(value: Array, exponent: int) -> Array:
    """Return value / 2 ** exponent, halves away from zero."""
    if exponent <= 0:
        return value
    mask = (1 << exponent) - 1
    remainder = value & mask
    threshold = (mask >> 1) + (value < 0)
    return np.asarray((value >> exponent) + (remainder > threshold))


def scaled(value: Array, factor: tuple[int, int]) -> Array:
    """Return value * factor (see `multiplier`), rounded twice as TFLite does."""
    fixed, shift = factor
    product = (value.astype(np.int64) << max(shift, 0)) * fixed
    high = _halved(product, 31)
    return shifted(high, max(-shift, 0))


def saturated(value: Array) -> Array:
    """Return value limited to 16 bits."""
    return np.clip(value, _LOW, _HIGH)


def _wrapped(value: Array) -> Array:
    return value.astype(np.int16).astype(np.int32)


def _halved(product: Array, bits: int) -> Array:
    """Return product / 2 ** bits, halves upward."""
    return np.asarray((product + (1 << (bits - 1))) >> bits)


def _times(left: Array, right: Array | int) -> Array:
    """Return the high half of twice the product, rounded; the numbers of bits add up."""
    return saturated(_halved(left * right, 15))


def _raised(value: Array, exponent: int) -> Array:
    """Return value * 2 ** exponent, saturated at the last number whose double still fits."""
    limit = (1 << (15 - exponent)) - 1
    moved = np.where(value > limit, _HIGH, value << exponent)
    return np.where(value < -limit, _LOW, moved)


def _constant(thirty_two_bits: int) -> int:
    return (thirty_two_bits + (1 << 15)) >> 16


def _exp_near_zero(a: Array) -> Array:
    """Return exp(a) for a from -1/4 to 0, both without bits before the point."""
    base, third = _constant(1895147668), _constant(715827883)
    x = _wrapped(a + (1 << 12))
    square = _times(x, x)
    cube, fourth = _times(square, x), _times(square, square)
    rest = _wrapped(_times(_wrapped(shifted(fourth, 2) + cube), third) + square)
    inner = _wrapped(x + shifted(rest, 1))
    return saturated(base + _times(inner, base))


def _exp(a: Array, bits: int) -> Array:
    """Return exp(a) for a from the least number to 0; the result has no bits before the point."""
    point = 15 - bits
    quarter = 1 << (point - 2)
    low = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_raised(low, bits))
    remainder = _wrapped(low - a)
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in enumerate(factors, -2):
        if bits > exponent:
            bit = (remainder >> (point + exponent)) & 1
            result = np.where(bit != 0, _times(result, _constant(factor)), result)
    if bits > 5:
        result = np.where(a < -(1 << (20 - bits)), 0, result)
    return np.where(a == 0, _HIGH, result)


def _reciprocal(a: Array) -> Array:
    """Return 1 / ((1 + a) / 2) with two bits before the point, for a from 0 to 1."""
    total = a + _HIGH
    half = np.where(total >= 0, (total + 1) >> 1, -((-total + 1) >> 1))
    x = _wrapped(_constant(1515870810) + _times(half, _constant(-1010580540)))
    for _ in range(3):
        rest = _wrapped((1 << 13) - _times(half, x))
        x = _wrapped(x + _raised(_times(x, rest), 2))
    return x


@cache
def tanh_table(bits: int) -> Array:
    """Return tanh of every 16-bit number with ``bits`` before the point, from -32768 on, int16."""
    x = _reciprocal(_exp(_BELOW, bits + 1))
    above = _raised(_wrapped(x - (1 << 13)), 2)
    return _joined(-above, 0, above)


@cache
def sigmoid_table(bits: int = 3) -> Array:
    """Return 1 / (1 + exp(-a)) of every 16-bit number, from -32768 on, int16."""
    above = _raised(_reciprocal(_exp(_BELOW, bits)), 1)
    return _joined(_HIGH - above, 1 << 14, above)


def _joined(left: Array, middle: int, right: Array) -> Array:
    """Return a table from values at -m and m, for m from 0 to 32768, and the one at 0."""
    found = np.concatenate((left[:0:-1], right[:-1])).astype(np.int16)
    found[-_LOW] = middle
    found.flags.writeable = False
    return found
