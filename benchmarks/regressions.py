"""Compare two results of the suites and fail only beyond their noise.

``python -m linnet.benchmarks.regressions OLD.json NEW.json [--allow 5]``

Results that were made in turns (`linnet.benchmarks.rounds --base`) are compared round by round, so
that what slowed both down cancels. Others are compared by their medians, in units of the core's
speed at each round, which takes out its frequency and nothing else.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.commands.tables import show_table

from .latency.spread import ratio_interval


@dataclass(frozen=True)
class Change:
    """New over old time of one benchmark.

    Parameters
    ----------
    name, group : str
    ratio, low, high : float
        With the interval's ends.
    verdict : str
        "slower" and "faster" where the whole interval is beyond what is allowed, else "same".
    """

    name: str
    group: str
    ratio: float
    low: float
    high: float
    verdict: str


def compare_results(old: dict[str, Any], new: dict[str, Any], allow: float) -> list[Change]:
    """Return the change of every benchmark that both results have, the slowest first.

    Parameters
    ----------
    old, new : dict
        As `linnet.benchmarks.rounds` writes them.
    allow : float
        Share that counts as no change.
    """
    paired = old["pair"] == new["pair"]
    changes = []
    for name, after in new["benchmarks"].items():
        before = old["benchmarks"].get(name)
        if before is None:
            continue
        first, second = before["rounds"], after["rounds"]
        if paired and len(first) == len(second):
            ratio, low, high = ratio_interval(first, second, True)
        else:
            ratio, low, high = ratio_interval(
                _cycles(first, old["speeds"]), _cycles(second, new["speeds"]), False
            )
        verdict = "slower" if low > 1 + allow else "faster" if high < 1 / (1 + allow) else "same"
        changes.append(Change(name, after["group"], ratio, low, high, verdict))
    return sorted(changes, key=lambda change: -change.ratio)


def _cycles(rounds: Sequence[float], speeds: Sequence[float | None]) -> list[float]:
    if len(speeds) != len(rounds) or any(speed is None for speed in speeds):
        return list(rounds)
    return [seconds * (speed or 1.0) for seconds, speed in zip(rounds, speeds, strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what changed; return 1 where something became slower."""
    parser = argparse.ArgumentParser(
        prog="python -m linnet.benchmarks.regressions", description=__doc__
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument(
        "--allow", type=float, default=5.0, metavar="PERCENT",
        help="a change whose whole interval is not beyond this is none (default 5)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    old, new = (json.loads(path.read_text()) for path in (options.old, options.new))
    changes = compare_results(old, new, options.allow / 100)
    if not changes:
        print("the two results have no benchmark in common")
        return 1
    show_changes(changes, old["pair"] == new["pair"])
    for label, result in (("old", old), ("new", new)):
        for problem in result["problems"]:
            print(f"{label} is INVALID: {problem}")
    return 1 if any(change.verdict == "slower" for change in changes) else 0


def show_changes(changes: Sequence[Change], paired: bool) -> None:
    """Print the benchmarks that changed and the geometric mean of every group."""
    rows = [
        (c.verdict, c.name, f"{c.ratio:.3f}", f"{c.low:.3f} to {c.high:.3f}")
        for c in changes
        if c.verdict != "same"
    ]
    how = "paired rounds" if paired else "separate runs, in cycles of the core"
    title = f"New over old time, 99 % intervals, {how}"
    show_table(title, ("verdict", "benchmark", "ratio", "interval"), rows)
    groups: dict[str, list[float]] = {}
    for change in changes:
        groups.setdefault(change.group or "-", []).append(math.log(change.ratio))
    means = [
        (name, len(logs), f"{math.exp(sum(logs) / len(logs)):.3f}") for name, logs in groups.items()
    ]
    show_table("", ("group", "benchmarks", "geometric mean"), means)
    counts = {v: sum(c.verdict == v for c in changes) for v in ("slower", "faster", "same")}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


if __name__ == "__main__":
    raise SystemExit(main())
