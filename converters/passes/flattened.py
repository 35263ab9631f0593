"""Transposes before a flattening and a weight matrix: the matrix takes the order of the axes."""

from __future__ import annotations

import math

import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, before, new_constant
from linnet.graph import Graph, Node

from .families import UNARY
from .moved import Perm, inverse
from .transpose_reshape import grouped


def permute_flattened_weights(graph: Graph) -> int:
    """Permute matrix columns where the rows they meet are flattened transposes; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.FullyConnected) and _permute(graph, links, node):
            links.refresh()
            changes += 1
    return changes


def _permute(graph: Graph, links: Links, node: Node) -> bool:
    chain, name = [], node.inputs[0]
    while (maker := links.maker(name, *UNARY)) is not None and links.private(name):
        chain.append(maker)
        name = maker.inputs[0]
    view = links.maker(name, ops.Reshape, ops.Flatten)
    if view is None or not links.private(name) or len(view.inputs) != 1:
        return False
    transpose = links.maker(view.inputs[0], ops.Transpose)
    if transpose is None or not links.private(view.inputs[0]):
        return False
    assert isinstance(transpose.op, ops.Transpose)
    merged = _merged_axes(graph, view, transpose.op.perm)
    weights = _weights(graph, links, node.inputs[1])
    types = [graph.type_of(n) for m in (*chain, view) for n in (*m.inputs, *m.outputs)]
    if merged is None or weights is None:
        return False
    if any(t.quantization is not None and not t.quantization.per_tensor for t in types):
        return False
    _apply(graph, node, view, transpose, merged, weights)
    return True


def _merged_axes(graph: Graph, view: Node, perm: Perm) -> list[int] | None:
    """Return the axes that flattening merges into the last, if it and the order keep the rest."""
    x, y = graph.type_of(view.inputs[0]), graph.type_of(view.outputs[0])
    groups = grouped(x.shape, y.shape)
    if not groups or not groups[-1][0]:
        return None
    axes, made = groups[-1]
    first = axes[0]
    last_only = [a for a in made if y.shape[a] != 1] == [y.rank - 1]
    kept = perm[:first] == tuple(range(first)) and axes[-1] >= max(
        (a for a in range(x.rank) if x.shape[a] != 1), default=0
    )
    numbers = all(isinstance(x.shape[a], int) for a in range(first, x.rank))
    return list(range(first, x.rank)) if last_only and kept and numbers else None


def _weights(graph: Graph, links: Links, name: str) -> str | None:
    """Return the constant behind the weights, dequantized or not."""
    if graph.constant(name) is not None:
        return name
    maker = links.maker(name, ops.Dequantize)
    if maker is not None and graph.constant(maker.inputs[0]) is not None:
        return maker.inputs[0]
    return None


def _apply(
    graph: Graph, node: Node, view: Node, transpose: Node, merged: list[int], weights: str
) -> None:
    assert isinstance(transpose.op, ops.Transpose)
    first = merged[0]
    shape = graph.type_of(view.inputs[0]).shape
    dims = [int(shape[a]) for a in merged]
    back = inverse(tuple(a - first for a in transpose.op.perm[first:]))
    value = graph.values[weights]
    assert value.data is not None
    rows = value.data.reshape(-1, *dims).transpose(0, *(a + 1 for a in back))
    flat = np.ascontiguousarray(rows.reshape(-1, math.prod(dims)))
    name = new_constant(graph, weights, flat, value.type.quantization)
    if weights != node.inputs[1]:
        name = before(graph, node, ops.Dequantize(), [name])
    node.inputs = (node.inputs[0], name, *node.inputs[2:])
    view.inputs = (transpose.inputs[0],)
    if isinstance(view.op, ops.Reshape):
        view.op = ops.Reshape(shape=_without_copies(view, graph))


def _without_copies(view: Node, graph: Graph) -> tuple[int, ...]:
    """Return the target with dimensions copied from kept axes only."""
    made = graph.type_of(view.outputs[0]).shape
    assert isinstance(view.op, ops.Reshape) and view.op.shape is not None
    open_ = [i for i, d in enumerate(made) if not isinstance(d, int)]
    return tuple(
        int(d) if isinstance(d, int) else (-1 if len(open_) == 1 else view.op.shape[i])
        for i, d in enumerate(made)
    )
