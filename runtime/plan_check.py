"""An independent check of a memory plan; shares no code with the planner."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .errors import PlanError


def check_plan(
    lifetimes: Sequence[tuple[int, int, int]],
    offsets: Sequence[int],
    arena_bytes: int,
    alignment: int = 64,
    slack: int = 64,
) -> None:
    """Raise unless every buffer is aligned, inside the arena and apart from those it lives with.

    Parameters
    ----------
    lifetimes : sequence of (nbytes, first, last)
        Steps inclusive.
    offsets : sequence of int
        One per buffer.
    arena_bytes, alignment, slack : int
        Bytes; a buffer ends ``slack`` bytes after its content.

    Raises
    ------
    PlanError
        Naming the buffers and bytes in conflict.
    """
    if len(lifetimes) != len(offsets):
        raise PlanError(f"{len(offsets)} offsets for {len(lifetimes)} buffers")
    steps: dict[int, list[int]] = {}
    for index, ((nbytes, first, last), offset) in enumerate(zip(lifetimes, offsets, strict=True)):
        if nbytes < 0 or first > last:
            raise PlanError(f"buffer {index}: {nbytes} bytes living from {first} to {last}")
        if offset < 0 or offset % alignment:
            raise PlanError(f"buffer {index}: offset {offset} is not a multiple of {alignment}")
        if offset + nbytes + slack > arena_bytes:
            raise PlanError(
                f"buffer {index}: bytes {offset} to {offset + nbytes + slack} end beyond the "
                f"arena of {arena_bytes}"
            )
        for step in range(first, last + 1):
            steps.setdefault(step, []).append(index)
    for step, live in steps.items():
        live.sort(key=lambda i: offsets[i])
        for left, right in itertools.pairwise(live):
            end = offsets[left] + lifetimes[left][0] + slack
            if end > offsets[right]:
                raise PlanError(
                    f"step {step}: buffer {left} ends at {end}, buffer {right} starts at "
                    f"{offsets[right]}"
                )
