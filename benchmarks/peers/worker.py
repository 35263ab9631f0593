"""One engine in a process of its own, which runs when it is told to."""

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
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from linnet.graph import Graph
from linnet.types import Array

from ..latency.gate import Edges
from ..machine.peak import Reading, SpeedProbe
from .engines import ENGINES

# Seconds: a shared core changes hands every few milliseconds.
ROUND = 0.005
LEAST_RUNS = 3


class Turn(NamedTuple):
    """What an engine did in one turn.

    Parameters
    ----------
    medians : list of float
        Seconds of a run, in each round.
    readings : list of Reading
        The core before the first round and after each.
    """

    medians: list[float]
    readings: list[Reading]

    @property
    def edges(self) -> list[Edges]:
        """The core before and after each round."""
        return list(pairwise(self.readings))


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
        command = [sys.executable, "-m", "linnet.benchmarks.peers.worker", engine, path, str(feeds)]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, str(threads), str(self.outputs_file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip
        self.turns: list[Turn] = []
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
        """Let it run for a time and note the turn, and the median of its rounds."""
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
            readings = [Reading(*reading) for reading in said["readings"]]
            self.turns.append(Turn(said["medians"], readings))
            self.rounds.append(statistics.median(said["medians"]))

    def forget(self) -> None:
        """Forget the turns so far."""
        self.turns.clear()
        self.rounds.clear()

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


def work(engine: str, path: str, feeds: str, threads: str, outputs: str) -> None:
    """Be one engine: answer the first run, then a turn for every number of seconds read."""
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
    probe = SpeedProbe(int(threads))
    for line in sys.stdin:
        print(json.dumps(take_turn(call, float(line), probe)._asdict()), file=out, flush=True)


def take_turn(call: Callable[[], object], seconds: float, probe: SpeedProbe) -> Turn:
    """Run for some seconds in short rounds, with a look at the core between them."""
    turn = Turn([], [probe.read()])
    end = time.perf_counter() + seconds
    while not turn.medians or time.perf_counter() < end:
        call()  # meets caches and threads as the probe left them
        samples: list[float] = []
        over = time.perf_counter() + ROUND
        while len(samples) < LEAST_RUNS or time.perf_counter() < over:
            start = time.perf_counter()
            call()
            samples.append(time.perf_counter() - start)
        turn.medians.append(statistics.median(samples))
        turn.readings.append(probe.read())
    return turn


def _has_quantized(path: str) -> bool:
    from linnet.opening import open_graph

    return is_quantized(open_graph(path))


def is_quantized(graph: Graph) -> bool:
    """Return whether a graph computes with quantized numbers."""
    return any(value.type.quantization is not None for value in graph.values.values())


if __name__ == "__main__":
    work(*sys.argv[1:])
