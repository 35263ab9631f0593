"""A smaller graph: weights, biases and everything per channel without the channels that go."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from linnet import ops
from linnet.graph import Graph, Node
from linnet.types import Array

from .channels import Channels


def shrink(
    channels: Channels, gone: set[int], moments: Mapping[str, Moments] | None = None
) -> Graph:
    """Return the graph without some classes of channels; every shape is inferred anew.

    Parameters
    ----------
    channels : Channels
    gone : set of int
        Classes to remove.
    moments : mapping of str to Moments, optional
        Of values that layers read. Where known, a layer's weights and bias take over what the
        removed channels gave it, as far as the kept ones foretell them (linear least squares).
    """
    return _Shrinker(channels, gone, moments or {}).run()


def _cut(data: Array, mask: Array | None, axis: int) -> Array:
    """Return an array without what a mask of one of its axes leaves out."""
    if mask is None or not data.ndim or data.shape[axis] != mask.size:
        return data
    return np.ascontiguousarray(np.compress(mask, data, axis=axis))


class Moments:
    """Mean and second moments of a value's channels over everything seen.

    Parameters
    ----------
    size : int
        Channels.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self._sum: Array = np.zeros(size)
        self._square: Array = np.zeros((size, size))

    def add(self, array: Array) -> None:
        """Take in one tensor, channels last."""
        rows = array.reshape(-1, array.shape[-1]).astype(np.float64)
        self.count += rows.shape[0]
        self._sum += rows.sum(axis=0)
        self._square += rows.T @ rows

    @property
    def mean(self) -> Array:
        """Mean per channel."""
        return np.asarray(self._sum / max(self.count, 1))

    @property
    def power(self) -> Array:
        """Mean square per channel."""
        return np.asarray(np.diag(self._square) / max(self.count, 1))

    def foretell(self, kept: Array) -> tuple[Array, Array]:
        """Return (matrix, shift): the best guess of the other channels, matrix @ kept + shift."""
        mean = self.mean
        covariance = self._square / max(self.count, 1) - np.outer(mean, mean)
        inner = covariance[np.ix_(kept, kept)]
        ridge = 1e-4 * float(np.trace(inner)) / max(inner.shape[0], 1) + 1e-12
        across = covariance[np.ix_(~kept, kept)]
        matrix = np.linalg.solve(inner + ridge * np.eye(inner.shape[0]), across.T).T
        return matrix, mean[~kept] - matrix @ mean[kept]


class _Shrinker:
    def __init__(self, channels: Channels, gone: set[int], moments: Mapping[str, Moments]) -> None:
        self.old, self.channels, self.moments = channels.graph, channels, moments
        self.kept = {
            name: ~np.isin(classes, list(gone)) for name, classes in channels.classes.items()
        }
        self.new = Graph(self.old.name, metadata=dict(self.old.metadata))

    def run(self) -> Graph:
        """Rebuild node by node."""
        for name in self.old.inputs:
            self.new.add_input(name, self.old.type_of(name))
        for node in self.old.nodes:
            inputs = self._inputs(node)
            declared = [self.old.type_of(o).quantization if o else None for o in node.outputs]
            self.new.add(
                self._op(node), inputs, name=node.name, outputs=node.outputs, quantization=declared
            )
        self.new.outputs = list(self.old.outputs)
        self.new.states = list(self.old.states)
        for state in self.old.states:
            if state.initial:
                self._constant(state.initial, None)
        self.new.prune()
        self.new.validate()
        return self.new

    def _constant(self, name: str, data: Array | None) -> str:
        """Return the name of a constant in the new graph, with other content where given."""
        known = self.old.values[name]
        if data is None or data is known.data:
            if name not in self.new.values:
                assert known.data is not None
                self.new.values[name] = type(known)(name, known.type, known.data)
            return name
        return self.new.add_constant(name, np.ascontiguousarray(data), known.type.quantization)

    def _mask(self, name: str) -> Array | None:
        mask = self.kept.get(name)
        return None if mask is None or mask.all() else mask

    def _inputs(self, node: Node) -> list[str]:
        """Return the inputs of a node in the new graph, constants cut."""
        out = self._mask(node.outputs[0])
        into = self._mask(node.inputs[0]) if node.inputs and node.inputs[0] else None
        if isinstance(node.op, (ops.Conv2D, ops.FullyConnected)) and into is not None:
            return self._product(node, into, out)
        made = []
        for name in node.inputs:
            data = self.old.constant(name) if name else None
            if data is not None:
                rows = isinstance(node.op, (ops.Conv2D, ops.FullyConnected))
                name = self._constant(name, _cut(data, out, 0 if rows else -1))
            made.append(name)
        return made

    def _product(self, node: Node, into: Array, out: Array | None) -> list[str]:
        """Return the inputs of a layer that reads fewer channels."""
        weights, bias_name = self.old.constant(node.inputs[1]), (*node.inputs, "")[2]
        assert weights is not None
        bias = self.old.constant(bias_name) if bias_name else None
        kept = weights[..., into]
        moments = self.moments.get(node.inputs[0])
        if moments is not None and moments.mean.size == into.size:
            matrix, shift = moments.foretell(into)
            lost = weights[..., ~into].astype(np.float64)
            kept = (kept + lost @ matrix).astype(np.float32)
            total = (lost @ shift).reshape(weights.shape[0], -1).sum(axis=1)
            bias = (total if bias is None else bias + total).astype(np.float32)
        made = [node.inputs[0], self.new.add_constant(node.inputs[1], _cut(kept, out, 0))]
        if bias is not None:
            made.append(self.new.add_constant(f"{node.name}:bias", _cut(bias, out, 0)))
        return made

    def _op(self, node: Node) -> ops.Op:
        """Return the op with the sizes that it names brought up to date."""
        out = self._mask(node.outputs[0])
        if isinstance(node.op, ops.Reshape) and node.op.shape and out is not None:
            last = node.op.shape[-1]
            size = int(out.sum()) if last > 0 else last
            return msgspec.structs.replace(node.op, shape=(*node.op.shape[:-1], size))
        return node.op
