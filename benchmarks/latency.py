"""Latency of one model: load, first run, rounds until the median is stable."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.session import Session
from linnet.types import Array

from .conditions import Snapshot, Verdict, judge, take
from .gate import Gate, gate
from .memory import best_work, judge_core
from .peak import SpeedProbe
from .pin import one_cpu
from .power import EnergyMeter
from .spread import repeat_interval, summarize
from .system import System

Share = Callable[[float], None]
Clock = Callable[[], float]
# So many raw samples are kept of a measurement, evenly spaced; the figures use them all.
KEPT = 20_000
LEAST_ROUNDS = 8
LONG_WARMUP = 5.0
# So many times in the shortest measurement the model is loaded anew: other addresses of its data
# make it faster or slower, as another run of the command would find it.
SITTINGS = 4
SHORT_WARMUP = 0.02
# Of the time until the next sitting, where loading takes longer there is but one.
LOAD_SHARE = 0.2
Run = Callable[[], object]


@dataclass(frozen=True)
class Settings:
    """How long to measure.

    Parameters
    ----------
    threads : int
    warmup : float
        Seconds of runs that are not counted.
    least, most : float
        Seconds to measure: at least, and at most where the median does not become stable before.
    stable : float
        The median is stable when its interval's half is below this share of it.
    runs : int
        Measure exactly so many runs instead; 0 goes by time.
    warmup_runs : int
        At least so many runs before measuring, unless they take five seconds: the first ten runs
        of a plan are trials that settle its threads.
    delay : float
        Seconds to sleep before every run.
    minutes : float
        Sustained mode: go on for so long and report every minute; 0 for none.
    isa : str
    """

    threads: int = 1
    warmup: float = 0.3
    least: float = 3.0
    most: float = 10.0
    stable: float = 0.01
    runs: int = 0
    warmup_runs: int = 12
    delay: float = 0.0
    minutes: float = 0.0
    isa: str = ""

    @property
    def round_seconds(self) -> float:
        """Length of a round: long enough for a clock, short enough for many rounds."""
        if self.minutes:
            return min(5.0, self.minutes * 2)
        return min(max(self.least / 60, 0.005), 0.1)


@dataclass
class Rounds:
    """What was measured: every round's samples in seconds, its sitting, the machine after each."""

    samples: list[Array] = field(default_factory=list)
    sittings: list[int] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    joules: float | None = None
    stable: bool = False

    @property
    def medians(self) -> list[float]:
        """The median of each round."""
        return [float(np.median(samples)) for samples in self.samples]

    def gate(self, settings: Settings, best: float) -> Gate:
        """Return which rounds count: all where exactly these runs were asked for."""
        if settings.runs or settings.minutes:
            return Gate((True,) * len(self.samples))
        return gate(self.snapshots, best)

    def of(self, kept: Sequence[bool]) -> Rounds:
        """Return some of the rounds; snapshots stay those of all."""
        places = np.flatnonzero(kept)
        return replace(
            self,
            samples=[self.samples[i] for i in places],
            sittings=[self.sittings[i] for i in places],
        )

    def interval(self, aside: float = 0.0) -> tuple[float, float]:
        """Return where the median of another such run is expected."""
        return repeat_interval(self.medians, self.sittings, aside)


class Watch:
    """Takes snapshots of one machine; made anew for every measurement.

    Parameters
    ----------
    system : System
    probe : SpeedProbe, optional
        Reads the core's speed.
    """

    def __init__(self, system: System, probe: SpeedProbe | None = None) -> None:
        self.system = system
        self.meter = EnergyMeter(system)
        self._probe = probe or SpeedProbe()

    def look(self) -> Snapshot:
        """Return the machine's state now."""
        return take(self.system, self._probe.read(), self._probe.work())


