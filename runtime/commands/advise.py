"""``linnet advise``: what int8 would bring this model on this machine, layer by layer."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from linnet.opening import open_graph
from linnet.sampling import samples_of

from .charts import write_points
from .models import MODEL_HELP, write_model
from .tables import progress, show_json, show_table, time_text

NAME = "advise"
HELP = "Measure float and int8 per layer on this machine and say which layers to quantize."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet advise``."""
    parser.add_argument("model", help=MODEL_HELP)
    parser.add_argument("--data", required=True, help="samples: a folder, .npy or .npz")
    parser.add_argument("--limit", type=int, help="most samples to read")
    parser.add_argument("--threads", type=int, default=1, help="threads of a run (default 1)")
    parser.add_argument(
        "--least-sqnr", type=float, metavar="DB", help="error that the outputs may have at most"
    )
    parser.add_argument("--apply", metavar="OUT.linnet", help="write the recommended model")
    parser.add_argument("--recipe", metavar="OUT.json", help="write the recommended settings")
    parser.add_argument("--chart", metavar="OUT.svg", help="write a chart of time against error")
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(options: argparse.Namespace) -> int:
    """Advise; exit 1 where int8 is not faster."""
    from linnet.advice import Adviser, recipe
    from linnet.converters.quantization import RECORD

    graph = open_graph(options.model)
    samples = samples_of(graph, options.data, options.limit)
    with progress("measuring") as advance:
        advice = Adviser(graph, samples, options.threads, advance).advise(options.least_sqnr)
    settings = recipe(advice)
    if options.recipe:
        with open(options.recipe, "w") as file:
            json.dump(settings, file, indent=1)
    if options.chart:
        points = [
            (1e6 * p.seconds, _decibels(p.error), f"{len(p.keep)} layers in float", p.front)
            for p in advice.points
            if p.error > 0.0
        ]
        write_points(options.chart, "Time and error of mixes", ("microseconds", "SQNR, dB"), points)
    if options.apply and advice.graph is not None:
        advice.graph.metadata[RECORD] = json.dumps(
            settings | {"samples": samples.count, "data_sha256": samples.sha256}
        )
        write_model(advice.graph, options.apply)
    if options.json:
        show_json(describe(advice))
    else:
        _show(advice)
    if advice.faster:
        return 0
    print("linnet advise: int8 is not faster than float on this machine", file=sys.stderr)
    return 1


def describe(advice: Any) -> dict[str, Any]:
    """Return an advice as plain data."""
    return {
        "words": advice.words,
        "predicted_seconds": advice.predicted,
        "measured_seconds": advice.measured,
        "sqnr": _decibels(advice.error),
        "layers": [
            {
                "name": row.name, "op": row.op, "float_seconds": row.float_seconds,
                "int8_seconds": row.int8_seconds, "saves_seconds": row.saves,
                "sqnr": _decibels(row.error), "int8": row.int8,
            }
            for row in advice.layers
        ],
        "mixes": [
            {"float_layers": list(p.keep), "seconds": p.seconds, "sqnr": _decibels(p.error),
             "front": p.front}
            for p in advice.points
        ],
    }  # fmt: skip


def _decibels(error: float) -> float:
    return float("inf") if error <= 0.0 else float(-10.0 * np.log10(error))


def _show(advice: Any) -> None:
    rows = [
        (
            row.name, row.op, time_text(row.float_seconds), time_text(row.int8_seconds),
            f"{1e6 * row.saves:+.1f} us", f"{_decibels(row.error):.1f}",
            "int8" if row.int8 else "float",
        )
        for row in advice.layers
    ]  # fmt: skip
    columns = ("layer", "op", "float", "int8", "saved by int8", "SQNR dB", "advice")
    show_table("", columns, rows)
    front = [p for p in advice.points if p.front]
    mixes = [(len(p.keep), time_text(p.seconds), f"{_decibels(p.error):.1f}") for p in front]
    show_table("best mixes", ("layers in float", "predicted time", "SQNR dB"), mixes)
    times = advice.measured
    print(
        f"measured: float {time_text(times['float'])}, int8 {time_text(times['int8'])}, advised "
        f"{time_text(times['mixed'])} (predicted {time_text(advice.predicted)})"
    )
    for line in advice.words:
        print(line)
