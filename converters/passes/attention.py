"""Softmax between two products becomes attention."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from linnet import dims, ops
from linnet.converters.dimensions import Entries, Known, follow
from linnet.converters.rewrite import Links, before, made_up, new_constant, remove
from linnet.graph import Graph, Node
from linnet.ops import NO_CLAMP
from linnet.types import Shape

from .composites import scalar, split_scalar
from .families import VIEWS


def fuse_attention(graph: Graph) -> int:
    """Replace softmax(q k' * scale + mask) v on heads by one operator; return how many."""
    links, known, changes = Links(graph), follow(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.MatMul) and _fuse(graph, links, known, node):
            graph.prune()
            links.refresh()
            changes += 1
    return changes


def take_in_transposes(graph: Graph) -> int:
    """Let attention read heads where linear layers leave them, [B, L, H, D]; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        kinds = (ops.Attention, ops.CachedAttention)
        if isinstance(node.op, kinds) and not node.op.heads_last:
            changes += _take_in(graph, links, node)
    return changes


def group_heads(graph: Graph) -> int:
    """Let attention read keys and values that were repeated for groups of heads; return how many.

    What repeats heads is an expansion of [B, Hkv, 1, S, D] along the third axis, reshaped to heads.
    """
    links, known, changes = Links(graph), follow(graph), 0
    for node in list(graph.nodes):
        if not isinstance(node.op, ops.Attention) or node.op.heads_last:
            continue
        found = [_repeated(links, known, name) for name in node.inputs[1:3]]
        if None in found or found[0][1:] != found[1][1:]:  # type: ignore[index]
            continue
        for index, (source, _, _) in enumerate(f for f in found if f is not None):
            single = before(graph, node, ops.Squeeze(axes=(2,)), [source])
            inputs = list(node.inputs)
            inputs[index + 1] = single
            node.inputs = tuple(inputs)
        graph.prune()
        links.refresh()
        changes += 1
    return changes


def _repeated(links: Links, known: Known, name: str) -> tuple[str, int, int] | None:
    """Return [B, Hkv, 1, S, D], Hkv and how often each head is repeated."""
    joined = links.maker(name, ops.Reshape)
    wide = links.maker(joined.inputs[0], ops.Expand) if joined is not None else None
    if joined is None or wide is None:
        return None
    shape, target = links.graph.type_of(wide.inputs[0]).shape, _expansion(links, known, wide)
    heads = (targets(known, joined) or ((), ()))[1]
    if len(shape) != 5 or shape[2] != 1 or target is None or len(target) != 5:
        return None
    single, times = shape[1], target[2]
    if not isinstance(single, int) or not isinstance(times, int) or heads != single * times:
        return None
    return wide.inputs[0], single, times


def _expansion(links: Links, known: Known, node: Node) -> Entries | None:
    data = links.graph.constant(node.inputs[1])
    return known.get(node.inputs[1]) if data is None else tuple(int(dim) for dim in data)


def _take_in(graph: Graph, links: Links, node: Node) -> bool:
    swap = ops.Transpose(perm=(0, 2, 1, 3))
    makers = [links.maker(name, ops.Transpose) for name in node.inputs[:3]]
    readers = links.readers[node.outputs[0]]
    measured = [r for r in readers if r.op == ops.Shape()]
    others = [r for r in readers if r not in measured]
    if len(others) != 1 or others[0].op != swap or node.outputs[0] in links.kept:
        return False
    if any(m is None or m.op != swap for m in makers):
        return False
    reader = others[0]
    sources = tuple(maker.inputs[0] for maker in makers if maker is not None)
    node.op = msgspec.structs.replace(node.op, heads_last=True)
    node.inputs = (*sources, *node.inputs[3:])
    inner = node.outputs[0]
    remove(graph, reader)
    node.outputs = reader.outputs
    links.drop(reader)
    links.touch(node)
    for shape in measured:
        order = new_constant(graph, inner, np.array(swap.perm, np.int64))
        shape.inputs = (before(graph, shape, ops.Shape(), [node.outputs[0]]), order)
        shape.op = ops.Gather()
        links.touch(shape)
    del graph.values[inner]
    return True


def _fuse(graph: Graph, links: Links, known: Known, node: Node) -> bool:
    if node.op != ops.MatMul() or not graph.type_of(node.outputs[0]).dtype.is_float:
        return False
    softmax = _softmax(links, node.inputs[0])
    if softmax is None or not isinstance(softmax.op, ops.Softmax) or softmax.op.beta != 1.0:
        return False
    if softmax.op.axis not in (-1, 3) or graph.type_of(softmax.outputs[0]).rank != 4:
        return False
    scores, masks = _masked(graph, links, softmax.inputs[0])
    shape = graph.type_of(scores).shape
    scores, scale, cap = _capped(links, scores)
    product = _private(links, scores, ops.MatMul)
    if product is None or not isinstance(product.op, ops.MatMul) or product.op.transpose_a:
        return False
    query, key = product.inputs
    if any(graph.type_of(name).rank != 4 for name in (query, key, node.inputs[1])):
        return False
    if not _heads_agree(graph, query, key, node.inputs[1], product.op.transpose_b):
        return False
    if not all(_broadcasts(graph.type_of(mask).shape, shape) for mask in masks):
        return False
    scale *= _absorbed(links, query) * _absorbed(links, key)
    query, key = product.inputs
    if not product.op.transpose_b:
        straight = _untransposed(links, known, key)
        key = straight or before(graph, node, ops.Transpose(perm=(0, 1, 3, 2)), [key])
    node.op = ops.Attention(scale=scale, softcap=cap)
    node.inputs = (query, key, node.inputs[1], *_mask(graph, links, node, masks))
    return True


def _mask(graph: Graph, links: Links, node: Node, masks: list[str]) -> list[str]:
    """Return one mask instead of some that are all added, none where there is none."""
    if len(masks) < 2:
        return [_seen(links, mask) for mask in masks]
    total = masks[0]
    for mask in masks[1:]:
        total = before(graph, node, ops.Add(), [total, mask])
    return [total]


def _softmax(links: Links, name: str) -> Node | None:
    """Return the private softmax behind a value, where(isnan(softmax), 0, softmax) included.

    Rows without keys, whose softmax is not a number, are zeros in attention as well.
    """
    guard = _private(links, name, ops.Where)
    if guard is None:
        return _private(links, name, ops.Softmax)
    softmax = links.maker(guard.inputs[2], ops.Softmax)
    odd = _private(links, guard.inputs[0], ops.Not)
    same = None if odd is None else _private(links, odd.inputs[0], ops.Equal)
    if softmax is None or same is None or scalar(links, guard.inputs[1]) != 0.0:
        return None
    own = softmax.outputs[0]
    readers = {id(reader) for reader in links.readers[own]}
    fits = set(same.inputs) == {own} and own not in links.kept
    return softmax if fits and readers == {id(guard), id(same)} else None


def _seen(links: Links, mask: str) -> str:
    """Return the condition of a mask that is 0 where it holds and -inf elsewhere, or the mask."""
    choice = links.maker(mask, ops.Where)
    if choice is None:
        return mask
    kept, hidden = (scalar(links, name) for name in choice.inputs[1:])
    same = links.graph.type_of(choice.inputs[0]).shape == links.graph.type_of(mask).shape
    return choice.inputs[0] if (kept, hidden) == (0.0, -math.inf) and same else mask


def _untransposed(links: Links, known: Known, name: str) -> str:
    """Return x [B, H, S, D] of a value that is its transpose by way of [B * H, S, D], else ""."""
    last = links.maker(name, ops.Reshape)
    swap = links.maker(last.inputs[0], ops.Transpose) if last is not None else None
    first = links.maker(swap.inputs[0], ops.Reshape) if swap is not None else None
    if last is None or swap is None or first is None or swap.op != ops.Transpose(perm=(0, 2, 1)):
        return ""
    x = first.inputs[0]
    shape = known.shape(links.graph, x)
    if len(shape) != 4 or not all(isinstance(shape[axis], int) for axis in (0, 1, 3)):
        return ""
    batch, heads, keys, depth = shape
    fits = targets(known, first) in ((-1, keys, depth), (batch * heads, keys, depth))  # type: ignore[operator]
    end = targets(known, last)
    return x if fits and end in ((batch, heads, depth, -1), (batch, heads, depth, keys)) else ""


def targets(known: Known, node: Node) -> Entries | None:
    """Return the target of a reshape as far as it is known."""
    assert isinstance(node.op, ops.Reshape)
    return node.op.shape if node.op.shape is not None else known.get(node.inputs[1])


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


def _masked(graph: Graph, links: Links, name: str) -> tuple[str, list[str]]:
    """Return scores and the masks added to them, the first one last."""
    maker = _private(links, name, ops.Add)
    if maker is None or maker.op != ops.Add():
        return name, []
    for index in (0, 1):
        inner, _, _ = _capped(links, maker.inputs[index])
        if links.maker(inner, ops.MatMul) is not None and links.private(inner):
            return maker.inputs[index], [maker.inputs[1 - index]]
    for index in (0, 1):
        scores, masks = _masked(graph, links, maker.inputs[index])
        if masks:
            return scores, [maker.inputs[1 - index], *masks]
    return name, []


def _capped(links: Links, name: str) -> tuple[str, float, float]:
    """Return products, the factor on them, and what they are capped at or 0."""
    outer, cap = _scaled(links, name)
    tanh = _private(links, outer, ops.Tanh)
    if tanh is None or cap <= 0.0:
        inner, scale = _scales(links, name)
        return inner, scale, 0.0
    inner, scale = _scales(links, tanh.inputs[0])
    return inner, scale * cap, cap


def _scales(links: Links, name: str) -> tuple[str, float]:
    """Return what scalars multiply, one after the other, and their product."""
    total = 1.0
    while True:
        inner, scale = _scaled(links, name)
        if inner == name:
            return name, total
        name, total = inner, total * scale


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
    """Whether batch and heads are the same for all, as far as is known.

    One head of keys and values may serve all of the queries'.
    """
    shapes = [graph.type_of(name).shape for name in (query, key, value)]
    depth = shapes[1][3 if transposed else 2]
    fits = shapes[0][3] == depth or not isinstance(depth, int)
    compared = 1 if shapes[1][1] == shapes[2][1] == 1 else 2
    pairs = [
        (one, other)
        for shape in shapes[1:]
        for one, other in zip(shapes[0][:compared], shape[:compared], strict=True)
    ]
    return fits and all(a == b or made_up(a) or made_up(b) for a, b in pairs)


def _broadcasts(mask: Shape, scores: Shape) -> bool:
    """Whether a mask broadcasts to the scores without enlarging them, as far as is known."""
    if len(mask) > 4:
        return False
    pairs = zip(mask[::-1], scores[::-1], strict=False)
    return all(
        a == 1 or made_up(a) or made_up(b) or (dims.broadcast(a, b) is not None and b != 1)
        for a, b in pairs
    )
