"""How control flow becomes steps of a program: bodies between branches, in loops.

Carried values live in the node's outputs. A body may overwrite them; what it makes elsewhere is
copied there at the end of an iteration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet.types import DType

from .base import Step
from .bind_move import KERNEL_RANK, Axis, canonical, copy, fill, kept, strides

# Along which axis of a whole slices lie, and whether from its end.
Walk = tuple[int, bool]


def branches(step: Step) -> bool:
    """Bind two bodies; the first input says which one runs."""
    if not step.has_bodies:
        return False
    condition, *given = [item.pointer for item in step.inputs]
    step.program.begin_if(condition)
    _hand_over(step, step.bind_body(0, given), step.outputs)
    step.program.begin_else()
    _hand_over(step, step.bind_body(1, given), step.outputs)
    step.program.end_block()
    return True


def loop(step: Step, carried: int) -> bool:
    """Bind a body that runs at most M times, as long as its condition holds."""
    limit, condition, *given = (*step.inputs, None, None)[: max(2, len(step.inputs))]
    if not step.has_bodies or not _fits(step):
        return False
    if limit is not None and limit.type.dtype is not DType.INT64:
        return False
    slots, stacked = step.outputs[:carried], step.outputs[carried:]
    _hand_over(step, given[:carried], slots)
    true, flag = (kept(step, np.array([value]), np.bool_) for value in (True, False))
    number = counter(step)
    if condition is not None:
        step.program.begin_if(condition.pointer)
    step.program.begin_loop(number, 0 if limit is None else limit.pointer)
    read = [item.pointer for item in (*slots, *given[carried:])]
    going, *made = step.bind_body(0, [number, true, *read])
    for slice_, whole in zip(made[carried:], stacked, strict=True):
        _move_slice(step, slice_.pointer, whole, (0, False), number, taken=False)
    always = going.array is not None and bool(np.all(going.array))
    if not always:
        copy(step, going.pointer, flag, [Axis(1, 1, 1)], 1)
    _hand_over(step, made[:carried], slots)
    if not always:
        step.program.leave_unless(flag)
    step.program.end_block()
    if condition is not None:
        step.program.end_block()
    return True


def scan(step: Step, carried: int, walks: Sequence[Walk], stacks: Sequence[Walk]) -> bool:
    """Bind a body that runs for every slice of some inputs."""
    if not step.has_bodies or not _fits(step):
        return False
    split = carried + len(walks)
    slots, sequences = step.outputs[:carried], step.inputs[carried:split]
    _hand_over(step, step.inputs[:carried], slots)
    length = sequences[0].type.static_shape[walks[0][0]]
    number = counter(step)
    step.program.begin_loop(number, kept(step, np.array([length]), np.int64))
    slices = []
    for sequence, walk in zip(sequences, walks, strict=True):
        size = sequence.type.nbytes // max(length, 1)
        slices.append(kept(step, np.zeros(max(size, 1)), np.uint8))
        _move_slice(step, slices[-1], sequence, walk, number, taken=True)
    captured = [item.pointer for item in step.inputs[split:]]
    made = step.bind_body(0, [*(item.pointer for item in slots), *slices, *captured])
    for slice_, whole, stack in zip(made[carried:], step.outputs[carried:], stacks, strict=True):
        _move_slice(step, slice_.pointer, whole, stack, number, taken=False)
    _hand_over(step, made[:carried], slots)
    step.program.end_block()
    return True


def repeat(step: Step, carried: int) -> bool:
    """Bind a body that runs as long as another one says so."""
    if not step.has_bodies:
        return False
    slots = step.outputs
    _hand_over(step, step.inputs[:carried], slots)
    read = [item.pointer for item in (*slots, *step.inputs[carried:])]
    step.program.begin_loop(0, 0)
    (going,) = step.bind_body(0, read)
    step.program.leave_unless(going.pointer)
    _hand_over(step, step.bind_body(1, read), slots)
    step.program.end_block()
    return True


def _fits(step: Step) -> bool:
    """Whether slices of every input and output can be copied."""
    items = (*step.inputs, *step.outputs)
    return all(item is None or item.type.rank <= KERNEL_RANK for item in items)


def counter(step: Step) -> int:
    """Return where a loop counts its iterations, from 0 in every run."""
    zero = np.zeros((), np.int64)
    number = kept(step, np.zeros(1), np.int64)
    fill(step, number, [], zero)
    return number


def _hand_over(step: Step, sources: Sequence[Any], targets: Sequence[Any]) -> None:
    """Copy every source to its target, as if at the same time."""
    moves = [
        (source.pointer, target.pointer, target.type.nbytes)
        for source, target in zip(sources, targets, strict=True)
        if source.pointer != target.pointer
    ]
    taken = {target for _, target, _ in moves}
    late = []
    for source, target, size in moves:
        if source in taken:
            held = kept(step, np.zeros(max(size, 1)), np.uint8)
            copy(step, source, held, [Axis(size, 1, 1)], 1)
            late.append((held, target, size))
        else:
            late.append((source, target, size))
    for source, target, size in late:
        copy(step, source, target, [Axis(size, 1, 1)], 1)


def _move_slice(
    step: Step, slice_: int, whole: Any, walk: Walk, number: int, *, taken: bool
) -> None:
    """Copy the slice of an iteration's number out of a whole, or into it."""
    shape, size = whole.type.static_shape, whole.type.dtype.itemsize
    axis, backward = walk[0] % len(shape), walk[1]
    if 0 in shape:
        return
    far = strides(shape, size)
    near = strides([*shape[:axis], *shape[axis + 1 :]], size)
    stride, start = far[axis], whole.pointer
    if backward:
        stride, start = -stride, start + (shape[axis] - 1) * stride
    inside = [(n, f) for d, (n, f) in enumerate(zip(shape, far, strict=True)) if d != axis]
    pairs = [(n, f, s) for (n, f), s in zip(inside, near, strict=True)]
    if taken:
        run, loops = canonical([Axis(n, f, s) for n, f, s in pairs], size)
        step.program.copy_numbered(start, slice_, run, loops, number, stride, 0)
    else:
        run, loops = canonical([Axis(n, s, f) for n, f, s in pairs], size)
        step.program.copy_numbered(slice_, start, run, loops, number, 0, stride)
