"""``linnet convert``: a trained model into a .linnet file."""

from __future__ import annotations

import argparse

from .models import add_preprocess_argument, model_bytes, record_preprocessing, write_model
from .tables import bytes_text

NAME = "convert"
HELP = "Convert an ONNX or TFLite model into a .linnet file."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet convert``."""
    parser.add_argument("source", help="ONNX or TFLite model; told apart by content")
    parser.add_argument("-o", "--output", required=True, help=".linnet file to write")
    parser.add_argument(
        "--quantize",
        choices=["dynamic", "int4", "float16", "weight-only-int8"],
        help="quantize weights without calibration data: dynamic = int8 linear layers, "
        "activations as they come; int4 = 4-bit weights in groups of 32; float16 and "
        "weight-only-int8 = stored so, computed with in float",
    )
    parser.add_argument(
        "--cache",
        type=int,
        metavar="TOKENS",
        help="let a decoder whose keys and values are inputs and outputs keep them, so many at "
        "most, as linnet generate needs",
    )
    parser.add_argument(
        "--cache-type",
        choices=["float32", "float16", "int8"],
        default="float32",
        help="what those keys and values are stored as",
    )
    parser.add_argument("--name", help="name of the model (default: the source's own)")
    add_preprocess_argument(parser)
    parser.add_argument("--signature", help="entry point of a TFLite model that has several")


def run(options: argparse.Namespace) -> int:
    """Convert, write, and say what came of it."""
    import linnet

    graph = linnet.convert(
        options.source,
        options.name,
        options.quantize,
        options.signature,
        options.cache,
        options.cache_type,
    )
    record_preprocessing(graph, options)
    write_model(graph, options.output)
    before, after = model_bytes(options.source), model_bytes(options.output)
    print(
        f"{options.output}: {len(graph.nodes)} nodes, {bytes_text(after)} "
        f"(source {bytes_text(before)})"
    )
    if "signatures" in graph.metadata:
        chosen = graph.metadata.get("signature", "the first subgraph")
        print(f"signatures: {graph.metadata['signatures']}; converted: {chosen}")
    return 0
