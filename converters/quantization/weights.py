"""Constant weights as integers, one scale per output channel, and biases in the products' scale."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.graph import Graph, Node
from linnet.ops import Op
from linnet.types import Array, Quantization

# What a bias may reach in steps of its scale, so that sums of products still fit beside it.
_BIAS_STEPS = 2.0**29


def channel_axis(op: Op, weights: Array) -> int:
    """Return the axis of output channels of an op's weights."""
    if isinstance(op, ops.DepthwiseConv2D):
        return 3
    if isinstance(op, ops.MatMul):
        return weights.ndim - (2 if op.transpose_b else 1)
    return 0


def peaks(weights: Array, axis: int) -> Array:
    """Return the largest magnitude per channel."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    return np.asarray(np.abs(weights).max(axis=others, initial=0.0), np.float64)


def weight_scale(
    weights: Array, axis: int, bits: int, bias: Array | None, x_scale: float, per_channel: bool
) -> Array:
    """Return the symmetric scales of weights, float32, one per channel or one for all.

    A channel of tiny weights gets a scale under which its bias still fits int32.
    """
    most = 2 ** (bits - 1) - 1
    scale = peaks(weights, axis) / most
    if bias is not None and scale.size == bias.size:
        scale = np.maximum(scale, np.abs(bias.astype(np.float64)) / (x_scale * _BIAS_STEPS))
    if not per_channel:
        scale = scale.max(keepdims=True, initial=0.0)
    return np.asarray(np.where(scale > 1e-30, scale, 1.0 / most), np.float32)


def along(scale: Array, axis: int, rank: int) -> Array:
    """Return scales shaped to broadcast along an axis."""
    if scale.size == 1:
        return scale.reshape(())
    shape = [1] * rank
    shape[axis] = -1
    return scale.reshape(shape)


def round_weights(weights: Array, scale: Array, axis: int, bits: int) -> Array:
    """Return weights as whole steps of their scale, int8."""
    most = 2 ** (bits - 1) - 1
    steps = np.rint(weights.astype(np.float64) / along(scale, axis, weights.ndim))
    return np.asarray(np.clip(steps, -most, most).astype(np.int8))


def quantization(scale: Array, axis: int) -> Quantization:
    """Return the quantization of symmetric weights."""
    return Quantization(scale, 0, axis if scale.size > 1 else None)


def integer_bias(bias: Array, x_scale: float, scale: Array, wide: bool = False) -> Array:
    """Return a bias in steps of the products' scale: int32, or int64 where ``wide``."""
    steps = np.rint(bias.astype(np.float64) / (np.float32(x_scale) * scale).astype(np.float64))
    kind = np.int64 if wide else np.int32
    return np.asarray(np.clip(steps, -(2**31) + 1, 2**31 - 1).astype(kind))


def float_operands(graph: Graph, node: Node) -> tuple[Array, Array | None] | None:
    """Return the constant float weights and bias of a node, None where they are not that."""
    weights = graph.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    bias_name = node.inputs[2] if len(node.inputs) > 2 else ""
    bias = graph.constant(bias_name)
    if weights is None or weights.dtype != np.float32 or (bias_name and bias is None):
        return None
    return weights, bias
