"""Linear layers with integer weights take in what follows them: bias, activation, residual."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, new_constant, remove
from linnet.graph import Graph, Node
from linnet.types import Quantization

from .composites import near

INTEGER_LINEAR = (ops.DynamicLinear,)
_MOST = 4


def fuse_linear(graph: Graph) -> int:
    """Fold bias, activation and residual into the layers before them; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        rule = _RULES.get(type(node.op))
        if rule is not None and links.knows(node):
            changes += rule(graph, links, node)
    return changes + _merge(graph)


def _merge(graph: Graph) -> int:
    """Join layers that read the same value, so that it is quantized once; return how many go."""
    groups: dict[tuple[str, bool], list[Node]] = {}
    for node in graph.nodes:
        op = node.op
        if not isinstance(op, ops.DynamicLinear) or op.activation or op.splits or _full(node)[3]:
            continue
        groups.setdefault((node.inputs[0], op.per_tensor), []).append(node)
    changes = 0
    for layers in groups.values():
        for start in range(0, len(layers), _MOST):
            part = layers[start : start + _MOST]
            if len(part) > 1 and _joined(graph, part):
                changes += len(part) - 1
    return changes


def _joined(graph: Graph, layers: list[Node]) -> bool:
    weights = [graph.constant(node.inputs[1]) for node in layers]
    biases = [graph.constant(_full(node)[2]) for node in layers]
    if any(w is None for w in weights):
        return False
    if any(b is None and _full(n)[2] for b, n in zip(biases, layers, strict=True)):
        return False
    stored = [w for w in weights if w is not None]
    widths = [w.shape[0] for w in stored]
    quantizations = [graph.type_of(node.inputs[1]).quantization for node in layers]
    known = [q for q in quantizations if q is not None]
    scale = [np.broadcast_to(q.scale, (n,)) for q, n in zip(known, widths, strict=True)]
    zero = [np.broadcast_to(q.zero_point, (n,)) for q, n in zip(known, widths, strict=True)]
    q = Quantization(np.concatenate(scale), np.concatenate(zero), 0)
    first = layers[0]
    inputs = [
        first.inputs[0],
        graph.add_constant(f"{first.inputs[1]}/joined", np.concatenate(stored), q),
    ]
    if any(b is not None for b in biases):
        parts = [
            np.zeros(n, np.float32) if b is None else b for b, n in zip(biases, widths, strict=True)
        ]
        inputs.append(graph.add_constant(f"{first.inputs[1]}/biases", np.concatenate(parts)))
    first.op = msgspec.structs.replace(first.op, splits=tuple(widths))
    first.inputs = tuple(inputs)
    first.outputs = tuple(node.outputs[0] for node in layers)
    gone = {id(node) for node in layers[1:]}
    graph.nodes = [node for node in graph.nodes if id(node) not in gone]
    return True


def _layer(links: Links, name: str) -> Node | None:
    """Return the layer that makes a value for one reader only."""
    maker = links.maker(name, *INTEGER_LINEAR) if links.private(name) else None
    return maker if maker is not None and len(maker.outputs) == 1 else None


def _take(
    graph: Graph, links: Links, layer: Node, node: Node, op: ops.Op, inputs: tuple[str, ...]
) -> bool:
    """Let a node become the layer before it, with another op and inputs."""
    between = layer.outputs[0]
    remove(graph, layer)
    links.drop(layer)
    node.op, node.inputs = op, inputs
    del graph.values[between]
    links.touch(node)
    return True


def _full(layer: Node) -> tuple[str, str, str, str]:
    x, w, bias, residual = (*layer.inputs, "", "")[:4]
    return x, w, bias, residual


def _fuse_add(graph: Graph, links: Links, node: Node) -> bool:
    if node.op != ops.Add():
        return False
    for index in (0, 1):
        layer = _layer(links, node.inputs[index])
        if layer is not None:
            other = node.inputs[1 - index]
            bias = _bias(graph, node, other, layer)
            if bias and not layer.op.activation and not any(_full(layer)[2:]):  # type: ignore[attr-defined]
                inputs = (*layer.inputs[:2], bias)
                return _take(graph, links, layer, node, layer.op, inputs)
            if not _full(layer)[3] and _residual(graph, node, other):
                inputs = (*_full(layer)[:3], other)
                return _take(graph, links, layer, node, layer.op, inputs)
    return False


def _bias(graph: Graph, node: Node, name: str, layer: Node) -> str:
    """Return a constant as one number per output, "" where it is something else."""
    data = graph.constant(name)
    outputs = graph.type_of(layer.inputs[1]).shape[0]
    rank = graph.type_of(layer.outputs[0]).rank
    if data is None or data.dtype.kind != "f" or data.ndim > rank:
        return ""
    if data.size != outputs or data.shape[-1:] != (outputs,):
        return ""
    return name if data.shape == (outputs,) else new_constant(graph, name, data.reshape(-1))


def _residual(graph: Graph, node: Node, name: str) -> bool:
    """Whether a value may have the shape of the sum."""
    if graph.constant(name) is not None:
        return False
    mine, whole = graph.type_of(name), graph.type_of(node.outputs[0])
    if mine.dtype != whole.dtype or mine.rank != whole.rank:
        return False
    pairs = zip(mine.shape, whole.shape, strict=True)
    return all(a == b or isinstance(a, str) or isinstance(b, str) for a, b in pairs)


def _fuse_activation(graph: Graph, links: Links, node: Node) -> bool:
    name = _activation(node.op)
    layer = _layer(links, node.inputs[0])
    if not name or layer is None or layer.op.activation or _full(layer)[3]:  # type: ignore[attr-defined]
        return False
    op = msgspec.structs.replace(layer.op, activation=name)
    return _take(graph, links, layer, node, op, layer.inputs)


def _activation(op: ops.Op) -> str:
    if isinstance(op, ops.Gelu):
        return "gelu_tanh" if op.approximate else "gelu"
    if isinstance(op, ops.Silu):
        return "silu"
    if isinstance(op, ops.Swish) and near(op.alpha, 1.702):
        return "quick_gelu"
    if op == ops.Clip(minimum=0.0):
        return "relu"
    return "relu6" if op == ops.Clip(minimum=0.0, maximum=6.0) else ""


_RULES: dict[type[ops.Op], Callable[[Graph, Links, Node], bool]] = {
    ops.Add: _fuse_add,
    ops.Clip: _fuse_activation,
    ops.Gelu: _fuse_activation,
    ops.Silu: _fuse_activation,
    ops.Swish: _fuse_activation,
}
