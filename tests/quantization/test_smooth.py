from __future__ import annotations

import numpy as np
import pytest
from paths import ROOT

import linnet
from linnet import ops
from linnet.converters.quantization.smooth import equalize, smooth, smoothable
from linnet.errors import QuantizationError
from linnet.graph import Graph
from linnet.types import DType, TensorType

DIGITS = ROOT / "examples" / "digits"
HELD_OUT = np.load(DIGITS / "heldout.npz")


def logits(graph):
    return linnet.load(graph).run({"image": HELD_OUT["images"][:64]})["logits"]


@pytest.mark.parametrize("alpha", [0.3, 0.5, 1.0])
def test_smoothing_changes_no_float_result(alpha):
    graph = linnet.convert(DIGITS / "vit_float.onnx")
    wanted = logits(graph)
    rng = np.random.default_rng(0)
    largest = {n: rng.random(graph.type_of(n).shape[-1]) * 10 for n in smoothable(graph)}
    assert smooth(graph, largest, alpha) == 4
    graph.validate()
    np.testing.assert_allclose(logits(graph), wanted, rtol=1e-3, atol=1e-3)


def test_equalization_changes_no_float_result():
    graph = linnet.convert(DIGITS / "cnn_float.onnx")
    wanted = logits(graph)
    assert equalize(graph) == 2
    graph.validate()
    np.testing.assert_allclose(logits(graph), wanted, rtol=1e-3, atol=1e-3)


def uneven():
    """Two convolutions whose channels differ a thousandfold in scale."""
    rng = np.random.default_rng(0)
    graph = Graph("uneven")
    y = graph.add_input("x", TensorType(DType.FLOAT32, (1, 8, 8, 4)))
    spread = np.geomspace(1e-2, 10, 16).astype(np.float32)
    first = rng.standard_normal((16, 1, 1, 4)).astype(np.float32) * spread[:, None, None, None]
    second = rng.standard_normal((8, 1, 1, 16)).astype(np.float32) / spread
    for w, clamp in ((first, (0.0, np.inf)), (second, ops.NO_CLAMP)):
        y = graph.add(ops.Conv2D(clamp=clamp), [y, graph.add_constant("w", w)], "conv")
    graph.outputs = [y]
    return graph


def test_equalization_helps_uneven_channels():
    graph = uneven()
    data = np.random.default_rng(1).standard_normal((16, 1, 8, 8, 4)).astype(np.float32)
    name = graph.outputs[0]
    wanted = linnet.load(graph).run({"x": data[0]})[name]
    errors = [
        np.square(
            linnet.load(linnet.quantize(graph, data, equalization=on)).run({"x": data[0]})[name]
            - wanted
        ).mean()
        for on in (False, True)
    ]
    assert errors[1] < errors[0] / 10


def test_smoothing_helps_outlier_channels():
    rng = np.random.default_rng(0)
    graph = Graph("outliers")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (1, 16, 32)))
    scale = np.ones(32, np.float32)
    scale[3] = 100.0
    y = graph.add(ops.LayerNormalization(), [x, graph.add_constant("s", scale)], "norm")
    w = rng.standard_normal((24, 32)).astype(np.float32)
    w[:, 3] /= 100
    graph.outputs = [graph.add(ops.FullyConnected(), [y, graph.add_constant("w", w)], "y")]
    data = rng.standard_normal((16, 1, 16, 32)).astype(np.float32)
    wanted = linnet.load(graph).run({"x": data[0]})["y"]
    errors = [
        np.square(
            linnet.load(linnet.quantize(graph, data, smoothing=a)).run({"x": data[0]})["y"] - wanted
        ).mean()
        for a in (0.0, 0.5)
    ]
    assert errors[1] < errors[0] / 10


def test_a_wrong_alpha_is_refused():
    with pytest.raises(QuantizationError, match="smoothing is 2"):
        linnet.quantize(uneven(), np.zeros((1, 1, 8, 8, 4), np.float32), smoothing=2.0)
