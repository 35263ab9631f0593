"""Latency of one model: load, first run, rounds until the median is stable."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.session import Session
from linnet.types import Array

from .conditions import Snapshot, Verdict, judge, take
from .gate import Gate
from .measured import Rounds, curve
from .memory import UNKNOWN, Core, judge_core, recall, remember, survey
from .peak import Reading, SpeedProbe
from .pin import one_cpu
from .power import EnergyMeter
from .spread import summarize
from .system import System

Share = Callable[[float], None]
Clock = Callable[[], float]
# So many raw samples are kept of a measurement, evenly spaced; the figures use them all.
KEPT = 20_000
LEAST_ROUNDS = 8
# Seconds: a shared core changes hands every few milliseconds, and a probe takes a fifth of one.
ROUND = 0.003
LONG_ROUND = 5.0
LOOK_EVERY = 0.1
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
    most: float = 20.0
    stable: float = 0.01
    runs: int = 0
    warmup_runs: int = 12
    delay: float = 0.0
    minutes: float = 0.0
    isa: str = ""

    @property
    def round_seconds(self) -> float:
        """Length of a round."""
        return min(LONG_ROUND, 2 * self.minutes) if self.minutes else ROUND

    @property
    def gated(self) -> bool:
        """Whether rounds may be set aside: not where exactly these runs were asked for."""
        return not (self.runs or self.minutes)


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

    def read(self) -> Reading:
        """Return the core's state now."""
        return self._probe.read()

    def look(self, reading: Reading | None = None) -> Snapshot:
        """Return the machine's state now; with a reading that was just taken, or a new one."""
        return take(self.system, *(reading or self.read()))


def measure(
    source: str | Graph,
    feeds: dict[str, Array],
    settings: Settings,
    system: System | None = None,
    share: Share = lambda done: None,
    identity: str = "",
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
    identity : str
        Of the model: its best clock is remembered under it.

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
    core = f"{machine.cpu_model()}, {_core.default_isa()}, {settings.threads} threads"
    how = f"{identity}, {facts['isa']}"
    brief = loaded - start + first < LOAD_SHARE * settings.least / SITTINGS
    probe = SpeedProbe(settings.threads)
    watch = Watch(machine, probe)
    known = recall(core, how)
    if not known.work:
        known = survey(probe)
    with one_cpu(probe, settings.threads) as pin:

        def renew() -> Run:
            pin.choose()
            again = linnet.load(source, threads=settings.threads, isa=settings.isa)
            warm_up(again, feeds, replace(settings, warmup=SHORT_WARMUP))
            return lambda: again.run(feeds)

        pin.choose()
        warm_up(session, feeds, settings)
        facts["peak_memory_bytes"] = machine.memory("VmHWM")
        anew = renew if brief and settings.gated else None
        run = partial(session.run, feeds)
        rounds = run_rounds(run, settings, watch, share, known=known, renew=anew)
    found = _gate(rounds, settings, known)
    kept = found.kept if found.enough else (True,) * len(rounds.samples)
    readings = [reading for edges in rounds.of(kept).edges for reading in edges]
    verdict = _verdict(rounds, found, kept, machine, settings)
    if not settings.gated:
        judge_core(readings, known, verdict)
    remember(core, how, known, readings)
    return {
        **_result(rounds, found, kept, settings, verdict),
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
    known: Core = UNKNOWN,
    renew: Callable[[], Run] | None = None,
) -> Rounds:
    """Repeat a call in rounds until its median is stable, its number of runs or its time is over.

    Parameters
    ----------
    run : callable
    settings : Settings
    watch : Watch
        Reads the core before and after every round, and looks at the machine now and then.
    share : callable
    clock : callable
        Returns seconds.
    known : Core
        Its best.
    renew : callable, optional
        Prepares the next sitting and returns its call.
    """
    done = Rounds()
    reading = watch.read()
    done.snapshots.append(watch.look(reading))
    before = watch.meter.read()
    begin = looked = clock()
    part = 0
    while True:
        done.sittings.append(part if renew else 0)
        done.spans.append(len(done.snapshots) - 1)
        left = settings.runs - sum(map(len, done.samples)) if settings.runs else 0
        done.samples.append(_round(run, settings, left, clock))
        done.edges.append((reading, reading := watch.read()))
        now = clock()
        if _is_over(done, settings, now - begin, share):
            break
        if now - looked >= LOOK_EVERY:
            done.snapshots.append(watch.look(reading))
            looked = now
        parts = int((now - begin) / max(settings.least, 1e-9) * SITTINGS)
        if parts > part:
            part = parts
            if part >= SITTINGS and settings.gated and _is_stable(done, settings, known):
                break
            if renew:
                run = renew()
                reading = watch.read()
    after = watch.meter.read()
    done.snapshots.append(watch.look(reading))
    done.stable = _is_stable(done, settings, known)
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


def _is_over(done: Rounds, settings: Settings, spent: float, share: Share) -> bool:
    """Whether the time is over or the runs are done; tell the share of it."""
    if settings.minutes:
        past = spent / (60 * settings.minutes)
    elif settings.runs:
        past = sum(map(len, done.samples)) / settings.runs
    else:
        past = spent / max(settings.most, 1e-9)
    share(min(past, 1.0))
    return past >= 1.0


def _is_stable(done: Rounds, settings: Settings, known: Core) -> bool:
    if settings.minutes:
        return False
    found = _gate(done, settings, known)
    if sum(found.kept) < LEAST_ROUNDS or not found.enough:
        return False
    kept = done.of(found.kept)
    low, high = kept.interval()
    return (high - low) / 2 <= settings.stable * float(np.median(kept.medians))


def _gate(done: Rounds, settings: Settings, known: Core) -> Gate:
    return done.gate(known) if settings.gated else Gate((True,) * len(done.samples))


def _verdict(
    done: Rounds, found: Gate, kept: Sequence[bool], machine: System, settings: Settings
) -> Verdict:
    seen = done.snapshots
    if settings.gated:
        # Readings beside single rounds say more than these, and the gate has judged them.
        seen = [replace(snapshot, speed=None, work=None) for snapshot in seen]
    verdict = judge(seen, machine, done.spans_of(kept))
    found.tell(verdict)
    return verdict


def _result(
    rounds: Rounds, found: Gate, kept: Sequence[bool], settings: Settings, verdict: Verdict
) -> dict[str, Any]:
    counted = rounds.of(kept)
    samples = np.concatenate(counted.samples)
    medians = counted.medians
    low, high = counted.interval(found.hidden)
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
            {
                "median": median,
                "runs": len(samples),
                "sitting": sitting,
                "kept": keep,
                "snapshot": span,
                "speed": after.speed,
                "work": after.work,
            }
            for median, samples, sitting, keep, span, (_, after) in zip(
                rounds.medians,
                rounds.samples,
                rounds.sittings,
                kept,
                rounds.spans,
                rounds.edges,
                strict=True,
            )
        ],
        "sample_stride": stride,
        "samples": samples[::stride].tolist(),
        "conditions": [snapshot.as_dict() for snapshot in rounds.snapshots],
    }
    if settings.minutes:
        result["minutes"] = curve(rounds)
    return result


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
