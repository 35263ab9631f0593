"""Sharing: equal constants become one value, equal nodes become one node."""

from __future__ import annotations

import hashlib

from linnet.graph import Graph
from linnet.ops import Op


def share_constants(graph: Graph) -> int:
    """Let constants of equal type and bytes be one value; return how many went."""
    first: dict[tuple[object, ...], str] = {}
    changes = 0
    for name, value in list(graph.values.items()):
        if value.data is None or name in graph.outputs:
            continue
        digest = hashlib.sha256(value.data.tobytes()).digest()
        key = (value.type.dtype, value.type.shape, value.type.quantization, digest)
        if first.setdefault(key, name) != name:
            graph.replace(name, first[key])
            del graph.values[name]
            changes += 1
    return changes


def share_nodes(graph: Graph) -> int:
    """Let nodes of equal op and inputs be one; return how many went."""
    first: dict[tuple[object, ...], tuple[str, ...]] = {}
    changes = 0
    for node in list(graph.nodes):
        if not node.op.pure or not all(node.outputs):
            continue
        declared = tuple(graph.type_of(o).quantization for o in node.outputs)
        key: tuple[Op | object, ...] = (node.op, node.inputs, declared)
        kept = first.setdefault(key, node.outputs)
        if kept == node.outputs or any(o in graph.outputs for o in node.outputs):
            continue
        graph.nodes.remove(node)
        for old, new in zip(node.outputs, kept, strict=True):
            graph.replace(old, new)
            del graph.values[old]
        changes += 1
    return changes
