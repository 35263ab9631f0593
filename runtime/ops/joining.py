"""Ops that join tensors or cut them apart: Concat, Slice, Split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from linnet import dims
from linnet.errors import QuantizationError, ShapeError
from linnet.types import Array, Dim, DType, NodeTypes, Quantization, TensorType

from .arithmetic import limits, pair, requantize
from .base import Step
from .bind_move import Axis, content, copy, strides
from .movement import (
    _Move,
    axes_of,
    axis_of,
    channel_axis,
    dense,
    given,
    length_of,
    moved,
    need,
    same_dim,
    whole_numbers,
)

__all__ = ["Concat", "Slice", "Split"]


class Concat(_Move, frozen=True):
    """Join the inputs along one axis.

    Parameters
    ----------
    axis : int
        The axis to join along.

    Notes
    -----
    Quantized inputs that agree pass their quantization on. Where they differ, the output's is the
    graph's declaration, and each input is requantized to it:
    ``clip(round_half_even(float32(x - zx) * (float32(sx) / float32(sy))) + zy)``.
    """

    axis: int
    arity: ClassVar[tuple[int, int]] = (1, 1 << 16)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the shape with the dimensions along the axis added up."""
        inputs = [need(type_, "input") for type_ in types]
        first = inputs[0]
        axis = axis_of(self.axis, first.rank)
        shape = list(first.shape)
        total: Dim = 0
        for other in inputs:
            if other.dtype != first.dtype or other.rank != first.rank:
                raise ShapeError(f"cannot join {other} to {first}: dtype or rank differs")
            for index, (one, two) in enumerate(zip(first.shape, other.shape, strict=True)):
                if index != axis and not same_dim(one, two):
                    raise ShapeError(f"cannot join {other} to {first}: axis {index} differs")
                if index != axis and isinstance(two, int):
                    shape[index] = two
            total = dims.add(total, other.shape[axis])
        shape[axis] = total
        return (TensorType(first.dtype, tuple(shape), _joined(inputs, axis)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the joined arrays, requantized where quantizations differ."""
        output = types.outputs[0]
        parts = []
        for type_, array in zip(types.inputs, arrays, strict=True):
            part = given(array)
            if type_ is not None and needs_requantization(type_, output):
                part = requantized(part, type_, output)
            parts.append(part)
        return (np.concatenate(parts, axis=self.axis),)

    def bind(self, step: Step) -> bool:
        """Copy each input to its place; requantize on the way where quantizations differ."""
        out = step.outputs[0]
        changed = [needs_requantization(x.type, out.type) for x in step.inputs]
        if any(changed) and out.type.dtype is not DType.INT8:
            return False
        shape, size = out.type.static_shape, out.type.dtype.itemsize
        axis = axis_of(self.axis, len(shape))
        pitch = math.prod(shape[axis:]) * size
        rows, target = math.prod(shape[:axis]), out.pointer
        for x, change in zip(step.inputs, changed, strict=True):
            run = math.prod(x.type.static_shape[axis:]) * size
            if change and rows * run:
                _requantize_rows(step, x, target, rows, run, pitch)
            elif not change:
                axes = [Axis(rows, run, pitch), Axis(run // size, size, size)]
                if not copy(step, x.pointer, target, axes, size):
                    return False
            target += run
        return True


def _requantize_rows(step: Step, x: Any, target: int, rows: int, run: int, pitch: int) -> None:
    scale, zero = pair(x.type)
    scale_out, zero_out = pair(step.outputs[0].type)
    step.program.requantize_rows_s8(
        x.pointer, target, rows, run, pitch, zero, zero_out, float(scale / scale_out)
    )


def _joined(inputs: Sequence[TensorType], axis: int) -> Quantization | None:
    """Return the quantization of joined inputs, None where they differ (or have none)."""
    parts = [type_.quantization for type_ in inputs]
    if any(part is None for part in parts) and any(part is not None for part in parts):
        raise QuantizationError("some inputs are quantized and some are not; expected all or none")
    known = [part for part in parts if part is not None]
    along = [channel_axis(type_) for type_ in inputs]
    if along and all(where == axis for where in along):
        scale = np.concatenate([part.scale for part in known])
        return Quantization(scale, np.concatenate([part.zero_point for part in known]), axis)
    if all(part == known[0] for part in known[1:]) and axis not in along:
        return known[0] if known else None
    if any(where is not None for where in along):
        raise QuantizationError("inputs quantized per axis differ; expected the same scales in all")
    return None


def needs_requantization(source: TensorType, target: TensorType) -> bool:
    """Return whether stored values change on the way from one type to the other."""
    one, other = source.quantization, target.quantization
    if one is None or not one.per_tensor:
        return False
    if other is None:
        raise QuantizationError(
            f"inputs quantized differently are joined into {target}, which has no quantization; "
            "declare one for the output"
        )
    return bool(one.scale[0] != other.scale[0] or one.zero_point[0] != other.zero_point[0])


def requantized(stored: Array, source: TensorType, target: TensorType) -> Array:
    """Return stored values of one quantized type as stored values of another."""
    scale, zero = pair(source)
    scale_out, zero_out = pair(target)
    low, high = limits(target.dtype)
    steps = stored.astype(np.int32) - np.int32(zero)
    result = requantize(steps, np.asarray(scale / scale_out), zero_out, low, high)
    return result.astype(target.dtype.numpy)


_END = 2**31 - 1


class Slice(_Move, frozen=True):
    """Take a range of each axis, as Python slices do (negative steps too).

    Parameters
    ----------
    starts, ends : tuple of int, optional
        First index and the index to stop before; negative counts from the end, values beyond the
        dimension are clipped. None reads them, and axes and steps, from inputs 1 to 4.
    axes : tuple of int, optional
        The axes that the ranges belong to; None means the first ones.
    steps : tuple of int, optional
        Distance between taken elements, not zero; None means 1.
    """

    starts: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None
    axes: tuple[int, ...] | None = None
    steps: tuple[int, ...] | None = None
    arity: ClassVar[tuple[int, int]] = (1, 5)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the number of elements that each range takes."""
        x = need(types[0], "input")
        parts = self._parts(*types[1:])
        if parts is None:
            axes = self._axes(types, x.rank)
            shape = [f"?{i}" if i in axes else dim for i, dim in enumerate(x.shape)]
            return (moved(x, tuple(shape), None),)
        shape = list(x.shape)
        axis, pick = channel_axis(x), None
        for where, (start, end, step) in self.ranges(parts, x.rank).items():
            shape[where] = _taken(x.shape[where], start, end, step)
            if where == axis:
                pick = slice(start, None if end is None else end, step)
        return (moved(x, tuple(shape), axis, pick),)

    def _parts(self, *types: TensorType | None) -> tuple[tuple[int, ...] | None, ...] | None:
        """Return starts, ends, axes, steps, or None where their content is not known."""
        if self.starts is not None:
            return self.starts, self.ends, self.axes, self.steps
        names = ("starts", "ends", "axes", "steps")
        found: list[tuple[int, ...] | None] = []
        for index, name in enumerate(names):
            type_ = types[index] if index < len(types) else None
            content = None if type_ is None and index > 1 else whole_numbers(type_, name)
            if content is None and type_ is not None:
                return None
            found.append(content)
        return tuple(found)

    def _axes(self, types: Sequence[TensorType | None], rank: int) -> tuple[int, ...]:
        type_ = types[3] if len(types) > 3 else None
        if type_ is None:
            return tuple(range(length_of(types[1], "starts")))
        axes = whole_numbers(type_, "axes")
        return tuple(range(rank)) if axes is None else axes_of(axes, rank)

    @staticmethod
    def ranges(
        parts: tuple[tuple[int, ...] | None, ...], rank: int
    ) -> dict[int, tuple[int, int | None, int]]:
        """Return (start, end, step) by axis; an end of None means the very end."""
        starts, ends, axes, steps = parts
        if starts is None or ends is None:
            raise ShapeError("a slice has starts without ends, or ends without starts")
        axes = tuple(range(len(starts))) if axes is None else axes
        steps = (1,) * len(starts) if steps is None else steps
        if not len(starts) == len(ends) == len(axes) == len(steps):
            raise ShapeError(
                f"starts {starts}, ends {ends}, axes {axes} and steps {steps} differ in length"
            )
        found: dict[int, tuple[int, int | None, int]] = {}
        where = axes_of(axes, rank)
        for axis, start, end, step in zip(where, starts, ends, steps, strict=True):
            if step == 0:
                raise ShapeError(f"the step along axis {axis} is 0; expected another number")
            beyond = end >= _END if step > 0 else end <= -_END
            found[axis] = (start, None if beyond else end, step)
        return found

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the slices."""
        x = given(arrays[0])
        known = (None if array is None else TensorType.of(array) for array in arrays[1:])
        index = [slice(None)] * x.ndim
        for axis, (start, end, step) in self.ranges(self._known(*known), x.ndim).items():
            index[axis] = slice(start, end, step)
        return (dense(x[tuple(index)]),)

    def _known(self, *types: TensorType | None) -> tuple[tuple[int, ...] | None, ...]:
        parts = self._parts(*types)
        if parts is None:
            raise ShapeError("starts, ends, axes or steps have no content")
        return parts

    def bind(self, step: Step) -> bool:
        """Copy with the source's strides multiplied by the steps; ranges must be constant."""
        known = [
            None if buffer is None else buffer.type.with_(value=content(buffer))
            for buffer in step.inputs[1:]
        ]
        parts = self._parts(*known)
        if parts is None:
            return False
        x, out = step.inputs[0], step.outputs[0]
        shape, size = x.type.static_shape, x.type.dtype.itemsize
        ranges = self.ranges(parts, len(shape))
        after = strides(out.type.static_shape, size)
        source, axes = x.pointer, []
        for axis, stride in enumerate(strides(shape, size)):
            taken = range(*slice(*ranges.get(axis, (None, None, None))).indices(shape[axis]))
            source += taken.start * stride if len(taken) else 0
            axes.append(Axis(len(taken), taken.step * stride, after[axis]))
        return copy(step, source, out.pointer, axes, size)


def _taken(dim: Dim, start: int, end: int | None, step: int) -> Dim:
    """Return how many elements a range takes of a dimension."""
    if isinstance(dim, int):
        return len(range(*slice(start, end, step).indices(dim)))
    if end is None and abs(step) == 1 and start == (0 if step > 0 else -1):
        return dim
    if step == 1 and start < 0 and end is None:
        return f"min({dim},{-start})"
    if step == 1 and start >= 0 and end is None:
        return dims.add(dim, -start)
    if step == 1 and start >= 0 and end is not None and end < 0:
        return dims.add(dim, end - start)
    stop = "" if end is None else end
    return f"len({dim}[{start}:{stop}:{step}])"


class Split(_Move, frozen=True):
    """Cut the input along one axis into parts of the given sizes.

    Parameters
    ----------
    axis : int
    sizes : tuple of int
        Dimension of each output along the axis; they add up to the input's.
    """

    axis: int
    sizes: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """Number of parts."""
        return len(self.sizes)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return one type per part."""
        x = need(types[0], "input")
        axis = axis_of(self.axis, x.rank)
        if any(size < 0 for size in self.sizes) or not same_dim(sum(self.sizes), x.shape[axis]):
            raise ShapeError(f"sizes {self.sizes} do not add up to axis {axis} of {x}")
        along = channel_axis(x)
        made, start = [], 0
        for size in self.sizes:
            shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
            pick = slice(start, start + size) if along == axis else None
            made.append(moved(x, shape, along, pick))
            start += size
        return tuple(made)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the parts."""
        cuts = np.cumsum(self.sizes)[:-1].tolist()
        return tuple(dense(part) for part in np.split(given(arrays[0]), cuts, self.axis))

    def bind(self, step: Step) -> bool:
        """Copy each part from its place."""
        x = step.inputs[0]
        shape, size = x.type.static_shape, x.type.dtype.itemsize
        axis = axis_of(self.axis, len(shape))
        pitch = math.prod(shape[axis:]) * size
        rows, source = math.prod(shape[:axis]), x.pointer
        for part in step.outputs:
            run = math.prod(part.type.static_shape[axis:]) * size
            axes = [Axis(rows, pitch, run), Axis(run // size, size, size)]
            if not copy(step, source, part.pointer, axes, size):
                return False
            source += run
        return True
