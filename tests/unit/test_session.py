from __future__ import annotations

import pickle

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.graph import Graph
from linnet.ops import Clip, Concat, ReduceProd, Reshape, Shape, Slice, Unsqueeze
from linnet.reference import evaluate
from linnet.types import DType, Quantization, TensorType


def relu_graph(shape=("n", 4)) -> Graph:
    graph = Graph("relu")
    x = graph.add_input("x", TensorType(DType.FLOAT32, shape))
    y = graph.add(Clip(minimum=0.0), [x], outputs=["y"])
    graph.add(Reshape(shape=(-1,)), [y], outputs=["flat"])
    graph.outputs = ["y", "flat"]
    graph.validate()
    return graph


def test_run_gives_fresh_arrays_for_each_shape():
    session = linnet.load(relu_graph())
    for rows in (1, 3, 1, 0, 7):
        x = np.linspace(-1, 1, rows * 4, dtype=np.float32).reshape(rows, 4)
        first, second = session.run({"x": x}), session.run({"x": x})
        np.testing.assert_array_equal(first["y"], np.maximum(x, 0))
        np.testing.assert_array_equal(first["flat"], np.maximum(x, 0).reshape(-1))
        assert list(first) == ["y", "flat"]
        assert first["y"] is not second["y"]


def test_non_contiguous_input_is_copied():
    x = np.arange(8, dtype=np.float32).reshape(4, 2).T - 4
    y = linnet.load(relu_graph((2, 4))).run({"x": x})["y"]
    np.testing.assert_array_equal(y, np.maximum(x, 0))


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "missing: \\['x'\\]"),
        ({"x": np.zeros((1, 4), np.float32), "z": 1}, "unknown: \\['z'\\]"),
        ({"x": np.zeros((1, 4))}, "float64; expected float32"),
        ({"x": np.zeros((1, 5), np.float32)}, "shape \\(1, 5\\); expected \\(n, 4\\)"),
        ({"x": np.zeros(4, np.float32)}, "shape \\(4,\\)"),
    ],
)
def test_wrong_inputs_say_what_is_expected(feeds, message):
    session = linnet.load(relu_graph())
    with pytest.raises(linnet.InputError, match=message):
        session.run(feeds)
    session.run({"x": np.zeros((2, 4), np.float32)})


def test_shape_arithmetic_folds_for_each_shape():
    graph = Graph("reshape")
    x = graph.add_input("x", TensorType(DType.FLOAT32, ("n", 2, 3)))
    shape = graph.add(Shape(), [x])
    n = graph.add(Slice(starts=(0,), ends=(1,), axes=(0,), steps=(1,)), [shape])
    minus = graph.add_constant("minus", np.array([-1], np.int64))
    target = graph.add(Concat(axis=0), [n, minus])
    graph.outputs = [graph.add(Reshape(), [x, target], outputs=["y"])]
    graph.validate()
    session = linnet.load(graph)
    for rows in (1, 4):
        x = np.random.default_rng(0).normal(size=(rows, 2, 3)).astype(np.float32)
        np.testing.assert_array_equal(session.run({"x": x})["y"], x.reshape(rows, 6))
    assert not session.plan({"x": (4, 2, 3)}).has_host_steps
    assert len(session.plan({"x": (4, 2, 3)}).program) == 0


def test_folded_scalars_stay_scalars():
    graph = Graph("count")
    x = graph.add_input("x", TensorType(DType.FLOAT32, ("n", 2)))
    count = graph.add(ReduceProd(axes=(0,), keepdims=False), [graph.add(Shape(), [x])])
    vector = graph.add(Unsqueeze(axes=(0,)), [count])
    one = graph.add_constant("one", np.array([1], np.int64))
    shape = graph.add(Concat(axis=0), [vector, one])
    graph.outputs = [graph.add(Reshape(), [x, shape], outputs=["column"])]
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(linnet.load(graph).run({"x": x})["column"], x.reshape(-1, 1))


def test_plans_are_kept_for_a_few_shapes_only():
    session = linnet.load(relu_graph())
    for rows in range(1, 40):
        session.run({"x": np.zeros((rows, 4), np.float32)})
    assert len(session._executor.plans) <= 8


def test_bad_isa_and_threads_are_refused():
    with pytest.raises(linnet.InputError, match="threads=0"):
        linnet.load(relu_graph(), threads=0)
    with pytest.raises(linnet.InputError, match="ISA 'abacus'"):
        linnet.load(relu_graph((1, 4)), isa="abacus")


@pytest.mark.parametrize("kind", ["int8", "float16"])
def test_weights_stored_in_few_bytes_are_constants_of_kernels(kind: str) -> None:
    rng, shape = np.random.default_rng(0), (128, 3, 3, 64)
    graph = Graph("stored")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (1, 6, 6, 64)))
    if kind == "int8":
        data = rng.integers(-127, 128, shape).astype(np.int8)
        name = graph.add_constant("w", data, quantization=Quantization(np.float32(0.01), 0))
        wide = graph.add(ops.Dequantize(), [name])
    else:
        data = rng.standard_normal(shape).astype(np.float16)
        wide = graph.add(ops.Cast(to=DType.FLOAT32), [graph.add_constant("w", data)])
    graph.outputs = [graph.add(ops.Conv2D(), [x, wide])]
    session = linnet.load(graph, threads=1)
    feeds = {"x": rng.standard_normal((1, 6, 6, 64)).astype(np.float32)}
    plan = session.plan({"x": feeds["x"].shape})
    assert not plan.has_host_steps
    (found,) = session.run(feeds).values()
    (wanted,) = evaluate(graph, feeds).values()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_specs_are_named_tuples():
    spec = linnet.load(relu_graph((2, 4))).inputs[0]
    assert spec == ("x", (2, 4), np.dtype(np.float32), None)
    assert spec == pickle.loads(pickle.dumps(spec))
    assert repr(spec) == (
        "TensorSpec(name='x', shape=(2, 4), dtype=dtype('float32'), quantization=None)"
    )
