"""What the TFLite importer makes of quantization, shapes, names and models that it refuses."""

import numpy as np
import pytest

import linnet
from linnet.converters.importer import import_model
from linnet.errors import FormatError, UnsupportedError
from linnet.ops import Clip, Conv2D, DynamicLinear, Quantize
from linnet.types import DType, Quantization, TensorType
from tests.converters.tflite_builder import ModelBuilder, Operator
from tests.converters.tflite_reference import litert
from tests.evaluate import execute


def relu_model(shape=(2, 3), **tensor):
    builder = ModelBuilder()
    x, y = builder.add("x", "float32", shape, **tensor), builder.add("y", "float32", shape)
    builder.operators.append(Operator("RELU", [x], [y]))
    builder.inputs, builder.outputs = [x], [y]
    return builder


def dense_model(weight_type="int8", content=None, quantization=None, x_type="float32"):
    """One FULLY_CONNECTED of x[1, 3] by weights[2, 3]."""
    builder = ModelBuilder()
    q = Quantization(0.1, 0) if x_type != "float32" else None
    x = builder.add("x", x_type, (1, 3), quantization=q)
    content = np.arange(6, dtype=weight_type).reshape(2, 3) if content is None else content
    w = builder.add("w", weight_type, (2, 3), content, quantization)
    y = builder.add("y", x_type, (1, 2), quantization=q)
    builder.operators.append(
        Operator("FULLY_CONNECTED", [x, w], [y], options_type="FullyConnectedOptions")
    )
    builder.inputs, builder.outputs = [x], [y]
    return builder


def same_conv(signature):
    """One strided CONV_2D with SAME padding over x[1, 5, 5, 1]."""
    builder = ModelBuilder()
    x = builder.add("x", "float32", (1, 5, 5, 1), signature=signature)
    w = builder.add("w", "float32", (1, 3, 2, 1), np.ones((1, 3, 2, 1), np.float32))
    y = builder.add("y", "float32", (1, 3, 3, 1))
    options = {"Padding": 0, "StrideH": 2, "StrideW": 2}
    builder.operators.append(Operator("CONV_2D", [x, w], [y], options, "Conv2DOptions"))
    builder.inputs, builder.outputs = [x], [y]
    return import_model(builder.build()).nodes[0].op


def test_same_padding_is_numbers_where_the_image_is_known():
    assert same_conv(None) == Conv2D(strides=(2, 2), pads=(1, 0, 1, 1))


def test_same_padding_waits_for_the_image_where_it_is_not_known():
    assert same_conv((1, -1, -1, 1)) == Conv2D(strides=(2, 2), auto_pad="same_upper")


def test_signature_gives_symbols():
    graph = import_model(relu_model((1, 7, 3), signature=(-1, -1, 3)).build())
    assert graph.type_of("x").shape == ("batch", "x_1", 3)
    assert graph.type_of("y").shape == ("batch", "x_1", 3)


def test_hybrid_fully_connected_keeps_its_weights():
    graph = import_model(dense_model(quantization=Quantization(0.5, 1)).build())
    assert graph.nodes[0].op == DynamicLinear()
    weights = graph.nodes[0].inputs[1]
    np.testing.assert_array_equal(graph.constant(weights), np.arange(6).reshape(2, 3))
    assert graph.type_of(weights) == TensorType(DType.INT8, (2, 3), Quantization(0.5, 1))


def hybrid(kind, x, weights, quantization, options, version):
    """Return a product of floats with int8 weights, and what linnet and LiteRT make of x."""
    random, outputs = np.random.default_rng(3), weights.shape[0]
    builder = ModelBuilder()
    builder.add("x", "float32", x.shape)
    builder.add("w", "int8", weights.shape, weights, quantization)
    builder.add("b", "float32", (outputs,), random.normal(0, 1, outputs).astype(np.float32))
    builder.add("y", "float32", (*x.shape[:-1], outputs))
    operator = Operator(kind[0], [0, 1, 2], [3], options, kind[1])
    operator.version = version
    builder.operators, builder.inputs, builder.outputs = [operator], [0], [3]
    graph = linnet.convert(builder.build())
    found = linnet.load(graph, threads=1).run({"x": x})["y"]
    return graph, found, litert(builder.build(), {"x": x})[0]


