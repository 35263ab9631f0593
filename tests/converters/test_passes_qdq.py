"""Quantized operators take the place of float ones between Dequantize and Quantize."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from linnet import ops
from linnet.converters.passes import simplify
from linnet.converters.passes.activations import fuse_activations
from linnet.converters.passes.qdq import fuse_quantization
from linnet.graph import Graph
from linnet.types import DType, Quantization, Shape
from tests.converters.passes_builder import (
    RNG,
    TO_FIRST,
    const,
    feeds_of,
    finish,
    graph_of,
    kinds,
    same,
)
from tests.evaluate import execute

# Quantization

Q8 = Quantization(0.05, 3)
OUT = Quantization(0.07, -5)


def stored_inputs(*shapes: Shape) -> tuple[Graph, list[str]]:
    graph = graph_of(*shapes, dtype=DType.INT8, q=Q8)
    return graph, [graph.add(ops.Dequantize(), [name]) for name in graph.inputs]


def quantized(graph: Graph, name: str, q: Quantization = OUT) -> Graph:
    return finish(graph, graph.add(ops.Quantize(), [name], name="y", quantization=q))


def within_a_step(graph: Graph, run: Callable[[Graph], int]) -> None:
    feeds = feeds_of(graph)
    before = execute(graph, feeds)
    assert run(graph)
    graph.prune()
    graph.validate()
    after = execute(graph, feeds)
    for name in before:
        assert np.abs(after[name].astype(int) - before[name].astype(int)).max() <= 1, name


@pytest.mark.parametrize(
    ("op", "count"),
    [
        (ops.Add(), 2), (ops.Sub(), 2), (ops.Mul(), 2), (ops.Add(clamp=(0.0, 2.0)), 2),
        (ops.MatMul(transpose_b=True), 2), (ops.Concat(axis=1), 2),
        (ops.Clip(minimum=0.0), 1), (ops.Sigmoid(), 1), (ops.HardSwish(), 1),
        (ops.Softmax(axis=-1), 1), (ops.ReduceMean(axes=(1, 2), keepdims=False), 1),
        (ops.AveragePool2D(kernel=(2, 2)), 1), (ops.Transpose(perm=TO_FIRST), 1),
        (ops.Reshape(shape=(2, -1)), 1), (ops.Pad(pads=(0, 1, 1, 0, 0, 1, 1, 0)), 1),
        (ops.Slice(starts=(1,), ends=(3,), axes=(1,)), 1), (ops.MaxPool2D(kernel=(2, 2)), 1),
        (ops.Resize(scales=(2.0, 2.0)), 1), (ops.ReduceMax(axes=(1,)), 1),
    ],
)  # fmt: skip
def test_qdq_around_an_operator_makes_it_quantized(op: ops.Op, count: int) -> None:
    graph, reals = stored_inputs(*[(2, 4, 4, 3)] * count)
    within_a_step(quantized(graph, graph.add(op, reals)), fuse_quantization)
    assert "Dequantize" not in kinds(graph)
    assert all(graph.type_of(n.inputs[0]).is_quantized for n in graph.nodes)


@pytest.mark.parametrize("bias", ["", "stored", "stored otherwise", "float"])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "fc"])
def test_qdq_around_weights_and_bias(kind: str, bias: str) -> None:
    graph, (x,) = stored_inputs((2, 4, 4, 3))
    axis = 3 if kind == "depthwise" else 0
    shape = {"conv": (6, 3, 3, 3), "depthwise": (1, 3, 3, 6), "fc": (6, 3)}[kind]
    scales = (RNG.random(6) * 0.1 + 0.01).astype(np.float32)
    w = graph.add(ops.Dequantize(), [const(graph, *shape, q=Quantization(scales, 0, axis))])
    op = {"conv": ops.Conv2D(), "depthwise": ops.DepthwiseConv2D(), "fc": ops.FullyConnected()}[
        kind
    ]
    inputs = [x, w]
    if bias == "float":
        inputs.append(const(graph, 6))
    elif bias:
        factor = Q8.scale[0] if bias == "stored" else np.float32(0.01)
        q = Quantization(scales * factor, 0, 0)
        data = RNG.integers(-300, 300, 6).astype(np.int32)
        inputs.append(graph.add(ops.Dequantize(), [graph.add_constant("b", data, q)]))
    y = graph.add(ops.Clip(minimum=0.0), [graph.add(op, inputs)])
    quantized(graph, y, Quantization(0.2, -100))
    assert fuse_activations(graph) == 1
    within_a_step(graph, fuse_quantization)
    assert len(graph.nodes) == 1


def test_qdq_pair_with_other_parameters_is_a_requantization() -> None:
    graph, (x,) = stored_inputs((2, 3))
    assert same(quantized(graph, x), fuse_quantization) == 1
    assert kinds(graph) == ["Quantize"]


def test_a_float_reader_keeps_the_operator_in_float() -> None:
    graph, (x,) = stored_inputs((2, 3))
    y = graph.add(ops.Sigmoid(), [x])
    quantized(graph, y)
    finish(graph, "y", y)
    assert same(graph, fuse_quantization) == 0


def test_uint8_becomes_int8() -> None:
    graph = graph_of((2, 3), dtype=DType.UINT8, q=Quantization(0.1, 128))
    y = graph.add(ops.Sigmoid(), [graph.add(ops.Dequantize(), ["x0"])])
    y = graph.add(ops.Quantize(dtype=DType.UINT8), [y], name="y", quantization=Quantization(0.01))
    finish(graph, y)
    feeds = {"x0": RNG.integers(0, 256, (2, 3)).astype(np.uint8)}
    before = execute(graph, feeds)
    simplify(graph)
    after = execute(graph, feeds)
    assert after["y"].dtype == np.uint8
    np.testing.assert_array_equal(after["y"], before["y"])
    assert kinds(graph) == ["Quantize", "Sigmoid", "Quantize"]


def test_transposes_at_the_outputs_move_stored_bytes() -> None:
    graph, (x,) = stored_inputs((2, 4, 4, 3))
    first = graph.add(ops.Transpose(perm=TO_FIRST), [x])
    y = graph.add(ops.AveragePool2D(kernel=(2, 2)), [x])
    y = graph.add(ops.Quantize(), [y], quantization=OUT)
    y = graph.add(ops.Dequantize(), [y])
    finish(graph, graph.add(ops.Transpose(perm=TO_FIRST), [y]), first)
    feeds = feeds_of(graph)
    before = execute(graph, feeds)
    simplify(graph)
    assert {graph.type_of(n.inputs[0]).dtype for n in graph.nodes} == {DType.INT8}
    for name, array in execute(graph, feeds).items():
        assert np.abs(array - before[name]).max() <= OUT.scale[0] * 1.001
