"""``linnet compare A B --data``: two models layer by layer, and what their answers share."""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

import numpy as np

from linnet.agreement import Agreement
from linnet.comparison import Comparison, Layer, real
from linnet.errors import InputError
from linnet.graph import Graph
from linnet.opening import open_graph
from linnet.sampling import samples_of
from linnet.session import Session
from linnet.types import Array

from .charts import write_bars
from .inputs import load_array
from .tables import progress, show_json, show_table


def add_layer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the comparison on data."""
    parser.add_argument(
        "--data", metavar="DATA",
        help="compare layer by layer on these samples (folder, .npy or .npz); both models may be "
        "of any kind, the first counts as right",
    )  # fmt: skip
    parser.add_argument("--labels", metavar="FILE.npy", help="the right choice of each sample")
    parser.add_argument("--limit", type=int, help="most samples to read")
    parser.add_argument("--chart", metavar="OUT.svg", help="write a chart of the layers' SQNR")
    parser.add_argument(
        "--least-sqnr", type=float, metavar="DB", help="exit 1 where an output is below this"
    )
    parser.add_argument(
        "--targets", metavar="OUT.npz",
        help="write the first model's outputs, and layers named by --layer, for all samples: "
        "targets for training a student elsewhere",
    )  # fmt: skip
    parser.add_argument(
        "--layer", action="append", default=[], metavar="NAME", help="layer of --targets (* and ?)"
    )


def run_layers(options: argparse.Namespace) -> int:
    """Compare on data; exit 1 where an output is below ``--least-sqnr``."""
    first, second = open_graph(options.source), open_graph(options.model)
    samples = samples_of(first, options.data, options.limit)
    labels = None if options.labels is None else load_array(options.labels).reshape(-1)
    report = compare_graphs(first, second, samples, labels, options.threads)
    if options.targets:
        export_targets(first, samples, options.layer, options.targets)
    if options.chart:
        _chart(report, options.chart)
    if options.json:
        show_json(report)
    else:
        _show(report)
    worst = min((o["sqnr"] for o in report["agreement"]["outputs"]), default=float("inf"))
    if options.least_sqnr is not None and worst < options.least_sqnr:
        print(f"linnet compare: an output has {worst:.2f} dB", file=sys.stderr)
        return 1
    return 0


def compare_graphs(
    first: Graph,
    second: Graph,
    samples: Any,
    labels: Array | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Return the report of two graphs on samples, as plain data.

    Raises
    ------
    InputError
        If the second graph cannot be given the first one's samples, or the labels do not fit.
    """
    _check_inputs(first, second)
    comparison = Comparison(first, second, lambda graph: Session(graph, threads).run)
    agreement = Agreement()
    runs = Session(first, threads).run, Session(second, threads).run
    with progress("comparing") as advance:
        for index, feeds in enumerate(samples):
            other = _renamed(feeds, first, second)
            comparison.add(feeds, other)
            wanted, found = runs[0](feeds), runs[1](other)
            agreement.add(_real(first, wanted), _real(second, found))
            advance(min((index + 1) / (samples.count or index + 10), 1.0))
    answers = sum(len(part) for part in agreement.firsts[0])
    if labels is not None and len(labels) != answers:
        raise InputError(f"{len(labels)} labels for {answers} samples; expected one for each")
    return {
        "samples": samples.count,
        "agreement": agreement.summary(labels),
        "layers": [describe(layer) for layer in comparison.rows()],
    }


def describe(layer: Layer) -> dict[str, Any]:
    """Return a layer's row as plain data."""
    return {
        "name": layer.name,
        "op": layer.op,
        "dtype": layer.dtype,
        "own_sqnr": None if layer.own is None else layer.own.sqnr,
        "sqnr": layer.total.sqnr,
        "cosine": layer.total.cosine,
        "largest": layer.total.largest,
        "excess": layer.excess,
        "suspect": layer.suspect,
        "finding": layer.finding,
    }


