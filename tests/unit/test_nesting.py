"""Control flow inside programs: bodies bound once, run without Python, the same results."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from cases.control import body

import linnet
from linnet import ops
from linnet.errors import InputError
from linnet.graph import Graph
from linnet.model_file import ModelFile
from linnet.profile import profile_session
from linnet.reference import evaluate
from linnet.types import DType, TensorType

F32, I64, BOOL = DType.FLOAT32, DType.INT64, DType.BOOL
VECTOR, INTEGERS = TensorType(F32, (6,)), TensorType(I64, (6,))
NUMBER = {"i": TensorType(I64, ()), "go": TensorType(BOOL, ())}
X = np.arange(6, dtype=np.float32)


def looped(inner: Graph, limit: int | None = 4, **values: TensorType) -> Graph:
    """Return a graph around a loop whose carried values are the graph's inputs."""
    graph = Graph("looped")
    for name, type_ in values.items():
        graph.add_input(name, type_)
    m = "" if limit is None else graph.add_constant("m", np.array(limit))
    op = ops.Loop(body=inner, carried=len(values))
    graph.outputs = [f"out{i}" for i in range(op.outputs)]
    graph.add(op, [m, "", *values], name="loop", outputs=list(graph.outputs))
    return graph


def check(graph: Graph, feeds: dict, hosts: bool = False) -> linnet.Session:
    """Hold a session against the reference, with one thread and two, twice."""
    wanted = evaluate(graph, feeds)
    for threads in (1, 2):
        session = linnet.load(graph, threads=threads)
        assert session.plan({n: a.shape for n, a in feeds.items()}).has_host_steps == hosts
        for _ in range(2):
            found = session.run(feeds)
            for name in graph.outputs:
                np.testing.assert_array_equal(found[name], wanted[name], strict=True)
    return session


def test_values_that_change_places():
    inner = body(
        "rotate",
        {**NUMBER, "a": VECTOR, "b": VECTOR, "c": VECTOR},
        (ops.Add(), ["a", "a"], "twice"),
        outputs=("go", "b", "c", "twice", "a"),
    )
    check(looped(inner, a=VECTOR, b=VECTOR, c=VECTOR), {"a": X, "b": -X, "c": X + 9})


def test_a_body_with_a_host_step():
    inner = body(
        "power",
        {**NUMBER, "a": INTEGERS},
        (ops.Pow(), ["a", "a"], "power"),
        (ops.Add(), ["power", "i"], "sum"),
        outputs=("go", "sum", "power"),
    )
    graph = looped(inner, 2, a=INTEGERS)
    feeds = {"a": np.array([1, 2, 0, 3, 1, 2])}
    session = check(graph, feeds, hosts=True)
    (row,) = profile_session(session, feeds, 3).rows
    assert "host step" in row["kernel"] and "binary_whole" in row["kernel"] and row["seconds"] > 0


def test_a_loop_in_a_branch_in_a_loop():
    twice = body("twice", {**NUMBER, "a": VECTOR}, (ops.Add(), ["a", "a"], "y"),
                 outputs=("go", "y"))  # fmt: skip
    then = Graph("then")
    then.add_input("a", VECTOR)
    then.add_constant("three", np.array(3))
    then.outputs = [then.add(ops.Loop(body=twice, carried=1), ["three", "", "a"])]
    minus = body("minus", {"a": VECTOR}, (ops.Neg(), ["a"], "y"), outputs=("y",))
    inner = Graph("inner")
    for name, type_ in {**NUMBER, "a": VECTOR}.items():
        inner.add_input(name, type_)
    two = inner.add_constant("two", np.array(2))
    late = inner.add(ops.Less(), [inner.add(ops.Mod(), ["i", two]), inner.add_constant(
        "one", np.array(1))])  # fmt: skip
    made = inner.add(ops.If(then_branch=then, else_branch=minus), [late, "a"])
    inner.outputs = ["go", made, made]
    check(looped(inner, 5, a=VECTOR), {"a": X})


