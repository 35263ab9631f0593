"""``linnet compare``: a .linnet file against its source, or two models layer by layer."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

from linnet.errors import InputError
from linnet.opening import open_graph
from linnet.types import Array

from .compare_layers import add_layer_arguments, run_layers
from .models import add_input_arguments, make_feeds
from .oracle import run_source
from .tables import show_json, show_table

NAME = "compare"
HELP = (
    "Compare a .linnet file with its source model's outputs; with --data, two models of any kind "
    "layer by layer."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet compare``."""
    parser.add_argument("source", help="ONNX or TFLite model; with --data any model")
    parser.add_argument("model", help=".linnet file; with --data any model")
    parser.add_argument("--steps", type=float, default=1, help="integer tolerance (default 1)")
    parser.add_argument(
        "--tolerance", type=float, default=1e-4,
        help="float tolerance, relative to the largest reference value (default 1e-4)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, help="threads that linnet may use")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    add_layer_arguments(parser)
    add_input_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Compare output by output; exit 1 where one is beyond the tolerance."""
    if options.data is not None:
        return run_layers(options)
    import linnet

    graph = open_graph(options.model)
    feeds = make_feeds(graph, options)
    wanted, engine = run_source(options.source, feeds)
    found = linnet.load(graph, threads=options.threads).run(feeds)
    missing = [name for name in found if name not in wanted]
    if missing:
        raise InputError(f"'{options.source}' has no outputs {missing}; it has {list(wanted)}")
    rows = [
        difference(name, found[name], wanted[name], options.steps, options.tolerance)
        for name in found
    ]
    if options.json:
        show_json({"reference": engine, "outputs": rows})
    else:
        columns = ("output", "dtype", "largest difference", "allowed", "cosine", "equal", "within")
        keys = ("name", "dtype", "difference", "allowed", "cosine", "equal", "within")
        shown = [[f"{r[k]:.6g}" if isinstance(r[k], float) else r[k] for k in keys] for r in rows]
        show_table(f"against {engine}", columns, shown)
    if all(row["within"] for row in rows):
        return 0
    worst = [row["name"] for row in rows if not row["within"]]
    print(f"linnet compare: beyond the tolerance: {', '.join(worst)}", file=sys.stderr)
    return 1


def difference(
    name: str, found: Array, wanted: Array, steps: float, tolerance: float
) -> dict[str, Any]:
    """Return how far one output is from its reference.

    Integers may differ by ``steps``, floats by ``tolerance`` times the largest finite reference
    value; NaN and infinities must agree in place.
    """
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise InputError(
            f"output '{name}' is {found.dtype}{list(found.shape)}, the source gives "
            f"{wanted.dtype}{list(wanted.shape)}"
        )
    left, right = found.astype(np.float64).reshape(-1), wanted.astype(np.float64).reshape(-1)
    both = np.isfinite(left) & np.isfinite(right)
    same_kind = np.array_equal(left[~both], right[~both], equal_nan=True)
    gap = float(np.abs(left[both] - right[both]).max(initial=0.0)) if same_kind else float("inf")
    top = float(np.abs(right[both]).max(initial=0.0))
    allowed = tolerance * max(top, 1e-9) if wanted.dtype.kind == "f" else float(steps)
    norms = float(np.linalg.norm(left[both]) * np.linalg.norm(right[both]))
    return {
        "name": name,
        "dtype": str(found.dtype),
        "difference": gap,
        "allowed": allowed,
        "cosine": float(left[both] @ right[both]) / norms if norms > 0 else 1.0,
        "equal": float((left == right).mean()) if left.size else 1.0,
        "within": bool(gap <= allowed),
    }
