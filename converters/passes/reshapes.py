"""Merging of operators that only change the shape."""

from __future__ import annotations

from linnet import ops
from linnet.converters.rewrite import Links, bypass, reshape_target, same_shape
from linnet.graph import Graph, Node

from .families import UNARY, VIEWS


def merge_views(graph: Graph) -> int:
    """Turn a view of a view into one view; return how many were merged."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, VIEWS) and _merge(graph, links, node):
            links.refresh()
            changes += 1
    return changes


def _merge(graph: Graph, links: Links, node: Node) -> bool:
    """Let a view of a view read what the first one reads."""
    maker = links.maker(node.inputs[0], *VIEWS)
    if maker is None:
        return False
    source = graph.type_of(maker.inputs[0])
    made = graph.type_of(node.outputs[0])
    if source.quantization is not None and not source.quantization.per_tensor:
        return False
    if same_shape(source.shape, made.shape):
        node.inputs = (maker.inputs[0],)
        node.op = ops.Identity()
        bypass(graph, node)
        return True
    target = reshape_target(source.shape, made.shape)
    if target is None:
        return False
    node.inputs = (maker.inputs[0],)
    node.op = ops.Reshape(shape=target)
    return True


def sink_views(graph: Graph) -> int:
    """Move views behind elementwise operators where that lets them fuse; return how many moved.

    A view moves behind an operator that another view follows, and a clip moves to the operator
    before the view, which may take it as its clamp.
    """
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if not isinstance(node.op, UNARY):
            continue
        view = links.maker(node.inputs[0], *VIEWS)
        if view is None or not links.private(view.outputs[0]) or len(view.inputs) != 1:
            continue
        follower = links.only_reader(node.outputs[0], *VIEWS)
        maker = links.maker(view.inputs[0])
        clamped = isinstance(node.op, ops.Clip) and maker is not None and hasattr(maker.op, "clamp")
        if follower is None and not clamped:
            continue
        types = [
            graph.type_of(n).quantization for n in (*view.inputs, *view.outputs, *node.outputs)
        ]
        if any(q is not None and not q.per_tensor for q in types):
            continue
        _swap(graph, view, node)
        links.refresh()
        changes += 1
    return changes


def _swap(graph: Graph, view: Node, node: Node) -> None:
    """Apply the elementwise op to what the view reads, then the view."""
    inner = graph.unique(f"{node.outputs[0]}/viewed")
    old = graph.values.pop(node.outputs[0])
    at = next(i for i, n in enumerate(graph.nodes) if n is node)
    graph.nodes[at : at + 1] = []
    graph.add(
        node.op,
        [view.inputs[0]],
        name=node.name,
        outputs=[inner],
        quantization=old.type.quantization,
        at=at,
    )
    graph.add(view.op, [inner], name=view.name, outputs=[old.name], at=at + 1)
