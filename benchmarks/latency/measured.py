"""What a measurement has collected: rounds of runs, and the machine before, between and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from linnet.types import Array

from ..machine.conditions import Snapshot, foreign, is_busy
from ..machine.memory import Core
from .gate import Edges, Gate, gate
from .spread import LEAST_PROCESSES, lone_interval, repeat_interval, summarize

# So many samples, evenly spaced, are drawn anew for an interval.
DRAWN = 2000


@dataclass
class Rounds:
    """What was measured: every round's samples in seconds, and the machine meanwhile.

    Parameters
    ----------
    samples : list of ndarray
    processes : list of int
        Of each round: which process ran it.
    edges : list of (Reading, Reading)
        The core before and after each round.
    snapshots : list of Snapshot
        The first from before the measurement, the last from after it.
    spans : list of int
        Of each round: the snapshot before it.
    joules : float or None
    """

    samples: list[Array] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    edges: list[Edges] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    spans: list[int] = field(default_factory=list)
    joules: float | None = None

    @property
    def medians(self) -> list[float]:
        """The median of each round."""
        return [float(np.median(samples)) for samples in self.samples]

    def gate(self, known: Core) -> Gate:
        """Return which rounds count."""
        calm = [not is_busy(*foreign(*pair)) for pair in pairwise(self.snapshots)]
        # The time since the last snapshot has yet to be judged.
        alone = [calm[span] if span < len(calm) else True for span in self.spans]
        return gate(self.edges, alone, known, self.processes)

    def spans_of(self, kept: Sequence[bool]) -> list[bool]:
        """Return which times between snapshots hold a round that counts."""
        held = {span for span, keep in zip(self.spans, kept, strict=True) if keep}
        return [span in held for span in range(len(self.snapshots) - 1)]

    def of(self, kept: Sequence[bool]) -> Rounds:
        """Return some of the rounds; snapshots stay those of all."""
        places = [i for i, keep in enumerate(kept) if keep]
        return replace(
            self,
            samples=[self.samples[i] for i in places],
            processes=[self.processes[i] for i in places],
            edges=[self.edges[i] for i in places],
            spans=[self.spans[i] for i in places],
        )

    def interval(self, hidden: float = 0.0) -> tuple[float, float]:
        """Return where the median of another such run is expected."""
        if len(set(self.processes)) < LEAST_PROCESSES:
            return lone_interval(self.medians, hidden)
        samples = np.concatenate(self.samples)
        processes = np.repeat(self.processes, [len(part) for part in self.samples])
        stride = -(-len(samples) // DRAWN)
        return repeat_interval(samples[::stride], processes[::stride], hidden)


def joined(parts: Sequence[Rounds]) -> Rounds:
    """Return the rounds of several processes as one measurement."""
    whole = Rounds()
    for process, part in enumerate(parts):
        whole.spans += [len(whole.snapshots) + span for span in part.spans]
        whole.snapshots += part.snapshots
        whole.samples += part.samples
        whole.edges += part.edges
        whole.processes += [process] * len(part.samples)
    joules = [part.joules for part in parts if part.joules is not None]
    whole.joules = sum(joules) if len(joules) == len(parts) else None
    return whole


def curve(rounds: Rounds) -> list[dict[str, Any]]:
    """Return a row per minute of a sustained measurement: latency, temperature, frequency."""
    begin = rounds.snapshots[0].seconds
    minutes: dict[int, list[int]] = {}
    for index, snapshot in enumerate(rounds.snapshots[1:]):
        # A round ends with its snapshot; one that ends a minute belongs to that minute.
        minutes.setdefault(max(int((snapshot.seconds - begin - 1e-9) // 60), 0), []).append(index)
    rows = []
    for minute, indices in minutes.items():
        samples = np.concatenate([rounds.samples[i] for i in indices])
        seen = [rounds.snapshots[i + 1] for i in indices]
        figures = summarize(samples)
        heats = [max(s.temperatures.values()) for s in seen if s.temperatures]
        clocks = [s.frequency for s in seen if s.frequency is not None]
        rows.append(
            {
                "minute": minute + 1,
                **{name: figures[name] for name in ("p50", "p90", "p99", "mean", "runs")},
                "temperature": max(heats, default=None),
                "frequency": min(clocks, default=None),
            }
        )
    return rows
