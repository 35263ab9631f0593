"""Opening any model: a ``.linnet`` file is read, an ONNX or TFLite model converted on the fly."""

from __future__ import annotations

import os
from typing import Any

from .format import MAGIC, read
from .graph import Graph


def open_graph(source: str | os.PathLike[str] | bytes | Any) -> Graph:
    """Return the graph of a model given by path or content.

    Parameters
    ----------
    source : path, bytes, Graph or onnx.ModelProto

    Raises
    ------
    FormatError, UnsupportedError
        As `linnet.load` and `linnet.convert` do.
    """
    if isinstance(source, Graph):
        return source
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            start = file.read(len(MAGIC))
        if start == MAGIC or os.fspath(source).endswith(".linnet"):
            return read(source)
    elif isinstance(source, bytes) and source.startswith(MAGIC):
        return read(source)
    from linnet import convert

    return convert(source)
