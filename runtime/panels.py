"""Constants in panels: int8 weights in the order in which kernels read them.

A constant of shape (rows, ...) is a matrix (rows, depth). Packed it is [rows / 16][depth / 4][16]
[4], rows padded with zeros: what CPUs with dot products of four bytes multiply in place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .spec import Array

ROWS, LANE = 16, 4


def packed_bytes(shape: tuple[int, ...]) -> int:
    """Return the bytes of a packed constant.

    Examples
    --------
    >>> packed_bytes((20, 3, 3, 8))
    2304
    """
    return -(-shape[0] // ROWS) * ROWS * math.prod(shape[1:])


def pack(plain: Array) -> Array:
    """Return an int8 constant packed, as bytes."""
    rows, depth = plain.shape[0], math.prod(plain.shape[1:])
    whole = np.zeros((packed_bytes(plain.shape) // depth if depth else 0, depth), np.int8)
    whole[:rows] = plain.reshape(rows, depth)
    split = whole.reshape(-1, ROWS, depth // LANE, LANE)
    return np.ascontiguousarray(split.swapaxes(1, 2)).reshape(-1).view(np.uint8)


class Panels:
    """A packed constant; NumPy's functions take it for the plain one, unpacked for each call.

    Parameters
    ----------
    packed : ndarray of int8, shape (bytes,)
    shape : tuple of int
        Of the plain constant.
    """

    dtype = np.dtype(np.int8)

    def __init__(self, packed: Array, shape: tuple[int, ...]) -> None:
        self.packed = packed
        self.shape = shape

    @property
    def padding(self) -> Array:
        """What fills the last panel."""
        split = self.packed.reshape(-1, math.prod(self.shape[1:]) // LANE, ROWS, LANE)
        return split[-1:, :, self.shape[0] % ROWS or ROWS :]

    def plain(self) -> Array:
        """Return the plain constant, read-only."""
        depth = math.prod(self.shape[1:])
        split = self.packed.reshape(-1, depth // LANE, ROWS, LANE).swapaxes(1, 2)
        found: Array = split.reshape(-1, depth)[: self.shape[0]].reshape(self.shape)
        found.flags.writeable = False
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the plain constant; see `numpy.asarray`."""
        return self.plain() if dtype is None else self.plain().astype(dtype)