def export_targets(graph: Graph, samples: Any, patterns: list[str], path: str) -> None:
    """Write a graph's outputs and some layers for all samples, stacked along a new first axis.

    Raises
    ------
    InputError
        If a pattern names no computed value, or the samples' sizes differ.
    """
    computed = [n for node in graph.nodes for n in node.outputs if n]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in computed):
            raise InputError(f"--layer '{pattern}' names no layer of the first model")
    chosen = [n for n in computed if any(fnmatchcase(n, p) for p in patterns)]
    shown = graph.copy()
    shown.outputs = list(dict.fromkeys([*graph.outputs, *chosen]))
    run = Session(shown).run
    rows: dict[str, list[Array]] = {}
    for feeds in islice(samples, None):
        for name, array in _real(shown, run(feeds)).items():
            rows.setdefault(name, []).append(array)
    for name, arrays in rows.items():
        if len({array.shape for array in arrays}) > 1:
            raise InputError(
                f"'{name}' has different sizes in different samples; export them apart"
            )
    with open(path, "wb") as file:
        np.savez(file, **{name: np.stack(arrays) for name, arrays in rows.items()})  # type: ignore[arg-type]


def _check_inputs(first: Graph, second: Graph) -> None:
    here, there = first.caller_inputs, second.caller_inputs
    kinds = [[(g.type_of(n).dtype, g.type_of(n).rank) for n in names]
             for g, names in ((first, here), (second, there))]  # fmt: skip
    if kinds[0] != kinds[1]:
        raise InputError(
            f"the models take different inputs: {[str(first.type_of(n)) for n in here]} and "
            f"{[str(second.type_of(n)) for n in there]}"
        )


def _renamed(feeds: dict[str, Array], first: Graph, second: Graph) -> dict[str, Array]:
    if set(first.caller_inputs) == set(second.caller_inputs):
        return feeds
    return {b: feeds[a] for a, b in zip(first.caller_inputs, second.caller_inputs, strict=True)}


def _real(graph: Graph, outputs: dict[str, Array]) -> dict[str, Array]:
    return {name: real(array, graph.type_of(name)) for name, array in outputs.items()}


def _decibels(value: float | None) -> str:
    if value is None:
        return "-"
    return "exact" if value == float("inf") else f"{value:.2f}"


def _show(report: dict[str, Any]) -> None:
    columns = ("layer", "op", "type", "own SQNR dB", "SQNR dB", "cosine", "max error", "finding")
    rows = [
        (
            r["name"], r["op"], r["dtype"], _decibels(r["own_sqnr"]), _decibels(r["sqnr"]),
            f"{r['cosine']:.6f}", f"{r['largest']:.4g}",
            r["finding"],
        )
        for r in report["layers"]
    ]  # fmt: skip
    show_table(f"{report['samples']} samples, the most damaging layer first", columns, rows)
    answers = report["agreement"]
    for output in answers["outputs"]:
        print(
            f"output {output['name']}: SQNR {_decibels(output['sqnr'])} dB, cosine "
            f"{output['cosine']:.6f}, largest error {output['largest']:.4g}"
        )
    if "top1_agreement" not in answers:
        return
    top5 = answers.get("top5_agreement")
    print(
        f"same choice: {100 * answers['top1_agreement']:.2f} % of {answers['samples']}"
        + (f"; top 5 shared: {100 * top5:.2f} %" if top5 is not None else "")
    )
    print(
        f"by {answers['judged_by']}: accuracy {100 * answers['first_accuracy']:.2f} % and "
        f"{100 * answers['second_accuracy']:.2f} %, calibration error "
        f"{100 * answers['first_calibration_error']:.2f} and "
        f"{100 * answers['second_calibration_error']:.2f} points"
    )


def _chart(report: dict[str, Any], path: str) -> None:
    rows = []
    for row in report["layers"]:
        own = row["sqnr"] if row["own_sqnr"] is None else row["own_sqnr"]
        if own is not None and own != float("inf"):
            rows.append((row["name"], own, f"{own:.1f} dB"))
    marked = [row["name"] for row in report["layers"] if row["suspect"]]
    write_bars(path, "Signal-to-noise ratio of each layer by itself", rows, marked)
