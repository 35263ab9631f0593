"""Transforms of short real rows become products of the same values."""

from __future__ import annotations

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.converters.passes import simplify
from linnet.errors import GraphError
from linnet.graph import Graph
from linnet.types import DType, Shape, TensorType
from tests.evaluate import execute


def rows(*shape: int | str) -> Graph:
    graph = Graph("rows")
    graph.add_input("x", TensorType(DType.FLOAT32, shape))
    return graph


def agree(graph: Graph, shape: tuple[int, ...], products: int) -> None:
    """Hold a graph's outputs before and after simplification against each other."""
    graph.outputs = [graph.nodes[-1].outputs[0]]
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    wanted = execute(graph, {"x": x})[graph.outputs[0]]
    simplify(graph)
    kinds = [type(node.op) for node in graph.nodes]
    assert kinds.count(ops.FullyConnected) == products
    assert not {ops.RFFT2D, ops.DFT, ops.ComplexAbs}.intersection(kinds)
    found = linnet.load(graph, threads=1).run({"x": x})
    (got,) = found.values()
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, atol=2e-6 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("part", "products"), [(ops.ComplexAbs(), 2), (ops.Real(), 1), (ops.Imag(), 1)]
)
@pytest.mark.parametrize("shape", [(3, 1, 64), ("frames", 1, 64), (1, 2), (2, 5, 1, 256)])
def test_parts_of_complex_rows(shape: Shape, part: ops.Op, products: int) -> None:
    graph = rows(*shape)
    length = int(shape[-1])
    graph.add(ops.RFFT2D(lengths=(1, length)), ["x"], name="f")
    graph.add(part, ["f"])
    agree(graph, tuple(d if isinstance(d, int) else 3 for d in shape), products)


def test_views_of_complex_rows_are_looked_through() -> None:
    graph = rows(3, 16)
    graph.add(ops.Unsqueeze(axes=(1,)), ["x"], name="wide")
    graph.add(ops.RFFT2D(lengths=(1, 16)), ["wide"], name="f")
    graph.add(ops.Squeeze(axes=(1,)), ["f"], name="narrow")
    graph.add(ops.ComplexAbs(), ["narrow"])
    agree(graph, (3, 16), 2)


@pytest.mark.parametrize("length", [2, 7, 16, 400])
def test_first_half_of_real_rows(length: int) -> None:
    graph = rows(2, 3, length, 1)
    graph.add(ops.DFT(axis=2, onesided=True), ["x"])
    agree(graph, (2, 3, length, 1), 2)


@pytest.mark.parametrize(
    "op",
    [ops.DFT(axis=1, onesided=True), ops.DFT(axis=2), ops.DFT(axis=2, length=8, onesided=True)],
)
def test_other_transforms_stay(op: ops.DFT) -> None:
    graph = rows(2, 3, 16, 1)
    graph.outputs = [graph.add(op, ["x"])]
    simplify(graph)
    assert [type(node.op) for node in graph.nodes] == [ops.DFT]


def test_shapes_that_are_known_in_the_end_are_checked() -> None:
    graph = rows(6, 8)
    graph.add(ops.Exp(), ["x"], name="y")
    graph.values["y"].type = TensorType(DType.FLOAT32, ("?0", 8))
    graph.outputs = [graph.add(ops.Reshape(shape=(5, 8)), ["y"])]
    with pytest.raises(GraphError, match="48 elements"):
        simplify(graph)
