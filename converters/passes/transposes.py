"""Transposes move towards the outputs until they meet their inverse and cancel.

A transpose moves behind an operator by letting the operator work on the axes in their old order.
The rules of each family are in `transpose_rules`; this file decides when a move is worth it.
"""

from __future__ import annotations

from linnet import ops
from linnet.converters.rewrite import Links, made_up, rebuild, reshape_target
from linnet.graph import Graph, Node
from linnet.types import Shape

from .families import BROADCAST, UNARY
from .moved import Moved, Perm, compose, inverse
from .transpose_reshape import split_reshape
from .transpose_rules import moved_behind

_REACH = 12
_DEPTH = 6
_SWEEPS = 200


def sink_transposes(graph: Graph) -> int:
    """Move transposes towards the outputs and merge those that meet; return how many moved."""
    changes = 0
    for _ in range(_SWEEPS):
        moved = _sweep(graph)
        changes += moved
        if not moved:
            break
        graph.prune()
    return changes


def _sweep(graph: Graph) -> int:
    """Visit every node in order; the graph's list grows anew, so that edits are at its end."""
    links, changes = Links(graph), 0
    pending, graph.nodes = graph.nodes, []
    for node in pending:
        graph.nodes.append(node)
        start = len(graph.nodes) - 1
        if any(links.maker(i, ops.Transpose) for i in node.inputs if i) and _move(links, node):
            made = graph.nodes[start:]
            if not any(item is node for item in made):
                links.drop(node)
            links.touch(*made)
            links.kept = set(graph.outputs)
            changes += 1
    return changes


def _move(links: Links, node: Node) -> bool:
    """Move the transposes before a node behind it, if that is possible and worth it."""
    graph = links.graph
    if isinstance(node.op, ops.Transpose):
        return _merge(links, node)
    transposes = [links.maker(i, ops.Transpose) for i in node.inputs if i]
    if not all(t is None or _worth(links, t, node) for t in transposes):
        return False
    moved = moved_behind(graph, links, node)
    if moved is None and isinstance(node.op, ops.Reshape):
        moved = split_reshape(graph, links, node)
        perm = moved.perms[0] if moved is not None else None
        if perm is None or not _meets_inverse(links, node, perm):
            return False
    if moved is None:
        return False
    _apply(graph, node, moved)
    return True


def _apply(graph: Graph, node: Node, moved: Moved) -> None:
    inputs = moved.inputs(graph, node)
    rebuild(graph, node, moved.op, inputs, moved.perms)


def _merge(links: Links, node: Node) -> bool:
    """Let a transpose of a transpose read what the first one reads."""
    first = links.maker(node.inputs[0], ops.Transpose)
    assert first is not None and isinstance(first.op, ops.Transpose)
    assert isinstance(node.op, ops.Transpose)
    node.op = ops.Transpose(perm=compose(first.op.perm, node.op.perm))
    node.inputs = first.inputs
    return True


def _worth(links: Links, transpose: Node, node: Node) -> bool:
    """Whether moving a transpose behind one of its readers leaves no more transposes."""
    name = transpose.outputs[0]
    readers = links.readers[name]
    if name not in links.kept and all(r is node or _passes(links, r) for r in readers):
        return True
    assert isinstance(transpose.op, ops.Transpose)
    return _meets_inverse(links, node, transpose.op.perm)


def _passes(links: Links, node: Node) -> bool:
    """Whether a transpose before a node goes away or can move behind it, perhaps later."""
    if isinstance(node.op, (ops.Transpose, ops.Shape)):
        return True
    if moved_behind(links.graph, links, node) is not None:
        return True
    joins = isinstance(node.op, (*BROADCAST, ops.Concat))
    return joins and all(_fed(links, name, _DEPTH) for name in node.inputs)


def _fed(links: Links, name: str, depth: int) -> bool:
    """Whether a value is a constant, transposed, or computed from such by what lets them pass."""
    if links.graph.constant(name) is not None:
        return True
    maker = links.maker(name, ops.Transpose, ops.Concat, *UNARY, *BROADCAST)
    if maker is None or depth == 0:
        return False
    if isinstance(maker.op, ops.Transpose):
        return True
    return all(_fed(links, i, depth - 1) for i in maker.inputs)


def _meets_inverse(links: Links, node: Node, perm: Perm) -> bool:
    """Whether the inverse of a transpose follows soon behind a node of one output."""
    waiting, seen = [node], 0
    while waiting and seen < _REACH:
        current = waiting.pop(0)
        seen += 1
        if isinstance(current.op, ops.Transpose):
            if current.op.perm == inverse(perm):
                return True
            continue
        if current is not node and not _passes(links, current):
            continue
        waiting.extend(r for o in current.outputs if o for r in links.readers[o])
    return False


def flatten_transposes(graph: Graph) -> int:
    """Turn transposes that only move dimensions of one into reshapes; return how many."""
    changes = 0
    for node in graph.nodes:
        if not isinstance(node.op, ops.Transpose):
            continue
        x, y = graph.type_of(node.inputs[0]), graph.type_of(node.outputs[0])
        target = reshape_target(x.shape, y.shape)
        per_axis = x.quantization is not None and not x.quantization.per_tensor
        if target is None or per_axis or not keeps_order(x.shape, node.op.perm):
            continue
        node.op = ops.Reshape(shape=target)
        changes += 1
    return changes


def keeps_order(shape: Shape, perm: Perm) -> bool:
    """Whether a transpose of a shape leaves its elements in their order."""
    long = [axis for axis in perm if shape[axis] != 1 or made_up(shape[axis])]
    return long == sorted(long)
