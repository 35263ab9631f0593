"""``linnet run``: one inference."""

from __future__ import annotations

import argparse

import numpy as np

from linnet.opening import open_graph

from .models import MODEL_HELP, add_input_arguments, make_feeds
from .tables import show_table

NAME = "run"
HELP = "Run a model once on arrays from .npy files."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet run``."""
    parser.add_argument("model", help=MODEL_HELP)
    parser.add_argument("--output", metavar="OUT.npz", help="write the outputs to this file")
    parser.add_argument("--threads", type=int, help="threads that the run may use")
    add_input_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the model, write the outputs or summarise them."""
    import linnet

    graph = open_graph(options.model)
    session = linnet.load(graph, threads=options.threads)
    outputs = session.run(make_feeds(graph, options))
    if options.output:
        with open(options.output, "wb") as file:
            np.savez(file, **outputs)  # type: ignore[arg-type]
    rows = []
    for name, array in outputs.items():
        flat = array.reshape(-1)
        shown = " ".join(f"{value:.5g}" for value in flat[:6]) + (" ..." if flat.size > 6 else "")
        rows.append((name, array.dtype, list(array.shape), shown))
    show_table("", ("output", "dtype", "shape", "values"), rows)
    return 0
