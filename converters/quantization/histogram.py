"""Streaming histograms of real values: fixed memory, independent of the order of the data."""

from __future__ import annotations

import math

import numpy as np

from linnet.types import Array

BINS = 4096
_HALF = BINS // 2
_CHUNK = 1 << 20


class Histogram:
    """Counts of values in 4096 equal bins from -top to top, top a power of two.

    Magnitudes are below ``top``; when a value does not fit, ``top`` doubles and neighboring bins
    merge, so that the result is that of counting everything with the last ``top``. Exact zeros, the
    least and the greatest value are kept beside.

    Examples
    --------
    >>> histogram = Histogram()
    >>> histogram.add(np.array([0.0, 1.5, -3.0], np.float32))
    >>> histogram.low, histogram.high, histogram.zeros, histogram.count, histogram.top
    (-3.0, 1.5, 1, 3, 4.0)
    """

    __slots__ = ("count", "counts", "high", "low", "top", "zeros")

    def __init__(self) -> None:
        self.counts: Array = np.zeros(BINS, np.int64)
        self.top = 0.0
        self.low, self.high = math.inf, -math.inf
        self.zeros = 0
        self.count = 0

    def add(self, values: Array) -> None:
        """Count values in; they must be finite."""
        flat = values.reshape(-1)
        for start in range(0, flat.size, _CHUNK):
            self._add(flat[start : start + _CHUNK])

    def _add(self, flat: Array) -> None:
        low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._reach(max(-low, high))
        self.count += flat.size
        self.zeros += int(flat.size - np.count_nonzero(flat))
        if not self.top:
            return
        # A power of two as the factor: the product is exact, so bins never depend on rounding.
        index = np.floor(flat * np.float32(_HALF / self.top)).astype(np.int32) + _HALF
        self.counts += np.bincount(index, minlength=BINS)

    def _reach(self, magnitude: float) -> None:
        """Grow until a magnitude lies below the top; what came before the first top were zeros."""
        if magnitude == 0.0 or magnitude < self.top:
            return
        needed = math.ldexp(1.0, math.frexp(magnitude)[1])
        if not self.top:
            self.top = max(needed, 2.0**-100)
            self.counts[_HALF] = self.count
            return
        while self.top < needed:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts[:] = 0
            self.counts[_HALF // 2 : _HALF + _HALF // 2] = merged
            self.top *= 2

    @property
    def centers(self) -> Array:
        """The middle of every bin."""
        return np.asarray((np.arange(BINS) + (0.5 - _HALF)) * (self.top / _HALF))
