"""Which constants are stored in panels, and their way back to plain ones."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from linnet.errors import LinnetError
from linnet.graph import Graph, Node
from linnet.panels import Panels


def read_in_panels(graph: Graph) -> set[str]:
    """Return the constants of a graph that nothing reads but kernels that take panels."""
    found: set[str] = set()
    others = {*graph.outputs, *(state.initial for state in graph.states)}
    for node in graph.nodes:
        taken = _taken(graph, node)
        for place, name in enumerate(node.inputs):
            (found if place in taken else others).add(name)
    return {name for name in found - others if graph.constant(name) is not None}


def _taken(graph: Graph, node: Node) -> tuple[int, ...]:
    try:
        return node.op.reads_panels(*(graph.type_of(i) if i else None for i in node.inputs))
    except LinnetError:
        return ()


def unpack(graph: Graph, kept: Container[str]) -> None:
    """Put plain constants in the place of packed ones, but for those that are kept."""
    for name, value in graph.values.items():
        data: Any = value.data
        if isinstance(data, Panels) and name not in kept:
            value.data = data.plain()
