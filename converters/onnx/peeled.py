"""Loops whose carried values change rank in the first iteration, which then runs before them.

Exporters give a value that the body sets, and nothing reads before, any number to begin with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from linnet import ops
from linnet.errors import UnsupportedError
from linnet.types import DType

from .node import OnnxNode

# Ends the names of loops whose first iteration was taken out.
PEELED = "/first"
_LAST_UNSQUEEZE_OF_ATTRIBUTES = 12


def peeled(node: OnnxNode, body: onnx.GraphProto, carried: Sequence[str]) -> OnnxNode:
    """Return the If that does what a Loop does: one iteration, then a Loop; or nothing.

    Parameters
    ----------
    node : OnnxNode
        The Loop.
    body : onnx.GraphProto
    carried : sequence of str
        Values of the graph.

    Raises
    ------
    UnsupportedError
        If the loop stacks outputs and may not run at all.
    """
    prefix = f"{node.name}{PEELED}"
    names = [f"{prefix}:{i}" for i in range(len(carried))]
    node.bound.update(zip(names, carried, strict=True))
    limit = f"{prefix}:limit" if node.optional(0) else ""
    if limit:
        node.bound[limit] = node.input(0)
    condition = _runs(node)
    if node.graph.constant(condition) is None and len(body.output) > 1 + len(carried):
        raise UnsupportedError(
            "a carried value changes its rank and outputs are stacked in a loop that may not run"
        )
    once = _once(node, body, names, limit, prefix)
    copies = [helper.make_node("Identity", [n], [f"{n}:out"]) for n in names]
    kept = [onnx.ValueInfoProto(name=f"{n}:out") for n in names]
    never = helper.make_graph(copies, f"{prefix} never", [], kept)
    branches = {"then_branch": once, "else_branch": never}
    attributes = {key: helper.make_attribute(key, graph) for key, graph in branches.items()}
    return OnnxNode(
        node.state, "If", "", node.name, node.version, attributes, (condition,), node.outputs
    )


def _runs(node: OnnxNode) -> str:
    """Return whether there is a first iteration."""
    told = [node.input(1)] if node.optional(1) else []
    if node.optional(0):
        limit = node.emit(ops.Reshape(shape=()), node.input(0))
        zero = node.constant_like(np.array(0, np.int64), "none")
        told.append(node.emit(ops.Greater(), limit, zero))
    if not told:
        return node.constant_like(np.array(True), "runs")
    flags = [node.emit(ops.Reshape(shape=()), name) for name in told]
    return flags[0] if len(flags) == 1 else node.emit(ops.And(), *flags)


def _once(
    node: OnnxNode, body: onnx.GraphProto, names: Sequence[str], limit: str, prefix: str
) -> onnx.GraphProto:
    """Return the graph of one iteration and of a Loop for the others."""
    given, made = [i.name for i in body.input], [o.name for o in body.output]
    shapes = [(1,) * min(1, len(i.type.tensor_type.shape.dim)) for i in body.input[:2]]
    nodes = [
        _constant(np.zeros(shapes[0], np.int64), given[0]),
        _constant(np.ones(shapes[1], DType.BOOL.numpy), given[1]),
        *(helper.make_node("Identity", [n], [i]) for n, i in zip(names, given[2:], strict=True)),
        *body.node,
        _constant(np.ones((), np.int64), f"{prefix}:one"),
    ]
    left = f"{prefix}:left" if limit else ""
    if limit:
        nodes.append(helper.make_node("Sub", [limit, f"{prefix}:one"], [left]))
    others = [f"{prefix}/{name}" for name in made[1:]]
    count, rest = len(names), _counted_from_one(body, prefix)
    nodes.append(helper.make_node("Loop", [left, *made[: 1 + count]], others, prefix, body=rest))
    outputs = others[:count]
    for slice_, stack in zip(made[1 + count :], others[count:], strict=True):
        nodes += _joined(slice_, stack, node.version, prefix)
        outputs.append(f"{stack}:whole")
    graph = helper.make_graph(
        nodes, prefix, [], [onnx.ValueInfoProto(name=name) for name in outputs]
    )
    graph.initializer.extend(body.initializer)
    return graph


def _joined(slice_: str, stack: str, version: int, prefix: str) -> list[onnx.NodeProto]:
    """Return the nodes that put the first iteration's slice before the others."""
    first = [f"{stack}:first"]
    if version > _LAST_UNSQUEEZE_OF_ATTRIBUTES:
        axes = f"{stack}:axis"
        nodes = [
            _constant(np.zeros(1, np.int64), axes),
            helper.make_node("Unsqueeze", [slice_, axes], first),
        ]
    else:
        nodes = [helper.make_node("Unsqueeze", [slice_], first, axes=[0])]
    return [*nodes, helper.make_node("Concat", [*first, stack], [f"{stack}:whole"], axis=0)]


def _counted_from_one(body: onnx.GraphProto, prefix: str) -> onnx.GraphProto:
    """Return a body whose first iteration has the number 1."""
    copy = onnx.GraphProto()
    copy.CopyFrom(body)
    number, counted = body.input[0].name, f"{prefix}:number"
    copy.input[0].name = counted
    del copy.node[:]
    copy.node.append(helper.make_node("Add", [counted, f"{prefix}:one"], [number]))
    copy.node.extend(body.node)
    return copy


def _constant(content: Any, name: str) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(content))
