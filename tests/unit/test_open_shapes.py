"""Shapes that only the data tells: sessions run in stages, memory stays flat."""

from __future__ import annotations

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.format import encode
from linnet.graph import Graph
from linnet.reference import evaluate
from linnet.types import DType, TensorType

F32 = DType.FLOAT32


def picked() -> Graph:
    """Rows of x whose sum is positive, through a layer, and how many they are."""
    graph = Graph("picked")
    x = graph.add_input("x", TensorType(F32, ("n", 8)))
    sums = graph.add(ops.ReduceSum(axes=(1,), keepdims=False), [x])
    zero = graph.add_constant("zero", np.zeros((), np.float32))
    places = graph.add(ops.NonZero(), [graph.add(ops.Greater(), [sums, zero])])
    rows = graph.add(ops.Reshape(shape=(-1,)), [places])
    chosen = graph.add(ops.Gather(axis=0), [x, rows])
    w = graph.add_constant("w", np.random.default_rng(0).normal(size=(5, 8)).astype("f4"))
    y = graph.add(ops.FullyConnected(), [chosen, w], outputs=["y"])
    count = graph.add(ops.Shape(start=0, end=1), [y], outputs=["count"])
    graph.outputs = [y, count, sums]
    return graph


@pytest.mark.parametrize("rows", [0, 1, 7, 64])
def test_stages_give_what_the_reference_gives(rows):
    graph = picked()
    session = linnet.load(encode(graph))
    rng = np.random.default_rng(rows)
    for _ in range(3):
        x = rng.normal(size=(rows, 8)).astype(np.float32)
        found, wanted = session.run({"x": x}), evaluate(graph, {"x": x})
        assert list(found) == graph.outputs
        for name in found:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=1e-6)
            assert found[name].shape == wanted[name].shape


def test_what_does_not_depend_on_open_shapes_is_planned_with_kernels():
    plan = linnet.load(picked()).plan({"x": (16, 8)})
    assert not plan.has_host_steps
    assert next(str(node).split()[0] for node in plan.later) == "NonZero"


def test_open_inputs_as_outputs():
    graph = Graph()
    x = graph.add_input("x", TensorType(DType.INT64, ("n",)))
    graph.add(ops.Unique(), [x], outputs=["u", "", "inverse", "counts"])
    graph.outputs = ["u", "x", "inverse", "counts"]
    found = linnet.load(graph).run({"x": np.array([4, 1, 4], np.int64)})
    assert [found[n].tolist() for n in graph.outputs] == [[1, 4], [4, 1, 4], [1, 0, 1], [1, 2]]


def test_run_time_limits():
    graph = Graph()
    k = graph.add_input("k", TensorType(DType.INT64, (1,)))
    end = graph.add_input("end", TensorType(DType.INT64, ()))
    x = graph.add_input("x", TensorType(F32, (2, 9)))
    graph.add(ops.TopK(axis=1), [x, k], outputs=["best", "where"])
    one, two = (graph.add_constant(f"c{i}", np.array(i, np.int64)) for i in (0, 2))
    numbers = graph.add(ops.Range(), [one, end, two], outputs=["numbers"])
    graph.outputs = ["best", graph.add(ops.Add(), [numbers, end], outputs=["more"])]
    session = linnet.load(graph)
    x = np.random.default_rng(1).normal(size=(2, 9)).astype("f4")
    for k, end in ((1, 0), (9, 7), (3, 4)):
        found = session.run({"x": x, "k": np.array([k], np.int64), "end": np.array(end, np.int64)})
        np.testing.assert_array_equal(found["best"], -np.sort(-x, 1)[:, :k])
        np.testing.assert_array_equal(found["more"], np.arange(0, end, 2) + end)


def retained(session) -> int:
    """Bytes of every block of arena memory that a session's plans hold."""
    settings = session._executor.settings
    blocks = {id(arena): arena._block.bytes for arena in settings.arenas}
    shared = {plan.program.arena for plan, _ in session._executor.plans.values()}
    assert len(shared) <= 1, "plans of one depth share one block"
    waiting = [session._executor, *settings.bodies.values()]
    while waiting:
        executor = waiting.pop()
        for plan, runner in executor.plans.values():
            assert plan.program.arena_bytes in blocks.values()
            rest = getattr(runner, "_rest", None)
            waiting += [rest] if rest is not None else []
    return sum(blocks.values())


@pytest.mark.parametrize("make", [picked], ids=["stages"])
def test_memory_is_flat_over_1000_shapes(make):
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 3000, 1000)
    largest = linnet.load(make())
    largest.run({"x": np.ones((int(sizes.max()), 8), np.float32)})
    session = linnet.load(make())
    for index, size in enumerate(sizes):
        session.run({"x": np.ones((int(size), 8), np.float32)})
        if index % 50 == 0 or index == len(sizes) - 1:
            assert retained(session) <= 1.2 * retained(largest) + 4096
    assert len(session._executor.plans) <= 8
