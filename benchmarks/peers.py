"""linnet beside its peers: same model, same input, same run, taking turns round by round.

Every engine runs in a process of its own, so that none disturbs another's threads or memory, and a
drifting machine drifts for all of them. Outputs are compared before anything is timed: an engine
whose answer is not the reference's takes no part, because a wrong answer must not win.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from linnet.graph import Graph
from linnet.types import Array

from .agreement import compare_outputs
from .conditions import Snapshot, judge
from .engines import ENGINES, OWNERS, installed, suits
from .spread import ratio_interval
from .system import System
from .watch import Watch

Share = Callable[[float], None]


class Worker:
    """One engine in its own process, told through its standard input when to run.

    Parameters
    ----------
    engine, path : str
    feeds : path
        A .npz file of the inputs; the outputs are written beside it.
    threads : int
    """

    def __init__(self, engine: str, path: str, feeds: Path, threads: int) -> None:
        self.outputs_file = feeds.with_name(f"{engine}.npz")
        command = [sys.executable, "-m", "linnet.benchmarks.peers", engine, path, str(feeds)]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, str(threads), str(self.outputs_file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip
        self.rounds: list[float] = []
        self.failed = ""

    def answer(self) -> dict[str, Any]:
        """Return what the worker says next; empty where it died, and then `failed` says why."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            return dict(json.loads(line))
        self.process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()
        self.failed = said[-1] if said else f"ended with {self.process.returncode}"
        return {}

    def outputs(self) -> list[Array]:
        """Return the outputs of its first run, in the model's order."""
        with np.load(self.outputs_file) as arrays:
            return [arrays[name] for name in sorted(arrays)]

    def round(self, seconds: float) -> None:
        """Let it run for a time and note the median of its runs."""
        assert self.process.stdin is not None
        if self.failed:
            return
        try:
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        said = self.answer()
        if said:
            self.rounds.append(said["median"])

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used."""
        try:
            text = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(text[11]) + int(text[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self._errors.close()


def compare(
    path: str,
    feeds: dict[str, Array],
    threads: int,
    rounds: int,
    seconds: float,
    *,
    expected: list[Array] | None = None,
    tolerance: float = 0.0,
    engines: list[str] | None = None,
    share: Share = lambda done: None,
) -> dict[str, Any]:
    """Time every engine that reads a model and agrees on its answer.

    Parameters
    ----------
    path : str
        An ONNX or TFLite model, or a ``.linnet`` file (then linnet is alone).
    feeds : dict of str to ndarray
    threads, rounds : int
    seconds : float
        Per engine and round.
    expected : list of ndarray, optional
        The right outputs; by default what the format's own runtime gives.
    tolerance : float
        Allowed difference, see `linnet.benchmarks.agreement`; 0 takes the usual one.
    engines : list of str, optional
        By default all that are installed and read the format.
    share : callable
        Told the share done, 0 to 1.

    Returns
    -------
    dict
        ``engines``: per engine ``status`` ("timed", "differs", "failed"), ``reason``,
        ``agreement``, ``median``, ``best``, ``rounds`` (medians, seconds), ``first`` (load and
        first run); ``reference``: who said what is right; ``ratio``: linnet over the fastest peer
        with ``low``, ``high`` and ``best`` (of best rounds); ``valid``, ``problems``, ``warnings``.
    """
    chosen = [e for e in engines or ENGINES if installed(e) and suits(e, path)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "feeds.npz"
        np.savez(file, **feeds)  # type: ignore[arg-type]
        workers = {engine: Worker(engine, path, file, threads) for engine in chosen}
        try:
            report = _start(workers, path, expected, tolerance)
            timed = [w for e, w in workers.items() if report["engines"][e]["status"] == "timed"]
            verdict = _take_turns(timed, rounds, seconds, share)
        finally:
            for worker in workers.values():
                worker.stop()
    for engine, worker in workers.items():
        _note_rounds(report["engines"][engine], worker)
    report |= verdict
    report["ratio"] = _ratio(report["engines"])
    return report


def _start(
    workers: dict[str, Worker], path: str, expected: list[Array] | None, tolerance: float
) -> dict[str, Any]:
    """Wait for the first runs and hold the outputs against the reference."""
    # Engines load one after the other in their own time; the reading below puts them in order.
    said = {engine: worker.answer() for engine, worker in workers.items()}
    owner = OWNERS.get(Path(path).suffix.lower(), "")
    reference, right = "the given outputs", expected
    if right is None:
        names = [e for e in (owner, *workers) if e in workers and said[e]]
        reference = names[0] if names else "nobody"
        right = workers[names[0]].outputs() if names else []
    found: dict[str, Any] = {}
    for engine, worker in workers.items():
        if not said[engine]:
            found[engine] = {"status": "failed", "reason": worker.failed}
            continue
        quantized = said[engine].get("quantized", False) or _is_quantized(workers, said)
        agreement = compare_outputs(right, worker.outputs(), quantized, tolerance)
        found[engine] = {
            "status": "timed" if agreement.agrees else "differs",
            "reason": agreement.reason,
            "agreement": agreement.as_dict(),
            "first": said[engine]["first"],
        }
    return {"reference": reference, "engines": found}


def _is_quantized(workers: dict[str, Worker], said: dict[str, dict[str, Any]]) -> bool:
    mine = said.get("linnet") or {}
    if mine:
        return bool(mine["quantized"])
    return any(o.dtype.kind in "iu" for e in workers if said[e] for o in workers[e].outputs())


def _take_turns(workers: list[Worker], rounds: int, seconds: float, share: Share) -> dict[str, Any]:
    """Let each worker run in turn, and judge the machine meanwhile."""
    watch = Watch(System())

    def look() -> Snapshot:
        found = watch.look()
        return replace(found, own=found.own + sum(worker.cpu_seconds() for worker in workers))

    for worker in workers:
        worker.round(0.0)
        worker.rounds.clear()
    snapshots = [look()]
    for index in range(rounds):
        for worker in workers:
            worker.round(seconds)
        snapshots.append(look())
        share((index + 1) / rounds)
    verdict = judge(snapshots, watch.system)
    return {
        "valid": verdict.valid,
        "problems": verdict.problems,
        "warnings": verdict.warnings,
    }


def _note_rounds(found: dict[str, Any], worker: Worker) -> None:
    if found["status"] == "timed" and worker.failed:
        found |= {"status": "failed", "reason": worker.failed}
    if found["status"] == "timed":
        found["median"] = statistics.median(worker.rounds)
        found["best"] = min(worker.rounds)
        found["rounds"] = worker.rounds


def _ratio(engines: dict[str, Any]) -> dict[str, Any] | None:
    """Return linnet's time over that of the fastest peer, round by round."""
    timed = {e: found for e, found in engines.items() if found["status"] == "timed"}
    mine = timed.pop("linnet", None)
    if mine is None or not timed:
        return None
    peer = min(timed, key=lambda e: timed[e]["median"])
    middle, low, high = ratio_interval(timed[peer]["rounds"], mine["rounds"], paired=True)
    best = mine["best"] / min(found["best"] for found in timed.values())
    return {"peer": peer, "ratio": middle, "low": low, "high": high, "best": best}


