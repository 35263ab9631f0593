"""Ops that pool regions of images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from linnet.errors import InputError, ShapeError
from linnet.types import Array, Cost, NodeTypes, TensorType

from .base import Op
from .movement import given, need
from .operands import work

__all__ = ["RoiAlign", "RoiPool"]


def _pooled_type(size: tuple[int, int], types: Sequence[TensorType | None]) -> TensorType:
    """Return the type of regions pooled to a size."""
    x, regions = need(types[0], "input"), need(types[1], "regions")
    if x.rank != 4 or regions.rank != 2 or min(size) < 1:
        raise ShapeError(f"input {x}, regions {regions}, size {size}")
    return x.with_(shape=(regions.shape[0], x.shape[1], *size), value=None)


def _pooled(
    size: tuple[int, int], arrays: Sequence[Array | None], pool: Callable[[Array, Array], Array]
) -> Array:
    """Return what ``pool`` makes of each region and its image."""
    x, regions, images = (given(a) for a in arrays)
    if images.size and not (images.min() >= 0 and images.max() < x.shape[0]):
        raise InputError(f"a region of image {images.max()}; there are {x.shape[0]}")
    made = np.zeros((len(regions), x.shape[1], *size))
    for index, (region, image) in enumerate(zip(regions, images, strict=True)):
        made[index] = pool(x[image].astype(np.float64), region.astype(np.float64))
    return made.astype(x.dtype)


class RoiAlign(Op, frozen=True):
    """Pool regions of images: x [n, c, h, w], regions [r, 4] (x1, y1, x2, y2), images int64[r].

    Parameters
    ----------
    size : (int, int)
        Height and width of the outputs [r, c, *size].
    ratio : int
        Samples down and across a bin; 0 as many as it has pixels.
    scale : float
        Of the regions' coordinates.
    half_pixel, largest : bool
        Shift by half a pixel; take the greatest sample instead of their mean.

    References
    ----------
    ONNX operator specification, RoiAlign.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    since: ClassVar[int] = 2
    size: tuple[int, int] = (1, 1)
    ratio: int = 0
    scale: float = 1.0
    half_pixel: bool = True
    largest: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return [r, c, height, width]."""
        if self.ratio < 0:
            raise ShapeError(f"ratio {self.ratio}")
        return (_pooled_type(self.size, types),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Sample region by region."""
        return (_pooled(self.size, arrays, self._region),)

    def _region(self, x: Array, region: Array) -> Array:
        shift = 0.5 if self.half_pixel else 0.0
        x1, y1, x2, y2 = region * self.scale - shift
        axes = []
        for start, end, bins in ((y1, y2, self.size[0]), (x1, x2, self.size[1])):
            length = end - start if self.half_pixel else max(end - start, 1.0)
            step = length / bins
            count = self.ratio or max(math.ceil(step), 1)
            at = start + step * (np.arange(bins)[:, None] + (np.arange(count) + 0.5) / count)
            axes.append((at, count))
        (rows, down), (columns, across) = axes
        taps = [self._taps(p.reshape(-1), n) for p, n in zip((rows, columns), x.shape[1:],
                                                             strict=True)]  # fmt: skip
        shape = (x.shape[0], self.size[0], down, self.size[1], across)
        parts = [
            (x[:, i][:, :, j] * (v[:, None] * w)).reshape(shape)
            for (i, v), (j, w) in itertools.product(*taps)
        ]
        if self.largest:
            return np.asarray(np.maximum.reduce(parts).max(axis=(2, 4)))
        return np.asarray(sum(parts).mean(axis=(2, 4)))

    @staticmethod
    def _taps(at: Array, size: int) -> list[tuple[Array, Array]]:
        inside = (at >= -1) & (at <= size)
        at = np.maximum(at, 0)
        low = np.minimum(at.astype(np.int64), size - 1)
        high = np.minimum(low + 1, size - 1)
        part = np.where(low >= size - 1, 0.0, at - low)
        return [(low, (1 - part) * inside), (high, part * inside)]

    def cost(self, types: NodeTypes) -> Cost:
        """Count eight operations per sample."""
        return work(types, 8 * max(self.ratio, 1) ** 2)


class RoiPool(Op, frozen=True):
    """Greatest element of each bin of regions of images, zero where a bin has none.

    Inputs are x [n, c, h, w], regions [r, 4] (x1, y1, x2, y2) and images int64[r]. Corners are
    rounded to whole elements, which both belong to the region; bins may share elements.

    Parameters
    ----------
    size : (int, int)
        Height and width of the outputs [r, c, *size].
    scale : float
        Of the regions' coordinates.

    References
    ----------
    ONNX operator specification, MaxRoiPool.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    since: ClassVar[int] = 2
    size: tuple[int, int] = (1, 1)
    scale: float = 1.0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return [r, c, height, width]."""
        return (_pooled_type(self.size, types),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Go bin by bin."""
        return (_pooled(self.size, arrays, self._region),)

    def _region(self, x: Array, region: Array) -> Array:
        scaled = region.astype(np.float32) * np.float32(self.scale)
        x1, y1, x2, y2 = (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(int)
        rows = self._bins(y1, y2, self.size[0], x.shape[1])
        columns = self._bins(x1, x2, self.size[1], x.shape[2])
        made = np.zeros((x.shape[0], *self.size))
        for (i, down), (j, across) in itertools.product(enumerate(rows), enumerate(columns)):
            part = x[:, down, across]
            if part.size:
                made[:, i, j] = part.max(axis=(1, 2))
        return made

    @staticmethod
    def _bins(start: int, end: int, bins: int, size: int) -> list[slice]:
        step = np.float32(max(end - start + 1, 1)) / np.float32(bins)
        edges = [(math.floor(i * step), math.ceil((i + 1) * step)) for i in range(bins)]
        return [slice(*np.clip([start + a, start + b], 0, size)) for a, b in edges]
