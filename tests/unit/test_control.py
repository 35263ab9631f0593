"""Control flow: branches, loops, nesting; in sessions, files, references and specialization."""

from __future__ import annotations

import numpy as np
import pytest
from cases.control import DOUBLE, GROW, SQUARE, STEP, body

import linnet
from linnet import ops
from linnet.errors import FormatError, GraphError, ShapeError
from linnet.format import encode, read
from linnet.graph import Graph
from linnet.reference import evaluate
from linnet.types import DType, TensorType

F32 = DType.FLOAT32
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def branch(shape=(3, 4)) -> Graph:
    graph = Graph("branch")
    graph.add_input("c", TensorType(DType.BOOL, ()))
    graph.add_input("x", TensorType(F32, shape))
    op = ops.If(then_branch=DOUBLE.copy(), else_branch=SQUARE.copy())
    y = graph.add(op, ["c", "x"], name="if", outputs=["y"])
    graph.outputs = [graph.add(ops.Neg(), [y], outputs=["z"])]
    return graph


def test_both_branches_run_and_are_stored():
    graph = branch()
    stored = encode(graph)
    assert stored[8] == 2 and encode(read(stored)) == stored
    for source in (graph, stored):
        session = linnet.load(source)
        for c, wanted in ((True, -2 * X), (False, -X * X), (True, -2 * X)):
            feeds = {"c": np.array(c), "x": X}
            np.testing.assert_array_equal(session.run(feeds)["z"], wanted)
            np.testing.assert_array_equal(evaluate(graph, feeds)["z"], wanted)


def test_a_branch_for_inputs_of_another_shape_need_not_fit():
    inputs = {"x": ("n", "k"), "narrow": (1, 4), "wide": (1, 5)}
    types = {name: TensorType(F32, shape) for name, shape in inputs.items()}
    branches = [
        body(name, types, (ops.FullyConnected(), ["x", name], "y"), outputs=("y",))
        for name in ("narrow", "wide")
    ]
    graph = Graph("widths")
    graph.add_input("c", TensorType(DType.BOOL, ()))
    graph.add_input("x", types["x"])
    for name in ("narrow", "wide"):
        graph.add_constant(name, np.ones(inputs[name], np.float32))
    op = ops.If(then_branch=branches[0], else_branch=branches[1])
    graph.outputs = [graph.add(op, ["c", "x", "narrow", "wide"], outputs=["y"])]
    session = linnet.load(encode(graph))
    for width, c in ((4, True), (5, False), (4, True)):
        x = np.ones((2, width), np.float32)
        np.testing.assert_array_equal(session.run({"c": np.array(c), "x": x})["y"], [[width]] * 2)
    with pytest.raises(ShapeError, match="last axis of the input"):
        session.run({"c": np.array(False), "x": X})
    with pytest.raises(ShapeError, match="last axis of the input"):
        session.run({"c": np.array(True), "x": np.ones((2, 6), np.float32)})


def test_a_known_condition_takes_its_branch_in():
    graph = Graph("known")
    x = graph.add_input("x", TensorType(F32, ("n", 4)))
    rows = graph.add(ops.Size(), [x])
    few = graph.add(ops.Less(), [rows, graph.add_constant("limit", np.array(9, np.int64))])
    op = ops.If(then_branch=DOUBLE.copy(), else_branch=SQUARE.copy())
    for inner in op.bodies:
        for value in inner.values.values():
            value.type = value.type.with_(shape=("n", 4))
    graph.outputs = [graph.add(op, [few, x], outputs=["y"])]
    session = linnet.load(graph)
    for rows, power in ((2, 1), (3, 2)):
        x = np.full((rows, 4), 3, np.float32)
        plan = session.plan({"x": x.shape})
        assert not plan.has_host_steps
        wanted = 2 * x if power == 1 else x * x
        np.testing.assert_array_equal(session.run({"x": x})["y"], wanted)


def loop(limit=3, shape=(3, 4)) -> Graph:
    graph = Graph("loop")
    x = graph.add_input("x", TensorType(F32, shape))
    m = graph.add_constant("m", np.array(limit, np.int64)) if limit is not None else ""
    if limit is None:
        m = graph.add_input("m", TensorType(DType.INT64, ()))
    op = ops.Loop(body=GROW.copy(), carried=1)
    graph.add(op, [m, "", x], name="loop", outputs=["last", "every"])
    graph.outputs = ["last", "every"]
    return graph


def test_a_counted_loop_is_planned_for_its_stacked_output():
    found = linnet.load(loop()).run({"x": X})
    np.testing.assert_array_equal(found["last"], X * 8)
    np.testing.assert_allclose(found["every"], np.tanh([X, 2 * X, 4 * X]), rtol=1e-5)


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_a_limit_known_at_run_time_only(limit):
    graph = loop(None)
    found = linnet.load(encode(graph)).run({"x": X, "m": np.array(limit, np.int64)})
    np.testing.assert_array_equal(found["last"], X * 2**limit)
    assert found["every"].shape == (limit, 3, 4)


