"""Linear layers with integer weights: what they take in, and how float layers become such."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import linnet
from linnet import ops
from linnet.converters.passes.attention import take_in_transposes
from linnet.converters.passes.linear import fuse_linear
from linnet.converters.quantization.dynamic import quantize_dynamic
from linnet.errors import QuantizationError
from linnet.types import Quantization
from tests.converters.passes_builder import RNG, const, finish, graph_of, kinds, same
from tests.evaluate import execute


def layer(graph, x, outputs, depth, op=None, name="y"):
    q = Quantization(RNG.uniform(0.001, 0.01, outputs).astype(np.float32), 0, 0)
    w = graph.add_constant("w", RNG.integers(-127, 128, (outputs, depth)).astype(np.int8), q)
    return graph.add(op or ops.DynamicLinear(), [x, w], name=name)


@pytest.mark.parametrize(
    ("op", "name"),
    [
        (ops.Gelu(), "gelu"),
        (ops.Gelu(approximate=True), "gelu_tanh"),
        (ops.Silu(), "silu"),
        (ops.Swish(alpha=1.702), "quick_gelu"),
        (ops.Clip(minimum=0.0), "relu"),
    ],
)
def test_bias_activation_and_residual_are_taken_in(op, name):
    graph = graph_of((2, 3, 8), (2, 3, 5))
    y = graph.add(ops.Add(), [const(graph, 5), layer(graph, "x0", 5, 8)])
    y = graph.add(ops.Add(), ["x1", graph.add(op, [y])], name="out")
    finish(graph, y)
    assert same(graph, fuse_linear) == 3
    assert [n.op for n in graph.nodes] == [ops.DynamicLinear(activation=name)]
    assert len(graph.nodes[0].inputs) == 4


def test_a_shared_result_is_left_alone():
    graph = graph_of((3, 8))
    y = layer(graph, "x0", 5, 8)
    finish(graph, graph.add(ops.Gelu(), [y]), y)
    assert same(graph, fuse_linear) == 0


@pytest.mark.parametrize("shape", [(3, 1), (3, 5), (1,)])
def test_other_constants_are_not_biases(shape):
    graph = graph_of((3, 8))
    finish(graph, graph.add(ops.Add(), [layer(graph, "x0", 5, 8), const(graph, *shape)]))
    assert same(graph, fuse_linear) == 0


def test_a_residual_that_broadcasts_stays_right():
    graph = graph_of(("n", 3, 8), (1, 3, 5))
    finish(graph, graph.add(ops.Add(), [layer(graph, "x0", 5, 8), "x1"]))
    feeds = {
        "x0": RNG.standard_normal((4, 3, 8)).astype(np.float32),
        "x1": RNG.standard_normal((1, 3, 5)).astype(np.float32),
    }
    before = execute(graph, feeds)
    fuse_linear(graph)
    found = linnet.load(graph).run(feeds)
    for name, array in before.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5)


def test_dynamic_quantization_of_layers_and_tables():
    graph = graph_of((2, 7), dtype=linnet.types.DType.INT64)
    table = graph.add_constant("table", RNG.standard_normal((600, 128)).astype(np.float32))
    x = graph.add(ops.Gather(), [table, "x0"])
    for depth, outputs, op in ((128, 96, ops.FullyConnected()), (96, 50, None)):
        w = (RNG.standard_normal((outputs, depth)) * depth**-0.5).astype(np.float32)
        inputs = [x, graph.add_constant("w", w), const(graph, outputs)]
        x = graph.add(op or ops.FullyConnected(clamp=(0.0, math.inf)), inputs)
        x = graph.add(ops.Gelu(), [x]) if op else x
    finish(graph, x)
    feeds = {"x0": RNG.integers(0, 600, (2, 7))}
    before = execute(graph, feeds)
    assert quantize_dynamic(graph) == 3
    assert kinds(graph) == ["Embedding", "DynamicLinear", "DynamicLinear"]
    assert [n.op.activation for n in graph.nodes[1:]] == ["gelu", "relu"]
    (name,) = graph.outputs
    found = linnet.load(graph).run(feeds)[name]
    noise = np.linalg.norm(found - before[name]) / np.linalg.norm(before[name])
    assert 1e-4 < noise < 0.02


def test_layers_of_one_input_are_joined():
    graph = graph_of((3, 8))
    outs = [layer(graph, "x0", n, 8) for n in (5, 20, 7)]
    biased = graph.add(ops.Add(), [outs[1], const(graph, 20)])
    finish(graph, outs[0], biased, outs[2])
    assert same(graph, fuse_linear) == 3
    assert [n.op for n in graph.nodes] == [ops.DynamicLinear(splits=(5, 7, 20))]
    feeds = {"x0": RNG.standard_normal((3, 8)).astype(np.float32)}
    found = linnet.load(graph).run(feeds)
    for name, array in execute(graph, feeds).items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5)


def test_attention_reads_heads_where_linear_layers_leave_them():
    graph = graph_of((2, 9, 4, 8), (2, 9, 4, 8), (2, 9, 4, 8))
    swap = ops.Transpose(perm=(0, 2, 1, 3))
    heads = [graph.add(swap, [f"x{i}"]) for i in range(3)]
    finish(graph, graph.add(swap, [graph.add(ops.Attention(), heads)]))
    assert same(graph, take_in_transposes) == 1
    assert [n.op for n in graph.nodes] == [ops.Attention(heads_last=True)]


def test_layers_that_do_not_fit_stay_float():
    graph = graph_of((2, 40))
    bounded = ops.FullyConnected(clamp=(0.0, 6.0))
    y = graph.add(bounded, ["x0", const(graph, 40, 40)])
    y = graph.add(ops.FullyConnected(), [y, const(graph, 3, 40)])
    finish(graph, y)
    assert same(graph, quantize_dynamic) == 0


def weights_model(kind="MatMul"):
    w = RNG.standard_normal((64, 48)).astype(np.float32)
    nodes = [helper.make_node(kind, ["x", "w"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 48])],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def test_convert_quantizes():
    model = weights_model()
    assert kinds(linnet.convert(model)) == ["FullyConnected"]
    assert kinds(linnet.convert(model, quantize="dynamic")) == ["DynamicLinear"]
    with pytest.raises(QuantizationError, match="expected one of dynamic"):
        linnet.convert(model, quantize="int3")
    with pytest.raises(QuantizationError, match="needs samples"):
        linnet.convert(model, quantize="static")


def test_convert_says_that_nothing_was_quantized():
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    with pytest.raises(QuantizationError, match="no float linear layer"):
        linnet.convert(model, quantize="dynamic")


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_onnxruntime_dynamic_quantization_gives_its_results(tmp_path, unsigned, per_channel):
    ort = pytest.importorskip("onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    onnx.save(weights_model(), tmp_path / "float.onnx")
    kind = QuantType.QUInt8 if unsigned else QuantType.QInt8
    quantize_dynamic(
        tmp_path / "float.onnx", tmp_path / "q.onnx", weight_type=kind, per_channel=per_channel
    )
    x = RNG.standard_normal((9, 64)).astype(np.float32)
    (want,) = ort.InferenceSession(str(tmp_path / "q.onnx")).run(None, {"x": x})
    graph = linnet.convert(tmp_path / "q.onnx")
    assert kinds(graph) == ["DynamicLinear"]
    got = linnet.load(graph).run({"x": x})["y"]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
