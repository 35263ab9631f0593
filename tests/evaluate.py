"""A graph interpreter in plain NumPy: every node by its op's reference, in order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from linnet.graph import Graph, Node
from linnet.types import Array, NodeTypes, TensorType


def execute(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Return the graph's outputs by name; shapes are inferred anew from the arrays given.

    Parameters
    ----------
    graph : Graph
    feeds : mapping of str to ndarray
        One array per graph input, of its dtype.
    """
    arrays: dict[str, Array | None] = {"": None}
    arrays |= {name: value.data for name, value in graph.values.items() if value.is_constant}
    for name in graph.inputs:
        given = np.asarray(feeds[name])
        assert given.dtype == graph.type_of(name).dtype.numpy, (name, given.dtype)
        arrays[name] = given
    for node in graph.nodes:
        inputs = tuple(_typed(graph, name, arrays[name]) for name in node.inputs)
        outputs = _output_types(graph, node, inputs)
        results = node.op.reference(
            NodeTypes(inputs, outputs), *(arrays[name] for name in node.inputs)
        )
        for name, type_, result in zip(node.outputs, outputs, results, strict=True):
            pairs = zip(result.shape, type_.shape, strict=True)
            fits = all(a == b or isinstance(b, str) for a, b in pairs)
            assert fits, (str(node), result.shape, type_.shape)
            assert result.dtype == type_.dtype.numpy, (str(node), result.dtype, type_.dtype)
            arrays[name] = result
    return {name: np.asarray(arrays[name]) for name in graph.outputs}


def _typed(graph: Graph, name: str, array: Array | None) -> TensorType | None:
    if not name or array is None:
        return None
    return TensorType.of(array, graph.type_of(name).quantization)


def _output_types(
    graph: Graph, node: Node, inputs: tuple[TensorType | None, ...]
) -> tuple[TensorType, ...]:
    given = list(inputs)
    while given and given[-1] is None:
        given.pop()
    return tuple(
        inferred.with_(value=None, quantization=graph.type_of(name).quantization if name else None)
        for name, inferred in zip(node.outputs, node.op.infer(*given), strict=True)
    )
