"""Turns of several engines, and which of them count."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..latency.gate import gate
from ..machine.conditions import Snapshot, judge
from ..machine.memory import Core, core_name, recall, survey
from ..machine.peak import SpeedProbe
from ..machine.system import System
from ..machine.watch import Watch
from .worker import Worker

# Until as many count as were asked for, at most so many times as many are taken.
MOST_TURNS = 3
# Of those asked for; with fewer that count all are taken, and the comparison is invalid.
LEAST_SHARE = 0.5


class Turns:
    """The turns of workers beside each other.

    Parameters
    ----------
    workers : sequence of Worker
    known : Core
        The best of the core; the clock's best is each worker's own, because instructions set it.
    watch : Watch
    """

    def __init__(self, workers: Sequence[Worker], known: Core, watch: Watch) -> None:
        self.workers, self.known, self.watch = workers, known, watch
        self.asked = 0
        self._snapshots: list[Snapshot] = []
        self._free: dict[Worker, list[list[float]]] = {}

    def look(self) -> None:
        """Take a snapshot, and find out which rounds of the turns so far met a free core."""
        found = self.watch.look()
        own = found.own + sum(worker.cpu_seconds() for worker in self.workers)
        # What is known of the core stands beside the rounds, closer than this.
        self._snapshots.append(replace(found, own=own, speed=None, work=None))
        self._free = {worker: self._free_rounds(worker) for worker in self.workers if worker.turns}

    def _free_rounds(self, worker: Worker) -> list[list[float]]:
        places = [i for i, turn in enumerate(worker.turns) for _ in turn.medians]
        edges = [pair for turn in worker.turns for pair in turn.edges]
        kept = iter(gate(edges, [True] * len(edges), self.known, places).kept)
        return [[m for m in turn.medians if next(kept)] for turn in worker.turns]

    @property
    def counting(self) -> list[bool]:
        """Which turns count: every engine that still runs met a free core."""
        running = [rounds for worker, rounds in self._free.items() if not worker.failed]
        return [all(turn) for turn in zip(*running, strict=True)]

    @property
    def enough(self) -> bool:
        """Whether enough turns count for figures."""
        return sum(self.counting) >= LEAST_SHARE * self.asked

    def medians(self, worker: Worker) -> list[float]:
        """Return a worker's median in each turn that counts, in all where those are too few."""
        if not self.enough:
            return worker.rounds
        free = zip(self._free[worker], self.counting, strict=True)
        return [statistics.median(rounds) for rounds, counts in free if counts]

    def judge(self) -> dict[str, Any]:
        """Return the number of turns and what speaks against them."""
        counting, kept = self.counting, sum(self.counting)
        spans = counting if self.enough else [True] * len(counting)
        verdict = judge(self._snapshots, self.watch.system, spans)
        told = (
            f"the core was free for every engine in {kept} of {len(counting)} turns"
            "{}: something shares it (another process, a sibling hyperthread, another guest)"
        )
        if not self._free:
            verdict.problems[:] = ["nothing was measured"]
        elif not self.enough:
            verdict.problems.append(told.format(" only"))
        elif kept < len(counting):
            verdict.warnings.append(told.format(", which count"))
        return {
            "turns": len(counting),
            "valid": verdict.valid,
            "problems": verdict.problems,
            "warnings": verdict.warnings,
        }


def take_turns(
    workers: Sequence[Worker],
    threads: int,
    rounds: int,
    seconds: float,
    share: Callable[[float], None],
) -> Turns:
    """Let each worker run in turn until enough turns count.

    Parameters
    ----------
    workers : sequence of Worker
    threads, rounds : int
        Turns that are to count.
    seconds : float
        Of a turn.
    share : callable
        Told the share done, 0 to 1.
    """
    watch = Watch(System())
    known = recall(core_name(watch.system, threads), "")
    if not known.work:
        known = survey(SpeedProbe(threads))
    turns = Turns(workers, known, watch)
    for worker in workers:
        worker.round(0.0)
        worker.forget()
    turns.look()
    turns.asked = rounds
    for index in range(MOST_TURNS * rounds):
        for worker in workers:
            worker.round(seconds)
        turns.look()
        counted = sum(turns.counting)
        share(max(counted / rounds, (index + 1) / (MOST_TURNS * rounds)))
        if counted >= rounds:
            break
    return turns
