"""Binding of data movement to kernels: every move is loops over strides, in bytes.

Negative and zero strides are allowed in the source. A move of nothing, and a move of bytes onto
themselves (the planner put one tensor inside another), adds no step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from linnet.types import Array

from .base import Step

KERNEL_RANK = 8
ELEMENTS = (1, 2, 4, 8)


class Axis(NamedTuple):
    """One loop: its count, and what one step of it means in source and target bytes."""

    size: int
    source: int
    target: int


def strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return the byte strides of a C-contiguous tensor."""
    found, step = [], itemsize
    for dim in reversed(shape):
        found.append(step)
        step *= dim
    return tuple(reversed(found))


def canonical(axes: Sequence[Axis], itemsize: int) -> tuple[int, list[Axis]]:
    """Return the bytes that move as one run, and the fewest loops over such runs.

    Loops are ordered by target stride; neighbors that step as one become one.
    """
    merged: list[Axis] = []
    for axis in sorted((a for a in axes if a.size != 1), key=lambda a: -a.target):
        if merged:
            outer = merged[-1]
            if outer.source == axis.source * axis.size and outer.target == axis.target * axis.size:
                merged[-1] = Axis(outer.size * axis.size, axis.source, axis.target)
                continue
        merged.append(axis)
    run = itemsize
    if merged and merged[-1].source == merged[-1].target == itemsize:
        run *= merged.pop().size
    return run, merged


def copy(step: Step, source: int, target: int, axes: Sequence[Axis], itemsize: int) -> bool:
    """Add the step that copies elements over the loops; False where they are too many."""
    if any(axis.size == 0 for axis in axes):
        return True
    run, loops = canonical(axes, itemsize)
    if source == target and all(axis.source == axis.target for axis in loops):
        return True
    if len(loops) > KERNEL_RANK:
        return False
    matrix = _matrix(run, loops)
    if matrix is None:
        step.program.copy_strided(source, target, run, loops)
        return True
    rows, columns = matrix
    batch = [axis for axis in loops if axis is not rows and axis is not columns]
    step.program.transpose_2d(
        source, target, run, rows.size, columns.size, rows.source, columns.target, batch
    )
    return True


def _matrix(run: int, loops: list[Axis]) -> tuple[Axis, Axis] | None:
    """Return the two loops that make a transpose: packed in the target, packed in the source."""
    if run not in ELEMENTS or len(loops) < 2 or loops[-1].target != run:
        return None
    rows = loops[-1]
    for columns in loops[:-1]:
        if columns.source == run and min(rows.size, columns.size) > 1 and rows.source > 0:
            return rows, columns
    return None


def fill(step: Step, target: int, axes: Sequence[Axis], value: Array) -> None:
    """Add the step that writes one element's bytes over the loops."""
    if any(axis.size == 0 for axis in axes):
        return
    size = value.dtype.itemsize
    run, loops = canonical([Axis(a.size, a.target, a.target) for a in axes], size)
    pattern = int.from_bytes(value.tobytes() * (8 // size), "little", signed=True)
    step.program.fill_strided(target, run, pattern, loops)


def content(buffer: Any) -> Array | None:
    """Return the content of a constant input, None for anything else and for absent inputs."""
    array: Array | None = None if buffer is None else buffer.array
    return array


def kept(step: Step, array: Array, dtype: type) -> int:
    """Return the address of a copy of the array that lives as long as the program."""
    held: Array = step.keep(np.array(array, dtype, order="C"))
    return held.ctypes.data


def view(step: Step) -> bool:
    """Bind an op whose output is its input's bytes, wherever the planner put them."""
    count = step.outputs[0].type.nbytes
    return copy(step, step.inputs[0].pointer, step.outputs[0].pointer, [Axis(count, 1, 1)], 1)
