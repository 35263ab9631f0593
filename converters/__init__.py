"""Importers and graph passes: from a trained model to a graph that is ready to plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linnet.errors import LinnetError, UnsupportedError
from linnet.graph import Graph

from .importer import import_model
from .passes import simplify

if TYPE_CHECKING:
    from .importer import Source


def convert(source: Source, name: str | None = None) -> Graph:
    """Convert a trained model into a graph.

    Parameters
    ----------
    source : str, PathLike, bytes or onnx.ModelProto
        An ONNX or TFLite model: its path, its content, or a loaded ONNX model.
    name : str, optional
        Name of the graph; the model's own, or its file's, where absent.

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
    OSError
        If a path cannot be read.
    """
    graph = import_model(source)
    simplify(graph)
    if name is not None:
        graph.name = name
    return graph


def check(source: Source) -> list[str]:
    """Return every reason why a model cannot be converted; none means that it can.

    Parameters
    ----------
    source : str, PathLike, bytes or onnx.ModelProto

    Returns
    -------
    list of str
        One line each: operator, node, what is missing, nearest rewrite.
    """
    try:
        convert(source)
    except UnsupportedError as error:
        return list(error.reasons)
    except LinnetError as error:
        return [str(error)]
    return []