def measure(
    source: str | Graph,
    feeds: dict[str, Array],
    settings: Settings,
    system: System | None = None,
    share: Share = lambda done: None,
) -> dict[str, Any]:
    """Load a model and time it.

    Parameters
    ----------
    source : str or Graph
        A ``.linnet`` file, which is read and checked as part of the load time, or a graph.
    feeds : dict of str to ndarray
    settings : Settings
    system : System, optional
        The machine; by default this one.
    share : callable
        Told the share done, 0 to 1.

    Returns
    -------
    dict
        One entry of ``results`` as `benchmarks/bench.schema.json` describes it.
    """
    machine = system or System()
    resident = machine.memory("VmRSS") or 0
    start = time.perf_counter()
    session = linnet.load(source, threads=settings.threads, isa=settings.isa)
    loaded = time.perf_counter()
    session.run(feeds)
    first = time.perf_counter() - loaded
    facts = {
        "load": loaded - start,
        "first": first,
        "load_memory_bytes": max((machine.memory("VmRSS") or 0) - resident, 0),
        **_plan_facts(session, feeds),
    }
    core = f"{machine.cpu_model()}, {_core.default_isa()}"
    best = best_work(core)
    brief = loaded - start + first < LOAD_SHARE * settings.least / SITTINGS
    probe = SpeedProbe()
    watch = Watch(machine, probe)
    with one_cpu(probe, settings.threads) as pin:

        def renew() -> Run:
            pin.choose()
            again = linnet.load(source, threads=settings.threads, isa=settings.isa)
            warm_up(again, feeds, replace(settings, warmup=SHORT_WARMUP))
            return lambda: again.run(feeds)

        pin.choose()
        warm_up(session, feeds, settings)
        facts["peak_memory_bytes"] = machine.memory("VmHWM")
        anew = renew if brief and not (settings.runs or settings.minutes) else None
        run = partial(session.run, feeds)
        rounds = run_rounds(run, settings, watch, share, best=best, renew=anew)
    found = rounds.gate(settings, best)
    kept = found.kept if found.enough else (True,) * len(rounds.samples)
    verdict = judge(rounds.snapshots, machine, kept)
    found.tell(verdict)
    steady = [s for s, keep in zip(rounds.snapshots[1:], kept, strict=True) if keep]
    judge_core(steady, core, verdict)
    return {
        **_result(rounds, kept, settings, verdict),
        **facts,
        "cpus": sorted(pin.used),
        "energy": _energy(rounds, watch.meter),
    }


def warm_up(session: Session, feeds: dict[str, Array], settings: Settings) -> None:
    """Run uncounted for the settings' seconds and at least their number of runs."""
    begin = time.perf_counter()
    done, spent = 0, 0.0
    while spent < settings.warmup or (done < settings.warmup_runs and spent < LONG_WARMUP):
        session.run(feeds)
        done, spent = done + 1, time.perf_counter() - begin


def run_rounds(
    run: Run,
    settings: Settings,
    watch: Watch,
    share: Share = lambda done: None,
    clock: Clock = time.perf_counter,
    best: float = 0.0,
    renew: Callable[[], Run] | None = None,
) -> Rounds:
    """Repeat a call in rounds until its median is stable, its number of runs or its time is over.

    Parameters
    ----------
    run : callable
    settings : Settings
    watch : Watch
        Looks at the machine before the first round and after every round.
    share : callable
    clock : callable
        Returns seconds.
    best : float
        Work per link of a free core, see `gate`.
    renew : callable, optional
        Prepares the next sitting and returns its call.
    """
    done = Rounds()
    done.snapshots.append(watch.look())
    before = watch.meter.read()
    begin = clock()
    while True:
        left = settings.runs - sum(map(len, done.samples)) if settings.runs else 0
        sitting = int((clock() - begin) / max(settings.least, 1e-9) * SITTINGS) if renew else 0
        if renew and done.sittings and sitting > done.sittings[-1]:
            run = renew()
        done.sittings.append(sitting)
        done.samples.append(_round(run, settings, left, clock))
        done.snapshots.append(watch.look())
        after = watch.meter.read()
        spent = clock() - begin
        if _is_over(done, settings, spent, share, best):
            break
    if before is not None and after is not None:
        done.joules = after - before
    return done


