"""Whether two threads are ever slower than one: both on every model, in turns.

``python -m linnet.benchmarks.threads MODEL... [--threads N] [--rounds N]`` loads each model twice
in one process and runs them in alternate stretches; what counts is the median over pairs of
stretches of the ratio of their faster runs, so that a drifting machine drifts for both.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.opening import open_graph

from .machine.describe import describe_machine

_WARM_RUNS = 14


def measure(
    path: Path, threads: int, rounds: int, seconds: float, dims: dict[str, int]
) -> dict[str, Any]:
    """Return the medians of both, in seconds, and the ratio of pairs."""
    graph = open_graph(path)
    sessions = [linnet.load(graph, threads=count) for count in (1, threads)]
    rng = np.random.default_rng(0)
    feeds = {}
    for spec in sessions[0].inputs:
        shape = [d if isinstance(d, int) else dims.get(d, 1) for d in spec.shape]
        feeds[spec.name] = rng.uniform(0, 1, shape).astype(spec.dtype)
    for session in sessions:
        for _ in range(_WARM_RUNS):
            session.run(feeds)
    found: list[list[float]] = [[], []]
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            found[which].append(stretch(sessions[which], feeds, seconds))
    ratios = sorted(two / one for one, two in zip(*found, strict=True))
    one, two = (statistics.median(times) for times in found)
    return {"one": one, "many": two, "ratio": statistics.median(ratios), "ratios": ratios}


def stretch(session: linnet.Session, feeds: dict[str, Any], seconds: float) -> float:
    """Return the lower quartile of the times of runs that take so many seconds together."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        session.run(feeds)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 4]


def main() -> int:
    """Measure the models of the command line; exit with 1 where more threads were slower."""
    parser = argparse.ArgumentParser(prog="python -m linnet.benchmarks.threads")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.04, help="of a stretch (default 0.04)")
    parser.add_argument("--allowance", type=float, default=0.03, help="of noise (default 0.03)")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=SIZE")
    parser.add_argument("-o", "--output", type=Path, help="write the numbers as JSON as well")
    options = parser.parse_args()
    dims = {name: int(size) for name, _, size in (d.partition("=") for d in options.dim)}
    models: dict[str, Any] = {}
    for given in options.models:
        path = next(iter(sorted(given.glob("model.*"))), None) if given.is_dir() else given
        name = given.name if given.is_dir() else given.stem
        if path is None:
            continue
        try:
            found = measure(path, options.threads, options.rounds, options.seconds, dims)
        except linnet.LinnetError as error:
            print(f"{name:28} {error}"[:100], file=sys.stderr)
            continue
        models[name] = found
        print(f"{name:28} {found['one'] * 1e6:10.1f} us {found['many'] * 1e6:10.1f} us "
              f"{found['ratio']:6.3f}", flush=True)  # fmt: skip
    ratios = [found["ratio"] for found in models.values()]
    slower = [name for name, found in models.items() if found["ratio"] > 1 + options.allowance]
    mean = math.exp(statistics.fmean(map(math.log, ratios))) if ratios else 1.0
    print(f"geometric mean {mean:.3f}, largest {max(ratios, default=1.0):.3f}, slower: {slower}")
    if options.output is not None:
        about = {
            "schema": "linnet-threads-1",
            "machine": describe_machine(),
            "threads": options.threads,
            "models": models,
        }
        options.output.write_text(json.dumps(about, indent=1) + "\n")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
