"""Shapes that a graph computes become numbers where they can be told before running."""

from __future__ import annotations

from linnet import ops
from linnet.converters.dimensions import Entries, follow, number, token
from linnet.converters.rewrite import turn_constant
from linnet.graph import Graph, Node
from linnet.types import Shape


def resolve_shapes(graph: Graph) -> int:
    """Fold computed dimensions that are numbers, and take reshape targets in; return how many.

    A reshape to computed dimensions becomes one to a fixed target where every dimension is a
    number, one of the input's in the same place, or the only one left open.
    """
    known, changes = follow(graph), 0
    for node in list(graph.nodes):
        if len(node.outputs) == 1 and node.outputs[0] in known:
            data = number(graph, node.outputs[0], known)
            if data is not None:
                turn_constant(graph, node, [data])
                changes += 1
        elif isinstance(node.op, ops.Reshape) and node.op.shape is None:
            changes += _resolve(graph, node, known)
    return changes


def _resolve(graph: Graph, node: Node, known: dict[str, Entries]) -> bool:
    assert isinstance(node.op, ops.Reshape)
    data = graph.constant(node.inputs[1])
    entries = known.get(node.inputs[1])
    if data is not None:
        target: tuple[int, ...] | None = tuple(int(dim) for dim in data.reshape(-1))
    elif entries is not None and not (node.op.allow_zero or 0 in entries):
        source = node.inputs[0]
        shape = tuple(token(source, i, d) for i, d in enumerate(graph.type_of(source).shape))
        target = _target(shape, entries)
    else:
        target = None
    if target is None:
        return False
    node.op = ops.Reshape(shape=target, allow_zero=node.op.allow_zero)
    node.inputs = node.inputs[:1]
    return True


def _target(source: Shape, entries: Entries) -> tuple[int, ...] | None:
    target = []
    for index, dim in enumerate(entries):
        if isinstance(dim, int):
            target.append(dim)
        elif index < len(source) and source[index] == dim:
            target.append(0)
        else:
            target.append(-1)
    return tuple(target) if target.count(-1) <= 1 else None
