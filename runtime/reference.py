"""Run a graph by the operators' NumPy references: slow, obvious, the oracle of comparisons."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .graph import Graph
from .specialize import specialize
from .types import Array


def evaluate(graph: Graph, feeds: Mapping[str, Array], every: bool = False) -> dict[str, Array]:
    """Return the graph's outputs, computed node by node with ``Op.reference``.

    Parameters
    ----------
    graph : Graph
    feeds : mapping of str to ndarray
        One array per graph input, states too.
    every : bool
        Return every computed value, not only the outputs.

    Raises
    ------
    ShapeError, UnsupportedError
        As `specialize` does.
    """
    types = {name: graph.type_of(name).with_(shape=np.shape(feeds[name])) for name in graph.inputs}
    concrete = specialize(graph, types)
    values = {n: t.value for n, t in concrete.types.items() if t.value is not None}
    values.update({name: np.asarray(feeds[name]) for name in graph.inputs})
    for item in concrete.nodes:
        arrays = (values[i] if i else None for i in item.node.inputs)
        results = item.node.op.reference(item.types, *arrays)
        values.update({name: r for name, r in zip(item.node.outputs, results, strict=True) if name})
    return values if every else {name: values[name] for name in graph.outputs}
