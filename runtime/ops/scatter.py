"""Ops that write elements at positions given as data, or combine them with what is there."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError, UnsupportedError
from linnet.types import Array, Dim, DType, NodeTypes, TensorType

from .base import Op, Step
from .bind_move import ELEMENTS, KERNEL_RANK, Axis, copy, strides
from .indexing import counted, indices_of, tuple_arguments, tuples
from .movement import axis_of, channel_axis, given, moved, need, same_dim

__all__ = ["ScatterElements", "ScatterND"]

# In the order of Combine in kernels/src/move/params.h.
MODES = ("none", "add", "mul", "min", "max")
_COMBINED = (DType.FLOAT32, DType.INT32, DType.INT64)
_REDUCTIONS = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


class ScatterND(Op, frozen=True):
    """Return a copy of x with slices at index tuples replaced by, or combined with, updates.

    Inputs are x, indices[..., depth] and updates[indices.shape[:-1] + x.shape[depth:]].

    Parameters
    ----------
    reduction : {"none", "add", "mul", "min", "max"}
        How an update meets the element: "none" replaces it (the last one in order wins).
    """

    reduction: str = "none"
    arity: ClassVar[tuple[int, int]] = (3, 3)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the type of x."""
        x, indices = need(types[0], "input"), indices_of(types[1])
        updates = need(types[2], "updates")
        _check(self, self.reduction, x, updates)
        depth = indices.shape[-1] if indices.rank else 0
        if not isinstance(depth, int) or not 1 <= depth <= x.rank:
            raise ShapeError(f"last axis of {indices} is {depth}; expected 1 to {x.rank}")
        expected: tuple[Dim, ...] = (*indices.shape[:-1], *x.shape[depth:])
        if (
            updates.dtype != x.dtype
            or updates.rank != len(expected)
            or not all(map(same_dim, updates.shape, expected))
        ):
            raise ShapeError(f"updates are {updates}; expected {x.dtype.value} of {expected}")
        return (moved(x, x.shape, channel_axis(x)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the changed copy."""
        x, indices, updates = (given(array) for array in arrays)
        result = np.array(x, order="C")
        places = tuple(place.reshape(-1) for place in tuples(x, indices, 0))
        depth = indices.shape[-1]
        values = updates.reshape(-1, *x.shape[depth:])
        for entry in range(values.shape[0]):
            where = tuple(place[entry] for place in places)
            if self.reduction == "none":
                result[where] = values[entry]
            else:
                result[where] = _REDUCTIONS[self.reduction](result[where], values[entry])
        return (result,)

    def bind(self, step: Step) -> bool:
        """Copy the input, then one run per tuple in order."""
        x, indices, updates = step.inputs
        out = step.outputs[0]
        arguments = tuple_arguments(indices.type, x.type, 0)
        if arguments is None or not _combines(self.reduction, x.type):
            return False
        copy(step, x.pointer, out.pointer, [Axis(x.type.nbytes, 1, 1)], 1)
        ends = updates.pointer, out.pointer, indices.pointer
        if updates.type.size and self.reduction == "none":
            step.program.scatter_nd(*ends, *arguments)
        elif updates.type.size:
            how = MODES.index(self.reduction)
            step.program.combine_nd(*ends, *arguments, x.type.dtype.value, how)
        return True


class ScatterElements(Op, frozen=True):
    """Return a copy of x with single elements replaced by, or combined with, updates.

    For axis 1: out[i, indices[i, j, k], k] meets updates[i, j, k]. Inputs are x, indices and
    updates of the indices' shape, which is nowhere larger than that of x but along the axis.

    Parameters
    ----------
    axis : int
        Axis that the indices count along.
    reduction : {"none", "add", "mul", "min", "max"}
        As `ScatterND`.

    References
    ----------
    ONNX operator specification, ScatterElements.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    since: ClassVar[int] = 2
    axis: int = 0
    reduction: str = "none"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the type of x."""
        x, indices = need(types[0], "input"), indices_of(types[1])
        updates = need(types[2], "updates")
        axis = axis_of(self.axis, x.rank)
        _check(self, self.reduction, x, updates)
        fits = updates.dtype == x.dtype and updates.rank == indices.rank == x.rank
        if not fits or not all(map(same_dim, updates.shape, indices.shape)):
            raise ShapeError(f"indices are {indices}, updates {updates}; expected one shape")
        for index, (dim, limit) in enumerate(zip(indices.shape, x.shape, strict=True)):
            if isinstance(dim, int) and isinstance(limit, int) and index != axis and dim > limit:
                raise ShapeError(f"axis {index} of {indices} is larger than that of {x}")
        return (moved(x, x.shape, channel_axis(x)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the changed copy."""
        x, indices, updates = (given(array) for array in arrays)
        axis = self.axis % x.ndim
        result = np.array(x, order="C")
        places: list[Array] = [place.reshape(-1) for place in np.indices(indices.shape)]
        places[axis] = counted(indices, x.shape[axis], axis).reshape(-1)
        values = updates.reshape(-1)
        for entry in range(values.size):
            at = tuple(int(place[entry]) for place in places)
            if self.reduction == "none":
                result[at] = values[entry]
            else:
                result[at] = _REDUCTIONS[self.reduction](result[at], values[entry])
        return (result,)

    def bind(self, step: Step) -> bool:
        """Copy the input, then one element after the other."""
        x, indices, updates = step.inputs
        out, shape, size = step.outputs[0], x.type.static_shape, x.type.dtype.itemsize
        if len(shape) > KERNEL_RANK or size not in ELEMENTS:
            return False
        if not _combines(self.reduction, x.type):
            return False
        copy(step, x.pointer, out.pointer, [Axis(x.type.nbytes, 1, 1)], 1)
        if not updates.type.size:
            return True
        axis, steps = axis_of(self.axis, len(shape)), strides(shape, size)
        axes = [
            Axis(dim, 0, 0 if index == axis else steps[index])
            for index, dim in enumerate(indices.type.static_shape)
        ]
        step.program.scatter_elements(
            updates.pointer,
            out.pointer,
            indices.pointer,
            indices.type.dtype is DType.INT64,
            size,
            x.type.dtype.value if self.reduction != "none" else "uint8",
            MODES.index(self.reduction),
            shape[axis],
            steps[axis],
            axes,
        )
        return True


def _check(op: Op, reduction: str, x: TensorType, updates: TensorType) -> None:
    """Refuse reductions that are unknown, or that quantized values do not have."""
    name = type(op).__name__
    if reduction not in MODES:
        raise UnsupportedError(f"{name} reduction '{reduction}'")
    if reduction != "none" and x.is_quantized:
        raise UnsupportedError(f"{name} with a reduction on quantized values")
    if updates.is_quantized and updates.quantization != x.quantization:
        raise UnsupportedError(f"{name} with updates quantized differently from the input")


def _combines(reduction: str, x: TensorType) -> bool:
    """Whether the kernels know how to combine elements of a type."""
    return reduction == "none" or x.dtype in _COMBINED
