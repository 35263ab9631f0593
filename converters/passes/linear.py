"""Linear layers with integer weights take in what follows them: bias, activation, residual."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from linnet import ops
from linnet.converters.rewrite import Links, new_constant, remove
from linnet.graph import Graph, Node

INTEGER_LINEAR = (ops.DynamicLinear,)


def fuse_linear(graph: Graph) -> int:
    """Fold bias, activation and residual into the layers before them; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        rule = _RULES.get(type(node.op))
        if rule is not None and links.knows(node):
            changes += rule(graph, links, node)
    return changes


def _layer(links: Links, name: str) -> Node | None:
    """Return the layer that makes a value for one reader only."""
    return links.maker(name, *INTEGER_LINEAR) if links.private(name) else None


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
    return "relu" if op == ops.Clip(minimum=0.0) else ""


_RULES: dict[type[ops.Op], Callable[[Graph, Links, Node], bool]] = {
    ops.Add: _fuse_add,
    ops.Clip: _fuse_activation,
    ops.Gelu: _fuse_activation,
    ops.Silu: _fuse_activation,
}
