"""Where the time of a session's runs goes: per node, and in the call around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linnet.kernels._core import Program

from .binding import NodeSpan, Plan
from .executor import Hosts, make_runner
from .session import Session
from .types import Array, DType

# The first ten runs of a plan are trials that decide which steps are split among threads.
SETTLING_RUNS = 12
SETTLING_SECONDS = 5.0
# Of a program that tells what clocks take.
EMPTY_STEPS = 50
Host = Callable[[], None]


@dataclass(frozen=True)
class Event:
    """One node in one run: seconds of a clock that only goes forward, and how long it took."""

    node: int
    start: float
    seconds: float


@dataclass(frozen=True)
class Profile:
    """Time of profiled runs.

    Parameters
    ----------
    rows : list of dict
        Per node in running order: ``name``, ``op``, ``kernel`` ("host step" where the NumPy
        reference ran, "view" where nothing had to run, "joined" where the kernel of the node before
        did it too), ``seconds`` per run, ``macs``, ``bytes``, ``threads`` (most that a
        step of it was split for), ``int8``.
    total : float
        Seconds per run of plain runs, in turns with the profiled: nothing in them reads clocks.
    call : float
        Seconds per run before the first node and after the last: inputs checked and copied in,
        outputs copied out.
    clocks : float
        Seconds per profiled run that reading clocks at every step takes: taken off the rows and
        ``between``, no part of the total.
    runs : int
        Runs averaged.
    events : list of (float, float, list of Event)
        Start and length of some runs, and their nodes.
    between : float
        Seconds per run inside the native call but in no node: going from step to step, waking
        threads.
    """

    rows: list[dict[str, Any]]
    total: float
    call: float
    clocks: float
    runs: int
    events: list[tuple[float, float, list[Event]]]
    between: float = 0.0

    @property
    def accounted(self) -> float:
        """What nodes, what is between them and the call add up to, over the total.

        The parts are of profiled runs and the total is of plain ones, so they need not agree.
        """
        nodes = sum(float(row["seconds"]) for row in self.rows)
        return (nodes + self.between + self.call) / self.total


def profile_nodes(session: Session, feeds: Mapping[str, Array], runs: int) -> list[dict[str, Any]]:
    """Return the mean time of every node over some runs: the rows of `profile_session`."""
    return profile_session(session, feeds, runs).rows


def profile_session(
    session: Session, feeds: Mapping[str, Array], runs: int, traced: int = 3
) -> Profile:
    """Run a session with clocks at every node.

    The faster half of the runs is averaged: on a machine that is not idle the slower half measures
    the others. What a clock takes to be read is measured and taken off every step. States are put
    back to their initial content afterwards.

    Parameters
    ----------
    session : Session
    feeds : mapping of str to ndarray
    runs : int
        At least 1.
    traced : int
        Runs whose events are kept.
    """
    begin = time.perf_counter()
    for _ in range(SETTLING_RUNS):
        session.run(feeds)
        if time.perf_counter() - begin > SETTLING_SECONDS:
            break
    plan = session.plan({name: array.shape for name, array in feeds.items()})
    clocks = _Clocks(plan)
    totals, plain, call, between = (np.zeros(runs) for _ in range(4))
    spent = np.zeros((runs, len(plan.spans)))
    events = []
    try:
        with session.using(plan, make_runner(plan, clocks.hosts())):
            for run in range(runs):
                plain[run] = _timed_run(session, feeds, clocks, on=False)[1]
                start, totals[run] = _timed_run(session, feeds, clocks, on=True)
                spent[run], between[run] = clocks.read(), clocks.between()
                call[run] = clocks.around(start, float(totals[run]))
                if run >= runs - traced:
                    events.append((start, float(totals[run]), clocks.events(spent[run])))
    finally:
        plan.program.profile(False)
        session.reset()
    half = (runs + 1) // 2
    fast = np.argsort(totals, kind="stable")[:half]
    reading, steps = _clock_seconds(), np.array([span.end - span.begin for span in plan.spans])
    means = np.maximum(spent[fast].mean(axis=0) - reading * steps, 0.0)
    rows = [_row(span, plan, float(s)) for span, s in zip(plan.spans, means, strict=True)]
    return Profile(
        rows,
        float(np.sort(plain)[:half].mean()),
        max(float(call[fast].mean()) - reading, 0.0),
        2 * reading * (len(plan.program) + 1),
        half,
        events,
        max(float(between[fast].mean()) - reading * (len(plan.program) + 1), 0.0),
    )


def _clock_seconds() -> float:
    """Return what a profiled program takes to read a clock once: it does so twice a step."""
    program, done, sink = Program(0, "", 1), np.zeros(1, np.int64), np.zeros(1, np.float32)
    for _ in range(EMPTY_STEPS):
        program.peak_chain(0, 0, 0, done.ctypes.data, sink.ctypes.data)
    found = []
    for _ in range(EMPTY_STEPS):
        program.profile(True)
        program.run()
        found.append(min(sum(program.times), program.elapsed - sum(program.times)))
    return float(min(found)) * 1e-9 / EMPTY_STEPS


def _timed_run(
    session: Session, feeds: Mapping[str, Array], clocks: _Clocks, on: bool
) -> tuple[float, float]:
    """Time a run that follows one of its kind, which leaves caches and branches as itself does."""
    for _ in range(2):
        clocks.begin(on)
        start = time.perf_counter()
        session.run(feeds)
        seconds = time.perf_counter() - start
    return start, seconds


class _Clocks:
    """Clocks around host steps, and the program's own at native ones."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begun: dict[int, float] = {}
        self.ended: dict[int, float] = {}
        self.took: dict[int, float] = {}

    def hosts(self) -> Hosts:
        """Return the plan's host steps with a clock around each."""
        return {step: self._timed(step, host) for step, host in self.plan.hosts.items()}

    def _timed(self, step: int, host: Host) -> Host:
        def run() -> None:
            start = time.perf_counter()
            host()
            self.ended[step] = time.perf_counter()
            self.begun.setdefault(step, start)
            self.took[step] = self.took.get(step, 0.0) + self.ended[step] - start

        return run

    def begin(self, on: bool) -> None:
        """Begin anew, with or without the program's clocks."""
        self.plan.program.profile(on)
        for times in (self.begun, self.ended, self.took):
            times.clear()

    def read(self) -> Array:
        """Return the seconds of each node in the one run since profiling was switched on."""
        times = np.array(self.plan.program.times, dtype=np.float64) * 1e-9
        for step, seconds in self.took.items():
            times[step] += seconds
        steps = np.concatenate([[0.0], np.cumsum(times)])
        return np.array([steps[span.end] - steps[span.begin] for span in self.plan.spans])

    def between(self) -> float:
        """Return the seconds inside the native calls of that run in which no step ran."""
        program = self.plan.program
        return float(program.elapsed - sum(program.times)) * 1e-9

    def around(self, start: float, seconds: float) -> float:
        """Return how much of that run lies before its first node and after its last."""
        program = self.plan.program
        native = [(program.began * 1e-9, program.ended * 1e-9)] if program.elapsed else []
        host = [(begin, self.ended[step]) for step, begin in self.begun.items()]
        begins, ends = zip(*native, *host, (start + seconds, start), strict=True)
        first, last = min(begins), max(ends)
        around = max(first - start, 0.0) + max(start + seconds - last, 0.0)
        return float(min(seconds, around))

    def events(self, seconds: Array) -> list[Event]:
        """Return when each node of the last run began."""
        starts = [start * 1e-9 for start in self.plan.program.starts]
        for step, begun in self.begun.items():
            starts[step] = begun
        found = []
        for index, span in enumerate(self.plan.spans):
            ran = [start for start in starts[span.begin : span.end] if start]
            if ran:
                found.append(Event(index, min(ran), float(seconds[index])))
        return found


def _row(span: NodeSpan, plan: Plan, seconds: float) -> dict[str, Any]:
    node, types = span.item.node, span.item.types
    steps = [plan.program.steps[i] for i in range(span.begin, span.end)]
    kernels = list(dict.fromkeys(name for name, _ in steps if name != "flow"))
    kernels += ["host step"] * span.host
    cost = node.op.cost(types)
    first = types.inputs[0] if types.inputs else None
    return {
        "name": node.name,
        "op": node.op.title,
        "kernel": "+".join(kernels) or ("joined" if span.joined else "view"),
        "seconds": seconds,
        "macs": int(cost.macs),
        "bytes": int(cost.bytes),
        "threads": max((threads for _, threads in steps), default=1),
        "int8": first is not None and first.dtype in (DType.INT8, DType.UINT8),
    }
