"""What a core of this machine has done at its best: known from earlier runs, kept in a file.

A virtual machine's core may be shared with another guest for a whole run, and nothing in /proc
tells. Within that run nothing varies, so only an earlier run can show it. The file is
``$XDG_CACHE_HOME/linnet/cores.json`` (``~/.cache``); where it cannot be written nothing is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .conditions import Snapshot, Verdict

# A sibling hyperthread that is busy takes about half; probes are uncertain by some percent.
SHARED = 0.75


def cache_file() -> Path:
    """Return where the file is."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "linnet" / "cores.json"


def best_work(core: str, file: Path | None = None) -> float:
    """Return the most work per link of a chain that a core is known to have done, 0.0 for none."""
    return _read(file or cache_file()).get(core, 0.0)


def judge_core(
    snapshots: Sequence[Snapshot], core: str, verdict: Verdict, file: Path | None = None
) -> None:
    """Add a problem where a core did far less per cycle than before, and remember its best.

    Parameters
    ----------
    snapshots : sequence of Snapshot
    core : str
        CPU and instruction set: what the work depends on.
    verdict : Verdict
    file : path, optional
        By default `cache_file`.
    """
    per_cycle = [s.work / s.speed for s in snapshots if s.work and s.speed]
    if not per_cycle:
        return
    path = file or cache_file()
    known = _read(path)
    # Single readings may be too high, where an interrupt met the chain alone.
    usual, best = (float(v) for v in np.percentile(per_cycle, [50, 80]))
    before = known.get(core, 0.0)
    shared = any("something shares it" in problem for problem in verdict.problems)
    if usual < SHARED * before and not shared:
        verdict.problems.append(
            f"the core did {usual / before:.2f} of the work per cycle that it has done before: "
            "something shares it (a sibling hyperthread, another guest)"
        )
    if best > before:
        _write(path, known | {core: best})


def _read(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_text())
        return {str(name): float(value) for name, value in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(path: Path, known: dict[str, float]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(known) + "\n")
        draft.replace(path)
    except OSError:
        return
