"""Ops that look at images where data says: grids, offsets; and windows put back."""

from __future__ import annotations

import itertools
import math
from typing import Any, ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, DType, NodeTypes, TensorType

from .base import Op
from .movement import given, need, same_dim
from .operands import work
from .window import output_size, span

__all__ = ["ColumnsToImage", "DeformConv", "GridSample", "PoolIndices"]


def _cubic(t: Array, a: float) -> list[Array]:
    """Return the weights of the four elements around a place, t behind the second."""

    def near(d: Array) -> Array:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Array) -> Array:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _looked_up(x: Array, places: list[Array], hidden: Array | None) -> Array:
    """Return x [n, c, *sizes] at integer places [n, *out] of each axis: [n, c, *out]."""
    batch = np.arange(x.shape[0]).reshape(-1, *[1] * (places[0].ndim - 1))
    last = np.moveaxis(x, 1, -1)
    found = last[(batch, *places)]
    if hidden is not None:
        found = np.where(hidden[..., None], 0, found)
    return np.moveaxis(found, -1, 1)


def sample(x: Array, at: list[Array], mode: str, padding: str, corners: bool) -> Array:
    """Return x [n, c, *sizes] at real places [n, *out] of each axis."""
    sizes = x.shape[2:]

    def settle(index: Array, size: int) -> tuple[Array, Array]:
        out = (index < 0) | (index > size - 1)
        if padding == "reflection":
            low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
            width = max(high - low, 1e-9)
            folded = np.abs(np.mod(index - low + width, 2 * width) - width) + low
            index = np.where(out, folded, index)
        return np.clip(np.rint(index), 0, size - 1).astype(np.int64), out

    if padding == "border":
        at = [np.clip(p, 0, n - 1) for p, n in zip(at, sizes, strict=True)]
    if padding == "reflection" and mode != "cubic":
        folded = []
        for p, n in zip(at, sizes, strict=True):
            low, high = (0.0, n - 1.0) if corners else (-0.5, n - 0.5)
            width = max(high - low, 1e-9)
            back = np.abs(np.mod(p - low + width, 2 * width) - width) + low
            folded.append(np.clip(np.where((p < low) | (p > high), back, p), 0, n - 1))
        at = folded
    taps: list[list[tuple[Array, Array]]] = []
    for p in at:
        base = np.floor(p)
        if mode == "nearest":
            taps.append([(np.rint(p), np.ones_like(p))])
        elif mode == "linear":
            taps.append([(base, 1 - (p - base)), (base + 1, p - base)])
        else:
            weights = _cubic(p - base, -0.75)
            taps.append([(base + i - 1, w) for i, w in enumerate(weights)])
    total: Any = 0.0
    for choice in itertools.product(*taps):
        settled = [settle(index, n) for (index, _), n in zip(choice, sizes, strict=True)]
        hidden = np.any([out for _, out in settled], axis=0) if padding == "zeros" else None
        weight = math.prod((w for _, w in choice[1:]), start=choice[0][1])
        total = total + _looked_up(x, [i for i, _ in settled], hidden) * weight[:, None]
    return np.asarray(total)


