"""Constant folding: nodes whose inputs are constants become constants."""

from __future__ import annotations

from linnet import ops
from linnet.converters.rewrite import evaluate, turn_constant
from linnet.graph import Graph, Node
from linnet.types import Array

# Ops that keep constants small; evaluating them would store the larger form.
_KEPT = (ops.Dequantize, ops.Tile, ops.Expand, ops.ConstantOfShape)
_SMALL = 1 << 12


def foldable(graph: Graph, node: Node) -> bool:
    """Whether folding a node of constant inputs makes the model no larger."""
    if not isinstance(node.op, _KEPT):
        return True
    if isinstance(node.op, ops.Dequantize):
        return False
    types = [graph.type_of(o) for o in node.outputs if o]
    return all(t.is_static and t.size <= _SMALL for t in types)


def fold_node(graph: Graph, node: Node) -> bool:
    """Replace a node by constants where that is possible and worth it; return whether it was."""
    known = _known_output(graph, node)
    constant = all(graph.constant(i) is not None for i in node.inputs if i)
    if not known and not (constant and foldable(graph, node)):
        return False
    arrays = known or evaluate(graph, node)
    if arrays:
        turn_constant(graph, node, arrays)
    return bool(arrays)


def fold_constants(graph: Graph) -> int:
    """Replace every node of constant inputs by constants; return how many went.

    `Dequantize` of constants stays, because quantized constants are smaller and quantized operators
    read them; so do operators that repeat a constant beyond a small size.
    """
    return sum(fold_node(graph, node) for node in list(graph.nodes))


def _known_output(graph: Graph, node: Node) -> list[Array]:
    """Return the outputs that inference alone knows: shapes and sizes of static tensors."""
    if not isinstance(node.op, (ops.Shape, ops.Size)) or not all(node.outputs):
        return []
    (made,) = node.op.infer(graph.known_type(node.inputs[0]))
    return [] if made.value is None else [made.value]
