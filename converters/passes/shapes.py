"""Shapes that a graph computes become numbers where they can be told before running."""

from __future__ import annotations

from linnet import ops
from linnet.converters.dimensions import Entries, Known, follow, number
from linnet.converters.rewrite import made_up, turn_constant
from linnet.errors import LinnetError
from linnet.graph import Graph, Node
from linnet.types import Shape


def resolve_shapes(graph: Graph) -> int:
    """Fold computed dimensions that are numbers, and take reshape targets in; return how many.

    A reshape to computed dimensions becomes one to a fixed target where every dimension is a
    number, one of the input's in the same place, or the only one left open.
    """
    known, changes, targets = follow(graph), 0, 0
    for node in list(graph.nodes):
        if len(node.outputs) == 1 and node.outputs[0] in known:
            data = number(graph, node.outputs[0], known)
            if data is not None:
                turn_constant(graph, node, [data])
                changes += 1
        elif isinstance(node.op, ops.Reshape) and node.op.shape is None:
            targets += _resolve(graph, node, known)
    if targets:
        renew_shapes(graph)
    return changes + targets


def renew_shapes(graph: Graph) -> int:
    """Infer shapes anew and note the dimensions that are known by now; return how many."""
    count = 0
    for node in graph.nodes:
        present = [graph.known_type(name) if name else None for name in node.inputs]
        while present and present[-1] is None:
            present.pop()
        try:
            types = node.op.infer(*present)
        except LinnetError:
            continue
        for name, type_ in zip(node.outputs, types, strict=True):
            declared = graph.type_of(name) if name else type_
            if declared.rank == type_.rank and any(made_up(dim) for dim in declared.shape):
                pairs = zip(declared.shape, type_.shape, strict=True)
                shape = tuple(new if made_up(old) else old for old, new in pairs)
                graph.values[name].type = declared.with_(shape=shape)
                count += sum(map(made_up, declared.shape)) - sum(map(made_up, shape))
    return count


def _resolve(graph: Graph, node: Node, known: Known) -> bool:
    assert isinstance(node.op, ops.Reshape)
    data = graph.constant(node.inputs[1])
    entries = known.get(node.inputs[1])
    if data is not None:
        target: tuple[int, ...] | None = tuple(int(dim) for dim in data.reshape(-1))
    elif entries is not None and not (node.op.allow_zero or 0 in entries):
        target = _target(known.shape(graph, node.inputs[0]), entries)
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