def work(engine: str, path: str, feeds: str, threads: str, outputs: str) -> None:
    """Be one engine: answer the first run, then a median for every number of seconds read."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # engines print to file descriptor 1
    with np.load(feeds) as arrays:
        inputs = dict(arrays)
    start = time.perf_counter()
    call = ENGINES[engine](path, inputs, int(threads))
    found = call()
    first = time.perf_counter() - start
    # Names differ between engines, the order of outputs does not.
    ordered = {f"{k:04d}": np.asarray(array) for k, array in enumerate(found.values())}
    np.savez(outputs, **ordered)  # type: ignore[arg-type]
    quantized = engine == "linnet" and _has_quantized(path)
    print(json.dumps({"first": first, "quantized": quantized}), file=out, flush=True)
    for line in sys.stdin:
        samples: list[float] = []
        end = time.perf_counter() + float(line)
        while time.perf_counter() < end or len(samples) < 3:
            start = time.perf_counter()
            call()
            samples.append(time.perf_counter() - start)
        print(json.dumps({"median": statistics.median(samples)}), file=out, flush=True)


def _has_quantized(path: str) -> bool:
    from linnet.opening import open_graph

    return is_quantized(open_graph(path))


def is_quantized(graph: Graph) -> bool:
    """Return whether a graph computes with quantized numbers."""
    return any(value.type.quantization is not None for value in graph.values.values())


def inputs_of(path: Path) -> tuple[str, dict[str, Array]]:
    """Return a model's file and inputs: `case_of` without the expected outputs."""
    file, feeds, _ = case_of(path)
    return file, feeds


def case_of(path: Path) -> tuple[str, dict[str, Array], list[Array] | None]:
    """Return a model's file, inputs, and right outputs where they are known.

    A folder with ``cases.json`` gives its first case; a model file gets seeded random inputs.
    """
    if not path.is_dir():
        from linnet.commands.models import random_array
        from linnet.opening import open_graph

        graph = open_graph(str(path))
        generator = np.random.default_rng(0)
        names = graph.caller_inputs
        feeds = {name: random_array(graph.type_of(name), {}, generator) for name in names}
        return str(path), feeds, None
    about = json.loads((path / "cases.json").read_text())
    first = about["cases"][0]
    case, one_step = first["id"], about.get("stateful", False)
    with np.load(path / "cases.npz") as arrays:
        feeds = {t["name"]: arrays[f"{case}_in{k}"] for k, t in enumerate(about["inputs"])}
        count = sum(name.startswith(f"{case}_out") for name in arrays)
        outputs = [arrays[f"{case}_out{k}"] for k in range(count)]
    if one_step:
        return str(path / about["model"]), {name: a[0] for name, a in feeds.items()}, None
    return str(path / about["model"]), feeds, None if "sampled" in first else outputs


if __name__ == "__main__":
    work(*sys.argv[1:])