def _round(run: Callable[[], object], settings: Settings, left: int, clock: Clock) -> Array:
    samples: list[float] = []
    begin = clock()
    while True:
        if settings.delay:
            time.sleep(settings.delay)
        start = clock()
        run()
        end = clock()
        samples.append(end - start)
        if end - begin >= settings.round_seconds or len(samples) == left:
            return np.array(samples)


def _is_over(done: Rounds, settings: Settings, spent: float, share: Share, best: float) -> bool:
    if settings.minutes:
        share(min(spent / (60 * settings.minutes), 1.0))
        return spent >= 60 * settings.minutes
    if settings.runs:
        counted = sum(map(len, done.samples))
        share(min(counted / settings.runs, 1.0))
        if counted >= settings.runs:
            done.stable = _is_stable(done, settings, best)
        return counted >= settings.runs
    share(min(spent / max(settings.least, 1e-9), 0.99))
    if len(done.samples) < LEAST_ROUNDS or spent < settings.least:
        return False
    done.stable = _is_stable(done, settings, best)
    return done.stable or spent >= settings.most


def _is_stable(done: Rounds, settings: Settings, best: float) -> bool:
    found = done.gate(settings, best)
    if sum(found.kept) < LEAST_ROUNDS or not found.enough:
        return False
    kept = done.of(found.kept)
    low, high = kept.interval()
    return (high - low) / 2 <= settings.stable * float(np.median(kept.medians))


def _result(
    rounds: Rounds, kept: Sequence[bool], settings: Settings, verdict: Verdict
) -> dict[str, Any]:
    counted = rounds.of(kept)
    samples = np.concatenate(counted.samples)
    medians = counted.medians
    low, high = counted.interval(1 - sum(kept) / len(kept))
    if not verdict.valid:
        # What disturbed this run may disturb a repeat more, or not at all.
        low, high = min(low, *medians), max(high, *medians)
    middle = float(np.median(samples))
    stride = -(-len(samples) // KEPT)
    result: dict[str, Any] = {
        "threads": settings.threads,
        "valid": verdict.valid,
        "problems": verdict.problems,
        "warnings": verdict.warnings,
        **summarize(samples),
        "throughput": 1.0 / float(samples.mean()),
        "interval": [min(low, middle), max(high, middle)],
        "stable": rounds.stable,
        "rounds": [
            {"median": median, "runs": len(samples), "sitting": sitting, "kept": keep}
            for median, samples, sitting, keep in zip(
                rounds.medians, rounds.samples, rounds.sittings, kept, strict=True
            )
        ],
        "sample_stride": stride,
        "samples": samples[::stride].tolist(),
        "conditions": [snapshot.as_dict() for snapshot in rounds.snapshots],
    }
    if settings.minutes:
        result["minutes"] = curve(rounds)
    return result


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


def _energy(rounds: Rounds, meter: EnergyMeter) -> dict[str, Any]:
    runs = sum(map(len, rounds.samples))
    joules = None if rounds.joules is None else rounds.joules / runs
    return {"joules_per_run": joules, "sensor": meter.sensor or None, "note": meter.note}


def _plan_facts(session: Session, feeds: dict[str, Array]) -> dict[str, Any]:
    plan = session.plan({name: array.shape for name, array in feeds.items()})
    rows = sorted({plan.program.steps[i][0] for i in range(len(plan.program))})
    return {
        "isa": plan.program.isa,
        "kernels": rows,
        "host_steps": sum(span.host for span in plan.spans),
        "arena_bytes": plan.memory.arena_bytes,
        "scratch_bytes": plan.program.scratch_bytes,
    }


def for_threads(settings: Settings, threads: int) -> Settings:
    """Return the same settings for another number of threads."""
    return replace(settings, threads=threads)