@pytest.mark.parametrize("activation", [0, 1, 2, 3])
def test_hybrid_fully_connected_rounds_rows_like_litert(activation):
    random = np.random.default_rng(2)
    weights = random.integers(-127, 128, (9, 32)).astype(np.int8)
    x = random.normal(0.3, 1, (4, 32)).astype(np.float32)
    options = {"FusedActivationFunction": activation, "AsymmetricQuantizeInputs": True}
    kind = "FULLY_CONNECTED", "FullyConnectedOptions"
    _, found, wanted = hybrid(kind, x, weights, Quantization(0.01, 0), options, 9)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", [0, 1, 2, 3])
def test_hybrid_pointwise_convolution_rounds_the_image_like_litert(activation):
    random = np.random.default_rng(2)
    weights = random.integers(-127, 128, (9, 1, 1, 32)).astype(np.int8)
    x = random.normal(0.3, 1, (1, 5, 4, 32)).astype(np.float32)
    x[0, 3] *= 9  # rows of their own would differ
    options = {"FusedActivationFunction": activation, "Padding": 1, "StrideH": 1, "StrideW": 1}
    scales = Quantization(random.uniform(0.01, 0.02, 9), 0, 0)
    graph, found, wanted = hybrid(("CONV_2D", "Conv2DOptions"), x, weights, scales, options, 5)
    assert any(isinstance(n.op, DynamicLinear) and n.op.per_tensor for n in graph.nodes)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)


def test_hybrid_convolution_of_several_images_stays_float():
    x = np.ones((2, 5, 4, 8), np.float32)
    weights = np.arange(24, dtype=np.int8).reshape(3, 1, 1, 8)
    scales = Quantization(np.full(3, 0.5), 0, 0)
    options = {"Padding": 1, "StrideH": 1, "StrideW": 1}
    graph, found, wanted = hybrid(("CONV_2D", "Conv2DOptions"), x, weights, scales, options, 5)
    assert [type(n.op) for n in graph.nodes] == [Conv2D]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_int4_weights_are_unpacked_low_half_first():
    packed = bytes([0x21, 0x83, 0xF7])
    builder = dense_model("int4", packed, Quantization(0.5, 0), "int8")
    graph = import_model(builder.build())
    assert graph.type_of("w").dtype is DType.INT8
    np.testing.assert_array_equal(graph.constant("w"), [[1, 2, 3], [-8, 7, -1]])


def test_float16_constants_become_float32():
    builder = ModelBuilder()
    content = np.array([0.5, -1.25], np.float16)
    half = builder.add("half", "float16", (2,), content)
    full, x, y = (builder.add(name, "float32", (2,)) for name in ("full", "x", "y"))
    builder.operators += [
        Operator("DEQUANTIZE", [half], [full]),
        Operator("ADD", [x, full], [y], options_type="AddOptions"),
    ]
    builder.inputs, builder.outputs = [x], [y]
    graph = import_model(builder.build())
    assert [type(n.op).__name__ for n in graph.nodes] == ["Add"]
    np.testing.assert_array_equal(graph.constant("full"), content.astype(np.float32))


def test_outputs_are_rescaled_where_data_movement_keeps_the_scale():
    builder = ModelBuilder()
    x = builder.add("x", "int8", (4,), quantization=Quantization(0.5, 0))
    shape = builder.add("shape", "int32", (2,), np.array([2, 2], np.int32))
    y = builder.add("y", "int8", (2, 2), quantization=Quantization(1.0, 2))
    builder.operators.append(Operator("RESHAPE", [x, shape], [y]))
    builder.inputs, builder.outputs = [x], [y]
    graph = import_model(builder.build())
    found = execute(graph, {"x": np.array([0, 2, 4, -6], np.int8)})["y"]
    np.testing.assert_array_equal(found, [[2, 3], [4, -1]])
    assert graph.type_of("y").quantization == Quantization(1.0, 2)


