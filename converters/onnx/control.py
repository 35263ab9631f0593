"""ONNX control flow: nested graphs imported, what they read from outside made explicit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx

from linnet import ops
from linnet.converters.loops import RankError, settled
from linnet.errors import FormatError, UnsupportedError
from linnet.graph import Graph
from linnet.types import DType, TensorType

from .node import OnnxNode, normalized
from .peeled import PEELED, peeled
from .registry import handles
from .sequences import Item, without_lists


def _graph(node: OnnxNode, name: str) -> onnx.GraphProto:
    attribute = node.attributes.get(name)
    if not isinstance(attribute, onnx.AttributeProto) or not attribute.HasField("g"):
        raise FormatError(f"attribute {name} is not a graph")
    return attribute.g


def _nested(node: OnnxNode, proto: onnx.GraphProto, inline: bool = False) -> Any:
    assert node.state.nest is not None
    return node.state.nest(proto, inline)


def _closed(importer: Any, outputs: Sequence[str]) -> Graph:
    """Return a nested graph with its outputs set and without what they do not need."""
    graph: Graph = importer.graph
    graph.outputs = list(outputs)
    graph.prune()
    return graph


@handles("If")
def if_(node: OnnxNode) -> None:
    """Import the branch of a condition that is known, else both as nested graphs."""
    condition = node.constant(0)
    branches = [_graph(node, "then_branch"), _graph(node, "else_branch")]
    if condition is not None:
        chosen = branches[0 if bool(np.all(condition)) else 1]
        node.give(*_nested(node, chosen, inline=True).run_inside(()))
        return
    imported = [_nested(node, branch) for branch in branches]
    outputs = [importer.run_inside(()) for importer in imported]
    if len(outputs[0]) != len(outputs[1]):
        raise FormatError("the branches have different numbers of outputs")
    graphs = [_closed(i, o) for i, o in zip(imported, outputs, strict=True)]
    captured = dict.fromkeys(outer for i in imported for outer in i.captured.values())
    for importer, graph in zip(imported, graphs, strict=True):
        inner = {outer: name for name, outer in importer.captured.items()}
        for outer in captured:
            if outer not in inner:
                inner[outer] = graph.add_input(graph.unique(outer), node.graph.type_of(outer))
        graph.inputs = [inner[outer] for outer in captured]
    op = ops.If(
        then_branch=graphs[0], else_branch=graphs[1], assume=_assumed(node, graphs, outputs)
    )
    node.finish(op, node.input(0), *captured)


def _assumed(
    node: OnnxNode, graphs: Sequence[Graph], outputs: Sequence[Sequence[str]]
) -> Literal["", "then", "else"]:
    """Return whose ranks count where the branches make different ones."""
    ranks = [
        [graph.type_of(name).rank for name in names]
        for graph, names in zip(graphs, outputs, strict=True)
    ]
    if ranks[0] == ranks[1]:
        return ""
    declared = [node.state.shapes.get(wanted) for wanted in node.outputs]
    for assume, found in (("then", ranks[0]), ("else", ranks[1])):
        fits = all(d is None or len(d) == r for d, r in zip(declared, found, strict=False))
        if fits and any(d is not None for d in declared):
            return assume  # type: ignore[return-value]
    return node.state.assume


@handles("Loop")
def loop(node: OnnxNode) -> None:
    """Import the body for types that the carried values keep from iteration to iteration."""
    carried = [node.input(i) for i in range(2, len(node.inputs))]
    proto, lists = without_lists(node, _graph(node, "body"), carried)
    if lists:
        _loop_of_lists(node, proto, carried, lists)
        return
    shapes = [_declared_shape(info) for info in proto.input[:2]]
    fixed = [TensorType(DType.INT64, shapes[0]), TensorType(DType.BOOL, shapes[1])]
    try:
        importer, outputs = _settled(node, proto, fixed, carried, (), 1)
    except RankError:
        if node.name.endswith(PEELED):
            raise
        if_(peeled(node, proto, carried))
        return
    op = ops.Loop(body=_closed(importer, outputs), carried=len(carried))
    inputs = (node.optional(0), node.optional(1), *carried, *importer.captured.values())
    node.finish(op, *inputs)


def _loop_of_lists(
    node: OnnxNode, proto: onnx.GraphProto, given: Sequence[str], lists: Sequence[int]
) -> None:
    """Import a loop by its body without sequences, whose new values are stacked last."""
    names = [f"{node.name}:{i}" for i in range(len(proto.output) - 1)]
    inputs = (node.optional(0), node.optional(1))
    carried = (name for index, name in enumerate(given) if index not in lists)
    body = {"body": onnx.helper.make_attribute("body", proto)}
    loop(
        OnnxNode(
            node.state, "Loop", "", node.name, node.version, body, (*inputs, *carried), (*names,)
        )
    )
    values = [node.bound[name] for name in names]
    made, grown = iter(values), iter(values[len(values) - len(lists) :])
    for index, wanted in enumerate(node.outputs):
        if index in lists:
            items = (*node.state.lists[given[index]], Item(next(grown), stacked=True))
            node.bound[wanted or ""] = node.state.listed(items) if wanted else ""
        else:
            value = next(made)
            node.bound[wanted] = value if wanted else ""


def _declared_shape(info: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Return the shape of a number that a body takes: () unless it declares (1,)."""
    return (1,) if len(info.type.tensor_type.shape.dim) == 1 else ()


