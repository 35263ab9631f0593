"""Importers and graph passes: from a trained model to a graph that is ready to plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from linnet.errors import LinnetError, QuantizationError, UnsupportedError
from linnet.graph import Graph

from .importer import import_model
from .passes import simplify

if TYPE_CHECKING:
    from .importer import Source


def convert(
    source: Source,
    name: str | None = None,
    quantize: str | None = None,
    signature: str | None = None,
    cache: int | None = None,
    cache_type: str = "float32",
) -> Graph:
    """Convert a trained model into a graph.

    Parameters
    ----------
    source : str, PathLike, bytes or onnx.ModelProto
        An ONNX or TFLite model: its path, its content, or a loaded ONNX model.
    name : str, optional
        Name of the graph; the model's own, or its file's, where absent.
    quantize : str, optional
        Quantize weights without calibration data: "dynamic" makes linear layers int8, their
        activations quantized row by row as they come, and large embedding tables int8; "int4"
        gives linear layers 4-bit weights in groups of 32 instead; "float16" and
        "weight-only-int8" store weights smaller and compute in float.
    signature : str, optional
        Entry point of a TFLite model that has several, by name; inputs and outputs then have the
        signature's names. By default the first subgraph, by the names of its tensors.
    cache : int, optional
        Let a decoder whose keys and values are inputs and outputs keep so many tokens instead; it
        then takes tokens and a position, as `linnet.generate` feeds it.
    cache_type : str
        What those keys and values are stored as: "float32", "float16" or "int8".

    Returns
    -------
    Graph
        Simplified and validated; inputs and outputs as the model declares them.

    Raises
    ------
    FormatError
        If the content is neither format, or damaged.
    UnsupportedError
        With every operator and value that linnet cannot express.
    QuantizationError
        If ``quantize`` is no known kind, or the model has nothing that it would change.
    OSError
        If a path cannot be read.
    """
    if quantize is not None:
        from .quantization import quantize as quantize_graph
        from .quantization.methods import find

        if find(quantize).needs_data:
            raise QuantizationError(f"quantize='{quantize}' needs samples; use linnet.quantize")
    graph = import_model(source, signature)
    simplify(graph)
    if cache is not None:
        from .caches import keep_caches

        keep_caches(graph, cache, cache_type)
    if quantize is not None:
        graph = quantize_graph(graph, method=quantize)
    if name is not None:
        graph.name = name
    return graph


def check(source: Source, signature: str | None = None) -> list[str]:
    """Return every reason why a model cannot be converted; none means that it can.

    Parameters
    ----------
    source : str, PathLike, bytes or onnx.ModelProto
    signature : str, optional
        As for `convert`.

    Returns
    -------
    list of str
        One line each: operator, node, what is missing, nearest rewrite.
    """
    try:
        convert(source, signature=signature)
    except UnsupportedError as error:
        return list(error.reasons)
    except LinnetError as error:
        return [str(error)]
    return []


def signatures(source: Source) -> list[str]:
    """Return the names of a TFLite model's entry points; none for other models.

    Parameters
    ----------
    source : str, PathLike, bytes or onnx.ModelProto
    """
    if hasattr(source, "SerializeToString"):
        return []
    data = source if isinstance(source, (bytes, bytearray)) else Path(source).read_bytes()
    if data[4:8] != b"TFL3":
        return []
    from .tflite.reader import read_model

    try:
        return [signature.name for signature in read_model(bytes(data)).signatures]
    except LinnetError:
        return []
