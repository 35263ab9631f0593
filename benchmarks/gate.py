"""Which rounds of a measurement met the core as it should be: free, and at one clock speed.

A virtual machine's core is shared with other guests for milliseconds or minutes, and nothing in
/proc tells; a probe before and after each round does (`peak.SpeedProbe`). Rounds that it speaks
against, or in which other processes ran, are set aside and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .conditions import Snapshot, Verdict, foreign, is_busy

# Probes of a free core differ by some percent; a busy sibling hyperthread takes a quarter and more.
FREE = 0.92
# Steps of a clock are larger than this.
SAME_CLOCK = 0.07
LEAST_SHARE = 0.25
LEAST_ROUNDS = 8
TWO_CLOCKS = 0.2


@dataclass(frozen=True)
class Gate:
    """The rounds that count.

    Parameters
    ----------
    kept : tuple of bool
        For each round.
    clocks : int
        Rounds on a free core at another clock speed than most.
    """

    kept: tuple[bool, ...]
    clocks: int = 0

    @property
    def enough(self) -> bool:
        """Whether all rounds are left, or enough for figures."""
        count = sum(self.kept)
        return all(self.kept) or count >= max(LEAST_ROUNDS, LEAST_SHARE * len(self.kept))

    def tell(self, verdict: Verdict) -> None:
        """Add what the gate speaks against the measurement."""
        count, rounds = sum(self.kept), len(self.kept)
        if not self.enough:
            verdict.problems.append(
                f"the core was free and at one clock speed in {count} of {rounds} rounds only: "
                "something shares it (another process, a sibling hyperthread, another guest) or "
                "its clock changed"
            )
        elif self.clocks >= TWO_CLOCKS * rounds:
            verdict.problems.append(
                f"the core's clock was another in {self.clocks} of {rounds} rounds (its frequency "
                "cannot be read here)"
            )
        elif count < rounds:
            verdict.warnings.append(
                f"{rounds - count} of {rounds} rounds were set aside: something shared the core "
                "(another process, a sibling hyperthread, another guest) or its clock changed; the "
                "figures are of the others"
            )


def gate(snapshots: Sequence[Snapshot], best: float) -> Gate:
    """Judge the rounds between snapshots.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        One before the first round and one after each.
    best : float
        Work per link of the core where it was free, 0.0 where that is not known.
    """
    rounds = len(snapshots) - 1
    alone = np.array([not is_busy(*foreign(*pair)) for pair in pairwise(snapshots)], bool)
    pairs = [(s.work, s.speed) for s in snapshots if s.work and s.speed]
    if len(pairs) < len(snapshots):
        return Gate(tuple(alone.tolist()))
    works, speeds = np.array(pairs).T
    per_link = works / speeds
    free = per_link >= FREE * max(best, float(np.percentile(per_link, 80)))
    free = free[:-1] & free[1:] & alone
    if not free.any():
        return Gate((False,) * rounds)
    usual = float(np.median(np.concatenate([speeds[:-1][free], speeds[1:][free]])))
    same = np.abs(speeds / usual - 1) <= SAME_CLOCK
    same = same[:-1] & same[1:]
    return Gate(tuple((free & same).tolist()), int((free & ~same).sum()))
