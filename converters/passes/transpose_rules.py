"""How each family of operators works on axes in another order.

A rule answers: if the inputs that are transposed were not, which op on which inputs makes the same
elements, and in which order of axes?
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, before, made_up, new_constant, reshape_target
from linnet.graph import Graph, Node
from linnet.ops import Op
from linnet.types import Quantization, TensorType

from .families import BROADCAST, REDUCTIONS, UNARY
from .moved import Change, Moved, Perm, before_input, dropped, inverse, settled
from .transpose_reshape import reshape


def moved_behind(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Return the node without the transposes before it, None where no rule applies."""
    for kinds, rule in _RULES:
        if isinstance(node.op, kinds):
            return rule(graph, links, node)
    return None


def _single(node: Node, source: str, op: Op, perm: Perm) -> Moved:
    """Return a node whose first input alone was transposed."""
    return Moved(op, [settled(perm)] * len(node.outputs), [source, *node.inputs[1:]])


def _with(op: Op, **fields: Any) -> Op:
    return msgspec.structs.replace(op, **fields)


def _axes(op: Op, rank: int, name: str = "axes") -> Perm:
    return tuple(axis % rank for axis in getattr(op, name))


def _unary(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    if found is None:
        return None
    return _single(node, found[0], node.op, found[1])


def _broadcast(graph: Graph, links: Links, node: Node) -> Moved | None:
    rank = graph.type_of(node.outputs[0]).rank
    for perm in _orders(links, node):
        if len(perm) == rank:
            moved = _all_aligned(graph, links, node, perm, node.op, _permuted_constant)
            if moved is not None:
                return moved
    return None


def _concat(graph: Graph, links: Links, node: Node) -> Moved | None:
    for perm in _orders(links, node):
        axis = perm[node.op.axis % len(perm)]  # type: ignore[attr-defined]
        op = _with(node.op, axis=axis)
        moved = _all_aligned(graph, links, node, perm, op, _concat_constant)
        if moved is not None:
            return moved
    return None


def _orders(links: Links, node: Node) -> list[Perm]:
    """Return the orders of axes before a node's inputs: common ones and those of images first."""
    found = [before_input(links, node, i) for i in range(len(node.inputs))]
    counts = Counter(item[1] for item in found if item is not None)
    return sorted(counts, key=lambda perm: (-counts[perm], perm))


def _all_aligned(
    graph: Graph,
    links: Links,
    node: Node,
    perm: Perm,
    op: Op,
    constant: Callable[[Graph, str, Perm], str],
) -> Moved | None:
    """Return the node with every operand in the order before a transpose, None where one cannot."""
    sources, changes = list(node.inputs), {}
    for index, name in enumerate(node.inputs):
        found = before_input(links, node, index)
        if found is not None and found[1] == perm:
            sources[index] = found[0]
            continue
        type_ = graph.type_of(name)
        if type_.is_static and type_.size == 1 and type_.rank <= 1 and isinstance(op, BROADCAST):
            continue
        change = _aligned(graph, links, name, perm, constant)
        if change is None:
            return None
        changes[index] = change
    return Moved(op, [settled(perm)], sources, changes)


def _aligned(
    graph: Graph,
    links: Links,
    name: str,
    perm: Perm,
    constant: Callable[[Graph, str, Perm], str],
) -> Change | None:
    """Return how an operand that another transpose or none precedes follows, None if it cannot."""
    if graph.constant(name) is not None:
        return lambda g, n: constant(g, name, perm)
    maker = links.maker(name, ops.Dequantize)
    if maker is not None and graph.constant(maker.inputs[0]) is not None:
        stored = maker.inputs[0]
        return lambda g, n: before(g, n, ops.Dequantize(), [constant(g, stored, perm)])
    given, type_ = name, graph.type_of(name)
    maker, order = links.maker(name, ops.Transpose), tuple(range(type_.rank))
    if maker is not None and isinstance(maker.op, ops.Transpose):
        name, order = maker.inputs[0], maker.op.perm
    if type_.rank != len(perm):
        return None
    if any(r.op == ops.Transpose(perm=inverse(perm)) for r in links.readers[given]):
        return lambda g, n: before(g, n, ops.Transpose(perm=inverse(perm)), [given])
    if not _same_order(type_, order, perm):
        return None
    shape = tuple(type_.shape[axis] for axis in inverse(perm))
    target = reshape_target(graph.type_of(name).shape, shape)
    if target is None:
        return None
    return lambda g, n: before(g, n, ops.Reshape(shape=target), [name])


def _same_order(type_: TensorType, order: Perm, perm: Perm) -> bool:
    """Whether two transposes that make a shape read its elements in the same order."""
    if type_.quantization is not None and not type_.quantization.per_tensor:
        return False
    if any(made_up(dim) for dim in type_.shape):
        return False
    one, other = ([axis for axis in inverse(p) if type_.shape[axis] != 1] for p in (order, perm))
    return one == other


def _permuted_constant(graph: Graph, name: str, perm: Perm) -> str:
    """Return a broadcast operand with its axes in the order before a transpose."""
    value = graph.values[name]
    data, q = value.data, value.type.quantization
    assert data is not None
    if data.size == 1:
        return new_constant(graph, name, data.reshape(()), q)
    missing = len(perm) - data.ndim
    back = inverse(perm)
    wide = data.reshape((1,) * missing + data.shape).transpose(back)
    axis = None
    if q is not None and q.axis is not None:
        axis = back.index(q.axis + missing)
    while wide.ndim and wide.shape[0] == 1 and axis != 0:
        wide, axis = wide[0], None if axis is None else axis - 1
    if q is not None:
        q = Quantization(q.scale, q.zero_point, axis)
    return new_constant(graph, name, wide, q)


def _concat_constant(graph: Graph, name: str, perm: Perm) -> str:
    """Return a joined operand with its axes in the order before a transpose."""
    value = graph.values[name]
    assert value.data is not None
    q = value.type.quantization
    if q is not None and q.axis is not None:
        q = Quantization(q.scale, q.zero_point, perm[q.axis])
    return new_constant(graph, name, value.data.transpose(inverse(perm)), q)


def _reduce(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    axes = _axes(node.op, len(perm)) or tuple(range(len(perm)))
    keep = node.op.keepdims  # type: ignore[attr-defined]
    op = _with(node.op, axes=tuple(sorted(perm[a] for a in axes)))
    return _single(node, source, op, perm if keep else dropped(perm, axes))


def _arg_reduce(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    axis = node.op.axis % len(perm)  # type: ignore[attr-defined]
    keep = node.op.keepdims  # type: ignore[attr-defined]
    return _single(
        node, source, _with(node.op, axis=perm[axis]), perm if keep else dropped(perm, (axis,))
    )


def _one_axis(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Ops along one axis; one that ran along the last axis keeps doing so, as kernels prefer."""
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    axis = node.op.axis % len(perm)  # type: ignore[attr-defined]
    last = len(perm) - 1
    if isinstance(node.op, (ops.Softmax, ops.LogSoftmax)) and axis == last != perm[axis]:
        return None
    return _single(node, source, _with(node.op, axis=perm[axis]), perm)


def _trailing(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Keep trailing axes, which normalizations run over, where they are."""
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    first = node.op.axis % len(perm)  # type: ignore[attr-defined]
    if perm[first:] != tuple(range(first, len(perm))):
        return None
    return _single(node, source, node.op, perm)


def _pad(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    pads, rank = node.op.pads, len(perm)  # type: ignore[attr-defined]
    back = inverse(perm)
    moved = tuple(pads[side * rank + back[axis]] for side in (0, 1) for axis in range(rank))
    return _single(node, source, _with(node.op, pads=moved), perm)


def _slice(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    op = node.op
    assert isinstance(op, ops.Slice)
    if found is None or op.starts is None or op.ends is None:
        return None
    source, perm = found
    axes = op.axes if op.axes is not None else tuple(range(len(op.starts)))
    moved = tuple(perm[axis % len(perm)] for axis in axes)
    return _single(node, source, _with(op, axes=moved), perm)


def _reverse(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    axes = tuple(perm[axis] for axis in _axes(node.op, len(perm)))
    return _single(node, source, _with(node.op, axes=axes), perm)


def _gather(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Gather by a vector keeps the rank, by a scalar it loses the axis."""
    op = node.op
    assert isinstance(op, ops.Gather)
    found = before_input(links, node)
    rank = graph.type_of(node.inputs[1]).rank
    if found is None or op.batch_dims or rank > 1:
        return None
    source, perm = found
    axis = op.axis % len(perm)
    order = perm if rank == 1 else dropped(perm, (axis,))
    return _single(node, source, _with(op, axis=perm[axis]), order)


def _squeeze(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    op = node.op
    assert isinstance(op, ops.Squeeze)
    if found is None or op.axes is None:
        return None
    source, perm = found
    axes = _axes(op, len(perm))
    moved = tuple(sorted(perm[a] for a in axes))
    return _single(node, source, ops.Squeeze(axes=moved), dropped(perm, axes))


def _unsqueeze(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Keep new axes in their places, the others in order among themselves."""
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    rank = graph.type_of(node.outputs[0]).rank
    axes = _axes(node.op, rank)
    kept = [axis for axis in range(rank) if axis not in axes]
    order = tuple(axis if axis in axes else kept[perm[kept.index(axis)]] for axis in range(rank))
    return _single(node, source, node.op, order)


def _shape(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Gather the dimensions of a transposed tensor from the tensor's."""
    found = before_input(links, node)
    op = node.op
    assert isinstance(op, ops.Shape)
    if found is None:
        return None
    source, perm = found
    wanted = np.array(perm[op.start : op.end], np.int64)

    def shape(g: Graph, n: Node) -> str:
        return before(g, n, ops.Shape(), [source])

    def order(g: Graph, n: Node) -> str:
        return new_constant(g, n.name, wanted)

    return Moved(ops.Gather(axis=0), [None], ["", ""], {0: shape, 1: order})


def _linear(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Products with a weight matrix: the last axis must stay last."""
    found = before_input(links, node)
    if found is None or found[1][-1] != len(found[1]) - 1:
        return None
    return _single(node, found[0], node.op, found[1])


def _matmul(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Make a swap of the last two axes of an operand the op's own."""
    op = node.op
    assert isinstance(op, ops.MatMul)
    flags, sources, changed = [op.transpose_a, op.transpose_b], list(node.inputs), False
    for index in (0, 1):
        found = before_input(links, node, index)
        if found is None:
            continue
        rank = len(found[1])
        if found[1] == (*range(rank - 2), rank - 1, rank - 2):
            flags[index], sources[index], changed = not flags[index], found[0], True
    if not changed:
        return None
    return Moved(ops.MatMul(transpose_a=flags[0], transpose_b=flags[1]), [None], sources)


def _split(graph: Graph, links: Links, node: Node) -> Moved | None:
    found = before_input(links, node)
    if found is None:
        return None
    source, perm = found
    axis = perm[node.op.axis % len(perm)]  # type: ignore[attr-defined]
    return _single(node, source, _with(node.op, axis=axis), perm)


Rule = Callable[[Graph, Links, Node], Moved | None]
_RULES: tuple[tuple[type[Op] | tuple[type[Op], ...], Rule], ...] = (
    (UNARY, _unary),
    (BROADCAST, _broadcast),
    (REDUCTIONS, _reduce),
    (ops.Concat, _concat),
    ((ops.ArgMax, ops.ArgMin), _arg_reduce),
    ((ops.Softmax, ops.LogSoftmax, ops.LpNormalization, ops.CumSum), _one_axis),
    ((ops.LayerNormalization, ops.RMSNormalization), _trailing),
    (ops.Pad, _pad),
    (ops.Slice, _slice),
    (ops.Reverse, _reverse),
    (ops.Gather, _gather),
    (ops.Split, _split),
    ((ops.Reshape, ops.Flatten), reshape),
    (ops.Squeeze, _squeeze),
    (ops.Unsqueeze, _unsqueeze),
    (ops.Shape, _shape),
    (ops.FullyConnected, _linear),
    (ops.MatMul, _matmul),
)
