"""Views of the same elements under another shape, and broadcasting to a shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, NodeTypes, TensorType
from linnet.types import Shape as Dims

from .base import Op, Step
from .bind_move import Axis, copy, strides, view
from .generate import shape_from
from .movement import (
    axes_of,
    axis_of,
    channel_axis,
    dense,
    given,
    length_of,
    moved,
    need,
    quotient,
    unknown,
    whole_numbers,
)

__all__ = [
    "Expand",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
]


class _View(Op, frozen=True):
    """Base of the ops whose output is the input's bytes under another shape."""

    alias: ClassVar[bool] = True

    def cost(self, types: NodeTypes) -> Cost:
        """Return nothing: no byte moves."""
        return Cost(0, 0)

    def bind(self, step: Step) -> bool:
        """Copy the bytes where the planner could not share them."""
        return view(step)

    def _view(self, x: TensorType, shape: Dims) -> tuple[TensorType]:
        return (moved(x, shape, _surviving_axis(x, shape)),)


def _surviving_axis(x: TensorType, shape: Dims) -> int | None:
    axis = channel_axis(x)
    if axis is None:
        return None
    before = dims.product(x.shape[:axis])
    for index, dim in enumerate(shape):
        if dim == x.shape[axis] and dims.product(shape[:index]) == before:
            return index
    return None


class Identity(_View, frozen=True):
    """Return the input."""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type."""
        return (need(types[0], "input"),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the input."""
        return (given(arrays[0]),)


class Reshape(_View, frozen=True):
    """Give the elements another shape, in the same order.

    Parameters
    ----------
    shape : tuple of int, optional
        Target; -1 (at most once) is what is left, 0 copies the input's dimension. None reads the
        target from input 1, int64[rank].
    allow_zero : bool
        Take 0 as a dimension of zero instead.
    """

    shape: tuple[int, ...] | None = None
    allow_zero: bool = False
    arity: ClassVar[tuple[int, int]] = (1, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the target shape, its -1 and 0 resolved."""
        x = need(types[0], "input")
        target = self.shape
        if target is None:
            shape_input = need(types[1] if len(types) > 1 else None, "shape")
            target = whole_numbers(shape_input, "shape")
            if target is None:
                return self._view(x, unknown(length_of(shape_input, "shape")))
        return self._view(x, resolve_shape(target, x.shape, self.allow_zero))

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the input under its new shape."""
        x = given(arrays[0])
        target = self.shape
        if target is None:
            target = tuple(int(item) for item in given(arrays[1]).reshape(-1))
        shape = tuple(int(dim) for dim in resolve_shape(target, x.shape, self.allow_zero))
        return (x.reshape(shape),)


def resolve_shape(target: Sequence[int], source: Dims, allow_zero: bool) -> Dims:
    """Return a reshape's target with its -1 and 0 entries replaced.

    Raises
    ------
    ShapeError
        If the target has two -1, copies a dimension that is not there, or holds another count.
    """
    shape: list[Dim] = []
    for index, dim in enumerate(target):
        if dim == 0 and not allow_zero:
            if index >= len(source):
                raise ShapeError(f"target {tuple(target)} copies axis {index} of shape {source}")
            shape.append(source[index])
        elif dim < -1:
            raise ShapeError(f"target {tuple(target)} has {dim}; expected -1, 0 or a dimension")
        else:
            shape.append(dim)
    free = [index for index, dim in enumerate(target) if dim == -1]
    if len(free) > 1:
        raise ShapeError(f"target {tuple(target)} has {len(free)} entries of -1; expected one")
    if free:
        rest = tuple(shape[: free[0]] + shape[free[0] + 1 :])
        shape[free[0]] = quotient(source, rest)
    counts = dims.product(source), dims.product(tuple(shape))
    if all(isinstance(count, int) for count in counts) and counts[0] != counts[1]:
        raise ShapeError(f"shape {source} has {counts[0]} elements, {tuple(target)} does not")
    return tuple(shape)


class Squeeze(_View, frozen=True):
    """Remove dimensions of one.

    Parameters
    ----------
    axes : tuple of int, optional
        Axes to remove; None removes every dimension that is the number 1.
    """

    axes: tuple[int, ...] | None = None

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the shape without the axes."""
        x = need(types[0], "input")
        return self._view(x, self._squeezed(x.shape))

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the input without the axes."""
        x = given(arrays[0])
        return (x.reshape(tuple(int(dim) for dim in self._squeezed(x.shape))),)

    def _squeezed(self, shape: Dims) -> Dims:
        if self.axes is None:
            return tuple(dim for dim in shape if dim != 1)
        axes = axes_of(self.axes, len(shape))
        for axis in axes:
            if isinstance(shape[axis], int) and shape[axis] != 1:
                raise ShapeError(f"axis {axis} of {shape} is {shape[axis]}; only 1 can be removed")
        return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)


