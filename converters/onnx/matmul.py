"""ONNX matrix products."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.errors import UnsupportedError
from linnet.types import Array, DType, Quantization

from .node import OnnxNode
from .registry import MICROSOFT, handles
from .spatial import arranged, constant_like_weights

# The accuracy level of MatMulNBits at which rows become int8; all others compute in float.
_BYTES = 4


@handles("MatMul")
def matmul(node: OnnxNode) -> None:
    """FullyConnected where the second operand is a constant matrix of real numbers."""
    node.give(multiplied(node, node.input(0), node.input(1)))


def multiplied(node: OnnxNode, a: str, b: str) -> str:
    """Return a product of matrices."""
    types = node.graph.type_of(a), node.graph.type_of(b)
    if not (types[0].dtype.is_float and types[1].rank == 2 and constant_like_weights(node, b)):
        return node.emit(ops.MatMul(), a, b)
    return node.emit(ops.FullyConnected(), a, arranged(node, b, (1, 0), 2))


@handles("Gemm")
def gemm(node: OnnxNode) -> None:
    """Alpha * A' B' + beta * C."""
    node.give(gemm_of(node))


def gemm_of(node: OnnxNode) -> str:
    """Return alpha * A' B' + beta * C: FullyConnected where B is constant and C is a bias."""
    a, b = node.input(0), node.input(1)
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    left, right = bool(node.integer("transA", 0)), bool(node.integer("transB", 0))
    if not (node.type(0).dtype.is_float and constant_like_weights(node, b)):
        product = node.emit(ops.MatMul(transpose_a=left, transpose_b=right), a, b)
        return _add(node, _scaled(node, product, alpha), beta)
    if left:
        a = node.emit(ops.Transpose(perm=(1, 0)), a)
    weights = b if right else arranged(node, b, (1, 0), 2)
    data = node.graph.constant(weights)
    if data is not None and alpha != 1.0:
        weights = node.constant_like((data * data.dtype.type(alpha)), "weights")
        alpha = 1.0
    bias = _bias(node, int(node.graph.type_of(weights).static_shape[0]), beta)
    if alpha == 1.0 and bias:
        return node.emit(ops.FullyConnected(), a, weights, bias)
    return _add(node, _scaled(node, node.emit(ops.FullyConnected(), a, weights), alpha), beta)


def _bias(node: OnnxNode, outputs: int, beta: float) -> str:
    """Return C as a vector of one number per output, "" where it is something else."""
    name = node.optional(2)
    data = node.graph.constant(name)
    if data is None:
        ready = bool(name) and beta == 1.0 and node.type(2).shape == (outputs,)
        return name if ready and constant_like_weights(node, name) else ""
    last = data.shape[-1:]
    if last not in ((outputs,), (1,), ()) or data.shape[:-1] not in ((), (1,)):
        return ""
    vector: Array = np.broadcast_to(data.reshape(-1), (outputs,))
    return node.constant_like(np.ascontiguousarray(vector * data.dtype.type(beta)), "bias")


def _scaled(node: OnnxNode, name: str, factor: float) -> str:
    return name if factor == 1.0 else node.emit(ops.Mul(), name, node.number(factor))


def _add(node: OnnxNode, product: str, beta: float) -> str:
    if node.optional(2) and beta != 0.0:
        return node.emit(ops.Add(), product, _scaled(node, node.input(2), beta))
    return product


@handles("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(node: OnnxNode) -> None:
    """Emit A B * scale + bias, A quantized with one scale and zero point as it comes."""
    weights = node.known(1, "B")
    scale = node.known(2, "b_scale").astype(np.float32).reshape(-1)
    zero: Array = np.zeros(1, np.int32)
    if node.optional(3):
        zero = node.known(3, "b_zero_point").astype(np.int32).reshape(-1)
    if weights.ndim != 2:
        raise UnsupportedError(f"B has {weights.ndim} dimensions; only matrices")
    if weights.dtype == np.uint8:
        weights, zero = (weights.astype(np.int16) - 128).astype(np.int8), zero - 128
    axis = 0 if max(scale.size, zero.size) > 1 else None
    if axis is not None:
        scale = np.broadcast_to(scale, (weights.shape[1],))
    stored = np.ascontiguousarray(weights.T)
    w = node.constant_like(stored, "weights", Quantization(scale, zero, axis))
    inputs = [node.input(0), w, *([node.input(4)] if node.optional(4) else [])]
    node.finish(ops.DynamicLinear(per_tensor=True), *inputs)


@handles("MatMulNBits", domain=MICROSOFT)
def matmul_n_bits(node: OnnxNode) -> None:
    """Take weights of 4 or 8 bits in groups as stored; other forms are dequantized."""
    depth, outputs = node.integer("K", 0), node.integer("N", 0)
    size, bits = node.integer("block_size", 32), node.integer("bits", 4)
    whole = node.optional(3) and node.type(3).dtype != DType.UINT8
    if bits not in (4, 8) or size % 8 or node.optional(4) or whole:
        _dequantized_bits(node, depth, outputs, size, bits)
        return
    groups = -(-depth // size)
    weights = node.known(1, "B").astype(np.uint8).reshape(outputs, groups, size * bits // 8)
    scales = node.known(2, "scales").astype(np.float32).reshape(outputs, groups)
    inputs = [
        node.input(0),
        node.constant_like(weights, "weights"),
        node.constant_like(scales, "scales"),
    ]
    zeros, bias = node.optional(3), node.optional(5)
    if zeros:
        inputs.append(node.constant_like(_zeros(node, outputs, groups, bits), "zeros"))
    elif bias:
        inputs.append("")
    op = ops.BlockLinear(bits=bits, whole=node.integer("accuracy_level", 0) != _BYTES)
    node.finish(op, *inputs, *([bias] if bias else []))


def _dequantized_bits(node: OnnxNode, depth: int, outputs: int, size: int, bits: int) -> None:
    """Multiply by float weights, dequantized at conversion."""
    groups = -(-depth // size)
    weights = _unpacked(node.known(1, "B"), outputs, groups * size, bits)
    scales = node.known(2, "scales").astype(np.float32).reshape(outputs, groups)
    zeros: Array = np.full((outputs, groups), 1 << (bits - 1), np.float32)
    if node.optional(3):
        given = node.known(3, "zero_points")
        plain = given.dtype != np.uint8
        zeros = given if plain else _unpacked(given, outputs, groups, bits)
    place = np.arange(groups * size) // size
    if node.optional(4):
        place[:depth] = node.known(4, "g_idx").reshape(-1)[:depth]
    zeros = zeros.astype(np.float32).reshape(outputs, groups)
    real = (weights.astype(np.float32) - zeros[:, place]) * scales[:, place]
    inputs = [node.input(0), node.constant_like(np.ascontiguousarray(real[:, :depth]), "weights")]
    node.finish(ops.FullyConnected(), *inputs, *([node.input(5)] if node.optional(5) else []))


def _unpacked(packed: Array, rows: int, columns: int, bits: int) -> Array:
    """Return unsigned numbers of some bits, the first of a byte in its low bits."""
    if bits not in (1, 2, 4, 8):
        raise UnsupportedError(f"bits={bits}; only 2, 4 or 8")
    pieces = np.arange(0, 8, bits, dtype=np.uint8)
    flat = packed.astype(np.uint8).reshape(rows, -1, 1) >> pieces & ((1 << bits) - 1)
    return np.asarray(flat.reshape(rows, -1)[:, :columns])


def _zeros(node: OnnxNode, outputs: int, groups: int, bits: int) -> Array:
    """Return the zero points as one byte for each group."""
    return np.ascontiguousarray(_unpacked(node.known(3, "zero_points"), outputs, groups, bits))
