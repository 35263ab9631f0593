"""Which rounds of a measurement met the core as it should be: free, and at its best clock speed.

A virtual machine's core is shared with other guests for milliseconds or minutes, and nothing in
/proc tells; a probe before and after each round does (`peak.SpeedProbe`). Rounds that it speaks
against, or in which other processes ran, are set aside and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linnet.types import Array

from ..machine.conditions import Verdict
from ..machine.memory import SLOW, Core
from ..machine.peak import Reading
from .spread import LEAST_PROCESSES

Edges = tuple[Reading, Reading]

# Probes of a free core differ by one percent. A sibling hyperthread that waits for memory half the
# time takes a tenth of them, and a third of a model.
FREE = 0.96
# It takes this of the chain as well; steps of a clock are larger.
SAME_CLOCK = 0.03
# Of all rounds, and of those of one process: what else a core does comes and goes more slowly than
# rounds do, and leaves caches behind.
LEAST_SHARE = 0.02
LEAST_OF_PROCESS = 0.2
LEAST_ROUNDS = 20
TWO_CLOCKS = 0.2
# The share of readings above this one may be too high: an interrupt met one half of a probe alone.
USUAL_BEST = 80


@dataclass(frozen=True)
class Gate:
    """The rounds that count.

    Parameters
    ----------
    kept : tuple of bool
        For each round.
    others : int
        Rounds on a free core at another clock speed.
    clock : float
        The median speed of those over the best that is known.
    hidden : float
        Share of the rounds that may have been disturbed between two probes that did not see it.
    spread : bool
        Whether what is kept comes from enough processes.
    """

    kept: tuple[bool, ...]
    others: int = 0
    clock: float = 1.0
    hidden: float = 0.0
    spread: bool = True

    @property
    def enough(self) -> bool:
        """Whether all rounds are left, or enough for figures."""
        count = sum(self.kept)
        least = max(LEAST_ROUNDS, LEAST_SHARE * len(self.kept))
        return all(self.kept) or (count >= least and self.spread)

    def tell(self, verdict: Verdict) -> None:
        """Add what the gate speaks against the measurement."""
        count, rounds = sum(self.kept), len(self.kept)
        if self.clock < SLOW and self.others >= TWO_CLOCKS * (count + self.others):
            verdict.problems.append(
                f"the core's clock was at {self.clock:.2f} of the best that is known of it, in "
                f"{self.others} of {rounds} rounds (its frequency cannot be read here)"
            )
        elif not self.enough:
            verdict.problems.append(
                f"the core was free in {count} of {rounds} rounds only: something shares it "
                "(another process, a sibling hyperthread, another guest)"
            )
        elif count < rounds:
            verdict.warnings.append(
                f"{rounds - count} of {rounds} rounds were set aside: something shared the core "
                "(another process, a sibling hyperthread, another guest) or its clock changed; the "
                "figures are of the others"
            )


def gate(
    edges: Sequence[Edges], alone: Sequence[bool], known: Core, processes: Sequence[int] = ()
) -> Gate:
    """Judge rounds by the readings before and after each.

    Parameters
    ----------
    edges : sequence of (Reading, Reading)
    alone : sequence of bool
        Whether no other process ran meanwhile.
    known : Core
        What the core has done at its best.
    processes : sequence of int
        Of each round: which ran it.
    """
    readings = np.array(edges)  # rounds x (before, after) x (speed, work)
    speeds, works = readings[..., 0], readings[..., 1]
    unshared = works >= FREE * max(known.work, float(np.percentile(works, USUAL_BEST)))
    places = np.array(processes or [0] * len(edges))
    free = unshared.all(axis=1) & np.array(alone, bool)
    best = known.speed
    if free.any():
        best = max(best, float(np.percentile(speeds[free], USUAL_BEST)))
    same = (np.abs(speeds / max(best, 1e-9) - 1) <= SAME_CLOCK).all(axis=1)
    kept, others = free & same, free & ~same
    clock = float(np.median(speeds[others])) / best if others.any() else 1.0
    found = np.unique(places)
    met = [p for p in found if kept[places == p].mean() >= LEAST_OF_PROCESS]
    if len(found) > 1:
        kept &= np.isin(places, met)
    return Gate(
        tuple(kept.tolist()),
        int(others.sum()),
        clock,
        _hidden(unshared),
        len(met) >= min(len(found), LEAST_PROCESSES),
    )


def _hidden(unshared: Array) -> float:
    """Return the share of disturbed rounds, less as far as two probes in a row tell the same.

    A core that changes hands more slowly than rounds pass is rarely taken and given back within
    one; where neighboring probes know nothing of each other, anything may be between them.
    """
    before, after = unshared.astype(float).T
    aside = 1.0 - float((before * after).mean())
    if before.std() == 0 or after.std() == 0:
        return aside
    alike = float(np.corrcoef(before, after)[0, 1])
    return aside * (1.0 - max(alike, 0.0)) ** 2
