"""Instructions of small programs, counted by callgrind: a slowdown is seen without a clock.

``python -m linnet.benchmarks.instructions [--write]`` compares with `instructions.json`.

Counts are divided by those of plain Python and NumPy work in the same process, so that another
Python or NumPy moves both. The programs are run with a fixed instruction set (Valgrind knows no
AVX-512).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.ops import Add, Clip, FullyConnected
from linnet.types import Array, DType, Quantization, TensorType

BASELINE = Path(__file__).resolve().parent / "instructions.json"
# Counts on one machine agree within 1 %; compilers, Python and NumPy move the ratios by up to a
# tenth. One more pass over the inputs in Python was counted as 1.7 times a call.
TOLERANCE = 0.25
# Of the baseline: what needs less than this hides the next slowdown until the baseline is renewed.
STALE = 0.7
RUNS = 200
# A system call that nothing here makes otherwise; callgrind starts a new count at each.
MARK = "getpgid"


def isa() -> str:
    """Return the instruction set that is counted: the best that Valgrind knows."""
    return "avx2" if "avx2" in _core.available_isas() else "base"


def chain(nodes: int) -> tuple[Graph, dict[str, Array]]:
    """Return a model of small float nodes: nothing but dispatch."""
    graph = Graph("chain")
    value = graph.add_input("x", TensorType(DType.FLOAT32, (1, 8)))
    step = graph.add_constant("step", np.ones(8, np.float32))
    for index in range(nodes):
        op, operands = (Add(), [value, step]) if index % 2 else (Clip(minimum=0.0), [value])
        value = graph.add(op, operands)
    graph.outputs = [value]
    return graph, {"x": np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)}


def dense() -> tuple[Graph, dict[str, Array]]:
    """Return one small int8 layer."""
    rng = np.random.default_rng(0)
    graph = Graph("dense")
    scale = Quantization(np.float32(0.05), np.int32(3))
    x = graph.add_input("x", TensorType(DType.INT8, (1, 64), quantization=scale))
    scales, zero = np.full(32, 0.01, np.float32), np.zeros(32, np.int32)
    stored = Quantization(scales, zero, 0)
    w = graph.add_constant("w", rng.integers(-127, 128, (32, 64), np.int8), quantization=stored)
    graph.outputs = [graph.add(FullyConnected(), [x, w], quantization=scale)]
    return graph, {"x": rng.integers(-128, 128, (1, 64), np.int8)}


def programs() -> dict[str, Callable[[], object]]:
    """Return what is counted by name; ``reference`` is what the others are divided by."""
    a, b = np.arange(64, dtype=np.float32), np.ones(64, np.float32)
    out = np.empty(64, np.float32)

    def reference() -> None:
        np.add(a, b, out=out)
        dict.fromkeys(str(i) for i in range(20))

    found: dict[str, Callable[[], object]] = {"reference": reference}
    models = {"call": chain(1), "hundred nodes": chain(100), "int8 layer": dense()}
    for name, (graph, feeds) in models.items():
        session = linnet.load(graph, threads=1, isa=isa())
        found[name] = _call(session, feeds)
    found["plan"] = _planner(chain(20))
    return found


def _call(session: linnet.Session, feeds: dict[str, Array]) -> Callable[[], object]:
    return lambda: session.run(feeds)


def _planner(model: tuple[Graph, dict[str, Array]]) -> Callable[[], object]:
    graph, feeds = model
    return lambda: linnet.load(graph, threads=1, isa=isa()).run(feeds)


def run_marked() -> None:
    """Run every program between marks: what callgrind watches."""
    for name, program in programs().items():
        runs = RUNS // 40 if name == "plan" else RUNS
        program()
        os.getpgid(0)
        for _ in range(runs):
            program()
        os.getpgid(0)


def count() -> dict[str, float]:
    """Return instructions per run of every program.

    Raises
    ------
    FileNotFoundError
        If Valgrind is not installed.
    RuntimeError
        If the programs fail under it.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise FileNotFoundError("valgrind is not installed")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        environment = {**os.environ, "PYTHONHASHSEED": "0", "LINNET_ISA": isa()}
        done = subprocess.run(
            [valgrind, "--tool=callgrind", f"--callgrind-out-file={out}", f"--dump-before={MARK}",
             sys.executable, "-m", "linnet.benchmarks.instructions", "--run"],
            check=False, env=environment, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the programs ended with {done.returncode}: {done.stderr[-2000:]}")
        return per_run([total(path) for path in sorted(Path(folder).glob("counts.*"), key=_part)])


def _part(path: Path) -> int:
    return int(path.suffix[1:])


def total(path: Path) -> int:
    """Return the instructions of one of callgrind's files."""
    found = re.search(r"^(?:summary|totals): (\d+)", path.read_text(errors="replace"), re.M)
    return int(found[1]) if found else 0


def per_run(totals: Sequence[int]) -> dict[str, float]:
    """Return instructions per run from the counts between marks.

    Examples
    --------
    >>> list(per_run([9, 200, 1, 400, 1, 600, 1, 800, 1, 25, 5]).values())
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    names = ("reference", "call", "hundred nodes", "int8 layer", "plan")
    counts = totals[1::2]
    if len(counts) < len(names):
        raise RuntimeError(f"callgrind wrote {len(totals)} counts; expected {2 * len(names) + 1}")
    runs = [RUNS // 40 if name == "plan" else RUNS for name in names]
    return {name: c / n for name, c, n in zip(names, counts, runs, strict=False)}


def ratios(counts: dict[str, float]) -> dict[str, float]:
    """Return what is compared: a call, a node, a layer, a plan, each over the reference."""
    reference = counts["reference"]
    return {
        "call": counts["call"] / reference,
        "node": (counts["hundred nodes"] - counts["call"]) / 99 / reference,
        "int8 layer": counts["int8 layer"] / reference,
        "plan": counts["plan"] / reference,
    }


def regressions(found: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """Return a sentence for each ratio that is too far above the baseline, or below it.

    Examples
    --------
    >>> regressions({"call": 1.2, "node": 2.0}, {"call": 1.0, "node": 1.0})
    ['node: 2.00 times as many instructions as the baseline (1.25 allowed)']
    >>> regressions({"call": 0.5}, {"call": 1.0})
    ['call: 0.50 of the baseline: keep the gain by linnet.benchmarks.instructions --write']
    """
    worse = []
    for name, known in baseline.items():
        ratio = found[name] / known
        if ratio > 1 + TOLERANCE:
            worse.append(
                f"{name}: {ratio:.2f} times as many instructions as the baseline "
                f"({1 + TOLERANCE:g} allowed)"
            )
        elif ratio < STALE:
            worse.append(
                f"{name}: {ratio:.2f} of the baseline: keep the gain by "
                "linnet.benchmarks.instructions --write"
            )
    return worse


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, show, compare; return 1 where something needs many more instructions."""
    parser = argparse.ArgumentParser(
        prog="python -m linnet.benchmarks.instructions", description=__doc__
    )
    parser.add_argument("--write", action="store_true", help="make this the baseline")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run:
        run_marked()
        return 0
    counts = count()
    found = ratios(counts)
    for name, value in counts.items():
        print(f"{name}: {value:,.0f} instructions")
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    key = f"{platform.machine()} {isa()}"
    if options.write:
        known[key] = {name: round(value, 6) for name, value in found.items()}
        BASELINE.write_text(json.dumps(known, indent=1) + "\n")
        return 0
    worse = regressions(found, known.get(key, {}))
    print("\n".join(worse) or f"within the baseline of {key}: {found}")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
