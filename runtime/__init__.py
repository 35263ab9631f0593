"""linnet: an edge inference runtime.

>>> import linnet
>>> graph = linnet.convert("model.onnx")  # doctest: +SKIP
>>> linnet.save(graph, "model.linnet")  # doctest: +SKIP
>>> session = linnet.load("model.linnet", threads=2)  # doctest: +SKIP
>>> outputs = session.run({"input": array})  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import Any

from .errors import (
    FormatError,
    GraphError,
    InputError,
    LinnetError,
    PlanError,
    QuantizationError,
    ShapeError,
    UnsupportedError,
)
from .graph import Graph
from .session import Session, load
from .types import Quantization, TensorSpec

__version__ = "0.1.0"

__all__ = [
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
    "load",
    "save",
]


def convert(source: Any, name: str | None = None) -> Graph:
    """Convert a trained ONNX or TFLite model into a graph.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto
        The model; what it is shows from its content.
    name : str, optional
        Name of the graph; by default the model's own or the file's.

    Raises
    ------
    FormatError
        If the content is neither ONNX nor TFLite, or is damaged.
    UnsupportedError
        With every reason, if the model needs something that linnet cannot do.
    """
    from linnet.converters import convert as convert_model

    return convert_model(source, name)


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph to a ``.linnet`` file, whole or not at all.

    Raises
    ------
    GraphError
        If the graph is not valid; nothing is written then.
    """
    from .format import write

    write(graph, path)
