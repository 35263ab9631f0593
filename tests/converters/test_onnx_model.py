"""The ONNX importer on whole models: names, refusals, damage, data outside the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linnet
from linnet import ops
from linnet.converters import check, convert
from linnet.converters.importer import import_model
from linnet.errors import FormatError, LinnetError, UnsupportedError
from linnet.types import DType
from tests.converters.onnx_builder import (
    TensorProto,
    agrees,
    build,
    helper,
    node,
    numpy_helper,
    onnx,
)
from tests.evaluate import execute


def ones(*shape: int) -> Any:
    return np.ones(shape, np.float32)


# Names


def test_inputs_and_outputs_keep_names_order_and_types() -> None:
    nodes = [
        node("Cast", "b", "out:0", to=1),
        node("Add", "a out:0", "out/1"),
        node("Not", "c", "z"),
    ]
    model = build(
        nodes, {"a": (2, 3), "b": ((2, 3), np.int64), "c": ((4,), np.bool_)}, "z out/1 out:0"
    )
    graph = convert(model)
    assert graph.inputs == ["a", "b", "c"] and graph.outputs == ["z", "out/1", "out:0"]
    types = [str(graph.type_of(n)) for n in (*graph.inputs, *graph.outputs)]
    assert types == [
        "float32[2,3]",
        "int64[2,3]",
        "bool[4]",
        "bool[4]",
        "float32[2,3]",
        "float32[2,3]",
    ]
    agrees(model, graph)


def test_outputs_that_are_inputs_constants_or_each_other() -> None:
    nodes = [node("Identity", "x", "same"), node("Identity", "c", "fixed"), node("Exp", "x", "e"),
             node("Identity", "e", "f"), node("Identity", "e", "g")]  # fmt: skip
    model = build(nodes, {"x": (2, 3)}, "same fixed e f g", {"c": ones(2)})
    agrees(model, import_model(model))
    graph = convert(model)
    assert graph.outputs == ["same", "fixed", "e", "f", "g"]
    agrees(model, graph)


def test_a_value_named_like_a_made_up_one_keeps_its_name() -> None:
    nodes = [
        node("Conv", "x w", "y"),
        node("Exp", "y", "y/Transpose"),
        node("Exp", "y/Transpose", "z"),
    ]
    model = build(nodes, {"x": (1, 2, 4, 4)}, "z y/Transpose", {"w": ones(2, 2, 1, 1)})
    graph = convert(model)
    assert graph.outputs == ["z", "y/Transpose"]
    agrees(model, graph)


def test_symbolic_dimensions_keep_their_names() -> None:
    model = build([node("Exp", "x", "y")], {"x": ("N", 3, None, "height/2")}, "y")
    assert convert(model).type_of("x").shape == ("N", 3, "x_2", "height_over_2")


def test_dimensions_without_a_name_need_not_be_equal() -> None:
    model = build([node("Exp", "x", "y")], {"x": (None, 3, "?", "?")}, "y")
    graph = convert(model)
    assert graph.type_of("x").shape == ("x_0", 3, "x_2", "x_3")
    x = ones(1, 3, 4, 5)
    np.testing.assert_allclose(linnet.load(graph).run({"x": x})["y"], np.exp(x), rtol=1e-6)


def test_initializers_among_the_inputs_are_constants() -> None:
    model = build([node("Add", "x c", "y")], {"x": (2,), "c": (2,)}, "y", {"c": ones(2)})
    assert convert(model).inputs == ["x"]


def test_functions_of_the_model_are_inlined() -> None:
    body = [helper.make_node("Exp", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
    own = helper.make_function("own", "F", ["a"], ["c"], body, [helper.make_opsetid("", 17)])
    model = build([node("F", "x", "y", "own")], {"x": (2,)}, "y")
    model.functions.append(own)
    model.opset_import.append(helper.make_opsetid("own", 1))
    graph = convert(model)
    assert [type(n.op) for n in graph.nodes] == [ops.Exp, ops.Neg]


def functions(*bodies: list[Any]) -> Any:
    """Return a model of functions F0, F1, ...; the last one is called."""
    model = build([node(f"F{len(bodies) - 1}", "x", "y", "own")], {"x": (2,)}, "y")
    for index, body in enumerate(bodies):
        model.functions.append(
            helper.make_function("own", f"F{index}", ["a"], ["c"], body, [
                helper.make_opsetid("", 17), helper.make_opsetid("own", 1)])
        )  # fmt: skip
    model.opset_import.append(helper.make_opsetid("own", 1))
    return model


def test_functions_that_multiply_or_call_themselves_are_damage() -> None:
    def call(name: str, source: str, target: str) -> Any:
        return helper.make_node(name, [source], [target], domain="own")

    twice = [[call(f"F{i}", "a", "b"), call(f"F{i}", "b", "c")] for i in range(40)]
    bomb = functions([helper.make_node("Exp", ["a"], ["c"])], *twice)
    with pytest.raises(FormatError, match="more than"):
        convert(bomb)
    with pytest.raises(FormatError, match="calls itself"):
        convert(functions([call("F0", "a", "c")]))


def test_operators_that_onnx_defines_by_others_are_inlined() -> None:
    loss = node("NegativeLogLikelihoodLoss", "x target", "y", reduction="mean")
    inputs = {"x": (3, 5), "target": ((3,), np.int64)}
    graph = convert(build([loss], inputs, {"y": ()}, opset=22))
    assert any(isinstance(n.op, ops.GatherElements) for n in graph.nodes)


def test_operator_sets_before_seven_are_converted_where_onnx_can() -> None:
    old = helper.make_node("Add", ["x", "c"], ["y"], axis=1, broadcast=1)
    model = build([old], {"x": (2, 3, 4)}, "y", {"c": ones(3, 1)}, 6)
    model.graph.node[0].attribute[0].i = 1
    feeds = {"x": np.ones((2, 3, 4), np.float32)}
    assert (execute(convert(model), feeds)["y"] == 2).all()


def test_sources_are_paths_bytes_and_messages(tmp_path: Path) -> None:
    model = build([node("Exp", "x", "y")], {"x": (2,)}, "y")
    path = tmp_path / "tiny.onnx"
    path.write_bytes(model.SerializeToString())
    assert convert(path).name == "tiny" and convert(str(path), name="other").name == "other"
    assert convert(path.read_bytes()).outputs == convert(model).outputs == ["y"]


# Refusals


def test_every_reason_is_reported_at_once() -> None:
    nodes = [
        node("StringNormalizer", "x", "a"),
        node("Exp", "a", "b"),
        node("Foo", "x", "c", "my.domain"),
        node("BatchNormalization", "x w w w w", "d", training_mode=1),
        node("RandomUniformLike", "x", "e"),
    ]
    model = build(nodes, {"x": (1, 2, 4)}, "e c d b", {"w": ones(2)})
    reasons = check(model)
    assert [reason.split(" (")[0] for reason in reasons] == [
        "StringNormalizer", "my.domain:Foo", "BatchNormalization", "RandomUniformLike",
    ]  # fmt: skip
    assert reasons[0].startswith("StringNormalizer (opset 17) 'a': text is not supported")
    assert "training_mode=1" in reasons[2] and "make the noise an input" in reasons[3]
    with pytest.raises(UnsupportedError) as caught:
        convert(model)
    assert caught.value.reasons == reasons


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (node("FusedGemm", "x x", "y", "com.microsoft", activation="Mish"), "activation='Mish'"),
        (node("BatchNormalization", "x v v v v", "y", training_mode=1), "training_mode=1"),
        (node("Cast", "x", "y", to=TensorProto.COMPLEX128), "complex128"),
        (node("Gelu", "x", "y", "com.unknown"), "domain 'com.unknown'"),
        (node("StringNormalizer", "x", "y"), "text"),
    ],
)
def test_refusals_name_what_is_missing(made: Any, reason: str) -> None:
    constants = {"s": ones(4), "p": np.zeros(8, np.int64), "v": ones(2)}
    (found,) = check(build([made], {"x": (1, 2, 4, 4)}, "y", constants, 19))
    assert reason in found and f"{made.op_type} (opset" in found


def test_operator_sets_that_onnx_cannot_convert_are_refused() -> None:
    (reason,) = check(build([node("Foo", "x", "y", "own")], {"x": (2,)}, "y", opset=6))
    assert "opset 6" in reason and "version_converter" in reason


def test_inputs_of_other_kinds_are_refused() -> None:
    model = build([node("SequenceLength", "s", "y")], {}, "y")
    model.graph.input.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, (2,)))
    assert [r.split(":")[0] for r in check(model)] == ["input 's'"]


def test_a_supported_model_has_no_reasons() -> None:
    assert check(build([node("Exp", "x", "y")], {"x": (2,)}, "y")) == []


# Damage


def broken(change: str) -> Any:
    model = build(
        [node("Conv", "x w", "y", pads=[0, 0, 0, 0]), node("Concat", "y y", "z", axis=1)],
        {"x": (1, 2, 4, 4)}, {"z": (1, 6, 4, 4)}, {"w": ones(3, 2, 1, 1)},
    )  # fmt: skip
    graph = model.graph
    tensor = graph.initializer[0]
    if change == "short data":
        tensor.raw_data = tensor.raw_data[:-1]
    elif change == "negative dims":
        tensor.dims[0] = -3
    elif change == "huge dims":
        tensor.dims[0] = 1 << 60
    elif change == "unknown dtype":
        tensor.data_type = 999
    elif change == "few numbers":
        tensor.ClearField("raw_data")
        tensor.float_data.extend([1.0, 2.0])
    elif change == "undefined value":
        graph.node[0].input[0] = "nothing"
    elif change == "wrong order":
        graph.node.reverse()
    elif change == "defined twice":
        graph.node[1].output[0] = "y"
    elif change == "input twice":
        graph.input.append(graph.input[0])
    elif change == "missing input":
        del graph.node[0].input[1]
    elif change == "wrong pads":
        graph.node[0].attribute[0].ints.append(7)
    elif change == "attribute type":
        graph.node[0].attribute[0].CopyFrom(helper.make_attribute("pads", "text"))
    elif change == "not text":
        graph.node[0].attribute[0].CopyFrom(helper.make_attribute("auto_pad", b"\xff\xfe"))
    elif change == "name not text":
        content = model.SerializeToString().replace(b"Concat", b"Conc\xfft")
        return onnx.ModelProto.FromString(content)
    elif change == "no output name":
        graph.output[0].name = ""
    elif change == "axis":
        graph.node[1].attribute[0].i = 9
    elif change == "no axis":
        del graph.node[1].attribute[:]
    elif change == "output":
        graph.output[0].name = "nowhere"
    elif change == "output dtype":
        graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return model


DAMAGE = (
    "short data", "negative dims", "huge dims", "unknown dtype", "few numbers", "undefined value",
    "wrong order", "defined twice", "input twice", "missing input", "wrong pads", "attribute type",
    "not text", "name not text", "no output name", "axis", "no axis", "output", "output dtype",
)  # fmt: skip


@pytest.mark.parametrize("change", DAMAGE)
def test_damage_is_a_format_error(change: str) -> None:
    with pytest.raises(FormatError) as caught:
        convert(broken(change))
    assert str(caught.value)


@settings(max_examples=150)
@given(st.data())
def test_damaged_bytes_raise_nothing_but_typed_errors(data: st.DataObject) -> None:
    content = bytearray(broken("").SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        convert(bytes(content[: data.draw(st.integers(1, len(content)))]))
    except LinnetError as error:
        assert str(error)


# End to end


def test_a_converted_model_runs(tmp_path: Path) -> None:
    weights = np.arange(18, dtype=np.float32).reshape(3, 2, 1, 3) / 10
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "y")]
    model = build(nodes, {"x": ("n", 2, 4, 4)}, "y", {"w": weights})
    path = tmp_path / "model.linnet"
    linnet.save(convert(model), path)
    session = linnet.load(path)
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 4)).astype(np.float32)
    expected = execute(convert(model), {"x": x})["y"]
    np.testing.assert_allclose(session.run({"x": x})["y"], expected, rtol=1e-5, atol=1e-5)
    assert session.inputs[0].dtype == DType.FLOAT32.numpy


def test_tensors_of_every_type_are_read() -> None:
    for dtype in (np.float16, np.float64, np.uint16, np.int32, np.bool_, np.uint64):
        data = np.arange(6).astype(dtype)
        for tensor in (
            numpy_helper.from_array(data, "c"),
            helper.make_tensor(
                "c", helper.np_dtype_to_tensor_dtype(data.dtype), (6,), data.tolist()
            ),
        ):
            model = build([node("Identity", "c", "y")], {}, "y")
            model.graph.initializer.append(tensor)
            graph = convert(model)
            np.testing.assert_array_equal(execute(graph, {})["y"], data)
