"""Tables from keys to values, which operators of both formats look elements up in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linnet import ops
from linnet.types import Array, DType

# Adds an op on values and returns what it makes; adds a constant.
Emit = Callable[..., str]
Constant = Callable[[Array], str]
# Integers from the least key to the greatest: at most so many, and so many more for each key.
_FREE, _PER_KEY = 1024, 16


def is_dense(keys: Array) -> bool:
    """Whether keys are integers that lie near each other."""
    if keys.dtype.kind not in "iu" or not keys.size:
        return False
    low, high, limits = int(keys.min()), int(keys.max()), np.iinfo(keys.dtype)
    inside = limits.min < low and high < limits.max
    return inside and high - low < _FREE + _PER_KEY * keys.size


def by_place(
    emit: Emit, constant: Constant, x: str, keys: Array, values: Array, default: Array
) -> str:
    """Return the value of the first equal key, from a table of all integers between dense keys.

    Parameters
    ----------
    emit, constant : callable
    x : str
        Of the keys' element type.
    keys, values : ndarray
    default : ndarray
        A scalar: the value of what is no key.
    """
    low, high = int(keys.min()) - 1, int(keys.max()) + 1
    table = np.full(high - low + 1, default, values.dtype)
    table[keys[::-1].astype(np.int64) - low] = values[::-1]
    above = emit(ops.Maximum(), x, constant(np.array(low, keys.dtype)))
    inside = emit(ops.Minimum(), above, constant(np.array(high, keys.dtype)))
    place = emit(ops.Sub(), inside, constant(np.array(low, keys.dtype)))
    return emit(ops.Gather(axis=0), constant(table), place)


def by_match(emit: Emit, constant: Constant, same: str, values: Array, default: Array) -> str:
    """Return the value of the first key that an element equals.

    Parameters
    ----------
    emit, constant : callable
    same : str
        Which key each element equals, along the last axis.
    values : ndarray
    default : ndarray
        A scalar: the value of what equals none.
    """
    flags = emit(ops.Cast(to=DType.UINT8), same)
    found = emit(
        ops.Gather(axis=0), constant(values), emit(ops.ArgMax(axis=-1, keepdims=False), flags)
    )
    hit = emit(ops.ReduceMax(axes=(-1,), keepdims=False), flags)
    missing = emit(ops.Equal(), hit, constant(np.array(0, np.uint8)))
    return emit(ops.Where(), missing, constant(default.astype(values.dtype)), found)


def match(emit: Emit, constant: Constant, x: str, rank: int, keys: Array) -> str:
    """Return which key each element equals, along a new last axis."""
    wide = emit(ops.Unsqueeze(axes=(rank,)), x)
    return emit(ops.Equal(), wide, constant(keys))
