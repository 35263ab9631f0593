"""What a layer's channels cost on this machine, in float and in int8.

A node with fewer channels is timed in turns with the whole one, each in a graph of its own, so that
a machine that changes its speed changes it for both; the ratio times what the whole one takes of
the model's time is what counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .advice import node_times
from .converters.quantization import quantize
from .errors import LinnetError
from .graph import Graph, Node
from .ops import Conv2D, FullyConnected
from .session import Session
from .types import Array

_RUNS, _TURNS = 5, 4


class ChannelTimes:
    """Times of a model's nodes by their numbers of channels, in float and, where it can be, int8.

    Parameters
    ----------
    graph : Graph
        In float.
    feeds : dict of str to ndarray
        One sample: the shapes to measure at.
    threads : int
    """

    def __init__(self, graph: Graph, feeds: dict[str, Array], threads: int = 1) -> None:
        self.graph, self.threads = graph, threads
        session = Session(graph, threads)
        spans = session.plan({name: array.shape for name, array in feeds.items()}).spans
        self.types = {
            name: type_
            for item in (span.item for span in spans)
            for name, type_ in zip(
                (*item.node.inputs, *item.node.outputs),
                (*item.types.inputs, *item.types.outputs),
                strict=True,
            )
            if type_ is not None
        }
        self.shares = {
            kind: self._shares(made, feeds) for kind, made in _forms(graph, feeds).items()
        }
        self._known: dict[Any, dict[str, float]] = {}

    def __call__(self, node: Node, left: Mapping[str, int]) -> Array:
        """Return the shares of a run's time that a node takes with so many channels left."""
        whole = {kind: shares.get(node.outputs[0], 0.0) for kind, shares in self.shares.items()}
        cut = any(count != self.types[name].shape[-1] for name, count in left.items())
        ratios = self._ratios(node, left) if cut and any(whole.values()) else {}
        return np.array([share * ratios.get(kind, 1.0) for kind, share in whole.items()])

    def _shares(self, graph: Graph, feeds: dict[str, Array]) -> dict[str, float]:
        times = node_times(Session(graph, self.threads), feeds, _RUNS * _TURNS)
        total = sum(times.values())
        return {name: seconds / total for name, seconds in times.items()}

    def _ratios(self, node: Node, left: Mapping[str, int]) -> dict[str, float]:
        """Return the time of a node with channels cut over that of the whole one, by kind."""
        counts = [left.get(name) for name in (*node.inputs, *node.outputs)]
        key = repr(node.op), *(self.types.get(name) for name in node.inputs), *counts
        if key not in self._known:
            self._known[key] = self._measured(node, left)
        return self._known[key]

    def _measured(self, node: Node, left: Mapping[str, int]) -> dict[str, float]:
        pair = [self._alone(node, counts) for counts in ({}, left)]
        samples = [_sample(graph) for graph in pair]
        forms = [_forms(graph, feeds) for graph, feeds in zip(pair, samples, strict=True)]
        found = {}
        for kind in forms[0]:
            sessions = [Session(form[kind], self.threads) for form in forms]
            best = [float("inf")] * 2
            for _ in range(_TURNS):
                for k, session in enumerate(sessions):
                    times = node_times(session, samples[k], _RUNS)
                    best[k] = min(best[k], times[node.outputs[0]])
            found[kind] = best[1] / best[0]
        return found

    def _alone(self, node: Node, left: Mapping[str, int]) -> Graph:
        """Return a graph of one node, its values and constants cut to the channels left."""
        graph, names = Graph("layer"), []
        out = left.get(node.outputs[0])
        rows = isinstance(node.op, (Conv2D, FullyConnected))
        for place, name in enumerate(node.inputs):
            data, type_ = self.graph.constant(name) if name else None, self.types.get(name)
            if data is not None and rows:
                data = data[:out, ..., : left.get(node.inputs[0])] if place == 1 else data[:out]
            elif data is not None and data.ndim:
                data = data[..., :out]
            elif type_ is not None and data is None:
                shape = (*type_.shape[:-1], left.get(name, type_.shape[-1]))
                graph.add_input(name, type_.with_(shape=shape))
            if data is not None:
                graph.add_constant(name, np.ascontiguousarray(data))
            names.append(name)
        graph.add(node.op, names, name=node.name, outputs=node.outputs)
        graph.outputs = list(node.outputs)
        return graph


def _forms(graph: Graph, feeds: dict[str, Array]) -> dict[str, Graph]:
    """Return a graph in float, and in int8 where it can be quantized."""
    run: dict[str, Any] = {"runner": lambda other: Session(other).run}
    try:
        made = quantize(graph, [feeds], **run, calibrator="minmax", bias_correction=False)
    except LinnetError:
        return {"float": graph}
    return {"float": graph, "int8": made}


def _sample(graph: Graph) -> dict[str, Array]:
    generator = np.random.default_rng(0)
    return {
        name: generator.random(graph.type_of(name).static_shape).astype(np.float32)
        for name in graph.inputs
    }
