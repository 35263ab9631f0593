"""Small ONNX graphs like those of real models, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def compare(
    nodes: list[Any],
    inputs: dict[str, list[Any]],
    outputs: list[str],
    constants: dict[str, np.ndarray],
    feeds: list[dict[str, np.ndarray]],
) -> None:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, FLOAT, shape) for n, shape in inputs.items()],
        [helper.make_tensor_value_info(n, FLOAT, None) for n in outputs],
        [onnx.numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    session = linnet.load(linnet.convert(model))
    reference = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for feed in feeds:
        found = session.run(feed)
        for name, wanted in zip(outputs, reference.run(outputs, feed), strict=True):
            assert found[name].shape == wanted.shape
            np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)


def test_decoding_starts_with_an_empty_past() -> None:
    nodes = [
        helper.make_node("Concat", ["past", "k"], ["keys"], axis=2),
        helper.make_node("Transpose", ["keys"], ["turned"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "turned"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "keys"], ["y"]),
    ]
    one = [1, 2, 1, 8]
    feeds = [
        {"q": floats(*one), "k": floats(*one), "past": floats(1, 2, past, 8)} for past in (0, 1, 7)
    ]
    compare(nodes, {"q": one, "k": one, "past": [1, 2, "p", 8]}, ["y", "keys"], {}, feeds)


def test_group_normalization_einsum_and_upward_convolution() -> None:
    nodes = [
        helper.make_node("GroupNormalization", ["x", "scale", "bias"], ["y"], num_groups=2),
        helper.make_node("Einsum", ["y", "y"], ["products"], equation="bchw,bdhw->bcd"),
        helper.make_node("ConvTranspose", ["y", "w"], ["up"], strides=[2, 2]),
    ]
    constants = {"scale": floats(4), "bias": floats(4), "w": floats(4, 3, 2, 2)}
    feeds = [{"x": floats(1, 4, 6, 6)}]
    compare(nodes, {"x": [1, 4, 6, 6]}, ["y", "products", "up"], constants, feeds)
