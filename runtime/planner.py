"""Arena offsets from lifetimes: a pure function.

Greedy by size: the largest buffer first, each into the smallest gap among the buffers whose
lifetimes overlap its own (the family of planners of TFLite and XNNPACK; the order is Pisarchyk and
Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

ALIGNMENT = 64
# Kernels may read (never write) this far past a tensor's end.
SLACK = 64


class Request(msgspec.Struct, frozen=True):
    """One buffer: bytes, and the first and last step (both inclusive) at which it must hold."""

    nbytes: int
    first: int
    last: int


class MemoryPlan(msgspec.Struct, frozen=True):
    """Where each buffer lies, the arena's size, and the least size any plan could have."""

    offsets: tuple[int, ...]
    arena_bytes: int
    lower_bound: int


def padded(nbytes: int) -> int:
    """Return the bytes that a buffer takes in the arena, slack and alignment included."""
    return -(-(nbytes + SLACK) // ALIGNMENT) * ALIGNMENT


def plan_memory(requests: Sequence[Request]) -> MemoryPlan:
    """Place every buffer so that no two that live at the same step overlap.

    Examples
    --------
    >>> plan = plan_memory([Request(100, 0, 1), Request(100, 1, 2), Request(100, 2, 3)])
    >>> plan.offsets, plan.arena_bytes
    ((0, 192, 0), 384)
    """
    order = sorted(range(len(requests)), key=lambda i: (-requests[i].nbytes, requests[i].first))
    offsets = [0] * len(requests)
    placed: list[int] = []
    for index in order:
        request = requests[index]
        taken = sorted(
            (offsets[other], offsets[other] + padded(requests[other].nbytes))
            for other in placed
            if requests[other].first <= request.last and request.first <= requests[other].last
        )
        offsets[index] = _best_gap(taken, padded(request.nbytes))
        placed.append(index)
    ends = [o + padded(r.nbytes) for o, r in zip(offsets, requests, strict=True)]
    return MemoryPlan(tuple(offsets), max(ends, default=0), _lower_bound(requests))


def _best_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """Return the start of the smallest gap that fits, or the end of what is taken."""
    best: tuple[int, int] | None = None
    cursor = 0
    for begin, end in taken:
        gap = begin - cursor
        if gap >= size and (best is None or gap < best[0]):
            best = (gap, cursor)
        cursor = max(cursor, end)
    return cursor if best is None else best[1]


def _lower_bound(requests: Sequence[Request]) -> int:
    """Return the largest sum of buffers that live at one step."""
    changes: dict[int, int] = {}
    for request in requests:
        changes[request.first] = changes.get(request.first, 0) + padded(request.nbytes)
        changes[request.last + 1] = changes.get(request.last + 1, 0) - padded(request.nbytes)
    live = peak = 0
    for step in sorted(changes):
        live += changes[step]
        peak = max(peak, live)
    return peak
