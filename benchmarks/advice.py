"""Whether the times that ``linnet advise`` predicts come true: predicted beside measured.

``python -m linnet.benchmarks.advice MODEL... [--tries 3] [--json FILE]``

A made model, one of whose layers is slower in int8 than in float, is always among them. A model is
an ONNX or TFLite file, or a folder with ``cases.json`` and ``cases.npz``. Every try is shown, none
is chosen.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from linnet import ops
from linnet.advice import Adviser
from linnet.commands.tables import progress, show_table, time_text
from linnet.converters.quantization import Samples
from linnet.graph import Graph
from linnet.types import DType, TensorType

from .machine.describe import describe_machine
from .quantization import Subject

NEAR = 0.15
_SAMPLES = 8


def made() -> tuple[str, Graph, list[Any]]:
    """Return a model with a product so deep that no int8 kernel holds its sums, and samples."""
    generator = np.random.default_rng(0)
    graph = Graph("made")
    y = graph.add_input("x", TensorType(DType.FLOAT32, (1, 200, 200, 8)))
    for channels in (32, 4):
        depth = graph.type_of(y).shape[-1]
        assert isinstance(depth, int)
        w = generator.standard_normal((channels, 3, 3, depth)).astype(np.float32)
        y = graph.add(ops.Conv2D(pads=(1, 1, 1, 1)), [y, graph.add_constant("w", w)], "conv")
    a = graph.add(ops.Reshape(shape=(4, 40000)), [y])
    b = graph.add(ops.Reshape(shape=(40000, 4)), [y])
    graph.outputs = [graph.add(ops.MatMul(), [a, b], "deep")]
    samples = generator.standard_normal((3, 1, 200, 200, 8)).astype(np.float32)
    return "made: a layer slower in int8", graph, list(samples)


def subject(path: str) -> tuple[str, Graph, list[Any]]:
    """Return a model's name, graph and samples."""
    found = Subject(Path(path), _SAMPLES)
    return found.name, found.graph, found.calibration[:_SAMPLES]


def attempt(graph: Graph, samples: list[Any], threads: int) -> dict[str, Any]:
    """Return what one advice predicted and what its model then took."""
    advice = Adviser(graph, Samples(samples, graph), threads).advise()
    measured = advice.measured["mixed"]
    return {
        "predicted": advice.predicted,
        "measured": measured,
        "ratio": advice.predicted / measured,
        "float": advice.measured["float"],
        "int8": advice.measured["int8"],
        "layers": len(advice.layers),
        "float_layers": [row.name for row in advice.layers if not row.int8],
    }


def main() -> int:
    """Print the table; exit 1 where a median prediction is off by more than 15 %."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", help="model files, or folders with cases")
    parser.add_argument("--tries", type=int, default=3, help="how often (default 3)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    makers: list[Callable[[], tuple[str, Graph, list[Any]]]] = [made]
    makers += [partial(subject, path) for path in options.models]
    found: list[dict[str, Any]] = []
    with progress("advising") as advance:
        for index, maker in enumerate(makers):
            name, graph, samples = maker()
            tries = []
            for k in range(options.tries):
                tries.append(attempt(graph, samples, options.threads))
                advance((index + (k + 1) / options.tries) / len(makers))
            middle = float(np.median([one["ratio"] for one in tries]))
            found.append({"model": name, "ratio": middle, "tries": tries})
    show_table(
        "", ("model", "predicted / measured", "layers in float", "advised"), map(_row, found)
    )
    if options.json:
        report = {"machine": describe_machine(), "threads": options.threads, "models": found}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(any(abs(row["ratio"] - 1.0) > NEAR for row in found))


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    last = row["tries"][-1]
    ratios = ", ".join(f"{one['ratio']:.3f}" for one in row["tries"])
    kept = len(last["float_layers"])
    return row["model"], ratios, f"{kept} of {last['layers']}", time_text(last["measured"])


if __name__ == "__main__":
    raise SystemExit(main())
