"""Sharing: equal constants become one value, equal nodes become one node."""

from __future__ import annotations

import hashlib

from linnet.converters.rewrite import substitute
from linnet.graph import Graph
from linnet.ops import Op


def share_constants(graph: Graph) -> int:
    """Let constants of equal type and bytes be one value; return how many went."""
    first: dict[tuple[object, ...], str] = {}
    instead: dict[str, str] = {}
    kept = {*graph.outputs, *(state.initial for state in graph.states)}
    for name, value in graph.values.items():
        if value.data is None or name in kept:
            continue
        digest = hashlib.sha256(value.data.tobytes()).digest()
        key = (value.type.dtype, value.type.shape, value.type.quantization, digest)
        if first.setdefault(key, name) != name:
            instead[name] = first[key]
    substitute(graph, instead)
    return len(instead)


def share_nodes(graph: Graph) -> int:
    """Let nodes of equal op and inputs be one; return how many went."""
    first: dict[tuple[object, ...], tuple[str, ...]] = {}
    instead: dict[str, str] = {}
    gone = []
    for node in graph.nodes:
        if not node.op.pure or not all(node.outputs):
            continue
        inputs = tuple(instead.get(name, name) for name in node.inputs)
        declared = tuple(graph.type_of(o).quantization for o in node.outputs)
        key: tuple[Op | object, ...] = (node.op, inputs, declared)
        kept = first.setdefault(key, node.outputs)
        if kept == node.outputs or any(o in graph.outputs for o in node.outputs):
            continue
        gone.append(node)
        instead |= dict(zip(node.outputs, kept, strict=True))
    substitute(graph, instead, gone)
    return len(gone)