class Unsqueeze(_View, frozen=True):
    """Insert dimensions of one.

    Parameters
    ----------
    axes : tuple of int
        Where the ones stand in the output.
    """

    axes: tuple[int, ...]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the shape with ones at the axes."""
        x = need(types[0], "input")
        return self._view(x, self._unsqueezed(x.shape))

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the input with ones at the axes."""
        x = given(arrays[0])
        return (x.reshape(tuple(int(dim) for dim in self._unsqueezed(x.shape))),)

    def _unsqueezed(self, shape: Dims) -> Dims:
        rank = len(shape) + len(self.axes)
        axes = axes_of(self.axes, rank)
        rest = iter(shape)
        return tuple(1 if axis in axes else next(rest) for axis in range(rank))


class Flatten(_View, frozen=True):
    """Give a matrix: dimensions before ``axis`` times dimensions from it on.

    Parameters
    ----------
    axis : int
        First axis of the columns; the rank itself is allowed.
    """

    axis: int = 1

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return (product before axis, product from axis)."""
        x = need(types[0], "input")
        return self._view(x, self._matrix(x.shape))

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the input as a matrix."""
        x = given(arrays[0])
        return (x.reshape(tuple(int(dim) for dim in self._matrix(x.shape))),)

    def _matrix(self, shape: Dims) -> Dims:
        rank = len(shape)
        axis = rank if self.axis == rank else axis_of(self.axis, rank)
        return dims.product(shape[:axis]), dims.product(shape[axis:])


class Expand(Op, frozen=True):
    """Broadcast input 0 against the shape in input 1 (both ways, as NumPy does)."""

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the broadcast of the input's shape and the target."""
        x = need(types[0], "input")
        target = shape_from(types[1])
        rank = max(x.rank, len(target))
        left = (1,) * (rank - x.rank) + x.shape
        right = (1,) * (rank - len(target)) + target
        shape = []
        for one, other in zip(left, right, strict=True):
            dim = dims.broadcast(one, other)
            if dim is None:
                raise ShapeError(f"shape {x.shape} does not broadcast to {target}: {one}, {other}")
            shape.append(dim)
        axis = channel_axis(x)
        return (moved(x, tuple(shape), None if axis is None else axis + rank - x.rank),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the broadcast input."""
        x = given(arrays[0])
        target = tuple(int(dim) for dim in given(arrays[1]).reshape(-1))
        return (dense(np.broadcast_to(x, np.broadcast_shapes(x.shape, target))),)

    def bind(self, step: Step) -> bool:
        """Copy with a source stride of zero along broadcast axes."""
        x, out = step.inputs[0], step.outputs[0]
        shape, size = out.type.static_shape, out.type.dtype.itemsize
        source = (1,) * (len(shape) - x.type.rank) + x.type.static_shape
        axes = [
            Axis(dim, 0 if before == 1 else step_in, step_out)
            for dim, before, step_in, step_out in zip(
                shape, source, strides(source, size), strides(shape, size), strict=True
            )
        ]
        return copy(step, x.pointer, out.pointer, axes, size)

    def cost(self, types: NodeTypes) -> Cost:
        """Return the bytes read and written."""
        x = need(types.inputs[0], "input")
        return Cost(0, x.nbytes + types.outputs[0].nbytes)
