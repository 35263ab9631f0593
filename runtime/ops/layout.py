"""Ops that rearrange, repeat or surround the elements of one tensor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from linnet import dims
from linnet.errors import QuantizationError, ShapeError, UnsupportedError
from linnet.types import Array, Dim, NodeTypes, TensorType

from .arithmetic import limits, quantize
from .base import Step
from .bind_move import Axis, copy, strides
from .bind_pad import bind_pad
from .movement import (
    _Move,
    axes_of,
    channel_axis,
    dense,
    given,
    moved,
    need,
    quotient,
    unknown,
    whole_numbers,
)

__all__ = ["DepthToSpace", "Pad", "Reverse", "SpaceToDepth", "Tile", "Transpose"]


class Transpose(_Move, frozen=True):
    """Permute the axes: output axis i is input axis perm[i].

    Parameters
    ----------
    perm : tuple of int
        A permutation of the axes.
    """

    perm: tuple[int, ...]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the permuted shape; per-axis quantization follows its axis."""
        x = need(types[0], "input")
        if sorted(self.perm) != list(range(x.rank)):
            raise ShapeError(f"perm is {self.perm}; expected a permutation of 0 to {x.rank - 1}")
        axis = channel_axis(x)
        shape = tuple(x.shape[source] for source in self.perm)
        return (moved(x, shape, None if axis is None else self.perm.index(axis)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the permuted array."""
        return (dense(given(arrays[0]).transpose(self.perm)),)

    def bind(self, step: Step) -> bool:
        """Copy with the source's strides permuted."""
        x, out = step.inputs[0], step.outputs[0]
        shape, size = out.type.static_shape, out.type.dtype.itemsize
        before = strides(x.type.static_shape, size)
        axes = [
            Axis(dim, before[source], after)
            for dim, source, after in zip(shape, self.perm, strides(shape, size), strict=True)
        ]
        return copy(step, x.pointer, out.pointer, axes, size)


PAD_MODES = ("constant", "reflect", "edge", "symmetric", "wrap")


class Pad(_Move, frozen=True):
    """Add elements before and after each axis (negative counts remove them).

    Parameters
    ----------
    pads : tuple of int
        Counts before each axis, then counts after each axis.
    mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        What the new elements hold: ``value``; the mirror image without or with the edge element
        repeated; the edge element.
    value : float
        Real value of new elements in constant mode; a quantized input stores it quantized.
    """

    pads: tuple[int, ...]
    mode: str = "constant"
    value: float = 0.0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the padded shape."""
        x = need(types[0], "input")
        if self.mode not in PAD_MODES:
            raise UnsupportedError(f"Pad mode '{self.mode}'; expected one of {PAD_MODES}")
        if len(self.pads) != 2 * x.rank:
            raise ShapeError(f"{len(self.pads)} pads for rank {x.rank}; expected {2 * x.rank}")
        shape: list[Dim] = []
        for axis, (before, after) in enumerate(self.counts()):
            dim = x.shape[axis]
            shape.append(self._padded(dim, before, after, axis))
        axis_kept = channel_axis(x)
        if axis_kept is not None and self.counts()[axis_kept] != (0, 0):
            axis_kept = None
        result = moved(x, tuple(shape), axis_kept)
        if self.mode == "constant":
            self.stored(x)
        return (result,)

    def _padded(self, dim: Dim, before: int, after: int, axis: int) -> Dim:
        total = dims.add(dim, before + after)
        if not isinstance(dim, int) or not isinstance(total, int):
            return total
        kept = dim + min(before, 0) + min(after, 0)
        reach = {"reflect": kept - 1, "symmetric": kept}.get(self.mode, max(before, after))
        if kept < 0 or max(before, after) > max(reach, 0):
            raise ShapeError(
                f"pads {before} and {after} do not fit axis {axis} of {dim} in mode '{self.mode}'"
            )
        if self.mode == "edge" and kept == 0 and total > 0:
            raise ShapeError(f"axis {axis} is empty; mode 'edge' has no element to repeat")
        return total

    def counts(self) -> tuple[tuple[int, int], ...]:
        """Return (before, after) per axis."""
        rank = len(self.pads) // 2
        return tuple(zip(self.pads[:rank], self.pads[rank:], strict=True))

    def stored(self, x: TensorType) -> Array:
        """Return the padding value as the type stores it.

        Raises
        ------
        QuantizationError
            If channels store it differently.
        """
        if x.quantization is None:
            if x.dtype.is_float:
                return np.array(self.value, x.dtype.numpy)
            if not x.dtype.is_integer:
                return np.array(bool(self.value), x.dtype.numpy)
            low, high = limits(x.dtype)
            return np.array(int(min(max(self.value, low), high)), x.dtype.numpy)
        if x.quantization.per_tensor:
            return quantize(np.array(self.value), moved(x, ()))
        line = moved(x, (x.quantization.scale.size,), 0)
        found = np.unique(quantize(np.full(line.static_shape, self.value), line))
        if found.size != 1:
            raise QuantizationError(
                f"channels of {x} store the padding value {self.value} differently"
            )
        return found.reshape(())

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the padded array."""
        x = given(arrays[0])
        crop = tuple(
            slice(max(-before, 0), x.shape[axis] - max(-after, 0))
            for axis, (before, after) in enumerate(self.counts())
        )
        grow = [(max(before, 0), max(after, 0)) for before, after in self.counts()]
        x = x[crop]
        if x.ndim == 0:
            return (dense(x),)
        if self.mode != "constant":
            return (np.pad(x, grow, mode=self.mode),)  # type: ignore[call-overload]
        value = self.stored(need(types.inputs[0], "input"))
        return (np.pad(x, grow, constant_values=value),)

    def bind(self, step: Step) -> bool:
        """Copy the input into place, then fill or copy what surrounds it."""
        if self.mode == "wrap":
            return False
        return bind_pad(step, self.counts(), self.mode, self.stored(step.inputs[0].type))


class Tile(_Move, frozen=True):
    """Repeat input 0 along each axis as often as input 1, int64[rank], says."""

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return each dimension times its repeats."""
        x = need(types[0], "input")
        repeats = whole_numbers(types[1], "repeats")
        if repeats is None:
            return (moved(x, unknown(x.rank)),)
        if len(repeats) != x.rank or any(count < 0 for count in repeats):
            raise ShapeError(f"repeats {repeats} for {x}; expected {x.rank} counts of 0 or more")
        axis = channel_axis(x)
        if axis is not None and repeats[axis] != 1:
            axis = None
        shape = tuple(dims.mul(dim, count) for dim, count in zip(x.shape, repeats, strict=True))
        return (moved(x, shape, axis),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the repeated array."""
        repeats = tuple(int(count) for count in given(arrays[1]).reshape(-1))
        return (dense(np.tile(given(arrays[0]), repeats)),)

    def bind(self, step: Step) -> bool:
        """Copy with a loop of source stride zero per repeated axis."""
        x, out = step.inputs[0], step.outputs[0]
        shape, size = x.type.static_shape, x.type.dtype.itemsize
        after = strides(out.type.static_shape, size)
        axes = []
        for axis, before in enumerate(strides(shape, size)):
            repeats = out.type.static_shape[axis] // shape[axis] if shape[axis] else 0
            axes.append(Axis(repeats, 0, after[axis] * shape[axis]))
            axes.append(Axis(shape[axis], before, after[axis]))
        return copy(step, x.pointer, out.pointer, axes, size)


class Reverse(_Move, frozen=True):
    """Turn the order of elements along the axes around.

    Parameters
    ----------
    axes : tuple of int
    """

    axes: tuple[int, ...]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type."""
        x = need(types[0], "input")
        axis = channel_axis(x)
        turned = axis in axes_of(self.axes, x.rank)
        return (moved(x, x.shape, axis, slice(None, None, -1) if turned else None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the reversed array."""
        return (dense(np.flip(given(arrays[0]), self.axes)),)

    def bind(self, step: Step) -> bool:
        """Copy with negative source strides."""
        x, out = step.inputs[0], step.outputs[0]
        shape, size = x.type.static_shape, x.type.dtype.itemsize
        source, axes = x.pointer, []
        turned = axes_of(self.axes, len(shape))
        for axis, stride in enumerate(strides(shape, size)):
            if axis in turned:
                source += max(shape[axis] - 1, 0) * stride
            axes.append(Axis(shape[axis], -stride if axis in turned else stride, stride))
        return copy(step, source, out.pointer, axes, size)


def _image(x: TensorType, block: int) -> TensorType:
    if x.rank != 4:
        raise ShapeError(f"input is {x}; expected rank 4, channels last")
    if block < 1:
        raise ShapeError(f"block is {block}; expected 1 or more")
    return x


class DepthToSpace(_Move, frozen=True):
    """Spread channels over blocks of pixels: x[N,H,W,C] -> [N,H*block,W*block,C/block^2].

    Parameters
    ----------
    block : int
    mode : {"DCR", "CRD"}
        Channel (row * block + column) * C' + c, or (c * block + row) * block + column, becomes
        channel c of the pixel at that row and column of its block; C' = C / block^2.
    """

    block: int
    mode: str = "DCR"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the larger image."""
        x = _image(need(types[0], "input"), self.block)
        if self.mode not in ("DCR", "CRD"):
            raise UnsupportedError(f"DepthToSpace mode '{self.mode}'; expected DCR or CRD")
        n, h, w, c = x.shape
        depth = quotient((c,), (self.block, self.block))
        return (moved(x, (n, dims.mul(h, self.block), dims.mul(w, self.block), depth)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the larger image."""
        x = given(arrays[0])
        n, h, w, c = x.shape
        b, depth = self.block, c // self.block**2
        if self.mode == "DCR":
            split = x.reshape(n, h, w, b, b, depth).transpose(0, 1, 3, 2, 4, 5)
        else:
            split = x.reshape(n, h, w, depth, b, b).transpose(0, 1, 4, 2, 5, 3)
        return (dense(split).reshape(n, h * b, w * b, depth),)

    def bind(self, step: Step) -> bool:
        """Copy with loops over the rows and columns of a block."""
        x, out = step.inputs[0], step.outputs[0]
        b, size = self.block, x.type.dtype.itemsize
        depth = out.type.static_shape[3]
        row, column, channel = (b * depth, depth, 1) if self.mode == "DCR" else (b, 1, b * b)
        inner = row * size, column * size, channel * size
        return _blocks(step, x, out, b, inner, deep_is_source=True)


class SpaceToDepth(_Move, frozen=True):
    """Gather blocks of pixels into channels: x[N,H,W,C] -> [N,H/block,W/block,C*block^2].

    Parameters
    ----------
    block : int
        The pixel at (row, column) of its block gives channels (row * block + column) * C + c.
    """

    block: int

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the smaller image."""
        x = _image(need(types[0], "input"), self.block)
        n, h, w, c = x.shape
        rows, columns = quotient((h,), (self.block,)), quotient((w,), (self.block,))
        return (moved(x, (n, rows, columns, dims.mul(c, self.block**2))),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the smaller image."""
        x = given(arrays[0])
        n, h, w, c = x.shape
        b = self.block
        split = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
        return (dense(split).reshape(n, h // b, w // b, c * b * b),)

    def bind(self, step: Step) -> bool:
        """Copy with loops over the rows and columns of a block."""
        x, out = step.inputs[0], step.outputs[0]
        b, size, depth = self.block, x.type.dtype.itemsize, x.type.static_shape[3]
        inner = b * depth * size, depth * size, size
        return _blocks(step, out, x, b, inner, deep_is_source=False)


def _blocks(
    step: Step, deep: Any, flat: Any, block: int, inner: tuple[int, int, int], deep_is_source: bool
) -> bool:
    """Copy between blocks of pixels and channels; `inner` strides row, column, channel in deep."""
    size = flat.type.dtype.itemsize
    n, h, w, _ = deep.type.static_shape
    d = strides(deep.type.static_shape, size)
    f = strides(flat.type.static_shape, size)
    loops = (
        (n, d[0], f[0]),
        (h, d[1], f[1] * block),
        (block, inner[0], f[1]),
        (w, d[2], f[2] * block),
        (block, inner[1], f[2]),
        (flat.type.static_shape[3], inner[2], f[3]),
    )
    if deep_is_source:
        return copy(step, deep.pointer, flat.pointer, [Axis(*loop) for loop in loops], size)
    axes = [Axis(count, low, high) for count, high, low in loops]
    return copy(step, flat.pointer, deep.pointer, axes, size)
