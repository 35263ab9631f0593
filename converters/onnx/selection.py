"""ONNX operators that select elements by what the data says."""

from __future__ import annotations

from linnet import ops
from linnet.errors import FormatError

from .node import OnnxNode
from .registry import handles


@handles("NonZero")
def non_zero(node: OnnxNode) -> None:
    """Find the elements that are not zero."""
    node.finish(ops.NonZero(), node.input(0))


def _axis(node: OnnxNode) -> int | None:
    return node.axis(0, node.rank()) if node.has("axis") else None


@handles("Compress")
def compress(node: OnnxNode) -> None:
    """Keep marked slices or elements."""
    node.finish(ops.Compress(axis=_axis(node)), node.input(0), node.input(1))


@handles("Unique")
def unique(node: OnnxNode) -> None:
    """Find the different elements."""
    node.finish(ops.Unique(axis=_axis(node), sorted=bool(node.integer("sorted", 1))), node.input(0))


@handles("NonMaxSuppression")
def non_max_suppression(node: OnnxNode) -> None:
    """Keep the boxes that no better one covers."""
    kind = node.integer("center_point_box", 0)
    if kind not in (0, 1):
        raise FormatError(f"center_point_box is {kind}; expected 0 or 1")
    inputs = [node.optional(i) for i in range(5)]
    while inputs and not inputs[-1]:
        inputs.pop()
    rows, count = (node.graph.unique(f"{node.name}/{what}") for what in ("rows", "count"))
    op = ops.NonMaxSuppression(center=bool(kind), padded=True)
    node.graph.add(op, inputs, name=node.graph.unique(f"{node.name}/padded"), outputs=[rows, count])
    node.finish(ops.FirstRows(), rows, count)
