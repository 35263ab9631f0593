"""Names of an ONNX file that are no text: protobuf hands out such strings as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from linnet.errors import FormatError


def check_text(model: Any) -> None:
    """Check that every name of a model is UTF-8.

    Raises
    ------
    FormatError
        If one is not; the message shows its bytes.
    """
    for text in _texts(model):
        if not isinstance(text, str):
            raise FormatError(f"damaged ONNX file: the name {bytes(text)[:40]!r} is not UTF-8")


def _texts(model: Any) -> Iterator[Any]:
    yield from (model.producer_name, model.domain)
    for entry in model.opset_import:
        yield entry.domain
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        yield from _node_texts(function.node)
    yield from _graph_texts(model.graph)


def _graph_texts(graph: Any) -> Iterator[Any]:
    yield graph.name
    for named in (graph.initializer, graph.input, graph.output, graph.value_info):
        for item in named:
            yield item.name
    for info in (*graph.input, *graph.output, *graph.value_info):
        for dim in info.type.tensor_type.shape.dim:
            yield dim.dim_param
    for sparse in graph.sparse_initializer:
        yield sparse.values.name
    yield from _node_texts(graph.node)


def _node_texts(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield attribute.name
            if attribute.HasField("g"):
                yield from _graph_texts(attribute.g)
            for graph in attribute.graphs:
                yield from _graph_texts(graph)