# Marks the Scans, of the form since opset 9, that one of opset 8 is made of.
_INNER = "linnet_inner"


@handles("Scan")
def scan(node: OnnxNode) -> None:
    """Import the body for slices of the sequences."""
    if node.version < 9 and not node.has(_INNER):
        _batched(node)
        return
    proto = _graph(node, "body")
    count = node.integer("num_scan_inputs", 0)
    if not 0 < count <= len(node.inputs):
        raise FormatError(f"num_scan_inputs is {count} of {len(node.inputs)} inputs")
    names = [node.input(i) for i in range(len(node.inputs))]
    carried, sequences = names[: len(names) - count], names[len(names) - count :]
    axes = node.integers("scan_input_axes") or (0,) * count
    slices = []
    for name, axis in zip(sequences, axes, strict=True):
        type_ = node.graph.type_of(name)
        at = normalized(axis, type_.rank)
        shape = (*type_.shape[:at], *type_.shape[at + 1 :])
        slices.append(TensorType(type_.dtype, shape, type_.quantization))
    importer, outputs = _settled(node, proto, (), carried, slices, 0)
    op = ops.Scan(
        body=_closed(importer, outputs),
        carried=len(carried),
        axes=tuple(axes),
        backward=_flags(node, "scan_input_directions"),
        output_axes=node.integers("scan_output_axes") or (),
        output_backward=_flags(node, "scan_output_directions"),
    )
    node.finish(op, *names, *importer.captured.values())


def _batched(node: OnnxNode) -> None:
    """Import the Scan of opset 8: the batch is walked by one, each of its sequences by another."""
    if node.optional(0):
        raise UnsupportedError("lengths of sequences in a Scan of opset 8; export with opset 9")
    body, count = _graph(node, "body"), node.integer("num_scan_inputs", 0)
    states = len(body.input) - count
    names = [f"{info.name}/entry" for info in body.input]
    made = [f"{info.name}/entry" for info in body.output]
    inner = onnx.helper.make_node("Scan", names, made, f"{node.name}/entry", body=body)
    for name, number in (("num_scan_inputs", count), (_INNER, 1)):
        inner.attribute.append(onnx.helper.make_attribute(name, number))
    if node.has("directions"):
        backward = node.integers("directions") or ()
        inner.attribute.append(onnx.helper.make_attribute("scan_input_directions", backward))
    outer = onnx.helper.make_graph(
        [inner],
        f"{body.name}/batch",
        [onnx.ValueInfoProto(name=name) for name in names],
        [onnx.ValueInfoProto(name=name) for name in made],
    )
    attributes = {
        "body": onnx.helper.make_attribute("body", outer),
        "num_scan_inputs": states + count,
        _INNER: 1,
    }
    scan(OnnxNode(node.state, "Scan", "", node.name, 8, attributes, node.inputs[1:], node.outputs))


def _flags(node: OnnxNode, name: str) -> tuple[bool, ...]:
    return tuple(bool(item) for item in node.integers(name) or ())


def _settled(
    node: OnnxNode,
    proto: onnx.GraphProto,
    fixed: Sequence[TensorType],
    carried: Sequence[str],
    others: Sequence[TensorType],
    skipped: int,
) -> tuple[Any, list[str]]:
    """Import a body for the types that its carried values keep."""

    def run(types: Sequence[TensorType]) -> tuple[tuple[Any, list[str]], list[TensorType]]:
        importer = _nested(node, proto)
        outputs: list[str] = importer.run_inside([*fixed, *types, *others])
        after = outputs[skipped : skipped + len(types)]
        return (importer, outputs), [importer.graph.type_of(name) for name in after]

    return settled([node.graph.type_of(name) for name in carried], run)[0]
