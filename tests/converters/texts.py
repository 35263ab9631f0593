"""Texts of models in tests: numbers for those that go in, texts for those that come out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from linnet.graph import Graph
from linnet.types import Array


def _known(graph: Graph, name: str) -> list[str] | None:
    found: list[str] | None = json.loads(graph.metadata.get("texts", "{}")).get(name)
    return found


def encoded(graph: Graph, name: str, array: Any) -> Array:
    """Return an input with the numbers of its texts, -1 where the model has none."""
    texts, given = _known(graph, name), np.asarray(array)
    if texts is None:
        return given
    flat = [texts.index(t) if t in texts else -1 for t in given.reshape(-1)]
    return np.array(flat, np.int64).reshape(given.shape)


def decoded(graph: Graph, name: str, array: Array) -> Array:
    """Return an output with the texts that its numbers stand for."""
    texts = _known(graph, name)
    return array if texts is None else np.array(texts, np.object_)[array]
