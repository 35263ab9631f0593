"""Folding of constant scales and shifts into the weights and biases before them."""

from __future__ import annotations

import msgspec
import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, absorb, before, new_constant
from linnet.graph import Graph, Node
from linnet.ops import NO_CLAMP
from linnet.types import Array

from .families import WEIGHTED

# Ops with a factor and a term per channel of their own, which no weights follow.
_NORMALIZED: tuple[type[ops.Op], ...] = (ops.GroupNormalization, ops.InstanceNormalization)


def split_batch_normalization(graph: Graph) -> int:
    """Turn normalizations with constant statistics into a product and a sum; return how many."""
    changes = 0
    for node in list(graph.nodes):
        if not isinstance(node.op, ops.BatchNormalization):
            continue
        scale, bias, mean, variance = (graph.constant(i) for i in node.inputs[1:5])
        if scale is None or bias is None or mean is None or variance is None:
            continue
        if not graph.type_of(node.inputs[0]).dtype.is_float:
            continue
        factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + node.op.epsilon)
        shift = bias - mean * factor
        stem, kind = node.name, scale.dtype
        product = before(
            graph, node, ops.Mul(), [node.inputs[0], new_constant(graph, stem, factor.astype(kind))]
        )
        node.op = ops.Add()
        node.inputs = (product, new_constant(graph, stem, shift.astype(kind)))
        changes += 1
    return changes


def fold_affine(graph: Graph) -> int:
    """Fold per-channel factors and terms into the weighted op before them; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, (ops.Mul, ops.Div, ops.Add, ops.Sub)):
            changes += _fold(graph, links, node)
    return changes


def _fold(graph: Graph, links: Links, node: Node) -> bool:
    kinds: tuple[type[ops.Op], ...] = (*WEIGHTED, *_NORMALIZED)
    sides = [links.maker(name, *kinds) if name else None for name in node.inputs]
    for index in (0, 1):
        maker, other = sides[index], graph.constant(node.inputs[1 - index])
        if maker is None or other is None or not links.private(node.inputs[index]):
            continue
        if index == 1 and isinstance(node.op, (ops.Div, ops.Sub)):
            continue
        if isinstance(maker.op, _NORMALIZED) and getattr(node.op, "clamp", NO_CLAMP) != NO_CLAMP:
            continue
        vector = _per_channel(graph, node, index, other)
        if vector is None:
            continue
        factor, term = _as_affine(node.op, vector)
        if not _plain(graph, links, maker, bool((factor != 1.0).any())):
            continue
        _rescale(graph, maker, factor, term)
        maker.op = _clamped(maker, node)
        absorb(graph, links, maker, node)
        return True
    return False


def _clamped(maker: Node, node: Node) -> ops.Op:
    """Return the weighted op with the clamp of the arithmetic op that it takes in."""
    if isinstance(maker.op, _NORMALIZED):
        return maker.op
    clamp = getattr(node.op, "clamp", NO_CLAMP)
    return msgspec.structs.replace(maker.op, clamp=clamp)


def _per_channel(graph: Graph, node: Node, index: int, other: Array) -> Array | None:
    """Return the other operand as one number per channel, None where it is something else."""
    x, y = graph.type_of(node.inputs[index]), graph.type_of(node.outputs[0])
    channels = x.shape[-1] if x.rank else 1
    if not x.dtype.is_float or x.rank != y.rank or not isinstance(channels, int):
        return None
    if other.ndim > x.rank or other.size not in (1, channels):
        return None
    if other.size == channels and other.shape[-1:] != (channels,) and channels != 1:
        return None
    return np.broadcast_to(other.reshape(-1).astype(np.float64), (channels,))


def _plain(graph: Graph, links: Links, node: Node, scaled: bool) -> bool:
    """Whether a weighted op has no clamp, a constant float bias and such weights.

    Weights that are not to be scaled may be dequantized constants too.
    """
    weights, *bias = (i for i in node.inputs[1:] if i)
    fixed = [weights, *bias] if scaled else bias
    if not scaled and graph.constant(weights) is None:
        maker = links.maker(weights, ops.Dequantize)
        if maker is None or graph.constant(maker.inputs[0]) is None:
            return False
    constant = all(graph.constant(i) is not None for i in fixed)
    floating = all(graph.type_of(i).dtype.is_float for i in (weights, *bias))
    clamp = getattr(node.op, "clamp", NO_CLAMP)
    if isinstance(node.op, ops.ConvTranspose2D) and node.op.groups != 1:
        return False
    return constant and floating and clamp == NO_CLAMP


def _as_affine(op: ops.Op, vector: Array) -> tuple[Array, Array]:
    one, zero = np.ones_like(vector), np.zeros_like(vector)
    if isinstance(op, ops.Mul):
        return vector, zero
    if isinstance(op, ops.Div):
        return 1.0 / vector, zero
    return one, vector if isinstance(op, ops.Add) else -vector


def _rescale(graph: Graph, node: Node, factor: Array, term: Array) -> None:
    """Change weights and bias so that the result is factor * result + term."""
    weights = graph.constant(node.inputs[1])
    bias = graph.constant(node.inputs[2]) if len(node.inputs) > 2 else None
    kind = graph.type_of(node.inputs[1]).dtype.numpy
    names = [node.inputs[0], node.inputs[1]]
    if weights is not None and (factor != 1.0).any():
        last = isinstance(node.op, ops.DepthwiseConv2D)
        shape = (1,) * (weights.ndim - 1) + (-1,) if last else (-1,) + (1,) * (weights.ndim - 1)
        names[1] = new_constant(graph, names[1], (weights * factor.reshape(shape)).astype(kind))
    moved = term if bias is None else bias * factor + term
    if bias is not None or moved.any():
        names.append(new_constant(graph, f"{node.name}/bias", moved.astype(kind)))
    node.inputs = tuple(names)
