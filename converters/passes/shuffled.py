"""Convolutions before a pixel shuffle: their channels take the order that moves whole pixels."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, new_constant
from linnet.graph import Graph, Node
from linnet.types import Array, Quantization

from .families import UNARY


def order_shuffled_channels(graph: Graph) -> int:
    """Turn `DepthToSpace` of mode CRD into DCR behind convolutions; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.DepthToSpace) and _order(graph, links, node, node.op):
            links.refresh()
            changes += 1
    return changes


def _order(graph: Graph, links: Links, node: Node, op: ops.DepthToSpace) -> bool:
    if op.mode != "CRD":
        return False
    name = node.inputs[0]
    names = [name]
    while (maker := links.maker(name, *UNARY)) is not None and links.private(name):
        name = maker.inputs[0]
        names.append(name)
    conv = links.maker(name, ops.Conv2D)
    if conv is None or not links.private(name):
        return False
    constants = [n for n in conv.inputs[1:] if n]
    whole = isinstance(conv.op, ops.Conv2D) and conv.op.groups == 1
    if not whole or any(graph.constant(n) is None for n in constants):
        return False
    quantized = (graph.type_of(n).quantization for n in names)
    if any(q is not None and not q.per_tensor for q in quantized):
        return False
    channels = graph.values[constants[0]].type.static_shape[0]
    order = np.arange(channels).reshape(-1, op.block, op.block).transpose(1, 2, 0).reshape(-1)
    moved = {n: _permuted(graph, n, order) for n in constants}
    conv.inputs = tuple(moved.get(n, n) for n in conv.inputs)
    node.op = ops.DepthToSpace(block=op.block)
    return True


def _permuted(graph: Graph, name: str, order: Array) -> str:
    """Return the constant with its first axis in another order."""
    value = graph.values[name]
    assert value.data is not None
    q = value.type.quantization
    if q is not None and not q.per_tensor:
        q = Quantization(q.scale[order], q.zero_point[order], q.axis)
    return new_constant(graph, name, np.ascontiguousarray(value.data[order]), q)
