"""linnet beside its peers: same model, same input, same run, taking turns round by round.

Every engine runs in a process of its own, so that none disturbs another's threads or memory, and a
drifting machine drifts for all of them. Outputs are compared before anything is timed: an engine
whose answer differs from linnet's is marked, because a wrong answer must not win.

``python -m linnet.benchmarks.peers MODEL... --threads 1,2 --json out.json``
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linnet.commands.tables import progress, show_table
from linnet.types import Array

from .engines import ENGINES, suits
from .machine import describe_machine


class Worker:
    """One engine in its own process, told through its standard input when to run."""

    def __init__(self, engine: str, path: str, feeds: Path, threads: int) -> None:
        command = [sys.executable, "-m", "linnet.benchmarks.peers", "--worker", engine, path]
        self.process = subprocess.Popen(
            [*command, str(feeds), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.medians: list[float] = []

    def answer(self) -> dict[str, Any] | None:
        """Return what the worker says next, None where it died."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def round(self, seconds: float) -> None:
        """Let it run for a time and note the median of its runs."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        said = self.answer()
        if said is not None:
            self.medians.append(said["median"])

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def compare(
    path: str, feeds: dict[str, Array], threads: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """Time every engine that reads a model.

    Parameters
    ----------
    path : str
        An ONNX or TFLite model.
    feeds : dict of str to ndarray
    threads, rounds : int
    seconds : float
        Per engine and round.

    Returns
    -------
    dict
        Per engine: ``median`` and ``best`` seconds (of the rounds' medians), ``first`` (load and
        first run), ``ratio`` to the fastest peer, ``cosine`` of its first output to linnet's.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "feeds.npz"
        np.savez(file, **feeds)  # type: ignore[arg-type]
        workers: dict[str, Worker] = {}
        started: dict[str, dict[str, Any]] = {}
        for engine in ENGINES:
            if not suits(engine, path):
                continue
            worker = Worker(engine, path, file, threads)
            said = worker.answer()
            if said is None:
                worker.stop()
                continue
            workers[engine], started[engine] = worker, said
        for _ in range(rounds):
            for worker in workers.values():
                worker.round(seconds)
        for worker in workers.values():
            worker.stop()
    return _result(workers, started)


def _result(
    workers: dict[str, Worker], started: dict[str, dict[str, Any]]
) -> dict[str, dict[str, float]]:
    peers = [statistics.median(w.medians) for e, w in workers.items() if e != "linnet"]
    fastest = min(peers, default=float("nan"))
    mine = np.array(started["linnet"]["output"]) if "linnet" in started else None
    result = {}
    for engine, worker in workers.items():
        median = statistics.median(worker.medians)
        result[engine] = {
            "median": median,
            "best": min(worker.medians),
            "first": started[engine]["first"],
            "ratio": median / fastest,
            "cosine": _cosine(mine, np.array(started[engine]["output"])),
        }
    return result


def _cosine(left: Array | None, right: Array) -> float:
    if left is None or left.shape != right.shape:
        return float("nan")
    norms = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / norms if norms else float(np.array_equal(left, right))


def work(engine: str, path: str, feeds: str, threads: str) -> None:
    """Be one engine: answer the first run, then a median for every number of seconds read."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # engines print to file descriptor 1
    with np.load(feeds) as arrays:
        inputs = dict(arrays)
    start = time.perf_counter()
    call = ENGINES[engine](path, inputs, int(threads))
    output = next(iter(call().values()))
    first = time.perf_counter() - start
    flat = output.astype(np.float64).reshape(-1)[:4096].tolist()
    print(json.dumps({"first": first, "output": flat}), file=out, flush=True)
    for line in sys.stdin:
        samples: list[float] = []
        end = time.perf_counter() + float(line)
        while time.perf_counter() < end or len(samples) < 3:
            start = time.perf_counter()
            call()
            samples.append(time.perf_counter() - start)
        print(json.dumps({"median": statistics.median(samples)}), file=out, flush=True)


def inputs_of(path: Path) -> tuple[str, dict[str, Array]]:
    """Return a model's file and inputs.

    A folder with ``cases.json`` gives its first case; a model file gets seeded random inputs.
    """
    if not path.is_dir():
        from linnet.commands.models import random_array
        from linnet.opening import open_graph

        graph = open_graph(str(path))
        generator = np.random.default_rng(0)
        return str(path), {
            name: random_array(graph.type_of(name), {}, generator) for name in graph.inputs
        }
    about = json.loads((path / "cases.json").read_text())
    case = about["cases"][0]["id"]
    with np.load(path / "cases.npz") as arrays:
        feeds = {t["name"]: arrays[f"{case}_in{k}"] for k, t in enumerate(about["inputs"])}
    return str(path / about["model"]), feeds


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the given models; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--worker"]:
        work(*given[1:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m linnet.benchmarks.peers", description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, help="model files, or folders with cases")
    parser.add_argument("--threads", default="1", help="a list like 1,2 (default 1)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.25, help="per engine and round")
    parser.add_argument("--json", help="write the results to this file")
    options = parser.parse_args(given)
    command = (
        f"python -m linnet.benchmarks.peers MODEL... --threads {options.threads} "
        f"--rounds {options.rounds} --seconds {options.seconds}"
    )
    results: dict[str, Any] = {"machine": describe_machine(), "command": command, "models": {}}
    counts = [int(t) for t in options.threads.split(",")]
    with progress("comparing") as advance:
        for done, folder in enumerate(options.models):
            path, feeds = inputs_of(folder)
            results["models"][folder.name] = {
                str(n): compare(path, feeds, n, options.rounds, options.seconds) for n in counts
            }
            advance((done + 1) / len(options.models))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    show_results(results)
    return 0


def show_results(results: dict[str, Any]) -> None:
    """Print one row per model and thread count."""
    rows = []
    for model, by_threads in results["models"].items():
        for threads, engines in by_threads.items():
            cells = [f"{engines[e]['median'] * 1e6:.1f}" if e in engines else "-" for e in ENGINES]
            ratio = engines.get("linnet", {}).get("ratio", float("nan"))
            rows.append((model, threads, *cells, f"{ratio:.2f}"))
    columns = ("model", "threads", *(f"{e} us" for e in ENGINES), "linnet / fastest peer")
    show_table("median of rounds taken in turns, microseconds", columns, rows)


if __name__ == "__main__":
    raise SystemExit(main())