def test_inner_names_give_way_to_inputs_and_outputs():
    builder = ModelBuilder()
    inner = builder.add("y", "float32", (3,))
    x, y = builder.add("x", "float32", (3,)), builder.add("y", "float32", (3,))
    builder.operators += [Operator("RELU", [x], [inner]), Operator("RELU6", [inner], [y])]
    builder.inputs, builder.outputs = [x], [y]
    graph = import_model(builder.build())
    assert graph.inputs == ["x"] and graph.outputs == ["y"]
    assert [n.outputs for n in graph.nodes] == [("y_1",), ("y",)]


def test_names_made_here_give_way_to_the_files():
    builder = dense_model(quantization=Quantization(0.5, 0))
    builder.tensors[0].shape = (1, 1, 3)
    z = builder.add("y:rows", "float32", (1, 2))
    builder.operators.append(Operator("RELU", [2], [z]))
    builder.outputs = [z]
    graph = import_model(builder.build())
    assert [n.outputs[0] for n in graph.nodes] == ["y:rows_1", "y", "y:rows"]


def test_every_reason_is_reported_at_once():
    builder = ModelBuilder()
    names = ("x", "a", "b", "c")
    x, a, b, c = (builder.add(name, "float32", (2,)) for name in names)
    builder.operators += [
        Operator("CUSTOM", [x], [a], custom="Blur"),
        Operator("CONCAT_EMBEDDINGS", [a], [b]),
        Operator("ADD", [b, a], [c], {"FusedActivationFunction": 4}, "AddOptions"),
    ]
    builder.inputs, builder.outputs = [x], [c]
    with pytest.raises(UnsupportedError) as caught:
        import_model(builder.build())
    reasons = caught.value.reasons
    assert len(reasons) == 3
    for reason, words in zip(
        reasons,
        (
            ("CUSTOM node 0", "output 'a'", "'Blur'"),
            ("CONCAT_EMBEDDINGS node 1", "output 'b'", "no kernel in TFLite"),
            ("ADD node 2", "output 'c'", "TANH"),
        ),
        strict=True,
    ):
        assert all(word in reason for word in words), reason


def test_a_variable_is_a_state_of_zeros():
    builder = relu_model()
    builder.tensors.append(builder.tensors[0].__class__("v", "float32", (2, 3), is_variable=True))
    builder.operators[0] = Operator("ADD", [0, 2], [1], options_type="AddOptions")
    graph = import_model(builder.build())
    assert [(s.input, s.output) for s in graph.states] == [("v", "v:kept")]
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(linnet.load(graph).run({"x": x})["y"], x)


def quantized_relu(dtype, zero):
    builder = ModelBuilder()
    q = Quantization(0.5, zero)
    x, y = (builder.add(name, dtype, (3,), quantization=q) for name in ("x", "y"))
    builder.operators.append(Operator("RELU", [x], [y]))
    builder.inputs, builder.outputs = [x], [y]
    return import_model(builder.build())


def test_uint8_is_int8_inside_and_uint8_at_the_boundary():
    graph = quantized_relu("uint8", 10)
    kinds = [n.op for n in graph.nodes]
    assert kinds == [Quantize(dtype=DType.INT8), Clip(minimum=0.0), Quantize(dtype=DType.UINT8)]
    inner = [graph.type_of(n.outputs[0]) for n in graph.nodes[:2]]
    assert all(t.dtype is DType.INT8 for t in inner)
    assert all(t.quantization == Quantization(0.5, -118) for t in inner)
    assert graph.type_of("x").quantization == Quantization(0.5, 10)
    found = execute(graph, {"x": np.array([0, 10, 255], np.uint8)})["y"]
    np.testing.assert_array_equal(found, np.array([10, 10, 255], np.uint8))


def test_int8_stays_as_it_is():
    assert [type(n.op) for n in quantized_relu("int8", 10).nodes] == [Clip]


