"""Ops that read or write elements at positions given as data."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from linnet.errors import InputError, ShapeError
from linnet.types import Array, Cost, Dim, DType, NodeTypes, TensorType

from .base import Op, Step
from .bind_move import ELEMENTS, KERNEL_RANK, Axis, content, copy, strides
from .movement import INDEX_TYPES, axis_of, channel_axis, given, moved, need, same_dim

__all__ = ["Gather", "GatherElements", "GatherND", "OneHot"]


def indices_of(type_: TensorType | None) -> TensorType:
    indices = need(type_, "indices")
    if indices.dtype not in INDEX_TYPES:
        raise ShapeError(f"indices are {indices}; expected int32 or int64")
    return indices


def _spaced(indices: Array | None, dim: int) -> tuple[int, int, int] | None:
    """Return (first, step, count) of known indices that are evenly spaced and fit the axis."""
    if indices is None or indices.size == 0:
        return None
    if indices.min() < -dim or indices.max() >= dim:
        return None
    places = counted(indices, dim, 0).reshape(-1)
    stride = int(places[1] - places[0]) if places.size > 1 else 1
    if (np.diff(places) != stride).any():
        return None
    return int(places[0]), stride, int(places.size)


def counted(indices: Array, dim: int, axis: int) -> Array:
    """Return indices counted from the front.

    Raises
    ------
    InputError
        If one lies outside -dim to dim - 1.
    """
    if indices.size and (indices.min() < -dim or indices.max() >= dim):
        raise InputError(
            f"indices range from {indices.min()} to {indices.max()}; "
            f"expected {-dim} to {dim - 1} along axis {axis}"
        )
    return np.where(indices < 0, indices + dim, indices).astype(np.int64)


class _Indexed(Op, frozen=True):
    """Base of the ops that read only what the indices name."""

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def cost(self, types: NodeTypes) -> Cost:
        """Return the bytes of the indices, and of the output read and written."""
        indices = need(types.inputs[1], "indices")
        return Cost(0, indices.nbytes + 2 * types.outputs[0].nbytes)


class Gather(_Indexed, frozen=True):
    """Take entries along one axis: the axis is replaced by the shape of the indices.

    Parameters
    ----------
    axis : int
        Axis that the indices count along; negative indices count from its end.
    batch_dims : int
        Leading axes that input and indices share, one set of indices per entry.
    """

    axis: int = 0
    batch_dims: int = 0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1:]."""
        x, indices = need(types[0], "input"), indices_of(types[1])
        axis, batch = axis_of(self.axis, x.rank), self.batch_dims
        if not 0 <= batch <= min(axis, indices.rank):
            raise ShapeError(f"batch_dims is {batch}; expected 0 to {min(axis, indices.rank)}")
        if not all(map(same_dim, x.shape[:batch], indices.shape[:batch])):
            raise ShapeError(f"the first {batch} dimensions of {x} and {indices} differ")
        along, pick = channel_axis(x), None
        if along == axis:
            along = axis if indices.value is not None and indices.rank == 1 else None
            pick = indices.value
        elif along is not None and along > axis:
            along += indices.rank - batch - 1
        shape = (*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :])
        return (moved(x, shape, along, pick),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the entries."""
        x, indices = given(arrays[0]), given(arrays[1])
        axis, batch = self.axis % x.ndim, self.batch_dims
        indices = counted(indices, x.shape[axis], axis).astype(np.intp, copy=False)
        if batch == 0:
            return (np.take(x, indices, axis=axis),)
        lead = x.shape[:batch]
        flat = x.reshape(-1, *x.shape[batch:])
        sets = indices.reshape(-1, *indices.shape[batch:])
        shape = (*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :])
        result = np.empty((int(np.prod(lead)), *shape[batch:]), x.dtype)
        for entry in range(result.shape[0]):
            result[entry] = np.take(flat[entry], sets[entry], axis=axis - batch)
        return (result.reshape(shape),)

    def bind(self, step: Step) -> bool:
        """Copy runs of the axes behind; the kernel checks every index as it runs."""
        x, indices, out = step.inputs[0], step.inputs[1], step.outputs[0]
        shape, batch = x.type.static_shape, self.batch_dims
        axis = axis_of(self.axis, len(shape))
        if out.type.size == 0:
            return True
        spaced = None if batch else _spaced(content(indices), shape[axis])
        if spaced is not None:
            run = math.prod(shape[axis + 1 :]) * x.type.dtype.itemsize
            first, stride, count = spaced
            axes = [
                Axis(math.prod(shape[:axis]), shape[axis] * run, count * run),
                Axis(count, stride * run, run),
                Axis(run, 1, 1),
            ]
            return copy(step, x.pointer + first * run, out.pointer, axes, 1)
        step.program.gather_runs(
            x.pointer,
            out.pointer,
            indices.pointer,
            indices.type.dtype is DType.INT64,
            batch > 0,
            math.prod(shape[:batch]),
            math.prod(shape[batch:axis]),
            math.prod(indices.type.static_shape[batch:]),
            shape[axis],
            math.prod(shape[axis + 1 :]) * x.type.dtype.itemsize,
        )
        return True


class GatherElements(_Indexed, frozen=True):
    """Take single elements: out[i, j, k] = x[i, indices[i, j, k], k] for axis 1.

    Parameters
    ----------
    axis : int
        Axis that the indices count along.
    """

    axis: int = 0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the shape of the indices."""
        x, indices = need(types[0], "input"), indices_of(types[1])
        axis = axis_of(self.axis, x.rank)
        if indices.rank != x.rank:
            raise ShapeError(f"indices are {indices}; expected rank {x.rank}, that of the input")
        for index, (dim, limit) in enumerate(zip(indices.shape, x.shape, strict=True)):
            if isinstance(dim, int) and isinstance(limit, int) and index != axis and dim > limit:
                raise ShapeError(f"axis {index} of {indices} is larger than that of {x}")
        return (moved(x, indices.shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the elements."""
        x, indices = given(arrays[0]), given(arrays[1])
        axis = self.axis % x.ndim
        places = counted(indices, x.shape[axis], axis)
        inside = tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(places.shape))
        return (np.take_along_axis(x[inside], places, axis),)

    def bind(self, step: Step) -> bool:
        """Copy element by element; the kernel checks every index as it runs."""
        x, indices, out = step.inputs[0], step.inputs[1], step.outputs[0]
        shape, size = x.type.static_shape, x.type.dtype.itemsize
        axis = axis_of(self.axis, len(shape))
        if out.type.size == 0:
            return True
        if len(shape) > KERNEL_RANK:
            return False
        before = strides(shape, size)
        axes = [
            Axis(dim, 0 if index == axis else before[index], 0)
            for index, dim in enumerate(out.type.static_shape)
        ]
        step.program.gather_elements(
            x.pointer,
            out.pointer,
            indices.pointer,
            indices.type.dtype is DType.INT64,
            size,
            shape[axis],
            before[axis],
            axes,
        )
        return True


def tuples(x: Array, indices: Array, batch: int) -> tuple[Array, ...]:
    """Return the last axis of the indices as one array per indexed axis, counted from the front."""
    depth = indices.shape[-1]
    return tuple(counted(indices[..., i], x.shape[batch + i], batch + i) for i in range(depth))


class GatherND(_Indexed, frozen=True):
    """Take slices at index tuples: out[b, ..., :] = x[b, indices[b, ..., 0], ...].

    Parameters
    ----------
    batch_dims : int
        Leading axes that input and indices share.
    """

    batch_dims: int = 0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return indices.shape[:-1] + x.shape[batch_dims + indices.shape[-1]:]."""
        x, indices = need(types[0], "input"), indices_of(types[1])
        batch = self.batch_dims
        if indices.rank < 1 or not 0 <= batch < min(x.rank, indices.rank):
            raise ShapeError(f"batch_dims is {batch} with input {x} and indices {indices}")
        depth = indices.shape[-1]
        if not isinstance(depth, int) or not 1 <= depth <= x.rank - batch:
            raise ShapeError(f"last axis of {indices} is {depth}; expected 1 to {x.rank - batch}")
        if not all(map(same_dim, x.shape[:batch], indices.shape[:batch])):
            raise ShapeError(f"the first {batch} dimensions of {x} and {indices} differ")
        shape = (*indices.shape[:-1], *x.shape[batch + depth :])
        along = channel_axis(x)
        if along is not None:
            along = along - batch - depth + indices.rank - 1 if along >= batch + depth else None
        return (moved(x, shape, along),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the slices."""
        x, indices = given(arrays[0]), given(arrays[1])
        batch = self.batch_dims
        places = tuples(x, indices, batch)
        rank = indices.ndim - 1
        lead = tuple(
            np.arange(x.shape[i]).reshape([-1 if j == i else 1 for j in range(rank)])
            for i in range(batch)
        )
        return (
            np.ascontiguousarray(x[(*lead, *places)]).reshape(
                *indices.shape[:-1], *x.shape[batch + indices.shape[-1] :]
            ),
        )

    def bind(self, step: Step) -> bool:
        """Copy one run per tuple; the kernel checks every index as it runs."""
        x, indices, out = step.inputs[0], step.inputs[1], step.outputs[0]
        if out.type.size == 0:
            return True
        arguments = tuple_arguments(indices.type, x.type, self.batch_dims)
        if arguments is None:
            return False
        step.program.gather_nd(x.pointer, out.pointer, indices.pointer, *arguments)
        return True


def tuple_arguments(
    indices: TensorType, indexed: TensorType, batch: int
) -> tuple[bool, list[tuple[int, int]], int, int, int, int] | None:
    """Return what the index-tuple kernels take behind their pointers; None for too many axes."""
    shape, size = indexed.static_shape, indexed.dtype.itemsize
    depth = indices.static_shape[-1]
    if depth > KERNEL_RANK:
        return None
    steps = strides(shape, size)
    places = list(zip(shape, steps, strict=True))[batch : batch + depth]
    run = math.prod(shape[batch + depth :]) * size
    batches = math.prod(shape[:batch])
    count = math.prod(indices.static_shape[batch:-1])
    pitch = math.prod(shape[batch:]) * size
    return indices.dtype is DType.INT64, places, batches, count, run, pitch


class OneHot(Op, frozen=True):
    """Mark positions: inputs indices, depth (scalar) and [off, on]; a new axis of depth entries.

    An index outside -depth to depth - 1 gives a line of the off value, as ONNX defines it.

    Parameters
    ----------
    axis : int
        Where the new axis stands in the output.
    """

    axis: int = -1
    arity: ClassVar[tuple[int, int]] = (3, 3)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the shape of the indices with the new axis, in the dtype of the values."""
        indices, depth = need(types[0], "indices"), need(types[1], "depth")
        values = need(types[2], "values")
        if not same_dim(2, values.shape[0] if values.rank == 1 else 0):
            raise ShapeError(f"values are {values}; expected two, off and on")
        axis = axis_of(self.axis, indices.rank + 1)
        count: Dim = "?0" if depth.value is None else int(np.asarray(depth.value).reshape(()))
        if isinstance(count, int) and count < 1:
            raise ShapeError(f"depth is {count}; expected 1 or more")
        shape = (*indices.shape[:axis], count, *indices.shape[axis:])
        return (moved(values, shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the marks."""
        indices, depth, values = (given(array) for array in arrays)
        count = int(depth.reshape(()))
        places = indices.astype(np.int64)
        places = np.where(places < 0, places + count, places)
        marks = np.expand_dims(places, self.axis)
        shape = [1] * marks.ndim
        shape[self.axis] = count
        return (np.where(marks == np.arange(count).reshape(shape), values[1], values[0]),)

    def bind(self, step: Step) -> bool:
        """Fill with the off value, then mark; see `Op.bind`."""
        indices, _, values = step.inputs
        out = step.outputs[0]
        axis = self.axis % out.type.rank
        shape, size = out.type.static_shape, out.type.dtype.itemsize
        if size not in ELEMENTS or indices.type.dtype not in INDEX_TYPES or not out.type.size:
            return False
        sizes = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        wide = indices.type.dtype is DType.INT64
        step.program.one_hot(indices.pointer, values.pointer, out.pointer, sizes, size, wide)
        return True
