"""A graph with numbers for every dimension: shapes inferred anew, what became constant folded.

Pure: reads a graph and the types of its inputs, runs nothing but references on known values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import LinnetError, ShapeError, UnsupportedError
from .graph import Graph, Node
from .types import NodeTypes, TensorType

# Results larger than this stay computed: folding is meant for shape arithmetic and small tables.
FOLD_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class ConcreteNode:
    """A node that has to run, with the concrete types of its inputs and outputs."""

    node: Node
    types: NodeTypes


@dataclass(frozen=True, slots=True)
class ConcreteGraph:
    """What is left to run for one set of input shapes.

    Parameters
    ----------
    nodes : list of ConcreteNode
        In order; every output has a static shape.
    types : dict of str to TensorType
        Type of every value; ``value`` is set where the content is known.
    """

    nodes: list[ConcreteNode]
    types: dict[str, TensorType]


def specialize(graph: Graph, inputs: Mapping[str, TensorType]) -> ConcreteGraph:
    """Infer every shape from the concrete input types and fold what became known.

    Parameters
    ----------
    graph : Graph
    inputs : mapping of str to TensorType
        Static type of every graph input.

    Raises
    ------
    ShapeError
        If the shapes do not fit an operator; the message names the node.
    UnsupportedError
        If an output's shape depends on data.
    """
    types: dict[str, TensorType] = {}
    for name, value in graph.values.items():
        if value.is_constant:
            types[name] = graph.known_type(name)
    types.update(inputs)
    nodes: list[ConcreteNode] = []
    for node in graph.nodes:
        given = tuple(types[i] if i else None for i in node.inputs)
        outputs = _infer(graph, node, given)
        known = _known(node, NodeTypes(given, outputs))
        for name, type_ in zip(node.outputs, known, strict=True):
            if name:
                types[name] = type_
        if not all(t.value is not None for t in known):
            nodes.append(ConcreteNode(node, NodeTypes(given, known)))
    return ConcreteGraph(_needed(nodes, graph.outputs), types)


def _infer(
    graph: Graph, node: Node, given: tuple[TensorType | None, ...]
) -> tuple[TensorType, ...]:
    present = given
    while present and present[-1] is None:
        present = present[:-1]
    try:
        outputs = node.op.infer(*present)
    except LinnetError as error:
        shown = ", ".join(str(t) for t in given)
        raise ShapeError(f"{node} on ({shown}): {error}") from error
    merged = []
    for name, type_ in zip(node.outputs, outputs, strict=True):
        if not type_.is_static:
            raise UnsupportedError(f"{node}: the shape of '{name}', {type_}, depends on data")
        declared = graph.type_of(name).quantization if name else None
        merged.append(type_.with_(quantization=type_.quantization or declared))
    return tuple(merged)


def _known(node: Node, types: NodeTypes) -> tuple[TensorType, ...]:
    """Return the output types, with contents where they follow from known inputs."""
    if all(t.value is not None for t in types.outputs):
        return types.outputs
    if (
        not node.op.pure
        or any(t is not None and t.value is None for t in types.inputs)
        or sum(t.size for t in types.outputs) > FOLD_LIMIT
    ):
        return tuple(t.with_(value=None) for t in types.outputs)
    arrays = node.op.reference(types, *(None if t is None else t.value for t in types.inputs))
    return tuple(
        t.with_(value=np.ascontiguousarray(a).reshape(a.shape))
        for t, a in zip(types.outputs, arrays, strict=True)
    )


def _needed(nodes: list[ConcreteNode], outputs: list[str]) -> list[ConcreteNode]:
    """Drop the nodes whose outputs nobody reads any more."""
    wanted = set(outputs)
    kept = []
    for item in reversed(nodes):
        if wanted.intersection(item.node.outputs):
            kept.append(item)
            pairs = zip(item.node.inputs, item.types.inputs, strict=True)
            wanted.update(name for name, t in pairs if t is not None and t.value is None)
    return kept[::-1]
