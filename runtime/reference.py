"""Run a graph by the operators' NumPy references: slow, obvious, the oracle of comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph
from .ops.body import run_nodes
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
    ShapeError
        If shapes do not fit an operator.
    """
    values = run_nodes(graph, feeds)
    return values if every else {name: values[name] for name in graph.outputs}
