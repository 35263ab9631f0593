"""ONNX matrix products."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.types import Array

from .node import OnnxNode
from .registry import handles
from .spatial import arranged, constant_like_weights


@handles("MatMul")
def matmul(node: OnnxNode) -> None:
    """FullyConnected where the second operand is a constant matrix of real numbers."""
    a, b = node.input(0), node.input(1)
    if not (node.type(0).dtype.is_float and node.rank(1) == 2 and constant_like_weights(node, b)):
        node.finish(ops.MatMul(), a, b)
        return
    node.finish(ops.FullyConnected(), a, arranged(node, b, (1, 0), 2))


@handles("Gemm")
def gemm(node: OnnxNode) -> None:
    """Emit alpha * A' B' + beta * C: FullyConnected where B is constant and C is a bias."""
    a, b = node.input(0), node.input(1)
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    left, right = bool(node.integer("transA", 0)), bool(node.integer("transB", 0))
    if not (node.type(0).dtype.is_float and constant_like_weights(node, b)):
        product = node.emit(ops.MatMul(transpose_a=left, transpose_b=right), a, b)
        _add(node, _scaled(node, product, alpha), beta)
        return
    if left:
        a = node.emit(ops.Transpose(perm=(1, 0)), a)
    weights = b if right else arranged(node, b, (1, 0), 2)
    data = node.graph.constant(weights)
    if data is not None and alpha != 1.0:
        weights = node.constant_like((data * data.dtype.type(alpha)), "weights")
        alpha = 1.0
    bias = _bias(node, int(node.graph.type_of(weights).static_shape[0]), beta)
    if alpha == 1.0 and bias:
        node.finish(ops.FullyConnected(), a, weights, bias)
        return
    _add(node, _scaled(node, node.emit(ops.FullyConnected(), a, weights), alpha), beta)


def _bias(node: OnnxNode, outputs: int, beta: float) -> str:
    """Return C as a vector of one number per output, "" where it is something else."""
    name = node.optional(2)
    data = node.graph.constant(name)
    if data is None:
        ready = bool(name) and beta == 1.0 and node.type(2).shape == (outputs,)
        return name if ready and constant_like_weights(node, name) else ""
    if data.size not in (1, outputs) or data.shape[-1:] not in ((outputs,), (1,), ()):
        return ""
    vector: Array = np.broadcast_to(data.reshape(-1), (outputs,))
    return node.constant_like(np.ascontiguousarray(vector * data.dtype.type(beta)), "bias")


def _scaled(node: OnnxNode, name: str, factor: float) -> str:
    return name if factor == 1.0 else node.emit(ops.Mul(), name, node.number(factor))


def _add(node: OnnxNode, product: str, beta: float) -> None:
    if node.optional(2) and beta != 0.0:
        node.finish(ops.Add(), product, _scaled(node, node.input(2), beta))
    else:
        node.give(product)
