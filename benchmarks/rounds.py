"""Run the pytest-benchmark suites in rounds; two source trees take turns, so that rounds pair.

``python -m linnet.benchmarks.rounds [--base TREE] [--rounds 5] [-k WORDS] [-o FILE]``

The result is benchmarks/results/<cpu>-<date>.json; with ``--base`` a second one, <...>-base.json.
`linnet.benchmarks.regressions` compares two of them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from linnet.commands.tables import json_text, progress

from .machine.conditions import judge
from .machine.describe import describe_machine
from .machine.system import System
from .machine.watch import Watch

ROOT = Path(__file__).resolve().parent.parent


class Tree:
    """One source tree whose suites are run.

    Parameters
    ----------
    folder : path
        A checkout; what is built in place there is taken before what is installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.found: dict[str, dict[str, Any]] = {}

    def run(self, words: str) -> float:
        """Run the suites once and add a round to each benchmark; return the CPU seconds used."""
        before = os.times()
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "round.json"
            command = [sys.executable, "-m", "pytest", "-q", "-o", "python_files=bench_*.py"]
            command += ["--benchmark-only", f"--benchmark-json={target}", "-p", "no:cacheprovider"]
            command += ["--import-mode=importlib", *(["-k", words] if words else [])]
            mirror = self.folder / "build" / "tree"
            built = any((mirror / "linnet" / "kernels").glob("_core.*.so"))
            path = {"PYTHONPATH": str(mirror)} if built else {}
            done = subprocess.run(
                [*command, "benchmarks"], cwd=self.folder, env={**os.environ, **path},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode or not target.exists():
                said = done.stdout[-3000:] + done.stderr[-3000:]
                raise SystemExit(
                    f"the suites of {self.folder} failed, exit code {done.returncode}:\n{said}"
                )
            self._note(json.loads(target.read_text()))
        after = os.times()
        return (
            after.children_user + after.children_system - before.children_user
            - before.children_system
        )  # fmt: skip

    def _note(self, report: dict[str, Any]) -> None:
        for one in report["benchmarks"]:
            file, _, test = one["fullname"].partition("::")
            name = f"{Path(file).name}::{test}"
            found = self.found.setdefault(name, {"group": one["group"], "rounds": []})
            found["rounds"].append(one["stats"]["median"])
            found["facts"] = one["extra_info"]


def run_rounds(trees: Sequence[Tree], rounds: int, words: str = "") -> dict[str, Any]:
    """Run every tree's suites in turns.

    Returns
    -------
    dict
        ``valid``, ``problems``, ``warnings``, and ``speeds``: of the core before every round, in
        links of a chain of dependent operations per second.
    """
    watch = Watch(System())
    snapshots = [watch.look()]
    used = 0.0
    with progress("running the suites") as advance:
        for index in range(rounds):
            for tree in trees if index % 2 == 0 else reversed(trees):
                used += tree.run(words)
            seen = watch.look()
            snapshots.append(replace(seen, own=seen.own + used))
            advance((index + 1) / rounds)
    verdict = judge(snapshots, watch.system)
    return {
        "valid": verdict.valid,
        "problems": verdict.problems,
        "warnings": verdict.warnings,
        "speeds": [snapshot.speed for snapshot in snapshots[:-1]],
    }


def result_name(machine: dict[str, Any], date: datetime.date) -> str:
    """Return the name of a result: <cpu>-<date>.

    Examples
    --------
    >>> result_name({"cpu": "Raspberry Pi 5 Model B Rev 1.0"}, datetime.date(2026, 1, 2))
    'raspberry-pi-5-model-b-rev-1-0-2026-01-02'
    """
    words = re.sub(r"\((r|tm|c)\)", " ", machine["cpu"].lower())
    return f"{re.sub(r'[^a-z0-9]+', '-', words).strip('-')}-{date.isoformat()}"


def joined(before: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return a result with the benchmarks of an earlier one; what was wrong with either stays.

    Examples
    --------
    >>> first = {"valid": False, "problems": ["busy"], "warnings": [], "benchmarks": {"a": 1}}
    >>> second = {"valid": True, "problems": [], "warnings": [], "benchmarks": {"b": 2}}
    >>> joined(first, second)["valid"], joined(first, second)["benchmarks"]
    (False, {'a': 1, 'b': 2})
    """
    notes = {
        key: list(dict.fromkeys([*before[key], *made[key]])) for key in ("problems", "warnings")
    }
    both = {**before["benchmarks"], **made["benchmarks"]}
    return {**made, **notes, "valid": before["valid"] and made["valid"], "benchmarks": both}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites and write the results; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m linnet.benchmarks.rounds", description=__doc__)
    parser.add_argument("--base", type=Path, help="a second checkout, built in place, to pair with")
    parser.add_argument("--tree", type=Path, default=Path.cwd(), help="the checkout (default here)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-k", dest="words", default="", help="benchmarks to run, as pytest's -k")
    parser.add_argument("-o", "--output", type=Path, help="the result's file")
    parser.add_argument(
        "--add", action="store_true", help="keep the benchmarks that the file already holds"
    )
    options = parser.parse_args(arguments)
    machine = describe_machine()
    folder = options.tree / "benchmarks" / "results"
    name = result_name(machine, datetime.date.today())
    target = options.output or folder / f"{name}.json"
    trees = [Tree(options.tree), *([Tree(options.base)] if options.base else [])]
    facts = run_rounds(trees, options.rounds, options.words)
    head = {"schema": "linnet-suite-1", "machine": machine, "pair": uuid.uuid4().hex, **facts}
    for tree, suffix in zip(trees, ("", "-base"), strict=False):
        path = target.with_name(f"{target.stem}{suffix}.json")
        made = {**head, "benchmarks": tree.found}
        if options.add and path.exists():
            made = joined(json.loads(path.read_text()), made)
        path.write_text(json_text(made) + "\n")
        print(f"{len(tree.found)} benchmarks, {options.rounds} rounds: {path}")
    for problem in facts["problems"]:
        print(f"INVALID: {problem}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
