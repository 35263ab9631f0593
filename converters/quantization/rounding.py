"""Rounding by local reconstruction: up or down, whichever keeps a layer's own outputs.

For a layer y = W x the error of rounded weights is e' H e per output, e the rounding errors and H
the second moments of x. Starting from the nearest step, single weights are moved to the other
neighbor while that lowers the error (AdaRound's problem, Nagel et al., 2020, by coordinate
descent). H has fixed size, so memory stays flat in the number of samples.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from linnet import ops
from linnet.graph import Graph, Node
from linnet.types import Array

from .plan import Plan
from .weights import along, round_weights

MOST_INPUTS = 1024
_SWEEPS = 3


class Grams:
    """Second moments of what matrix products multiply: linear layers and 1 x 1 convolutions.

    Parameters
    ----------
    graph : Graph
    plan : Plan
    """

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self._moments: dict[str, Array] = {}
        for node in graph.nodes:
            if plan.type_of(node) is None or not _matrix(graph, node):
                continue
            size = graph.type_of(node.inputs[0]).shape[-1]
            if isinstance(size, int) and size <= MOST_INPUTS:
                self._moments[node.inputs[0]] = np.zeros((size, size))

    @property
    def names(self) -> list[str]:
        """Values to watch."""
        return list(self._moments)

    def see(self, values: Mapping[str, Array]) -> None:
        """Take in the values of one sample."""
        for name, moments in self._moments.items():
            rows = values[name].reshape(-1, moments.shape[0]).astype(np.float64)
            moments += rows.T @ rows

    def round(self, graph: Graph, node: Node, weights: Array, scale: Array, axis: int,
              bits: int) -> Array:  # fmt: skip
        """Return the stored weights of a node, to nearest where nothing is known of its input."""
        nearest = round_weights(weights, scale, axis, bits)
        moments = self._moments.get(node.inputs[0])
        if moments is None or axis != 0 or not _matrix(graph, node):
            return nearest
        rows = weights.reshape(weights.shape[0], -1).astype(np.float64)
        steps = rows / along(scale, 0, 2)
        most = 2 ** (bits - 1) - 1
        made = descend(steps, nearest.reshape(rows.shape).astype(np.float64), moments, most)
        return np.asarray(made.reshape(weights.shape), np.int8)


def _matrix(graph: Graph, node: Node) -> bool:
    if isinstance(node.op, ops.FullyConnected):
        return graph.constant(node.inputs[1]) is not None
    if not isinstance(node.op, ops.Conv2D) or node.op.groups != 1:
        return False
    weights = graph.constant(node.inputs[1])
    return weights is not None and weights.shape[1:3] == (1, 1)


def descend(steps: Array, start: Array, moments: Array, most: int) -> Array:
    """Return whole steps near others, with less of the error e' H e than ``start``.

    Parameters
    ----------
    steps : ndarray of float64, shape (outputs, inputs)
        Weights in steps of their scales.
    start : ndarray of float64
        Rounded to nearest.
    moments : ndarray of float64, shape (inputs, inputs)
        H.
    most : int
        Largest magnitude stored.
    """
    made = start.copy()
    error = made - steps
    slope = error @ moments
    power = np.diag(moments)
    order = np.argsort(-power, kind="stable")
    for _ in range(_SWEEPS):
        moved = 0
        for k in order:
            if power[k] <= 0.0:
                continue
            change = np.where(error[:, k] > 0.0, -1.0, 1.0)
            gain = 2.0 * change * slope[:, k] + power[k]
            inside = np.abs(made[:, k] + change) <= most
            near = np.abs(error[:, k] + change) < 1.0
            move = np.where((gain < 0.0) & inside & near, change, 0.0)
            if not move.any():
                continue
            made[:, k] += move
            error[:, k] += move
            slope += np.outer(move, moments[k])
            moved += int(np.count_nonzero(move))
        if not moved:
            break
    return made
