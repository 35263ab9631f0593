"""linnet: an edge inference runtime.

>>> import linnet
>>> graph = linnet.convert("model.onnx")  # doctest: +SKIP
>>> linnet.save(graph, "model.linnet")  # doctest: +SKIP
>>> session = linnet.load("model.linnet", threads=2)  # doctest: +SKIP
>>> outputs = session.run({"input": array})  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .session import Session, load
from .spec import Quantization, TensorSpec

if TYPE_CHECKING:
    from .errors import (
        CalibrationError,
        FormatError,
        GraphError,
        InputError,
        LinnetError,
        PlanError,
        QuantizationError,
        ShapeError,
        UnsupportedError,
    )
    from .generation import embed, generate
    from .graph import Graph

__version__ = "0.1.0"

__all__ = [
    "CalibrationError",
    "FormatError",
    "Graph",
    "GraphError",
    "InputError",
    "LinnetError",
    "PlanError",
    "Quantization",
    "QuantizationError",
    "Session",
    "ShapeError",
    "TensorSpec",
    "UnsupportedError",
    "__version__",
    "convert",
    "embed",
    "generate",
    "load",
    "quantize",
    "save",
]


# Where names that are not errors are imported from.
_HOMES = {"Graph": "graph", "embed": "generation", "generate": "generation"}


def __getattr__(name: str) -> Any:
    """Import what loading and running a stored plan does without when it is first asked for."""
    if name not in __all__ and name != "errors":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = import_module(f".{_HOMES.get(name, 'errors')}", __name__)
    return home if name == "errors" else getattr(home, name)


def convert(
    source: Any,
    name: str | None = None,
    quantize: str | None = None,
    signature: str | None = None,
    cache: int | None = None,
    cache_type: str = "float32",
) -> Graph:
    """Convert a trained ONNX or TFLite model into a graph.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto
        The model; what it is shows from its content.
    name : str, optional
        Name of the graph; by default the model's own or the file's.
    quantize : str, optional
        "dynamic": int8 weights, activations quantized row by row as they come; "int4": 4-bit
        weights in groups of 32; "float16", "weight-only-int8": weights stored so, computed with in
        float. No data needed.
    signature : str, optional
        Entry point of a TFLite model that has several, by name; its inputs and outputs then have
        the signature's names. By default the first subgraph, by the names of its tensors.
    cache : int, optional
        Most tokens that a decoder, whose keys and values come and go as inputs and outputs, is to
        keep instead; it then takes tokens and a position, as `generate` feeds it.
    cache_type : str
        What it keeps them as: "float32", or in less memory "float16" or "int8".

    Raises
    ------
    FormatError
        If the content is neither ONNX nor TFLite, or is damaged.
    UnsupportedError
        With every reason, if the model needs something that linnet cannot do.
    QuantizationError
        If ``quantize`` is no known kind, or the model has nothing that it would change.
    """
    from linnet.converters import convert as convert_model

    return convert_model(source, name, quantize, signature, cache, cache_type)


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph to a ``.linnet`` file, whole or not at all.

    Raises
    ------
    GraphError
        If the graph is not valid; nothing is written then.
    """
    from .format import write

    write(graph, path)


def quantize(model: Any, data: Any = None, method: str = "static", **options: Any) -> Graph:
    """Quantize a float model.

    Parameters
    ----------
    model : Graph, path or bytes
        A graph, or what `convert` and `load` take; it is not changed.
    data : path, ndarray, mapping or iterable, optional
        Calibration samples: a folder of .npy, .npz or image files, such a file, arrays with the
        samples along their first axis, or an iterable of samples.
    method : str
        "static" (needs data), or another name that ``linnet quantize --help`` lists.
    **options
        Of the method: ``calibrator``, ``keep``, ``progress``...

    Returns
    -------
    Graph
        To `save` or `load`. Its metadata records method, options, data and ranges.

    Raises
    ------
    CalibrationError
        If the data is absent where needed, empty, constant, not finite, or does not fit.
    QuantizationError
        If the method or an option is unknown, or there is nothing to quantize.

    Examples
    --------
    >>> graph = linnet.quantize("model.onnx", "samples/")  # doctest: +SKIP
    """
    from linnet.converters.quantization import quantize as quantize_graph

    from .opening import open_graph
    from .sampling import samples_of

    graph = open_graph(model)
    samples = None if data is None else samples_of(graph, data)
    return quantize_graph(graph, samples, method, runner=lambda g: Session(g).run, **options)