def test_a_loop_that_grows_its_value():
    inner = body(
        "append",
        {
            "i": TensorType(DType.INT64, ()),
            "go": TensorType(DType.BOOL, ()),
            "v": TensorType(F32, ("?0",)),
            "x": TensorType(F32, (2,)),
        },
        (ops.Concat(axis=0), ["v", "x"], "longer"),
        outputs=("go", "longer"),
    )
    graph = Graph("grow")
    v = graph.add_input("v", TensorType(F32, (0,)))
    x = graph.add_input("x", TensorType(F32, (2,)))
    m = graph.add_input("m", TensorType(DType.INT64, ()))
    last = graph.add(ops.Loop(body=inner, carried=1), [m, "", v, x])
    graph.outputs = [graph.add(ops.ReduceSum(axes=(0,)), [last], outputs=["sum"]), last]
    session = linnet.load(graph)
    for steps in (0, 4, 2):
        feeds = {
            "v": np.zeros(0, "f4"),
            "x": np.array([1, 2], "f4"),
            "m": np.array(steps, np.int64),
        }
        found = session.run(feeds)
        np.testing.assert_array_equal(found[last], np.tile(feeds["x"], steps))
        np.testing.assert_array_equal(found["sum"], [3 * steps])


def test_scan_walks_backward():
    graph = Graph("scan")
    for name, shape in (("h", (4,)), ("a", ("t", 4)), ("b", ("t", 3))):
        graph.add_input(name, TensorType(F32, shape))
    op = ops.Scan(body=STEP.copy(), carried=1, axes=(0, 0), backward=(True, False))
    graph.outputs = ["last", "sums", "minus"]
    graph.add(op, ["h", "a", "b"], outputs=list(graph.outputs))
    session = linnet.load(graph)
    for steps in (1, 5):
        rng = np.random.default_rng(steps)
        h, a, b = (rng.normal(size=s).astype("f4") for s in ((4,), (steps, 4), (steps, 3)))
        found = session.run({"h": h, "a": a, "b": b})
        sums = np.cumsum(np.concatenate([h[None], a[::-1]]), 0, dtype="f4")[1:]
        np.testing.assert_allclose(found["sums"], sums, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found["minus"], -b)


def nested(depth: int) -> Graph:
    inner = branch()
    inner.nodes.clear()
    inner.outputs = [inner.add(ops.Neg(), ["x"], outputs=["w"])]
    for _ in range(depth - 1):
        outer = Graph("outer")
        outer.add_input("c", TensorType(DType.BOOL, ()))
        outer.add_input("x", TensorType(F32, (3, 4)))
        op = ops.If(then_branch=inner, else_branch=inner.copy())
        outer.outputs = [outer.add(op, ["c", "c", "x"], outputs=["y"])]
        inner = outer
    return inner


def test_nested_branches():
    graph = nested(4)
    session = linnet.load(encode(graph))
    np.testing.assert_array_equal(session.run({"c": np.array(False), "x": X})["y"], -X)


def test_too_deep_a_nesting_is_refused_on_both_sides(monkeypatch):
    graph = nested(6)
    monkeypatch.setattr("linnet.format.writer.MAX_NESTING", 5)
    with pytest.raises(linnet.UnsupportedError, match="deeper than 5"):
        encode(graph)
    monkeypatch.setattr("linnet.format.writer.MAX_NESTING", 8)
    stored = encode(graph)
    monkeypatch.setattr("linnet.format.reader.MAX_NESTING", 5)
    with pytest.raises(FormatError, match="nesting"):
        read(stored)


def test_copies_are_independent():
    graph = branch()
    copy = graph.copy()
    copy.nodes[0].op.then_branch.nodes.clear()
    graph.validate()
    with pytest.raises(GraphError, match=r"in 'double'.*never computed"):
        copy.validate()


def test_branches_that_differ_are_refused():
    graph = Graph()
    graph.add_input("c", TensorType(DType.BOOL, ()))
    graph.add_input("x", TensorType(F32, (3, 4)))
    flat = body("f", {"x": TensorType(F32, (3, 4))}, (ops.Flatten(axis=0), ["x"], "y"),
                (ops.Reshape(shape=(-1,)), ["y"], "z"), outputs=("z",))  # fmt: skip
    with pytest.raises(ShapeError, match="one way makes"):
        graph.add(ops.If(then_branch=DOUBLE, else_branch=flat), ["c", "x"])


def test_one_body_serves_one_op():
    graph = branch()
    op = graph.nodes[0].op
    graph.outputs.append(graph.add(op, ["c", "z"], outputs=["again"]))
    with pytest.raises(FormatError, match="used twice"):
        encode(graph)
