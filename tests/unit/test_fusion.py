from __future__ import annotations

import numpy as np
import pytest
from harness import levels

import linnet
from linnet import ops
from linnet.binding import bind_graph
from linnet.graph import Graph
from linnet.reference import evaluate
from linnet.types import DType, Quantization, TensorType

SHAPE = (1, 3, 37, 5)


def byte_graph(dtype: DType = DType.INT8) -> Graph:
    graph = Graph("bytes")
    graph.add_input("x", TensorType(dtype, SHAPE, Quantization(0.05, 3)))
    return graph


def step(graph: Graph, op: ops.Op, inputs: list[str], name: str, scale: float = 0.02) -> str:
    graph.add(op, inputs, outputs=[name], quantization=Quantization(scale, -7))
    return name


def gate(graph: Graph, source: str, name: str) -> str:
    """Add x * sigmoid(x), quantized in between."""
    inner = step(graph, ops.Sigmoid(), [source], f"{name}/gate", 1 / 256)
    return step(graph, ops.Mul(), [source, inner], name)


def titles(graph: Graph) -> list[str]:
    inputs = {name: graph.type_of(name) for name in graph.inputs}
    return [span.item.node.op.title for span in bind_graph(graph, inputs, threads=1).spans]


def holds(graph: Graph) -> None:
    """Require the bytes of the nodes one by one at every level."""
    rng = np.random.default_rng(5)
    feeds = {
        name: rng.integers(-128, 128, graph.type_of(name).shape).astype(np.int8)
        for name in graph.inputs
    }
    wanted = evaluate(graph, feeds)
    for isa, threads in levels():
        found = linnet.load(graph, threads=threads, isa=isa).run(feeds)
        for name in graph.outputs:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=f"{isa} {threads}")


def test_a_gate_of_bytes_is_one_table():
    graph = byte_graph()
    graph.outputs = [gate(graph, "x", "y")]
    assert titles(graph) == ["Sigmoid+Mul"]
    holds(graph)


def test_steps_and_single_constants_join():
    graph = byte_graph()
    three = Quantization(0.03, 0)
    graph.add_constant("three", np.full((1, 1), 100, np.int8), three)
    moved = step(graph, ops.Add(clamp=(0.0, 6.0)), ["x", "three"], "moved")
    raised = step(graph, ops.LeakyRelu(alpha=0.3), [moved], "raised")
    graph.outputs = [step(graph, ops.Mul(), [raised, "x"], "y")]
    assert titles(graph) == ["Add+LeakyRelu+Mul"]
    holds(graph)


def test_what_others_read_is_computed_and_begins_functions():
    graph = byte_graph()
    first = step(graph, ops.LeakyRelu(), ["x"], "first")
    left, right = gate(graph, first, "left"), gate(graph, first, "right")
    graph.outputs = [step(graph, ops.Add(), [left, right], "sum", 0.1), left]
    assert titles(graph) == ["LeakyRelu", "Sigmoid+Mul", "Sigmoid+Mul", "Add"]
    holds(graph)


def test_an_inner_value_that_is_an_output_stays():
    graph = byte_graph()
    graph.outputs = [gate(graph, "x", "y"), "y/gate"]
    assert titles(graph) == ["Sigmoid", "Mul"]
    holds(graph)


def test_two_operands_do_not_join_but_what_leads_to_them_does():
    graph = byte_graph()
    graph.add_input("r", TensorType(DType.INT8, SHAPE, Quantization(0.05, 3)))
    made = gate(graph, "x", "made")
    total = step(graph, ops.Add(), [made, "r"], "total")
    graph.outputs = [step(graph, ops.HardSwish(), [total], "y")]
    assert titles(graph) == ["Sigmoid+Mul", "Add", "HardSwish"]
    holds(graph)


@pytest.mark.parametrize("shape", [(1, 1, 37, 5), (5,)])
def test_broadcasts_and_longer_constants_do_not_join(shape):
    graph = byte_graph()
    values = np.arange(np.prod(shape)).astype(np.int8).reshape(shape)
    graph.add_constant("c", values, Quantization(0.03, 0))
    product = step(graph, ops.Mul(), ["x", "c"], "product")
    graph.outputs = [step(graph, ops.Tanh(), [product], "y")]
    assert titles(graph) == ["Mul", "Tanh"]
    holds(graph)


def test_floats_do_not_join():
    graph = Graph("floats")
    graph.add_input("x", TensorType(DType.FLOAT32, SHAPE))
    graph.add(ops.Sigmoid(), ["x"], outputs=["s"])
    graph.add(ops.Mul(), ["x", "s"], outputs=["y"])
    graph.outputs = ["y"]
    assert titles(graph) == ["Sigmoid", "Mul"]
