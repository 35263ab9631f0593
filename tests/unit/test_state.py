"""State: kept from run to run, reset, stored, and equal to one run over the whole sequence."""

from __future__ import annotations

import numpy as np
import pytest

import linnet
from linnet.errors import FormatError, GraphError
from linnet.format import encode, read
from linnet.graph import Graph, State
from linnet.ops import Add, Concat, Conv2D, FullyConnected, Slice, Tanh
from linnet.types import DType, Quantization, TensorType

F32 = DType.FLOAT32
RNG = np.random.default_rng(3)
W = RNG.normal(size=(4, 4)).astype(np.float32)
U = RNG.normal(size=(4, 3)).astype(np.float32)


def cell() -> Graph:
    """One step h' = tanh(U x + W h)."""
    graph = Graph("cell")
    x = graph.add_input("x", TensorType(F32, ("n", 3)))
    h = graph.add_input("h_in", TensorType(F32, ("n", 4)))
    a = graph.add(FullyConnected(), [x, graph.add_constant("U", U)])
    b = graph.add(FullyConnected(), [h, graph.add_constant("W", W)])
    h_out = graph.add(Tanh(), [graph.add(Add(), [a, b])], outputs=["h_out"])
    graph.outputs = [graph.add(Add(), [h_out, h_out], outputs=["y"]), "h_out"]
    return graph


def unrolled(xs):
    session, h, found = linnet.load(cell()), np.zeros((xs.shape[1], 4), np.float32), []
    for x in xs:
        results = session.run({"x": x, "h_in": h})
        h = results["h_out"]
        found.append(results["y"])
    return found


def test_bound_state_gives_what_handing_it_around_gives():
    xs = RNG.normal(size=(6, 2, 3)).astype(np.float32)
    session = linnet.load(cell())
    session.bind_state({"h_out": "h_in"})
    assert [spec.name for spec in session.inputs] == ["x"]
    assert [spec.name for spec in session.outputs] == ["y", "h_out"]
    for _ in range(2):
        for x, wanted in zip(xs, unrolled(xs), strict=True):
            np.testing.assert_array_equal(session.run({"x": x})["y"], wanted)
        session.reset()


def test_results_do_not_share_memory_with_the_state():
    session = linnet.load(cell())
    session.bind_state({"h_out": "h_in"})
    x = np.ones((1, 3), np.float32)
    first = session.run({"x": x})
    second = session.run({"x": x})["y"]
    session.reset()
    first = session.run({"x": x})
    first["h_out"][:] = 100
    np.testing.assert_array_equal(session.run({"x": x})["y"], second)


def test_declared_state_is_hidden_stored_and_starts_at_its_constant():
    graph = cell()
    graph.add_constant("h0", np.full((2, 4), 0.5, np.float32))
    graph.states.append(State("h_in", "h_out", "h0"))
    graph.prune()
    graph.validate()
    stored = encode(graph)
    assert stored[8] == 2
    assert read(stored).states == graph.states
    assert encode(read(stored)) == stored
    session = linnet.load(stored)
    assert [s.name for s in session.inputs] == ["x"]
    assert [s.name for s in session.outputs] == ["y"]
    x = RNG.normal(size=(2, 3)).astype(np.float32)
    start = {"x": x, "h_in": np.full((2, 4), 0.5, np.float32)}
    wanted = linnet.load(cell()).run(start)
    for _ in range(2):
        found = session.run({"x": x})
        assert list(found) == ["y"]
        np.testing.assert_array_equal(found["y"], wanted["y"])
        np.testing.assert_array_equal(session.states.get()["h_in"], wanted["h_out"])
        session.reset()


def causal(length, state=False) -> Graph:
    """A causal convolution over time, with the last two frames as state or zero padding."""
    graph = Graph("causal")
    x = graph.add_input("x", TensorType(F32, (1, length, 1, 3)))
    past = "past"
    if state:
        graph.add_input("past", TensorType(F32, (1, 2, 1, 3)))
    else:
        past = graph.add_constant("past", np.zeros((1, 2, 1, 3), np.float32))
    joined = graph.add(Concat(axis=1), [past, x])
    w = graph.add_constant("w", np.sin(np.arange(5 * 3 * 1 * 3)).astype("f4").reshape(5, 3, 1, 3))
    y = graph.add(Conv2D(), [joined, w], outputs=["y"])
    graph.outputs = [y]
    if state:
        last = Slice(starts=(-2,), ends=(1 << 31,), axes=(1,), steps=(1,))
        graph.outputs.append(graph.add(last, [joined], outputs=["last"]))
        graph.states.append(State("past", "last"))
    graph.validate()
    return graph


