"""Scales moved from activations into weights, so that both fit int8 better.

SmoothQuant (Xiao et al., 2022): a normalization's channels are divided by what the layers reading
it can take into their weights. Cross-layer equalization (Nagel et al., 2019): channels between two
convolutions with nothing but a rectifier between them are scaled to equal weight ranges. Neither
changes what the float model computes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from linnet import ops
from linnet.graph import Graph, Node
from linnet.types import Array

from .weights import float_operands

_LEAST = 1e-5
_NORMS = (ops.LayerNormalization, ops.RMSNormalization)


def smoothable(graph: Graph) -> dict[str, list[Node]]:
    """Return the outputs of normalizations with a constant scale that only linear layers read."""
    readers, found = graph.consumers(), {}
    for node in graph.nodes:
        name = node.outputs[0]
        if not isinstance(node.op, _NORMS) or name in graph.outputs or len(node.inputs) < 2:
            continue
        scale = graph.constant(node.inputs[1])
        size = graph.type_of(name).shape[-1]
        fits = scale is not None and scale.shape == (size,)
        linear = [r for r in readers[name] if isinstance(r.op, ops.FullyConnected)]
        plain = all(float_operands(graph, r) is not None and r.inputs[0] == name for r in linear)
        if fits and linear and len(linear) == len(readers[name]) and plain:
            found[name] = linear
    return found


def smooth(graph: Graph, largest: Mapping[str, Array], alpha: float) -> int:
    """Move scales from normalizations into the linear layers behind them; return how many.

    Parameters
    ----------
    graph : Graph
        Changed in place.
    largest : mapping of str to ndarray
        Largest magnitude per channel of the normalizations' outputs.
    alpha : float
        How much of the difficulty moves: 0 none, 1 all.
    """
    makers, count = graph.producers(), 0
    for name, linear in smoothable(graph).items():
        peak = np.maximum(np.asarray(largest[name], np.float64), _LEAST)
        weights = [w for w in (graph.constant(node.inputs[1]) for node in linear) if w is not None]
        columns = np.maximum(np.max([np.abs(w).max(axis=0) for w in weights], axis=0), _LEAST)
        factor = np.maximum(peak**alpha / columns ** (1.0 - alpha), _LEAST)
        factor /= np.exp(np.log(factor).mean())
        norm = makers[name]
        inputs = [
            given if index == 0 or not given else _changed(graph, given, 1.0 / factor)
            for index, given in enumerate(norm.inputs)
        ]
        norm.inputs = tuple(inputs)
        for node in linear:
            scaled = _changed(graph, node.inputs[1], factor)
            node.inputs = (node.inputs[0], scaled, *node.inputs[2:])
        count += 1
    return count


def equalize(graph: Graph, rounds: int = 3) -> int:
    """Equalize weight ranges over pairs of layers joined by channels alone; return how many.

    Parameters
    ----------
    graph : Graph
        Changed in place.
    rounds : int
        Sweeps over all pairs.
    """
    pairs = _pairs(graph)
    for _ in range(rounds):
        for first, second in pairs:
            _equalize(graph, first, second)
    return len(pairs)


def _pairs(graph: Graph) -> list[tuple[Node, Node]]:
    readers, found = graph.consumers(), []
    kinds = (ops.Conv2D, ops.DepthwiseConv2D, ops.FullyConnected)
    for node in graph.nodes:
        name = node.outputs[0]
        behind = readers[name]
        if not isinstance(node.op, kinds) or len(behind) != 1 or name in graph.outputs:
            continue
        other, clamp = behind[0], node.op.clamp
        linear = clamp in (ops.NO_CLAMP, (0.0, float("inf")))
        if not linear or not isinstance(other.op, kinds) or other.inputs[0] != name:
            continue
        if all(float_operands(graph, n) and getattr(n.op, "groups", 1) == 1 for n in (node, other)):
            if isinstance(other.op, ops.DepthwiseConv2D) and not _single(graph, other):
                continue
            found.append((node, other))
    return found


def _single(graph: Graph, node: Node) -> bool:
    types = graph.type_of(node.inputs[0]), graph.type_of(node.outputs[0])
    return types[0].shape[-1] == types[1].shape[-1]


def _equalize(graph: Graph, first: Node, second: Node) -> None:
    w1, w2 = graph.constant(first.inputs[1]), graph.constant(second.inputs[1])
    assert w1 is not None and w2 is not None
    depthwise = isinstance(first.op, ops.DepthwiseConv2D)
    out = np.abs(w1 if depthwise else np.moveaxis(w1, 0, -1)).reshape(-1, _outputs(first, w1))
    into = np.abs(w2).reshape(-1, w2.shape[-1])
    r1, r2 = (np.maximum(part.max(axis=0).astype(np.float64), 1e-12) for part in (out, into))
    factor = np.clip(np.sqrt(r1 * r2) / r2, 1e-3, 1e3)
    shape = factor if depthwise else factor.reshape(-1, *[1] * (w1.ndim - 1))
    bias = [_changed(graph, name, 1.0 / factor) if name else "" for name in first.inputs[2:]]
    first.inputs = (first.inputs[0], _changed(graph, first.inputs[1], 1.0 / shape), *bias)
    second.inputs = (
        second.inputs[0],
        _changed(graph, second.inputs[1], factor),
        *second.inputs[2:],
    )


def _outputs(node: Node, weights: Array) -> int:
    return int(weights.shape[3 if isinstance(node.op, ops.DepthwiseConv2D) else 0])


def _changed(graph: Graph, name: str, factor: Array) -> str:
    """Return the name of a constant times a factor; others may read the old one."""
    data = graph.constant(name)
    assert data is not None
    return graph.add_constant(name, np.asarray(data * factor, np.float32))
