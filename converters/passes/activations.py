"""Fusion of clips into the operators before them, which bound their results themselves."""

from __future__ import annotations

import msgspec

from linnet import ops
from linnet.converters.rewrite import Links, absorb
from linnet.graph import Graph, Node
from linnet.ops import Clamp


def fuse_activations(graph: Graph) -> int:
    """Turn a clip behind an operator that nothing else reads into its clamp; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.Clip):
            changes += _fuse(graph, links, node)
    return changes


def _fuse(graph: Graph, links: Links, node: Node) -> bool:
    clip = node.op
    assert isinstance(clip, ops.Clip)
    source = node.inputs[0]
    maker = links.maker(source)
    if maker is None or not links.private(source) or len(maker.outputs) != 1:
        return False
    bounds = _bounds(maker)
    types = graph.type_of(source), graph.type_of(node.outputs[0])
    if bounds is None or types[0].quantization != types[1].quantization:
        return False
    if not (types[0].dtype.is_float or types[0].is_quantized):
        return False
    joined = tuple(min(max(bound, clip.minimum), clip.maximum) for bound in bounds)
    if isinstance(maker.op, ops.Clip):
        maker.op = ops.Clip(minimum=joined[0], maximum=joined[1])
    else:
        maker.op = msgspec.structs.replace(maker.op, clamp=joined)
    absorb(graph, links, maker, node)
    return True


def _bounds(node: Node) -> Clamp | None:
    if isinstance(node.op, ops.Clip):
        return node.op.minimum, node.op.maximum
    clamp: Clamp | None = getattr(node.op, "clamp", None)
    return clamp
