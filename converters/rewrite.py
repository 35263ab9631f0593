"""Small helpers for graph rewrites: who reads a value, matching chains, folding, replacing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet.errors import LinnetError
from linnet.graph import Graph, Node
from linnet.ops import Op
from linnet.types import Array, NodeTypes, TensorType

FOLD_LIMIT = 1 << 20


class Links:
    """Producers and readers of a graph's values at one moment."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers = graph.producers()
        self.readers = graph.consumers()
        self.kept = set(graph.outputs)

    def maker(self, name: str, *kinds: type[Op]) -> Node | None:
        """Return the node that makes a value if its op is one of the kinds."""
        node = self.makers.get(name)
        return node if node is not None and (not kinds or isinstance(node.op, kinds)) else None

    def only_reader(self, name: str, *kinds: type[Op]) -> Node | None:
        """Return the one node that reads a value, if nothing else does and its op is a kind."""
        readers = self.readers.get(name, [])
        if len(readers) != 1 or name in self.kept or readers[0].inputs.count(name) != 1:
            return None
        return readers[0] if not kinds or isinstance(readers[0].op, kinds) else None

    def private(self, name: str) -> bool:
        """Whether a value has one reader and is no graph output."""
        return self.only_reader(name) is not None


def node_types(graph: Graph, node: Node) -> NodeTypes:
    """Return the declared types of a node, constants with their content."""
    inputs = tuple(graph.known_type(i) if i else None for i in node.inputs)
    return NodeTypes(inputs, tuple(graph.type_of(o) for o in node.outputs if o))


def evaluate(graph: Graph, node: Node) -> list[Array] | None:
    """Compute a node whose inputs are constants; None where that is impossible or too large."""
    arrays = [graph.constant(i) for i in node.inputs]
    if not node.op.pure or not all(node.outputs):
        return None
    if any(a is None and i for a, i in zip(arrays, node.inputs, strict=True)):
        return None
    types = node_types(graph, node)
    read = sum(a.size for a in arrays if a is not None)
    if not all(t.is_static and t.size <= max(FOLD_LIMIT, read) for t in types.outputs):
        return None
    try:
        made = node.op.reference(types, *arrays)
    except (LinnetError, TypeError):
        return None
    return [np.ascontiguousarray(m).reshape(m.shape) for m in made]


def turn_constant(graph: Graph, node: Node, arrays: Sequence[Array]) -> None:
    """Replace a node by the constants it makes."""
    for name, array in zip(node.outputs, arrays, strict=True):
        value = graph.values[name]
        value.type = TensorType.of(array, value.type.quantization).with_(value=None)
        value.data = array
    graph.nodes.remove(node)


def position(graph: Graph, node: Node) -> int:
    """Return a node's index, by identity."""
    return next(i for i, other in enumerate(graph.nodes) if other is node)


def remove(graph: Graph, node: Node) -> None:
    """Remove a node, by identity; its outputs stay declared."""
    del graph.nodes[position(graph, node)]


def bypass(graph: Graph, node: Node) -> bool:
    """Remove a node whose output equals its first input; return whether that was possible.

    Where the output is one of the graph's, its name stays: the input takes it, unless the input is
    the graph's own, a constant, or already an output.
    """
    source, result = node.inputs[0], node.outputs[0]
    if result in graph.outputs:
        fixed = source in graph.inputs or source in graph.outputs
        if fixed or graph.values[source].is_constant:
            return False
        remove(graph, node)
        graph.replace(result, source)
        del graph.values[result]
        graph.rename(source, result)
        return True
    remove(graph, node)
    graph.replace(result, source)
    del graph.values[result]
    return True