def test_uint8_constants_are_shifted_with_their_zero_point():
    content = np.array([[0, 127, 128], [129, 254, 255]], np.uint8)
    builder = dense_model("uint8", content, Quantization(0.5, 120), "uint8")
    graph = import_model(builder.build())
    np.testing.assert_array_equal(graph.constant("w"), content.astype(int) - 128)
    assert graph.type_of("w").quantization == Quantization(0.5, -8)


def test_plain_uint8_is_left_alone():
    builder = ModelBuilder()
    x = builder.add("x", "uint8", (3,))
    y = builder.add("y", "float32", (3,))
    options = {"InDataType": 3, "OutDataType": 0}
    builder.operators.append(Operator("CAST", [x], [y], options, "CastOptions"))
    builder.inputs, builder.outputs = [x], [y]
    found = execute(import_model(builder.build()), {"x": np.array([0, 9, 255], np.uint8)})["y"]
    np.testing.assert_array_equal(found, np.array([0, 9, 255], np.float32))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"version": 2}, "schema version 2; expected 3"),
        ({"inputs": [7]}, "inputs name tensor 7; the subgraph has 2"),
        ({"outputs": [-1]}, "outputs name tensor -1"),
        ({"operators": [Operator("RELU", [0], [9])]}, "RELU node 0 outputs name tensor 9"),
        ({"operators": [Operator("RELU", [], [1])]}, "RELU node 0 has no input 0"),
        ({"operators": [Operator("RELU", [0], [])]}, "RELU node 0 lists 0 outputs; expected 1"),
        ({"operators": [Operator("RELU", [0], [0])]}, "writes 'x', which has a value already"),
        ({"operators": []}, "tensor 1 'y' is read but neither an input, a constant nor computed"),
        ({"operators": [Operator("CONV_2D", [0, 0], [1])]}, "CONV_2D node 0 lacks its option"),
    ],
)
def test_inconsistent_files_are_named(change, found):
    builder = relu_model((1, 2, 3, 4))
    for name, value in change.items():
        setattr(builder, name, value)
    with pytest.raises(FormatError, match=found):
        import_model(builder.build())


@pytest.mark.parametrize("size", [0, 5, 7])
def test_constants_must_fill_their_shape(size):
    builder = dense_model("int8", bytes(size), Quantization(0.5, 0))
    found = "neither an input, a constant" if size == 0 else f"'w' has {size} bytes.* needs 6"
    with pytest.raises(FormatError, match=found):
        import_model(builder.build())


def test_scales_must_fit_their_axis():
    builder = dense_model("int8", None, Quantization([0.1, 0.2, 0.3], 0, 0))
    with pytest.raises(FormatError, match="3 scales along axis 0 do not fit shape"):
        import_model(builder.build())


def damaged():
    """Return copies of a small file with bytes changed or cut off, the same ones every time."""
    whole = dense_model(quantization=Quantization(0.5, 0)).build()
    random = np.random.default_rng(5)
    for cut in range(8, len(whole), 13):
        yield whole[:cut]
    for _ in range(1500):
        copy = bytearray(whole)
        for _ in range(random.integers(1, 5)):
            copy[random.integers(8, len(copy))] = random.choice([0, 1, 127, 128, 255])
        yield bytes(copy)


def test_damage_is_refused_or_harmless():
    refused = 0
    for data in damaged():
        try:
            import_model(data)
        except (FormatError, UnsupportedError):
            refused += 1
    assert refused > 700


def test_aliased_tensors_cannot_multiply_the_work():
    builder = relu_model()
    builder.tensors[0].name = "x" * 20_000
    builder.aliases = 2_000
    with pytest.raises(FormatError, match="describe more than the file holds"):
        import_model(builder.build())


def test_quantized_and_plain_storage_do_not_mix():
    builder = ModelBuilder()
    x = builder.add("x", "uint8", (3,))
    y = builder.add("y", "uint8", (3,), quantization=Quantization(0.5, 1))
    builder.operators.append(Operator("MAXIMUM", [x, x], [y]))
    builder.inputs, builder.outputs = [x], [y]
    with pytest.raises(UnsupportedError, match="only its output has a scale"):
        import_model(builder.build())
