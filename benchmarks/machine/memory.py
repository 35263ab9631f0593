"""What a core of this machine has done at its best: known from earlier runs, kept in a file.

A virtual machine's core may be shared with another guest, or run at a lower clock, for a whole run,
and nothing in /proc tells. Within that run nothing varies, so only an earlier run can show it. The
file is ``$XDG_CACHE_HOME/linnet/cores.json`` (``~/.cache``); where it cannot be written nothing is
kept. Deleting it forgets.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linnet.kernels import _core

from .conditions import Verdict
from .peak import Reading, SpeedProbe
from .system import System

# A sibling hyperthread that is busy takes about half; probes are uncertain by some percent.
SHARED = 0.75
SLOW = 0.9
# So many models' clocks are kept.
MODELS = 256
# A core of which nothing is known is watched for so long. It may be free a tenth of that time.
SURVEY_SECONDS, SURVEY_BEST = 1.0, 95


@dataclass(frozen=True)
class Core:
    """The best that is known of a core; 0.0 where nothing is.

    Parameters
    ----------
    work : float
        Multiply-accumulates per link of a chain, see `linnet.benchmarks.machine.peak.SpeedProbe`.
    speed : float
        Links per second while a certain model runs: wide instructions lower a clock.
    """

    work: float = 0.0
    speed: float = 0.0


UNKNOWN = Core()


def cache_file() -> Path:
    """Return where the file is."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "linnet" / "cores.json"


def core_name(machine: System, threads: int) -> str:
    """Return under what a core's best is kept: what its work depends on."""
    return f"{machine.cpu_model()}, {_core.default_isa()}, {threads} threads"


def recall(core: str, model: str, file: Path | None = None) -> Core:
    """Return what is known of a core.

    Parameters
    ----------
    core : str
        See `core_name`.
    model : str
        The model and how it runs: what the clock depends on.
    file : path, optional
        By default `cache_file`.
    """
    found = _read(file or cache_file()).get(core, {})
    return Core(found.get("work", 0.0), found.get("clocks", {}).get(model, 0.0))


def survey(probe: SpeedProbe, seconds: float = SURVEY_SECONDS) -> Core:
    """Return what a core does at its best within a second."""
    works = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        works.append(probe.read().work)
        time.sleep(0.002)
    return Core(float(np.percentile(works, SURVEY_BEST)))


def remember(
    core: str, model: str, known: Core, readings: Sequence[Reading], file: Path | None = None
) -> None:
    """Keep what these readings, or what is known, say of a core's best; see `recall`."""
    path = file or cache_file()
    # Single readings may be too high, where an interrupt met half of a probe alone.
    speed, work = np.percentile(np.array(readings), 80, axis=0).tolist()
    best = Core(max(work, known.work), max(speed, known.speed))
    if best == recall(core, model, path):
        return
    cores = _read(path)
    clocks = {**cores.get(core, {}).get("clocks", {}), model: best.speed}
    latest = dict(list(clocks.items())[-MODELS:])
    _write(path, cores | {core: {"work": best.work, "clocks": latest}})


def judge_core(readings: Sequence[Reading], known: Core, verdict: Verdict) -> None:
    """Add a problem where a core did far less than it is known to do, or at a lower clock."""
    speed, work = np.median(np.array(readings), axis=0).tolist()
    if work < SHARED * known.work:
        verdict.problems.append(
            f"the core did {work / known.work:.2f} of the work per cycle that it has done before: "
            "something shares it (a sibling hyperthread, another guest)"
        )
    if speed < SLOW * known.speed:
        verdict.problems.append(
            f"the core's clock was at {speed / known.speed:.2f} of the best that is known of it "
            "with this model"
        )


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text())
        return {
            str(core): {
                "work": float(facts["work"]),
                "clocks": {str(name): float(speed) for name, speed in facts["clocks"].items()},
            }
            for core, facts in found.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(path: Path, cores: dict[str, dict[str, Any]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(cores) + "\n")
        draft.replace(path)
    except OSError:
        return
