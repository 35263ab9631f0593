"""One process of a measurement: it loads a model, warms up, and times runs in rounds.

`sit` starts it. It finds its `Task` in a folder and leaves its `Sitting` there, or the error that
it met.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.errors import InputError, LinnetError
from linnet.session import Session
from linnet.types import Array

from ..machine.peak import SpeedProbe
from ..machine.pin import one_cpu
from ..machine.system import System
from ..machine.watch import Watch
from .measured import Rounds
from .settings import Settings

Share = Callable[[float], None]
Clock = Callable[[], float]
Run = Callable[[], object]
LOOK_EVERY = 0.1
LONG_WARMUP = 3.0


@dataclass(frozen=True)
class Task:
    """What one process is to measure.

    Parameters
    ----------
    model : str
        A ``.linnet`` file.
    feeds : dict of str to ndarray
    settings : Settings
    describe : bool
        Whether the facts tell of the plan, which takes making it.
    """

    model: str
    feeds: dict[str, Array]
    settings: Settings
    describe: bool = True


@dataclass(frozen=True)
class Sitting:
    """What one process has measured.

    Parameters
    ----------
    rounds : Rounds
    facts : dict
        Load and first run, kernels and memory.
    cpus : set of int
        Where it ran, if it was kept on one CPU.
    """

    rounds: Rounds
    facts: dict[str, Any]
    cpus: set[int]


def sit(task: Task, folder: Path, share: Share) -> Sitting:
    """Measure in a process of its own.

    Parameters
    ----------
    task : Task
    folder : path
        For what the two processes tell each other.
    share : callable
        Told the share done, 0 to 1.

    Raises
    ------
    LinnetError
        As loading and running the model do.
    """
    (folder / "task").write_bytes(pickle.dumps(task))
    code = "import sys; from linnet.benchmarks.latency.sitting import main; main(sys.argv[1])"
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            share(float(line))
    if process.returncode:
        raise InputError(f"the measuring process ended with exit code {process.returncode}")
    found = pickle.loads((folder / "sitting").read_bytes())
    if isinstance(found, LinnetError):
        raise found
    assert isinstance(found, Sitting)
    return found


def measure_here(task: Task, share: Share) -> Sitting:
    """Measure in this process; see `sit`."""
    machine, settings = System(), task.settings
    resident = machine.memory("VmRSS") or 0
    start = time.perf_counter()
    session = linnet.load(task.model, threads=settings.threads, isa=settings.isa)
    loaded = time.perf_counter()
    session.run(task.feeds)
    facts: dict[str, Any] = {
        "load": loaded - start,
        "first": time.perf_counter() - loaded,
        "load_memory_bytes": max((machine.memory("VmRSS") or 0) - resident, 0),
    }
    probe = SpeedProbe(settings.threads)
    with one_cpu(probe, settings.threads) as pin:
        pin.choose()
        run = partial(session.run, task.feeds)
        warm_up(run, settings)
        facts["peak_memory_bytes"] = machine.memory("VmHWM")
        rounds = run_rounds(run, settings, Watch(machine, probe), share)
    if task.describe:
        facts |= _plan_facts(session, task.feeds)
    return Sitting(rounds, facts, pin.used)


def warm_up(run: Run, settings: Settings) -> None:
    """Run uncounted for the settings' seconds and at least their number of runs."""
    begin = time.perf_counter()
    done, spent = 0, 0.0
    while spent < settings.warmup or (done < settings.warmup_runs and spent < LONG_WARMUP):
        run()
        done, spent = done + 1, time.perf_counter() - begin


def run_rounds(
    run: Run,
    settings: Settings,
    watch: Watch,
    share: Share = lambda done: None,
    clock: Clock = time.perf_counter,
) -> Rounds:
    """Repeat a call in rounds until the number of runs or the time is over.

    Parameters
    ----------
    run : callable
    settings : Settings
    watch : Watch
        Reads the core before and after every round, and looks at the machine now and then.
    share : callable
    clock : callable
        Returns seconds.
    """
    done = Rounds()
    reading = watch.read()
    done.snapshots.append(watch.look(reading))
    before = watch.meter.read()
    begin = looked = clock()
    while True:
        done.spans.append(len(done.snapshots) - 1)
        left = settings.runs - sum(map(len, done.samples)) if settings.runs else 0
        done.samples.append(_round(run, settings, left, clock))
        done.edges.append((reading, reading := watch.read()))
        now = clock()
        if settings.runs:
            past = sum(map(len, done.samples)) / settings.runs
        else:
            past = (now - begin) / settings.seconds
        if past >= 1.0:
            break
        if now - looked >= LOOK_EVERY:
            done.snapshots.append(watch.look(reading))
            looked = now
            share(past)
    after = watch.meter.read()
    done.snapshots.append(watch.look(reading))
    done.processes = [0] * len(done.samples)
    if before is not None and after is not None:
        done.joules = after - before
    return done


def _round(run: Run, settings: Settings, left: int, clock: Clock) -> Array:
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


def main(folder: str) -> None:
    """Be such a process."""
    place = Path(folder)
    task = pickle.loads((place / "task").read_bytes())
    found: Sitting | LinnetError
    try:
        found = measure_here(task, lambda done: print(done, flush=True))
    except LinnetError as error:
        found = error
    (place / "sitting").write_bytes(pickle.dumps(found))