class GridSample(Op, frozen=True):
    """Sample x [n, c, *sizes] at the places of a grid [n, *out, axes], -1 to 1, last axis first.

    Parameters
    ----------
    mode : {"nearest", "linear", "cubic"}
    padding : {"zeros", "border", "reflection"}
    corners : bool
        -1 and 1 are the centers of the corners, not their edges.

    References
    ----------
    ONNX operator specification, GridSample.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    since: ClassVar[int] = 2
    mode: str = "linear"
    padding: str = "zeros"
    corners: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return [n, c, *out]."""
        x, grid = need(types[0], "input"), need(types[1], "grid")
        if x.rank < 3 or grid.rank != x.rank or not same_dim(grid.shape[-1], x.rank - 2):
            raise ShapeError(f"input {x}, grid {grid}; expected [n, c, ...] and [n, ..., axes]")
        if self.mode not in ("nearest", "linear", "cubic") or self.padding not in (
            "zeros", "border", "reflection"
        ):  # fmt: skip
            raise ShapeError(f"mode '{self.mode}', padding '{self.padding}'")
        return (x.with_(shape=(*x.shape[:2], *grid.shape[1:-1]), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Sample in float64."""
        x, grid = given(arrays[0]), given(arrays[1]).astype(np.float64)
        at = []
        for axis, size in enumerate(x.shape[2:]):
            g = grid[..., x.ndim - 3 - axis]
            at.append((g + 1) / 2 * (size - 1) if self.corners else ((g + 1) * size - 1) / 2)
        made = sample(x.astype(np.float64), at, self.mode, self.padding, self.corners)
        return (np.ascontiguousarray(made.astype(x.dtype)),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count eight operations per output."""
        return work(types, 8)


class DeformConv(Op, frozen=True):
    """Convolve images whose taps are moved: x [n, c, h, w], w [o, c / groups, kh, kw], offsets.

    Offsets are [n, 2 g kh kw, oh, ow] (down, across); then a bias [o] and a mask
    [n, g kh kw, oh, ow] may follow. Outside of an image are zeros.

    Parameters
    ----------
    strides, dilations : (int, int)
    pads : (int, int, int, int)
    groups, offset_groups : int

    References
    ----------
    ONNX operator specification, DeformConv.
    """

    arity: ClassVar[tuple[int, int]] = (3, 5)
    since: ClassVar[int] = 2
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    offset_groups: int = 1

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return [n, o, oh, ow]."""
        x, w, offsets = (need(t, "an input") for t in types[:3])
        if not x.rank == w.rank == offsets.rank == 4 or not w.is_static:
            raise ShapeError(f"input {x}, weights {w}, offsets {offsets}; expected images")
        outputs, inside, kh, kw = w.static_shape
        channels = x.shape[1]
        if isinstance(channels, int) and (
            channels != inside * self.groups or channels % self.offset_groups
            or outputs % self.groups
        ):  # fmt: skip
            raise ShapeError(f"input {x}, weights {w} in {self.groups} groups")
        if offsets.shape[1] not in (2 * self.offset_groups * kh * kw, "?1"):
            raise ShapeError(f"offsets are {offsets} for weights {w}")
        return (x.with_(shape=(x.shape[0], outputs, *offsets.shape[2:]), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Sample every tap, then multiply."""
        x, w, offsets = (given(a).astype(np.float64) for a in arrays[:3])
        bias, mask = (*arrays[3:], None, None)[:2]
        batch = x.shape[0]
        outputs, inside, kh, kw = w.shape
        oh, ow = offsets.shape[2:]
        groups = self.offset_groups
        moved = offsets.reshape(batch, groups, kh, kw, 2, oh, ow)
        shares = np.ones((batch, groups, kh, kw, oh, ow)) if mask is None else mask.reshape(
            batch, groups, kh, kw, oh, ow)  # fmt: skip
        rows = (np.arange(kh) * self.dilations[0])[:, None, None, None] + (
            np.arange(oh) * self.strides[0] - self.pads[0])[:, None]  # fmt: skip
        columns = (np.arange(kw) * self.dilations[1])[:, None, None] + (
            np.arange(ow) * self.strides[1] - self.pads[1])  # fmt: skip
        parts = []
        for group, piece in enumerate(np.split(x, groups, axis=1)):
            at = [rows + moved[:, group, :, :, 0], columns + moved[:, group, :, :, 1]]
            found = sample(piece, at, "linear", "zeros", True)
            parts.append(found * shares[:, None, group])
        taps = np.concatenate(parts, axis=1).reshape(batch, self.groups, inside, kh, kw, oh, ow)
        weights = w.reshape(self.groups, outputs // self.groups, inside, kh, kw)
        made = np.einsum("ngikluv,goikl->ngouv", taps, weights).reshape(batch, outputs, oh, ow)
        if bias is not None:
            made = made + bias.reshape(1, -1, 1, 1)
        return (made.astype(types.outputs[0].dtype.numpy),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per tap and output."""
        w = need(types.inputs[1], "weights")
        return work(types, max(w.size // max(w.static_shape[0], 1), 1))


class ColumnsToImage(Op, frozen=True):
    """Add up windows where they came from: x [n, c * taps, windows] to [n, c, *sizes].

    Parameters
    ----------
    sizes, kernel, strides, dilations : tuple of int
    pads : tuple of int
        Of the beginnings, then of the ends.

    References
    ----------
    ONNX operator specification, Col2Im.
    """

    since: ClassVar[int] = 2
    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]

    def _counts(self) -> list[int]:
        pads = zip(self.pads[: len(self.sizes)], self.pads[len(self.sizes) :], strict=True)
        return [
            (size + sum(pad) - span(k, d)) // s + 1
            for size, k, s, d, pad in zip(
                self.sizes, self.kernel, self.strides, self.dilations, pads, strict=True
            )
        ]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return [n, c, *sizes]."""
        x, rank = need(types[0], "input"), len(self.sizes)
        lengths = {len(self.kernel), len(self.strides), len(self.dilations), len(self.pads) // 2}
        if x.rank != 3 or lengths != {rank} or min((*self.sizes, *self.kernel, *self.strides)) < 1:
            raise ShapeError(f"input {x} for {self}")
        taps, channels = math.prod(self.kernel), x.shape[1]
        if isinstance(channels, int) and channels % taps:
            raise ShapeError(f"input {x} of windows of {taps}")
        if isinstance(x.shape[2], int) and x.shape[2] != math.prod(self._counts()):
            raise ShapeError(f"input {x}; expected {math.prod(self._counts())} windows")
        outputs = dims.floor_div(channels, taps)
        return (x.with_(shape=(x.shape[0], outputs, *self.sizes), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Add tap by tap."""
        x, counts, rank = given(arrays[0]), self._counts(), len(self.sizes)
        parts = x.reshape(x.shape[0], -1, *self.kernel, *counts)
        room = [
            max((c - 1) * s + span(k, d), size + self.pads[i])
            for i, (c, s, k, d, size) in enumerate(
                zip(counts, self.strides, self.kernel, self.dilations, self.sizes, strict=True)
            )
        ]
        full = np.zeros((x.shape[0], parts.shape[1], *room), x.dtype)
        for tap in itertools.product(*map(range, self.kernel)):
            at: tuple[Any, ...] = tuple(
                slice(t * d, t * d + (c - 1) * s + 1, s)
                for t, d, c, s in zip(tap, self.dilations, counts, self.strides, strict=True)
            )
            one: tuple[Any, ...] = (slice(None), slice(None), *tap)
            full[(slice(None), slice(None), *at)] += parts[one]
        cut: tuple[Any, ...] = tuple(
            slice(p, p + n) for p, n in zip(self.pads[:rank], self.sizes, strict=True)
        )
        return (np.ascontiguousarray(full[(slice(None), slice(None), *cut)]),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one addition per tap."""
        return work(types, math.prod(self.kernel))


class PoolIndices(Op, frozen=True):
    """Largest of each window of x [n, c, *sizes], and its place in x as one number, int64.

    Parameters
    ----------
    kernel, strides, dilations : tuple of int
        Ones where absent.
    pads : tuple of int
        Of the beginnings, then of the ends; zeros where absent.
    auto_pad : str
    ceil_mode : bool
    columns_first : bool
        Places count along the first spatial axis first.

    References
    ----------
    ONNX operator specification, MaxPool.
    """

    since: ClassVar[int] = 2
    kernel: tuple[int, ...]
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    auto_pad: str = ""
    ceil_mode: bool = False
    columns_first: bool = False

    @property
    def outputs(self) -> int:
        """Values and places."""
        return 2

    def _axis(self, index: int, size: Dim) -> tuple[Dim, int, int, int, int]:
        """Return the count, and what else one axis has: kernel, stride, dilation, first pad."""
        rank = len(self.kernel)
        stride = self.strides[index] if self.strides else 1
        dilation = self.dilations[index] if self.dilations else 1
        begin, end = (self.pads[index], self.pads[index + rank]) if self.pads else (0, 0)
        kernel = self.kernel[index]
        count = output_size(
            size, kernel, stride, dilation, (begin, end), self.auto_pad, self.ceil_mode
        )
        if self.auto_pad.startswith("same") and isinstance(size, int) and isinstance(count, int):
            total = max((count - 1) * stride + span(kernel, dilation) - size, 0)
            begin = total // 2 if self.auto_pad == "same_upper" else total - total // 2
        return count, kernel, stride, dilation, begin

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return values and places [n, c, *counts]."""
        x, rank = need(types[0], "input"), len(self.kernel)
        lengths = {len(self.strides) or rank, len(self.dilations) or rank}
        if not rank or x.rank != rank + 2 or lengths != {rank} or x.is_quantized:
            raise ShapeError(f"input {x} for windows {self.kernel}")
        if len(self.pads) not in (0, 2 * rank):
            raise ShapeError(f"pads are {self.pads} for windows {self.kernel}")
        counts = [self._axis(i, size)[0] for i, size in enumerate(x.shape[2:])]
        shape = (*x.shape[:2], *counts)
        return x.with_(shape=shape, value=None), TensorType(DType.INT64, shape)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compare tap by tap; the first of equal ones counts."""
        x = given(arrays[0])
        rank, sizes = len(self.kernel), x.shape[2:]
        axes = [self._axis(i, size) for i, size in enumerate(sizes)]
        counts = tuple(int(axis[0]) for axis in axes)
        images = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * rank)
        order = range(rank) if self.columns_first else reversed(range(rank))
        best = np.zeros((*x.shape[:2], *counts), x.dtype)
        where = np.full(best.shape, -1, np.int64)
        for tap in itertools.product(*map(range, self.kernel)):
            grid = np.ix_(*(np.arange(c) * s - b + t * d for t, (c, _, s, d, b) in zip(
                tap, axes, strict=True)))  # fmt: skip
            inside = np.ones(counts, bool)
            for g, n in zip(grid, sizes, strict=True):
                inside = inside & (g >= 0) & (g < n)
            clipped = [np.clip(g, 0, n - 1) for g, n in zip(grid, sizes, strict=True)]
            value = x[(slice(None), slice(None), *clipped)]
            place, step = np.zeros(counts, np.int64), 1
            for axis in list(order):
                place = place + clipped[axis] * step
                step *= sizes[axis]
            order = range(rank) if self.columns_first else reversed(range(rank))
            better = inside & ((where < 0) | (value > best))
            best = np.where(better, value, best)
            where = np.where(better, images * step + place, where)
        return np.ascontiguousarray(best), np.ascontiguousarray(where)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one comparison per tap."""
        return work(types, math.prod(self.kernel))
