"""From nothing to a first answer: import, load and first run beside LiteRT, in new processes.

``python -m linnet.benchmarks.startup MODEL... [--rounds N] [-o FILE]`` takes TFLite models (or
folders with a ``model.tflite``). The engines take turns; times are above ``import numpy``, which
all of them need. linnet runs twice: as it does when it loaded the model before, from a stored plan,
and with ``LINNET_CACHE=off``. Memory is what became resident while the model was loaded.
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
from pathlib import Path
from typing import Any

import linnet

from .machine.describe import describe_machine

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_RESIDENT = "int(open('/proc/self/statm').read().split()[1])"
_SHAPE = "tuple(d if isinstance(d, int) and d > 0 else 1 for d in {})"
_BODIES = {
    "linnet": f"""
import linnet
imported, before = clock(), {_RESIDENT}
session = linnet.load(path, threads=threads)
loaded, after = clock(), {_RESIDENT}
feeds = {{s.name: numpy.zeros({_SHAPE.format("s.shape")}, s.dtype) for s in session.inputs}}
session.run(feeds)
""",
    "litert": f"""
from ai_edge_litert.interpreter import Interpreter
imported, before = clock(), {_RESIDENT}
model = Interpreter(path, num_threads=threads)
model.allocate_tensors()
loaded, after = clock(), {_RESIDENT}
for d in model.get_input_details():
    model.set_tensor(d["index"], numpy.zeros({_SHAPE.format("d['shape'].tolist()")}, d["dtype"]))
model.invoke()
[model.get_tensor(d["index"]) for d in model.get_output_details()]
""",
}
_PROGRAM = """
import gc, json, sys, numpy
from time import perf_counter as clock
path, threads = sys.argv[1], int(sys.argv[2])
gc.collect()  # the garbage collection that importing NumPy leaves due is nobody's of these
start = clock()
{body}
end = clock()
print(json.dumps([imported - start, loaded - imported, end - loaded, after - before]))
"""
_ENGINES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("linnet", "linnet", {}),
    ("no store", "linnet", {"LINNET_CACHE": "off"}),
)
_FIELDS = ("import", "load", "first", "kib")


def measure(path: Path, rounds: int, threads: int) -> dict[str, Any]:
    """Return medians of one model: seconds of each phase, and KiB that loading made resident."""
    with tempfile.TemporaryDirectory(prefix="linnet-startup-") as folder:
        file = Path(folder) / "model.linnet"
        linnet.save(linnet.convert(path), file)
        size = file.stat().st_size
        store = {"LINNET_CACHE": str(Path(folder) / "plans")}
        runs = [(name, kind, str(file), {**store, **more}) for name, kind, more in _ENGINES]
        if path.suffix == ".tflite":
            runs.append(("litert", "litert", str(path), {}))
        # Younger files are not trusted to be what they were when they were checked.
        time.sleep(0.2)
        found: dict[str, list[list[float]]] = {name: [] for name, *_ in runs}
        for turn in range(rounds + 1):
            for name, kind, source, environment in runs:
                numbers = _once(kind, source, threads, environment)
                if turn:
                    found[name].append(numbers)
    result: dict[str, Any] = {"file_bytes": size}
    for name, all_numbers in found.items():
        medians = [statistics.median(column) for column in zip(*all_numbers, strict=True)]
        result[name] = dict(zip(_FIELDS, medians, strict=True))
        result[name]["kib"] *= _PAGE_KIB
        result[name]["total"] = statistics.median(sum(numbers[:3]) for numbers in all_numbers)
    return result


def _once(kind: str, source: str, threads: int, environment: dict[str, str]) -> list[float]:
    program = _PROGRAM.format(body=_BODIES[kind])
    output = subprocess.run(
        [sys.executable, "-c", program, source, str(threads)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return list(json.loads(output.strip().splitlines()[-1]))


def table(models: dict[str, Any]) -> str:
    """Return results as lines of Markdown."""
    lines = [
        "| model | linnet: import + load + first = all, ms | without store | LiteRT "
        "| ratio of all | of load + first | memory added / file |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in models.items():
        peer, own = found.get("litert"), found["linnet"]
        after = own["load"] + own["first"]
        ratios = "- | -"
        if peer is not None:
            ratios = f"{own['total'] / peer['total']:.2f} | "
            ratios += f"{after / (peer['load'] + peer['first']):.2f}"
        memory = own["kib"] * 1024 / found["file_bytes"]
        cells = [_phases(own), _phases(found["no store"]), "-" if peer is None else _phases(peer)]
        lines.append(f"| {name} | {' | '.join(cells)} | {ratios} | {memory:.2f} |")
    return "\n".join(lines)


def _phases(numbers: dict[str, float]) -> str:
    shown = " + ".join(f"{numbers[key] * 1e3:.1f}" for key in _FIELDS[:3])
    return f"{shown} = {numbers['total'] * 1e3:.1f}"


def main() -> int:
    """Measure the models of the command line; print a table."""
    parser = argparse.ArgumentParser(prog="python -m linnet.benchmarks.startup")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="write the numbers as JSON as well")
    parser.add_argument("--add", action="store_true", help="keep what FILE of --output holds")
    options = parser.parse_args()
    models = {}
    for given in options.models:
        path = next(iter(sorted(given.glob("model.*")))) if given.is_dir() else given
        name = given.name if given.is_dir() else given.stem
        models[name] = measure(path, options.rounds, options.threads)
    print(table(models))
    if options.output is not None:
        if options.add and options.output.exists():
            models = json.loads(options.output.read_text())["models"] | models
        about = {
            "schema": "linnet-startup-1",
            "machine": describe_machine(),
            "command": f"python -m linnet.benchmarks.startup MODEL... --rounds {options.rounds}",
            "threads": options.threads,
            "models": models,
        }
        options.output.write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
