"""Variables, initialization and signatures of TFLite models, against LiteRT."""

import numpy as np
import pytest

import linnet
from linnet.converters import signatures
from linnet.converters.importer import import_model
from linnet.errors import FormatError, UnsupportedError
from linnet.types import Quantization
from tests.converters.test_tflite_recurrent import runs
from tests.converters.tflite_builder import ModelBuilder, Operator

HANDLE = "VarHandleOptions"


def counter(initial=True, quantization=None, dtype="float32"):
    """A running sum: variable += x; y = variable. The first subgraph's CALL_ONCE sets it."""
    builder = ModelBuilder(name="main")
    x = builder.add("x", dtype, (2, 3), None, quantization)
    handle = builder.add("total", "resource", ())
    before = builder.add("before", dtype, (2, 3), None, quantization)
    y = builder.add("y", dtype, (2, 3), None, quantization)
    builder.operators += [
        Operator("CALL_ONCE", [], [], {"InitSubgraphIndex": 1}, "CallOnceOptions"),
        Operator("VAR_HANDLE", [], [handle], {"SharedName": "total", "Container": "c"}, HANDLE),
        Operator("READ_VARIABLE", [handle], [before], {}, "ReadVariableOptions"),
        Operator("ADD", [before, x], [y], {}, "AddOptions"),
        Operator("ASSIGN_VARIABLE", [handle, y], [], {}, "AssignVariableOptions"),
    ]
    builder.inputs, builder.outputs = [x], [y]
    first = ModelBuilder(name="init")
    inner = first.add("handle", "resource", ())
    values = np.arange(6).reshape(2, 3).astype(dtype) if initial else np.zeros((2, 3), dtype)
    content = first.add("content", dtype, (2, 3), values, quantization)
    first.operators += [
        Operator("VAR_HANDLE", [], [inner], {"SharedName": "total", "Container": "c"}, HANDLE),
        Operator("ASSIGN_VARIABLE", [inner, content], [], {}, "AssignVariableOptions"),
    ]
    builder.others.append(first)
    return builder


def test_a_resource_is_a_named_state():
    model = counter().build()
    graph = linnet.convert(model)
    assert [state.input for state in graph.states] == ["c/total"]
    session = linnet.load(graph)
    assert [spec.name for spec in session.inputs] == ["x"]
    feeds = [np.full((2, 3), value, np.float32) for value in (1.0, 0.5, -4.0)]
    wanted = runs(model, feeds)
    for feed, want in zip(feeds, wanted, strict=True):
        np.testing.assert_array_equal(session.run({"x": feed})["y"], want)
    np.testing.assert_array_equal(session.states.get()["c/total"], wanted[-1])
    session.reset()
    np.testing.assert_array_equal(session.run({"x": feeds[0]})["y"], wanted[0])


def test_a_quantized_resource_survives_the_file(tmp_path):
    model = counter(quantization=Quantization(0.5, 3), dtype="int8").build()
    path = tmp_path / "model.linnet"
    linnet.save(linnet.convert(model), path)
    session = linnet.load(path)
    feeds = [np.full((2, 3), value, np.int8) for value in (7, 90, -20)]
    for feed, want in zip(feeds, runs(model, feeds), strict=True):
        np.testing.assert_array_equal(session.run({"x": feed})["y"], want)


def test_initialization_may_compute():
    builder = counter()
    first = builder.others[0]
    two = first.add("two", "float32", (), np.float32(2))
    product = first.add("product", "float32", (2, 3))
    first.operators.insert(1, Operator("MUL", [1, two], [product], {}, "MulOptions"))
    first.operators[-1].inputs = [0, product]
    model = builder.build()
    session = linnet.load(linnet.convert(model))
    feed = np.ones((2, 3), np.float32)
    (want,) = runs(model, [feed])
    np.testing.assert_array_equal(session.run({"x": feed})["y"], want)


def test_assigned_values_can_be_read_in_the_same_run():
    builder = counter()
    again, z = builder.add("again", "float32", (2, 3)), builder.add("z", "float32", (2, 3))
    builder.operators += [
        Operator("READ_VARIABLE", [1], [again], {}, "ReadVariableOptions"),
        Operator("MUL", [again, again], [z], {}, "MulOptions"),
    ]
    builder.outputs = [z]
    model = builder.build()
    session = linnet.load(linnet.convert(model))
    feeds = [np.full((2, 3), value, np.float32) for value in (1.0, 2.0)]
    for feed, want in zip(feeds, runs(model, feeds), strict=True):
        np.testing.assert_array_equal(session.run({"x": feed})["z"], want)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda b: b.operators[0].options.update(InitSubgraphIndex=7), "subgraph 7 of 2"),
        (lambda b: b.operators[0].options.update(InitSubgraphIndex=0), "runs itself"),
        (lambda b: setattr(b.operators[2], "inputs", [0]), "handle of a variable"),
    ],
)
def test_damaged_state_is_refused(change, match):
    builder = counter()
    change(builder)
    with pytest.raises(FormatError, match=match):
        import_model(builder.build())


def two_entries():
    """Two subgraphs, each an entry of its own: x + 1, and a * b."""
    builder = ModelBuilder(name="main")
    x, y = builder.add("serving_x:0", "float32", (3,)), builder.add("call:0", "float32", (3,))
    one = builder.add("one", "float32", (), np.float32(1))
    builder.operators.append(Operator("ADD", [x, one], [y], {}, "AddOptions"))
    builder.inputs, builder.outputs = [x], [y]
    other = ModelBuilder(name="other")
    a, b, c = (other.add(name, "float32", (3,)) for name in ("p:0", "q:0", "c:0"))
    other.operators.append(Operator("MUL", [a, b], [c], {}, "MulOptions"))
    other.inputs, other.outputs = [a, b], [c]
    builder.others.append(other)
    builder.signatures = [
        ("encode", 0, {"x": 0}, {"y": 1}),
        ("decode", 1, {"left": 0, "right": 1}, {"product": 2}),
    ]
    return builder.build()


def test_signatures_are_chosen_by_name():
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    model = two_entries()
    assert signatures(model) == ["encode", "decode"]
    x = np.array([1, 2, 3], np.float32)
    graph = linnet.convert(model)
    assert (graph.inputs, graph.outputs) == (["serving_x:0"], ["call:0"])
    assert graph.metadata["signatures"] == "encode, decode"
    interpreter = litert.Interpreter(model_content=model)
    for name, feeds in (("encode", {"x": x}), ("decode", {"left": x, "right": x + 1})):
        session = linnet.load(linnet.convert(model, signature=name))
        found = session.run(feeds)
        wanted = interpreter.get_signature_runner(name)(**feeds)
        assert list(found) == list(wanted)
        for key, want in wanted.items():
            np.testing.assert_array_equal(found[key], want)


def test_an_unknown_signature_is_refused_with_those_there_are():
    with pytest.raises(UnsupportedError, match=r"'other'.*\['encode', 'decode'\]"):
        linnet.convert(two_entries(), signature="other")


def test_the_command_line_lists_and_takes_signatures(tmp_path, capsys):
    from linnet.cli import main

    path, out = tmp_path / "model.tflite", tmp_path / "out.linnet"
    path.write_bytes(two_entries())
    assert main(["check", str(path)]) == 0
    assert "signatures: encode, decode" in capsys.readouterr().out
    assert main(["convert", str(path), "-o", str(out), "--signature", "decode"]) == 0
    assert "converted: decode" in capsys.readouterr().out
    assert [spec.name for spec in linnet.load(out).inputs] == ["left", "right"]
    assert main(["convert", str(path), "-o", str(out), "--signature", "none"]) == 1
