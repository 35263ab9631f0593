"""Binding of Pad: the padded tensor cut into boxes, each a copy or a fill."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from linnet.types import Array

from .base import Step
from .bind_move import Axis, copy, fill, strides


class Segment(NamedTuple):
    """Part of one axis: where it starts in input and output, its length, the input's direction."""

    source: int
    target: int
    length: int
    direction: int


def bind_pad(step: Step, counts: Sequence[tuple[int, int]], mode: str, value: Array) -> bool:
    """Add the steps of a Pad with the given counts before and after each axis."""
    shape = step.inputs[0].type.static_shape
    middle = [
        Segment(max(-before, 0), max(before, 0), dim + min(before, 0) + min(after, 0), 1)
        for dim, (before, after) in zip(shape, counts, strict=True)
    ]
    if mode != "constant":
        parts = [
            _segments(part, max(before, 0), max(after, 0), mode)
            for part, (before, after) in zip(middle, counts, strict=True)
        ]
        return all(_copy_box(step, box) for box in itertools.product(*parts))
    _fill_around(step, middle, value)
    return _copy_box(step, middle)


def _segments(middle: Segment, before: int, after: int, mode: str) -> list[Segment]:
    """Return the parts of one axis in a mode that repeats elements of the input."""
    first, last = middle.source, middle.source + middle.length - 1
    end = middle.target + middle.length
    if mode == "edge":
        ends = [Segment(first, 0, before, 0), Segment(last, end, after, 0)]
    else:
        skip = 1 if mode == "reflect" else 0
        ends = [
            Segment(first + skip + before - 1, 0, before, -1),
            Segment(last - skip, end, after, -1),
        ]
    return [part for part in (middle, *ends) if part.length > 0]


def _copy_box(step: Step, box: Sequence[Segment]) -> bool:
    x, out = step.inputs[0], step.outputs[0]
    size = out.type.dtype.itemsize
    source, target, axes = x.pointer, out.pointer, []
    before, after = strides(x.type.static_shape, size), strides(out.type.static_shape, size)
    for part, step_in, step_out in zip(box, before, after, strict=True):
        source += part.source * step_in
        target += part.target * step_out
        axes.append(Axis(part.length, part.direction * step_in, step_out))
    return copy(step, source, target, axes, size)


def _fill_around(step: Step, middle: Sequence[Segment], value: Array) -> None:
    """Fill, axis by axis, what lies before and after the middle along it."""
    out = step.outputs[0]
    shape = out.type.static_shape
    steps = strides(shape, out.type.dtype.itemsize)
    for axis, part in enumerate(middle):
        for start, stop in ((0, part.target), (part.target + part.length, shape[axis])):
            lengths = [*(p.length for p in middle[:axis]), stop - start, *shape[axis + 1 :]]
            starts = [*(p.target for p in middle[:axis]), start, *([0] * len(shape[axis + 1 :]))]
            target = out.pointer + sum(a * b for a, b in zip(starts, steps, strict=True))
            axes = [Axis(n, 0, stride) for n, stride in zip(lengths, steps, strict=True)]
            fill(step, target, axes, value)
