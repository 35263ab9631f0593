"""Ops on integers as such: bits, buckets, shapes as data."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from .base import Op
from .movement import given, length_of, need, whole_numbers
from .operands import broadcast_shapes, work

__all__ = ["BitShift", "Bitcast", "BroadcastShapes", "Bucketize"]


class Bitcast(Op, frozen=True):
    """Read the same bytes as another element type.

    A smaller type adds a last dimension; a larger one takes the last dimension away, which must
    hold exactly one element of it.

    Parameters
    ----------
    to : DType
    """

    since: ClassVar[int] = 2

    to: DType

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the shape with as many bytes."""
        x = need(types[0], "input")
        if x.is_quantized or DType.BOOL in (x.dtype, self.to):
            raise ShapeError(f"input is {x} for {self.to.value}; expected plain numbers")
        before, after = x.dtype.itemsize, self.to.itemsize
        shape = x.shape
        if after < before:
            shape = (*shape, before // after)
        elif after > before:
            if not shape or shape[-1] != after // before:
                raise ShapeError(f"last dimension of {x}; expected {after // before}")
            shape = shape[:-1]
        return (TensorType(self.to, shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the bytes under the other type."""
        x = np.ascontiguousarray(given(arrays[0]))
        shape = types.outputs[0].static_shape
        return (np.frombuffer(x.tobytes(), self.to.numpy).reshape(shape).copy(),)


class BitShift(Op, frozen=True):
    """Shift plain integers by as many bits as the second operand says.

    A shift to the right keeps the sign; one by the type's width or more acts like one by a bit
    less, one by fewer than no bits like none. To the left, bits fall out at the top.

    Parameters
    ----------
    right : bool
    """

    right: bool = True
    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the broadcast shape."""
        x, y = need(types[0], "input"), need(types[1], "bits")
        if x.dtype != y.dtype or not x.dtype.is_integer or x.is_quantized or y.is_quantized:
            raise ShapeError(f"operands are {x} and {y}; expected one type of plain integers")
        return (TensorType(x.dtype, broadcast_shapes(x, y)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Shift by bits inside the type's width."""
        x, y = given(arrays[0]), given(arrays[1])
        width = 8 * x.dtype.itemsize
        if self.right:
            return (np.right_shift(x, np.clip(y, 0, width - 1).astype(x.dtype)),)
        moved = np.left_shift(x, np.clip(y, 0, width - 1).astype(x.dtype))
        return (np.where(y >= width, x.dtype.type(0), moved),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element."""
        return work(types, 1)


class Bucketize(Op, frozen=True):
    """Number of boundaries that are not above each element, int32.

    Parameters
    ----------
    boundaries : tuple of float
        Rising.
    """

    since: ClassVar[int] = 2

    boundaries: tuple[float, ...]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return int32 of the input's shape."""
        x = need(types[0], "input")
        if x.is_quantized or list(self.boundaries) != sorted(self.boundaries):
            raise ShapeError(f"input {x}, boundaries {self.boundaries[:4]}; expected rising ones")
        return (TensorType(DType.INT32, x.shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Search every element."""
        x = given(arrays[0])
        edges = np.array(self.boundaries, np.float32)
        found = np.searchsorted(edges.astype(np.float64), x.astype(np.float64), side="right")
        return (np.asarray(found, np.int32).reshape(x.shape),)


class BroadcastShapes(Op, frozen=True):
    """Shape that two shapes, given as vectors of integers, broadcast to."""

    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return a vector as long as the longer one."""
        lengths = [length_of(item, "a shape") for item in types]
        known = [whole_numbers(item, "a shape") for item in types]
        if all(shape is not None for shape in known):
            _broadcast(*(shape or () for shape in known))
        return (TensorType(need(types[0], "a shape").dtype, (max(lengths),)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Broadcast, or raise where dimensions do not fit."""
        left, right = (tuple(int(n) for n in given(array)) for array in arrays)
        return (np.array(_broadcast(left, right), types.outputs[0].dtype.numpy),)


def _broadcast(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(left, right)
    except ValueError as error:
        raise ShapeError(f"shapes {left} and {right} do not broadcast") from error
