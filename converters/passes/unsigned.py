"""The uint8 -> int8 pass: the runtime computes quantized values in int8 only."""

from __future__ import annotations

import numpy as np

from linnet.graph import Graph, Value
from linnet.ops import Quantize
from linnet.types import DType, Quantization, TensorType


def unsigned_to_int8(graph: Graph) -> int:
    """Shift every uint8-quantized value to int8, in place; return how many were shifted.

    A stored value s with zero point z means scale * (s - z); s - 128 with zero point z - 128 means
    the same, so nothing is rounded. Constants change here (XOR 0x80), computed values by their
    declared type, those of nested graphs with what is around them. Graph inputs and outputs keep
    the dtype that the model declares: a Quantize at the boundary, a pure shift, converts them.
    Plain uint8 numbers, without quantization, stay.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    int
        Number of values that are int8 now.
    """
    inputs, outputs = set(graph.inputs), set(graph.outputs)
    unsigned = _unsigned(graph)
    for value in unsigned:
        if value.name in inputs:
            _shift_input(graph, value)
        elif value.name in outputs:
            _shift_output(graph, value)
        else:
            _shift_inner(graph, value)
    return len(unsigned) + _shift_bodies(graph)


def _unsigned(graph: Graph) -> list[Value]:
    return [v for v in graph.values.values() if _is_unsigned(v.type)]


def _shift_bodies(graph: Graph) -> int:
    """Shift the values of nested graphs, whose inputs and outputs are values of this one."""
    count = 0
    for body in (body for node in graph.nodes for body in node.op.bodies):
        assert isinstance(body, Graph)
        unsigned = _unsigned(body)
        for value in unsigned:
            _shift_inner(body, value)
        count += len(unsigned) + _shift_bodies(body)
    return count


def _is_unsigned(type_: TensorType) -> bool:
    return type_.dtype is DType.UINT8 and type_.quantization is not None


def _signed(type_: TensorType) -> TensorType:
    q = type_.quantization
    assert q is not None
    return type_.with_(
        dtype=DType.INT8, quantization=Quantization(q.scale, q.zero_point - 128, q.axis)
    )


def _shift_input(graph: Graph, value: Value) -> None:
    readers = graph.consumers()[value.name]
    shifted = graph.add(
        Quantize(dtype=DType.INT8),
        [value.name],
        name=graph.unique(f"{value.name}:int8"),
        quantization=_signed(value.type).quantization,
        at=0,
    )
    for node in readers:
        node.inputs = tuple(shifted if name == value.name else name for name in node.inputs)


def _shift_output(graph: Graph, value: Value) -> None:
    name, unsigned = value.name, value.type
    inner = graph.unique(f"{name}:int8")
    graph.rename(name, inner)
    _shift_inner(graph, value)
    graph.add(
        Quantize(dtype=DType.UINT8),
        [inner],
        name=name,
        outputs=[name],
        quantization=unsigned.quantization,
    )
    graph.outputs = [name if o == inner else o for o in graph.outputs]


def _shift_inner(graph: Graph, value: Value) -> None:
    value.type = _signed(value.type)
    if value.data is not None:
        value.data = (value.data ^ np.uint8(0x80)).view(np.int8)
    for node in graph.nodes:
        if value.name in node.outputs and isinstance(node.op, Quantize):
            node.op = Quantize(dtype=DType.INT8)
