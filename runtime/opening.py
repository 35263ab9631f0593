"""Opening any model: a ``.linnet`` file is read, an ONNX or TFLite model converted on the fly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .errors import InputError
from .format import MAGIC, read
from .graph import Graph

MODEL_ENDINGS = (".linnet", ".onnx", ".tflite")


def find_model(path: str | os.PathLike[str]) -> str:
    """Return the path of a model: the one given, or the only model of a folder.

    Raises
    ------
    InputError
        If it is a folder that holds no model, or several.
    """
    if not os.path.isdir(path):
        return os.fspath(path)
    names = sorted(p.name for p in Path(path).iterdir() if p.suffix.lower() in MODEL_ENDINGS)
    if len(names) == 1:
        return os.path.join(path, names[0])
    found = f"several models: {', '.join(names)}; name one" if names else "none"
    raise InputError(
        f"'{os.fspath(path)}' is a folder; expected a {', '.join(MODEL_ENDINGS)} file, or a folder "
        f"with one such file; it holds {found}"
    )


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