def test_a_condition_ends_a_loop():
    inner = Graph("grow")
    for name, type_ in {**NUMBER, "a": VECTOR}.items():
        inner.add_input(name, type_)
    twice = inner.add(ops.Add(), ["a", "a"])
    top = inner.add(ops.ReduceMax(axes=(0,), keepdims=False), [twice])
    small = inner.add(ops.Less(), [top, inner.add_constant("limit", np.float32(100))])
    inner.outputs = [small, twice]
    check(looped(inner, None, a=VECTOR), {"a": X})


def test_any_number_of_iterations_fits_a_plan():
    inner = body("add", {**NUMBER, "a": VECTOR}, (ops.Add(), ["a", "a"], "y"), outputs=("go", "y"))
    graph = Graph("counted")
    for name, type_ in (("m", TensorType(I64, (1,))), ("go", TensorType(BOOL, ())), ("a", VECTOR)):
        graph.add_input(name, type_)
    graph.outputs = [graph.add(ops.Loop(body=inner, carried=1), ["m", "go", "a"])]
    for m, go in ((0, True), (-3, True), (7, False), (5, True)):
        check(graph, {"m": np.array([m]), "go": np.array(go), "a": X})


def endless() -> Graph:
    true = Graph("true")
    true.add_input("a", VECTOR)
    total = true.add(ops.ReduceSum(axes=(0,), keepdims=False), ["a"])
    most = true.add_constant("most", np.float32(np.inf))
    true.outputs = [true.add(ops.Less(), [total, most])]
    same = body("same", {"a": VECTOR}, (ops.Abs(), ["a"], "y"), outputs=("y",))
    graph = Graph("endless")
    graph.add_input("a", VECTOR)
    graph.outputs = [graph.add(ops.While(condition=true, body=same), ["a"])]
    return graph


@pytest.mark.parametrize("threads", [1, 2])
def test_an_endless_loop_can_be_interrupted(threads):
    class Enough(Exception):
        pass

    def stop(*_):
        raise Enough

    session = linnet.load(endless(), threads=threads)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _ in range(2):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(Enough):
                session.run({"a": X})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    (found,) = session.run({"a": X + np.inf}).values()
    assert np.isinf(found).all()


def test_an_index_out_of_range_names_the_loop():
    inner = body("pick", {**NUMBER, "a": VECTOR}, (ops.Gather(), ["a", "i"], "y"),
                 outputs=("go", "a", "y"))  # fmt: skip
    check(looped(inner, 6, a=VECTOR), {"a": X})
    with pytest.raises(InputError, match=r"loop.*index"):
        linnet.load(looped(inner.copy(), 7, a=VECTOR)).run({"a": X})


def test_bodies_share_no_weights_by_name(tmp_path: Path, monkeypatch):
    """Values of one name in the graph and in its bodies are packed on their own, and stored."""
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "plans"))
    monkeypatch.setattr(ModelFile, "settled", True)
    rng = np.random.default_rng(3)

    def layer(graph: Graph, x: str) -> str:
        w = graph.add_constant("w", rng.normal(size=(6, 6)).astype(np.float32))
        return graph.add(ops.FullyConnected(), [x, w], outputs=["y"])

    inner = Graph("inner")
    for name, type_ in {**NUMBER, "a": TensorType(F32, (1, 6))}.items():
        inner.add_input(name, type_)
    inner.outputs = ["go", layer(inner, "a")]
    graph = Graph("outer")
    graph.add_input("x", TensorType(F32, (1, 6)))
    m = graph.add_constant("m", np.array(2))
    graph.outputs = [graph.add(ops.Loop(body=inner, carried=1), [m, "", layer(graph, "x")])]
    feeds = {"x": X[None]}
    path = tmp_path / "model.linnet"
    linnet.save(graph, path)
    wanted = evaluate(graph, feeds)[graph.outputs[0]]
    for restored in (False, True):
        session = linnet.load(path)
        np.testing.assert_allclose(session.run(feeds)[graph.outputs[0]], wanted, rtol=1e-5)
        assert (session._planned is None) == restored
