"""Whether runs of ``linnet bench`` in a row agree within the intervals that they report.

``python -m linnet.benchmarks.repeat MODEL [--runs 10] [--json FILE] [-- OPTIONS of linnet bench]``

Every run is a process of its own. Two neighbors that are both valid make a pair; a pair agrees
where each median lies in the other's interval, which is meant to hold it nineteen times of twenty:
of ten pairs, nine are to agree. With ``--json`` the runs join those that the file
holds already, so that they may be taken in several goes; pairs never span two goes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from linnet.commands.tables import progress, time_text

from .machine.describe import describe_machine

KEPT = ("threads", "valid", "problems", "stable", "runs", "p50", "interval", "cpus")
Run = dict[str, Any]


def agree(first: Run, second: Run) -> bool:
    """Whether the median of each run lies in the other's interval.

    Examples
    --------
    >>> agree({"p50": 10.0, "interval": [9, 11]}, {"p50": 10.5, "interval": [9.9, 11]})
    True
    >>> agree({"p50": 10.0, "interval": [9, 10.2]}, {"p50": 10.5, "interval": [9.9, 11]})
    False
    """
    pairs = ((first, second), (second, first))
    return all(a["interval"][0] <= b["p50"] <= a["interval"][1] for a, b in pairs)


def pairs_of(goes: Sequence[Sequence[Run]]) -> list[tuple[Run, Run]]:
    """Return neighbors of the same go that are both valid."""
    return [
        (a, b) for go in goes for a, b in pairwise(go) if a["valid"] and b["valid"]
    ]  # fmt: skip


def bench(model: str, options: Sequence[str]) -> Run:
    """Run ``linnet bench`` once in a process of its own."""
    command = [sys.executable, "-m", "linnet", "bench", model, "--json", "--no-ops", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)["results"][0]
    return {name: result[name] for name in KEPT}


def main() -> int:
    """Run, print the pairs, exit 1 where fewer than nine of ten agree."""
    arguments, more = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, more = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    known: dict[str, Any] = {}
    if options.json and options.json.exists():
        known = json.loads(options.json.read_text())["models"]
    name = "/".join(Path(options.model).absolute().parts[-2:])
    goes = known.setdefault(name, [])
    goes.append([])
    with progress("measuring") as advance:
        for index in range(options.runs):
            goes[-1].append(bench(options.model, more))
            advance((index + 1) / options.runs)
            if options.json:
                report = {"machine": describe_machine(), "options": more, "models": known}
                options.json.write_text(json.dumps(report, indent=1) + "\n")
    pairs = pairs_of(goes)
    for a, b in pairs:
        ends = " ".join(
            f"[{time_text(r['interval'][0])}, {time_text(r['interval'][1])}]" for r in (a, b)
        )
        word = "agree" if agree(a, b) else "DIFFER"
        print(f"{time_text(a['p50'])} and {time_text(b['p50'])}: {ends} {word}")
    good, count = sum(agree(a, b) for a, b in pairs), sum(map(len, goes))
    valid = sum(run["valid"] for go in goes for run in go)
    widths = [
        (r["interval"][1] / r["interval"][0] - 1) / 2 for go in goes for r in go if r["valid"]
    ]
    half = f"; half an interval is {100 * statistics.median(widths):.1f} %" if widths else ""
    print(f"{name}: {valid} of {count} runs valid, {good} of {len(pairs)} pairs agree{half}")
    return int(good < 0.9 * len(pairs))


if __name__ == "__main__":
    raise SystemExit(main())