@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_streaming_equals_batch(chunk):
    x = RNG.normal(size=(1, 12, 1, 3)).astype(np.float32)
    whole = linnet.load(causal(12)).run({"x": x})["y"]
    session = linnet.load(causal(chunk, state=True))
    parts = [session.run({"x": x[:, i : i + chunk]})["y"] for i in range(0, 12, chunk)]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-5, atol=1e-6)


def test_a_growing_state_starts_empty():
    graph = Graph("cache")
    x = graph.add_input("x", TensorType(F32, (1, 1, 2)))
    past = graph.add_input("past", TensorType(F32, (1, "past", 2)))
    graph.outputs = [graph.add(Concat(axis=1), [past, x], outputs=["present"])]
    session = linnet.load(graph)
    session.bind_state({"present": "past"})
    for step in range(1, 4):
        y = session.run({"x": np.full((1, 1, 2), step, np.float32)})["present"]
        np.testing.assert_array_equal(y[0, :, 0], np.arange(1, step + 1))


def test_a_quantized_state_starts_at_real_zero():
    graph = Graph("quantized")
    q = Quantization(0.5, -7)
    x = graph.add_input("x", TensorType(DType.INT8, (3,), q))
    h = graph.add_input("h", TensorType(DType.INT8, (3,), q))
    graph.outputs = [graph.add(Add(), [x, h], outputs=["h_out"], quantization=q)]
    session = linnet.load(graph)
    session.bind_state({"h_out": "h"})
    x = np.array([1, 2, 3], np.int8)
    np.testing.assert_array_equal(session.run({"x": x})["h_out"], x)
    np.testing.assert_array_equal(session.run({"x": x})["h_out"], 2 * x + 7)


def test_another_size_needs_a_reset():
    session = linnet.load(cell())
    session.bind_state({"h_out": "h_in"})
    session.run({"x": np.zeros((1, 3), np.float32)})
    with pytest.raises(linnet.InputError, match="reset"):
        session.run({"x": np.zeros((2, 3), np.float32)})
    session.reset()
    session.run({"x": np.zeros((2, 3), np.float32)})


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"z": "h_in"}, "no output 'z'"),
        ({"h_out": "z"}, "no input 'z'"),
        ({"y": "x"}, "float32\\[n,3\\]"),
        ({"h_out": "h_in", "y": "h_in"}, "already"),
    ],
)
def test_bad_pairs_are_refused(pairs, message):
    session = linnet.load(cell())
    with pytest.raises(linnet.InputError, match=message):
        session.bind_state(pairs)
    assert not session.states
    session.bind_state({"h_out": "h_in"})
    with pytest.raises(linnet.InputError, match="already"):
        session.bind_state({"h_out": "h_in"})


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (State("y", "h_out"), "state input 'y' is no input"),
        (State("h_in", "x"), "state output 'x' is no output"),
        (State("h_in", "h_out", "x"), "'x' of a state is no constant"),
        (State("x", "h_out"), "state 'x' is float32\\[n,3\\]"),
        (State("h_in", "h_out", "U"), "'U' is float32\\[4,3\\]"),
    ],
)
def test_graphs_with_bad_states_are_invalid(state, message):
    graph = cell()
    graph.states.append(state)
    with pytest.raises(GraphError, match=message):
        graph.validate()


def test_two_states_cannot_share_an_input():
    graph = cell()
    graph.outputs.append(graph.add(Tanh(), ["h_in"], outputs=["other"]))
    graph.states += [State("h_in", "h_out"), State("h_in", "other")]
    with pytest.raises(GraphError, match="two states"):
        graph.validate()


def test_revision_1_has_no_states(monkeypatch):
    from linnet.format import writer

    graph = cell()
    graph.states.append(State("h_in", "h_out"))
    prologue = writer.Prologue
    monkeypatch.setattr(writer, "Prologue", lambda revision, *sizes: prologue(1, *sizes))
    with pytest.raises(FormatError, match="states"):
        read(encode(graph))
