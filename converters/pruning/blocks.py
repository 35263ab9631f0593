"""Block pruning: whole blocks of weights made zero, which the kernels then skip."""

from __future__ import annotations

import json

import numpy as np

from linnet import ops
from linnet.errors import UnsupportedError
from linnet.graph import Graph, Node
from linnet.types import Array

OUTPUTS, DEPTH = 16, 4


def prune_blocks(graph: Graph, share: float) -> Graph:
    """Set the blocks of least norm, 16 outputs by 4 inputs, of matrix products to zero.

    Linear layers and 1 x 1 convolutions are pruned, each by itself, where a layer has at least 32
    outputs and 32 inputs.

    Parameters
    ----------
    graph : Graph
        In float; it is not changed.
    share : float
        Share of each layer's blocks, from 0 up to 1.

    Raises
    ------
    UnsupportedError
        If the share is none, or no layer is large enough.
    """
    if not 0.0 <= share < 1.0:
        raise UnsupportedError(f"share {share}; expected from 0 below 1")
    made, count = graph.copy(), 0
    for node in made.nodes:
        weights = _matrix(made, node)
        if weights is None or min(weights.shape) < 2 * OUTPUTS:
            continue
        value = made.values[node.inputs[1]]
        value.data = zeroed(weights, share).reshape(value.type.static_shape)
        count += 1
    if not count:
        raise UnsupportedError(f"'{graph.name}' has no matrix product of 32 by 32 or more")
    made.metadata["pruning"] = json.dumps({"blocks": share, "layers": count})
    return made


def _matrix(graph: Graph, node: Node) -> Array | None:
    """Return the (outputs, inputs) weights of a matrix product with constant float weights."""
    if not isinstance(node.op, (ops.FullyConnected, ops.Conv2D)):
        return None
    weights = graph.constant(node.inputs[1])
    if weights is None or weights.dtype != np.float32:
        return None
    if isinstance(node.op, ops.FullyConnected):
        return weights
    plain = weights.shape[1:3] == (1, 1) == node.op.strides and node.op.groups == 1
    return weights.reshape(weights.shape[0], -1) if plain else None


def zeroed(weights: Array, share: float) -> Array:
    """Return (outputs, inputs) weights with a share of their blocks set to zero."""
    outputs, depth = weights.shape
    panels, steps = -(-outputs // OUTPUTS), -(-depth // DEPTH)
    full = np.zeros((panels * OUTPUTS, steps * DEPTH), np.float64)
    full[:outputs, :depth] = weights
    norms = np.square(full).reshape(panels, OUTPUTS, steps, DEPTH).sum(axis=(1, 3))
    gone = np.argsort(norms, axis=None, kind="stable")[: int(norms.size * share)]
    kept = np.ones(norms.size, bool)
    kept[gone] = False
    mask = np.repeat(np.repeat(kept.reshape(norms.shape), OUTPUTS, axis=0), DEPTH, axis=1)
    return np.where(mask[:outputs, :depth], weights, np.float32(0.0)).astype(np.float32)
