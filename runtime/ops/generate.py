"""Tensors made from shapes and scalars."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, DType, NodeTypes, TensorType
from linnet.types import Shape as Dims

from .base import Op, Step
from .bind_move import Axis, fill
from .movement import given, length_of, need, unknown, whole_numbers

__all__ = ["ConstantOfShape", "Range", "Shape", "Size"]


class Shape(Op, frozen=True):
    """Return the input's dimensions from ``start`` to ``end`` as int64.

    Parameters
    ----------
    start, end : int
        Range of axes, as a Python slice takes it.
    """

    start: int = 0
    end: int | None = None

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return int64[count], with its value where the dimensions are numbers."""
        shape = need(types[0], "input").shape[self.start : self.end]
        result = TensorType(DType.INT64, (len(shape),))
        if all(isinstance(dim, int) for dim in shape):
            result = result.with_(value=np.array(shape, np.int64))
        return (result,)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the dimensions."""
        return (np.array(given(arrays[0]).shape[self.start : self.end], np.int64),)

    def cost(self, types: NodeTypes) -> Cost:
        """Return the bytes of the output."""
        return Cost(0, types.outputs[0].nbytes)


class Size(Op, frozen=True):
    """Return the number of elements as an int64 scalar."""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return int64[], with its value where the shape is static."""
        x = need(types[0], "input")
        result = TensorType(DType.INT64, ())
        return (result.with_(value=np.array(x.size, np.int64)) if x.is_static else result,)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the count."""
        return (np.array(given(arrays[0]).size, np.int64),)

    def cost(self, types: NodeTypes) -> Cost:
        """Return the bytes of the output."""
        return Cost(0, types.outputs[0].nbytes)


class ConstantOfShape(Op, frozen=True):
    """Return a tensor of the shape that the input gives, filled with one value.

    Parameters
    ----------
    fill : int or float
        The value of every element.
    dtype : DType
        Element type of the output.
    """

    fill: int | float = 0.0
    dtype: DType = DType.FLOAT32

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the shape that the input's content gives."""
        return (TensorType(self.dtype, shape_from(types[0])),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the filled tensor."""
        shape = tuple(int(dim) for dim in given(arrays[0]).reshape(-1))
        return (np.full(shape, self.element()),)

    def bind(self, step: Step) -> bool:
        """Fill the output."""
        out = step.outputs[0]
        size = self.dtype.itemsize
        fill(step, out.pointer, [Axis(out.type.size, 0, size)], self.element())
        return True

    def element(self) -> Array:
        """Return the value of every element as the output stores it."""
        return np.array(self.fill, self.dtype.numpy)

    def cost(self, types: NodeTypes) -> Cost:
        """Return the bytes written."""
        return Cost(0, types.outputs[0].nbytes)


def shape_from(type_: TensorType | None) -> Dims:
    """Return the shape that a tensor of dimensions describes.

    Raises
    ------
    ShapeError
        If it has a negative dimension, or its length is not known.
    """
    shape = whole_numbers(type_, "shape")
    if shape is None:
        return unknown(length_of(type_, "shape"))
    if any(dim < 0 for dim in shape):
        raise ShapeError(f"shape {shape} has a negative dimension")
    return shape


class Range(Op, frozen=True):
    """Return start, start + delta, ... up to but without limit, from three scalar inputs."""

    arity: ClassVar[tuple[int, int]] = (3, 3)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return a vector of max(ceil((limit - start) / delta), 0) elements."""
        scalars = [need(type_, "start, limit or delta") for type_ in types]
        if len({scalar.dtype for scalar in scalars}) > 1:
            found = ", ".join(str(scalar) for scalar in scalars)
            raise ShapeError(f"start, limit and delta are {found}; expected one dtype")
        values = [scalar.value for scalar in scalars if scalar.value is not None]
        count: Dim = "?0" if len(values) < 3 else range_length(*values)
        return (TensorType(scalars[0].dtype, (count,)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return start + i * delta in the dtype of the inputs."""
        start, limit, delta = (given(array).reshape(()) for array in arrays)
        steps = np.arange(range_length(start, limit, delta)).astype(start.dtype)
        return ((start + steps * delta).astype(start.dtype),)


def range_length(start: Array, limit: Array, delta: Array) -> int:
    """Return the number of elements of a Range.

    Raises
    ------
    ShapeError
        If the step is zero.
    """
    first, last, step = (np.asarray(item).reshape(()).item() for item in (start, limit, delta))
    if step == 0:
        raise ShapeError("delta is 0; a range needs a step other than zero")
    if all(isinstance(item, int) for item in (first, last, step)):
        return max(-int((first - last) // step), 0)
    return max(int(np.ceil((last - first) / step)), 0)
