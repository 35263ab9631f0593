"""Latency of one model: processes that load and run it, one after the other, until it is known."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.types import Array

from ..machine.conditions import Verdict, judge
from ..machine.memory import Core, core_name, judge_core, recall, remember, survey
from ..machine.peak import SpeedProbe
from ..machine.power import EnergyMeter
from ..machine.system import System
from .gate import Gate
from .measured import Rounds, curve, joined
from .settings import PROCESSES, Settings
from .sitting import Share, Sitting, Task, sit
from .spread import LEAST_PROCESSES, summarize

Sit = Callable[[int], Sitting]
Clock = Callable[[], float]
# So many raw samples are kept of a measurement, evenly spaced; the figures use them all.
KEPT = 20_000
LEAST_ROUNDS = 8
# Seconds of runs that are not counted, from the second process on.
SHORT_WARMUP = 0.03


def measure(
    source: str | Graph,
    feeds: dict[str, Array],
    settings: Settings,
    share: Share = lambda done: None,
    identity: str = "",
) -> dict[str, Any]:
    """Time a model in processes of their own.

    Parameters
    ----------
    source : str or Graph
        A ``.linnet`` file, or a graph, which is written to one.
    feeds : dict of str to ndarray
    settings : Settings
    share : callable
        Told the share done, 0 to 1.
    identity : str
        Of the model: its best clock is remembered under it.

    Returns
    -------
    dict
        One entry of ``results`` as `benchmarks/latency/bench.schema.json` describes it.
    """
    machine = System()
    core = core_name(machine, settings.threads)
    how = f"{identity}, {settings.isa or _core.default_isa()}"
    known = recall(core, how)
    if not known.work:
        known = survey(SpeedProbe(settings.threads))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if isinstance(source, Graph):
            linnet.save(source, folder / "model.linnet")
            source = str(folder / "model.linnet")
        first = Task(source, feeds, settings)
        alone: Share = (lambda done: None) if settings.gated else share
        later = replace(first, settings=replace(settings, warmup=SHORT_WARMUP), describe=False)

        def sit_down(index: int) -> Sitting:
            return sit(later if index else first, folder, alone)

        sittings, stable = take_sittings(sit_down, settings, known, share)
    rounds = joined([sitting.rounds for sitting in sittings])
    found = _gate(rounds, settings, known)
    kept = found.kept if found.enough else (True,) * len(rounds.samples)
    readings = [reading for edges in rounds.of(kept).edges for reading in edges]
    verdict = _verdict(rounds, found, kept, machine, settings)
    if not settings.gated:
        judge_core(readings, known, verdict)
    remember(core, how, known, readings)
    return {
        **_result(rounds, found, kept, settings, verdict),
        **sittings[0].facts,
        "stable": stable,
        "cpus": sorted(set().union(*(sitting.cpus for sitting in sittings))),
        "energy": _energy(rounds, EnergyMeter(machine)),
    }


def take_sittings(
    sit_down: Sit,
    settings: Settings,
    known: Core,
    share: Share = lambda done: None,
    clock: Clock = time.perf_counter,
) -> tuple[list[Sitting], bool]:
    """Let processes measure until the median is known or the time is over.

    Parameters
    ----------
    sit_down : callable
        Lets the process of a number, from 0, measure.
    settings : Settings
        Where it asks for a number of runs or minutes, one process makes them all.
    known : Core
        Its best.
    share : callable
    clock : callable
        Returns seconds.

    Returns
    -------
    list of Sitting, bool
        And whether the median is known.
    """
    begin = clock()
    sittings: list[Sitting] = []
    while True:
        sittings.append(sit_down(len(sittings)))
        count, spent = len(sittings), clock() - begin
        over = spent * (1 + 1 / count) > settings.most and count >= LEAST_PROCESSES
        if over or not settings.gated:
            break
        share(max(min(count / PROCESSES, 0.5), min(spent / settings.most, 1.0)))
        if count >= PROCESSES and _is_stable(sittings, settings, known):
            break
    return sittings, _is_stable(sittings, settings, known)


def _is_stable(sittings: Sequence[Sitting], settings: Settings, known: Core) -> bool:
    if settings.minutes:
        return False
    rounds = joined([sitting.rounds for sitting in sittings])
    found = _gate(rounds, settings, known)
    if sum(found.kept) < LEAST_ROUNDS or not found.enough:
        return False
    kept = rounds.of(found.kept)
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
        "rounds": [
            {
                "median": median,
                "runs": len(samples),
                "process": process,
                "kept": keep,
                "snapshot": span,
                "speed": after.speed,
                "work": after.work,
            }
            for median, samples, process, keep, span, (_, after) in zip(
                rounds.medians,
                rounds.samples,
                rounds.processes,
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
