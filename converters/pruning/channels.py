"""Which channels of a graph depend on each other, and so can only be removed together.

Every position of every value's last axis has a label. Convolutions and linear layers make new
labels for their outputs; depthwise convolutions, activations and pools pass theirs on; a residual
addition joins the labels of its operands one by one; a concatenation lines them up. Ops that are
not understood, and the graph's own inputs and outputs, freeze the labels that they touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from linnet import ops
from linnet.graph import Graph, Node
from linnet.types import Array, DType

# Elementwise in the channels: one tensor in, the same channels out.
_PASSING: tuple[type[ops.Op], ...] = (
    ops.Abs, ops.AveragePool2D, ops.BatchNormalization, ops.Clip, ops.Elu, ops.Gelu,
    ops.HardSigmoid, ops.HardSwish, ops.Identity, ops.LeakyRelu, ops.MaxPool2D, ops.Neg,
    ops.Resize, ops.Sigmoid, ops.Silu, ops.Softplus, ops.Swish,
    ops.Tanh,
)  # fmt: skip
_JOINING: tuple[type[ops.Op], ...] = (
    ops.Add, ops.Maximum, ops.Minimum, ops.Mul, ops.PRelu, ops.Sub,
)  # fmt: skip
_REDUCING: tuple[type[ops.Op], ...] = (
    ops.ReduceMax, ops.ReduceMean, ops.ReduceMin, ops.ReduceSum,
)  # fmt: skip


@dataclass(frozen=True)
class Space:
    """The output channels of one layer, and of all layers joined with it.

    Parameters
    ----------
    nodes : tuple of Node
        The layers that make the channels.
    classes : ndarray of int
        What can be removed one by one: each class removes a channel of every node here.
    """

    nodes: tuple[Node, ...]
    classes: Array


class Channels:
    """Labels of all values of a float graph, and their classes.

    Parameters
    ----------
    graph : Graph
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.labels: dict[str, Array] = {}
        self._parent: list[int] = []
        self._frozen: set[int] = set()
        self._made: list[tuple[Node, Array]] = []
        for name in graph.inputs:
            self._freeze(self._label(name))
        for node in graph.nodes:
            self._visit(node)
        for name in graph.outputs:
            self._freeze(self.labels.get(name, np.zeros(0, int)))
        self.classes = {name: self._roots(labels) for name, labels in self.labels.items()}

    def spaces(self) -> list[Space]:
        """Return what can be pruned: layers with joined outputs, none of them frozen."""
        frozen = {self._root(label) for label in self._frozen}
        groups: list[tuple[list[Node], set[int]]] = []
        for node, labels in self._made:
            classes = {int(c) for c in self._roots(labels)}
            touching = [g for g in groups if g[1] & classes]
            nodes = [n for g in touching for n in g[0]] + [node]
            merged = classes.union(*(g[1] for g in touching))
            groups = [g for g in groups if not (g[1] & classes)] + [(nodes, merged)]
        return [
            Space(tuple(nodes), np.array(sorted(classes - frozen)))
            for nodes, classes in groups
            if classes - frozen
        ]

    def _visit(self, node: Node) -> None:
        op, graph = node.op, self.graph
        inputs = [self.labels.get(name) for name in node.inputs if name]
        data = inputs[0] if inputs else None
        if isinstance(op, (ops.Conv2D, ops.FullyConnected)) and self._product(node):
            made = self._label(node.outputs[0])
            self._made.append((node, made))
        elif isinstance(op, ops.DepthwiseConv2D) and self._product(node) and self._single(node):
            self._pass(node, data)
        elif isinstance(op, _JOINING) and self._join(node):
            return
        elif isinstance(op, _PASSING) or (isinstance(op, _REDUCING) and self._spatial(node)):
            self._pass(node, data)
        elif isinstance(op, ops.Concat) and self._last(op.axis, node.inputs[0]):
            known = [labels for labels in inputs if labels is not None]
            self.labels[node.outputs[0]] = np.concatenate(known)
        elif isinstance(op, ops.Pad) and self._unpadded(op):
            self._pass(node, data)
        elif isinstance(op, (ops.Reshape, ops.Flatten, ops.Squeeze)) and self._flattens(node):
            size = graph.type_of(node.outputs[0]).shape[-1]
            assert data is not None and isinstance(size, int)
            self.labels[node.outputs[0]] = np.tile(data, size // data.size)
        else:
            for labels in inputs:
                if labels is not None:
                    self._freeze(labels)
            for name in node.outputs:
                if name:
                    self._freeze(self._label(name))

    def _label(self, name: str) -> Array:
        """Give a value new labels, one per position of its last axis where that is known."""
        shape = self.graph.type_of(name).shape
        size = shape[-1] if shape and isinstance(shape[-1], int) else 0
        made = np.arange(len(self._parent), len(self._parent) + size)
        self._parent.extend(made.tolist())
        self.labels[name] = made
        return made

    def _pass(self, node: Node, labels: Array | None) -> None:
        assert labels is not None
        self.labels[node.outputs[0]] = labels

    def _join(self, node: Node) -> bool:
        """Join the labels of two operands of equal channels; constants have none."""
        found = [
            (name, self.labels[name]) for name in node.inputs if self.graph.constant(name) is None
        ]
        size = self.graph.type_of(node.outputs[0]).shape[-1:]
        if any((labels.size,) != tuple(size) for _, labels in found):
            return False
        if len(found) == 2:
            for a, b in zip(found[0][1], found[1][1], strict=True):
                self._parent[self._root(int(a))] = self._root(int(b))
        constants = [self.graph.constant(n) for n in node.inputs]
        if any(c is not None and c.ndim and c.shape[-1] not in (1, *size) for c in constants):
            return False
        self.labels[node.outputs[0]] = found[0][1]
        return True

    def _product(self, node: Node) -> bool:
        constants = [self.graph.constant(name) for name in node.inputs[1:] if name]
        plain = all(c is not None and c.dtype.kind == "f" for c in constants)
        ungrouped = getattr(node.op, "groups", 1) == 1
        return plain and ungrouped and self.graph.constant(node.inputs[0]) is None

    def _single(self, node: Node) -> bool:
        """Whether a depthwise convolution makes one output of each channel."""
        types = self.graph.type_of(node.inputs[0]), self.graph.type_of(node.outputs[0])
        return types[0].shape[-1] == types[1].shape[-1]

    def _spatial(self, node: Node) -> bool:
        """Whether a reduction leaves the last axis alone."""
        rank = self.graph.type_of(node.inputs[0]).rank
        axes: tuple[int, ...] = getattr(node.op, "axes", ())
        return bool(axes) and all(axis % rank != rank - 1 for axis in axes)

    def _last(self, axis: int, name: str) -> bool:
        rank = self.graph.type_of(name).rank
        return axis % rank == rank - 1

    def _unpadded(self, op: ops.Pad) -> bool:
        rank = len(op.pads) // 2
        return not (op.pads[rank - 1] or op.pads[-1])

    def _flattens(self, node: Node) -> bool:
        """Whether a reshape keeps the channels last: alone, or behind pixels on one axis."""
        x, y = (self.graph.type_of(n) for n in (node.inputs[0], node.outputs[0]))
        if x.dtype is not DType.FLOAT32 or not x.rank or not y.rank:
            return False
        inner, outer = x.shape[-1], y.shape[-1]
        if not isinstance(inner, int) or not isinstance(outer, int):
            return False
        pixels = 1
        for dim in x.shape[1:-1]:
            pixels = pixels * dim if isinstance(dim, int) else 0
        return outer == inner or (y.rank == 2 and outer == inner * pixels)

    def _root(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label

    def _roots(self, labels: Array) -> Array:
        return np.array([self._root(int(label)) for label in labels], np.int64)

    def _freeze(self, labels: Iterable[int]) -> None:
        self._frozen.update(int(label) for label in labels)


def magnitude(graph: Graph, node: Node) -> Array:
    """Return the norm of the weights of every output channel, over their mean."""
    weights = graph.constant(node.inputs[1])
    assert weights is not None
    norms = np.sqrt(np.square(weights, dtype=np.float64).reshape(weights.shape[0], -1).sum(axis=1))
    return np.asarray(norms / max(float(norms.mean()), 1e-30))
