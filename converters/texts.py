"""Texts: a model's strings become numbers, places in one list that goes with the model.

The list is the metadata entry "texts": a JSON object from the inputs and outputs that hold texts to
the texts that their numbers stand for. A caller gives -1 for a text that is not among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from linnet.graph import Graph
from linnet.types import Array

RECORD = "texts"


@dataclass(slots=True)
class Texts:
    """The texts of one graph.

    Parameters
    ----------
    places : dict of str to int
        From texts to their numbers; nested graphs share it.
    values : set of str
        Values of the graph that hold texts.
    """

    places: dict[str, int] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)

    def numbers(self, texts: Iterable[str]) -> Array:
        """Return the numbers of texts, which join the list where they are new."""
        return np.array([self.places.setdefault(t, len(self.places)) for t in texts], np.int64)

    def array(self, texts: Array) -> Array:
        """Return an array of texts as numbers."""
        return self.numbers(texts.reshape(-1).tolist()).reshape(texts.shape)

    def record(self, graph: Graph) -> None:
        """Note in a graph's metadata which of its inputs and outputs hold texts."""
        held = [n for n in (*graph.inputs, *graph.outputs) if n in self.values]
        if held:
            graph.metadata[RECORD] = json.dumps({name: list(self.places) for name in held})
