"""Small graphs for tests of passes, and running them before and after."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linnet import ops
from linnet.graph import Graph
from linnet.types import Array, DType, Quantization, Shape, TensorType
from tests.evaluate import execute

RNG = np.random.default_rng(7)
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def graph_of(*shapes: Shape, dtype: DType = DType.FLOAT32, q: Quantization | None = None) -> Graph:
    graph = Graph()
    for index, shape in enumerate(shapes):
        graph.add_input(f"x{index}", TensorType(dtype, shape, q))
    return graph


def const(graph: Graph, *shape: int, q: Quantization | None = None) -> str:
    if q is not None:
        return graph.add_constant("w", RNG.integers(-127, 128, shape).astype(np.int8), q)
    return graph.add_constant("c", RNG.standard_normal(shape).astype(np.float32))


def finish(graph: Graph, *outputs: str) -> Graph:
    graph.outputs = list(outputs)
    graph.validate()
    return graph


def feeds_of(graph: Graph) -> dict[str, Array]:
    feeds = {}
    for name in graph.inputs:
        type_ = graph.type_of(name)
        shape = tuple(d if isinstance(d, int) else 2 for d in type_.shape)
        if type_.dtype.is_float:
            feeds[name] = RNG.standard_normal(shape).astype(type_.dtype.numpy)
        else:
            feeds[name] = RNG.integers(-128, 128, shape).astype(type_.dtype.numpy)
    return feeds


def kinds(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph.nodes]


def same(graph: Graph, run: Callable[[Graph], int], tolerance: float = 1e-5) -> int:
    """Run a pass and require the same outputs, names and order as before."""
    feeds = feeds_of(graph)
    before = execute(graph, feeds)
    changes = run(graph)
    graph.prune()
    graph.validate()
    after = execute(graph, feeds)
    assert list(before) == list(after)
    for name, expected in before.items():
        got = after[name]
        assert got.dtype == expected.dtype and got.shape == expected.shape
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(got, expected)
    return int(changes)


def weighted(graph: Graph, kind: str) -> str:
    if kind == "fc":
        return graph.add(ops.FullyConnected(), ["x0", const(graph, 5, 4)])
    shapes = {"conv": (5, 3, 3, 4), "depthwise": (1, 3, 3, 8), "transposed": (5, 2, 2, 4)}
    made = {
        "conv": ops.Conv2D(pads=(1, 1, 1, 1)),
        "depthwise": ops.DepthwiseConv2D(strides=(2, 2)),
        "transposed": ops.ConvTranspose2D(strides=(2, 2)),
    }
    return graph.add(made[kind], ["x0", const(graph, *shapes[kind])])
