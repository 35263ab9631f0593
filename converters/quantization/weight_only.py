"""Float weights into 4-bit ones with a scale and a zero point for each group of inputs."""

from __future__ import annotations

import math

import numpy as np

from linnet import ops
from linnet.converters.rewrite import before
from linnet.errors import QuantizationError
from linnet.graph import Graph, Node
from linnet.ops import NO_CLAMP
from linnet.types import Array

from .dynamic import float_weights, quantize_table
from .methods import Job, register

GROUPS = (32, 64, 128)
_LEVELS = 15


def quantize_int4(graph: Graph, group: int = 32, whole: bool = False) -> int:
    """Turn float linear layers into 4-bit ones, large embedding tables into int8; return how many.

    Parameters
    ----------
    graph : Graph
        Changed in place.
    group : int
        Weights that share a scale: 32, 64 or 128.
    whole : bool
        Multiply activations as they are; otherwise their rows are rounded to int8.

    Raises
    ------
    QuantizationError
        If the group is another.
    """
    if group not in GROUPS:
        raise QuantizationError(f"group={group}; expected one of {GROUPS}")
    changes = 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.FullyConnected):
            changes += _quantize_layer(graph, node, group, whole)
        elif isinstance(node.op, ops.Gather):
            changes += quantize_table(graph, node)
    if changes:
        graph.prune()
        graph.validate()
    return changes


@register("int4", "4-bit weights in groups, activations as int8 rows; no data needed")
def int4(graph: Graph, job: Job, *, group: int = 32, whole: bool = False) -> Graph:
    """Quantize linear layers.

    Raises
    ------
    QuantizationError
        If there are none, or the group is none that the kernels have.
    """
    if not quantize_int4(graph, group, whole):
        raise QuantizationError("found no float linear layer to quantize; use the model as it is")
    return graph


def blocks(weights: Array, group: int) -> tuple[Array, Array, Array]:
    """Return weights [O, K] as (bytes of two [O, G, group / 2], scales, zeros [O, G])."""
    outputs, depth = weights.shape
    count = -(-depth // group)
    full = np.zeros((outputs, count * group), np.float32)
    full[:, :depth] = weights
    split = full.reshape(outputs, count, group)
    low, high = np.minimum(split.min(axis=2), 0.0), np.maximum(split.max(axis=2), 0.0)
    scale = np.maximum((high - low) / np.float32(_LEVELS), np.finfo(np.float32).tiny)
    zero = np.clip(np.rint(-low / scale), 0, _LEVELS)
    numbers = np.clip(np.rint(split / scale[..., None]) + zero[..., None], 0, _LEVELS)
    pairs = numbers.astype(np.uint8).reshape(outputs, count, group // 2, 2)
    stored = pairs[..., 0] | pairs[..., 1] << 4
    return stored, scale.astype(np.float32), zero.astype(np.uint8)


def _quantize_layer(graph: Graph, node: Node, group: int, whole: bool) -> bool:
    weights = float_weights(graph, node)
    op = node.op
    assert isinstance(op, ops.FullyConnected)
    if weights is None or op.clamp not in (NO_CLAMP, (0.0, math.inf)):
        return False
    stem, bias = node.inputs[1], (*node.inputs, "")[2]
    parts = blocks(weights, group)
    names = [graph.add_constant(f"{stem}/int4", part) for part in parts]
    inputs = (node.inputs[0], *names, *([bias] if bias else []))
    if op.clamp == NO_CLAMP:
        node.op, node.inputs = ops.BlockLinear(whole=whole), inputs
    else:
        source = before(graph, node, ops.BlockLinear(whole=whole), inputs)
        node.op, node.inputs = ops.Clip(minimum=0.0), (source,)
    return True
