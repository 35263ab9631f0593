"""4-bit weights: by ``quantize="int4"``, and as ONNX Runtime's MatMulNBits stores them."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import linnet
from linnet import ops
from linnet.converters.quantization.weight_only import blocks, quantize_int4
from linnet.errors import QuantizationError
from linnet.graph import Graph
from linnet.types import DType, TensorType

RNG = np.random.default_rng(3)


def dense(depth, outputs, clamp=ops.NO_CLAMP):
    graph = Graph("dense")
    x = graph.add_input("x", TensorType(DType.FLOAT32, ("n", depth)))
    w = (RNG.standard_normal((outputs, depth)) * depth**-0.5).astype(np.float32)
    bias = RNG.standard_normal(outputs).astype(np.float32)
    inputs = [x, graph.add_constant("w", w), graph.add_constant("b", bias)]
    graph.outputs = [graph.add(ops.FullyConnected(clamp=clamp), inputs, outputs=["y"])]
    graph.validate()
    return graph, w, bias


@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("depth", [256, 200])
def test_int4_layers_stay_near_float(group, depth):
    graph, w, bias = dense(depth, 70)
    assert quantize_int4(graph, group) == 1
    assert [type(n.op) for n in graph.nodes] == [ops.BlockLinear]
    x = RNG.standard_normal((6, depth)).astype(np.float32)
    found = linnet.load(graph).run({"x": x})["y"]
    wanted = x @ w.T + bias
    assert 0.005 < np.linalg.norm(found - wanted) / np.linalg.norm(wanted) < 0.12


def test_relu_stays_behind_the_layer():
    graph, _, _ = dense(64, 64, (0.0, float("inf")))
    quantize_int4(graph)
    assert [type(n.op) for n in graph.nodes] == [ops.BlockLinear, ops.Clip]
    graph.validate()


def test_groups_keep_their_ends():
    w = np.linspace(-1.5, 0.75, 64, dtype=np.float32).reshape(1, 64)
    stored, scale, zero = blocks(w, 32)
    numbers = np.stack([stored & 15, stored >> 4], axis=-1).reshape(1, 2, 32)
    real = (numbers.astype(np.float32) - zero[..., None]) * scale[..., None]
    assert np.abs(real.reshape(1, 64) - w).max() <= 0.51 * scale.max()
    with pytest.raises(QuantizationError, match="expected one of"):
        quantize_int4(Graph("g"), 48)


def nbits(depth, outputs, group, zeros, bias, bits=4, level=0):
    count = -(-depth // group)
    tensors = {
        "w": RNG.integers(0, 256, (outputs, count, group * bits // 8)).astype(np.uint8),
        "s": RNG.uniform(0.005, 0.02, (outputs, count)).astype(np.float32),
    }
    inputs = ["x", "w", "s", "", "", ""]
    if zeros:
        tensors["z"] = RNG.integers(0, 256, (outputs, -(-count * bits // 8))).astype(np.uint8)
        inputs[3] = "z"
    if bias:
        tensors["b"] = RNG.standard_normal(outputs).astype(np.float32)
        inputs[5] = "b"
    while not inputs[-1]:
        inputs.pop()
    node = helper.make_node(
        "MatMulNBits", inputs, ["y"], domain="com.microsoft",
        K=depth, N=outputs, bits=bits, block_size=group, accuracy_level=level,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", depth])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("bits", "level"), [(4, 0), (4, 1), (4, 4), (8, 0), (8, 4)])
def test_matmul_n_bits_gives_onnxruntimes_results(group, zeros, bias, bits, level):
    """Level 4 asks for activations as int8: off by below 1 % of the norm of the exact result."""
    ort = pytest.importorskip("onnxruntime")
    model = nbits(256, 48, group, zeros, bias, bits, level)
    x = RNG.standard_normal((5, 256)).astype(np.float32)
    graph = linnet.convert(model)
    model.graph.node[0].attribute.remove(
        next(a for a in model.graph.node[0].attribute if a.name == "accuracy_level")
    )
    (want,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert [node.op for node in graph.nodes] == [ops.BlockLinear(bits=bits, whole=level != 4)]
    found = linnet.load(graph).run({"x": x})["y"]
    assert np.linalg.norm(found - want) / np.linalg.norm(want) < (0.01 if level == 4 else 1e-6)
