"""Softmax between two products becomes attention."""

from __future__ import annotations

import msgspec

from linnet import dims, ops
from linnet.converters.rewrite import Links, before, remove
from linnet.graph import Graph, Node
from linnet.ops import NO_CLAMP
from linnet.types import Shape

from .composites import scalar, split_scalar
from .families import VIEWS


def fuse_attention(graph: Graph) -> int:
    """Replace softmax(q k' * scale + mask) v on heads by one operator; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.MatMul) and _fuse(graph, links, node):
            graph.prune()
            links.refresh()
            changes += 1
    return changes


def take_in_transposes(graph: Graph) -> int:
    """Let attention read heads where linear layers leave them, [B, L, H, D]; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.Attention) and not node.op.heads_last:
            changes += _take_in(graph, links, node)
    return changes


def _take_in(graph: Graph, links: Links, node: Node) -> bool:
    swap = ops.Transpose(perm=(0, 2, 1, 3))
    makers = [links.maker(name, ops.Transpose) for name in node.inputs[:3]]
    reader = links.only_reader(node.outputs[0], ops.Transpose)
    if reader is None or reader.op != swap or any(m is None or m.op != swap for m in makers):
        return False
    sources = tuple(maker.inputs[0] for maker in makers if maker is not None)
    node.op = msgspec.structs.replace(node.op, heads_last=True)
    node.inputs = (*sources, *node.inputs[3:])
    inner = node.outputs[0]
    remove(graph, reader)
    del graph.values[inner]
    node.outputs = reader.outputs
    links.drop(reader)
    links.touch(node)
    return True


def _fuse(graph: Graph, links: Links, node: Node) -> bool:
    if node.op != ops.MatMul() or not graph.type_of(node.outputs[0]).dtype.is_float:
        return False
    softmax = _private(links, node.inputs[0], ops.Softmax)
    if softmax is None or not isinstance(softmax.op, ops.Softmax) or softmax.op.beta != 1.0:
        return False
    if softmax.op.axis not in (-1, 3) or graph.type_of(softmax.outputs[0]).rank != 4:
        return False
    scores, mask = _masked(graph, links, softmax.inputs[0])
    scores, scale = _scaled(links, scores)
    product = _private(links, scores, ops.MatMul)
    if product is None or not isinstance(product.op, ops.MatMul) or product.op.transpose_a:
        return False
    query, key = product.inputs
    if any(graph.type_of(name).rank != 4 for name in (query, key, node.inputs[1])):
        return False
    if not _heads_agree(graph, query, key, node.inputs[1], product.op.transpose_b):
        return False
    if mask and not _broadcasts(graph.type_of(mask).shape, graph.type_of(scores).shape):
        return False
    scale *= _absorbed(links, query) * _absorbed(links, key)
    query, key = product.inputs
    if not product.op.transpose_b:
        key = before(graph, node, ops.Transpose(perm=(0, 1, 3, 2)), [key])
    node.op = ops.Attention(scale=scale)
    node.inputs = (query, key, node.inputs[1], *([mask] if mask else []))
    return True


def _absorbed(links: Links, name: str) -> float:
    """Take out a product with a scalar behind views and transposes; return the scalar."""
    chain: Node | None = None
    while links.private(name):
        maker = links.maker(name, ops.Transpose, *VIEWS)
        if maker is None:
            source, value = _scaled(links, name)
            product = links.maker(name)
            if value == 1.0 or product is None:
                return 1.0
            reader = chain or links.readers[name][0]
            reader.inputs = tuple(source if i == name else i for i in reader.inputs)
            return value
        chain, name = maker, maker.inputs[0]
    return 1.0


def _private(links: Links, name: str, kind: type[ops.Op]) -> Node | None:
    """Return the node of a kind that makes a value for one reader only."""
    return links.maker(name, kind) if links.private(name) else None


def _masked(graph: Graph, links: Links, name: str) -> tuple[str, str]:
    """Return scores and the mask added to them, "" where there is none."""
    maker = _private(links, name, ops.Add)
    if maker is None or maker.op != ops.Add():
        return name, ""
    for index in (0, 1):
        inner, _ = _scaled(links, maker.inputs[index])
        if links.maker(inner, ops.MatMul) is not None and links.private(inner):
            return maker.inputs[index], maker.inputs[1 - index]
    return name, ""


def _scaled(links: Links, name: str) -> tuple[str, float]:
    """Return what a scalar multiplies, and the scalar."""
    maker = links.maker(name, ops.Mul, ops.Div) if links.private(name) else None
    if maker is None or getattr(maker.op, "clamp", NO_CLAMP) != NO_CLAMP:
        return name, 1.0
    if isinstance(maker.op, ops.Div):
        value = scalar(links, maker.inputs[1])
        return (maker.inputs[0], 1.0 / value) if value else (name, 1.0)
    split = split_scalar(links, maker)
    return split if split is not None else (name, 1.0)


def _heads_agree(graph: Graph, query: str, key: str, value: str, transposed: bool) -> bool:
    """Whether batch and heads are the same for all, not broadcast."""
    shapes = [graph.type_of(name).shape for name in (query, key, value)]
    depth = shapes[1][3 if transposed else 2]
    fits = shapes[0][3] == depth or not isinstance(depth, int)
    return fits and shapes[0][:2] == shapes[1][:2] == shapes[2][:2]


def _broadcasts(mask: Shape, scores: Shape) -> bool:
    """Whether a mask broadcasts to the scores without enlarging them."""
    if len(mask) > 4:
        return False
    pairs = zip(mask[::-1], scores[::-1], strict=False)
    return all(a == 1 or (dims.broadcast(a, b) is not None and b != 1) for a, b in pairs)
