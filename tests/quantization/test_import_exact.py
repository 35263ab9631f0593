"""Models quantized in training keep every byte and every scale through the import."""

from __future__ import annotations

import numpy as np
import pytest
from paths import MODELS, NO_MODELS, ROOT

import linnet


def constants(graph):
    return [v for v in graph.values.values() if v.data is not None and v.type.quantization]


def forms(array):
    """The ways in which an importer may lay out weights, none of which rounds."""
    yield array
    if array.ndim == 4:
        yield array.transpose(0, 2, 3, 1)
        yield array.transpose(1, 2, 3, 0)
    if array.ndim == 2:
        yield array.T


def same_scales(kept, declared):
    """Whether scales are equal bit for bit; one may stand for as many equal ones."""
    return kept.size in (1, declared.size) and bool((kept == declared).all())


def held(graph, array, scale):
    """Whether a constant of the graph has these bytes and these scales."""
    for value in constants(graph):
        q = value.type.quantization
        if value.data.dtype != array.dtype or not same_scales(q.scale, scale):
            continue
        if any(np.array_equal(value.data, form) for form in forms(array)):
            return True
    return False


def check_onnx(path):
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    known = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    graph, count = linnet.convert(path), 0
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in known:
            continue
        data, scale = known[node.input[0]], known[node.input[1]]
        if data.dtype == np.int8 and data.ndim > 1:
            assert held(graph, data, np.ravel(scale)), node.input[0]
            count += 1
    declared = {
        float(known[n.input[1]]) for n in model.graph.node
        if n.op_type in ("QuantizeLinear", "DequantizeLinear") and known[n.input[1]].size == 1
    }  # fmt: skip
    made = {
        float(v.type.quantization.scale[0]) for v in graph.values.values()
        if v.type.is_quantized and v.data is None
    }  # fmt: skip
    assert made <= declared
    return count


@pytest.mark.parametrize("name", ["cnn", "vit"])
def test_digits_weights_are_preserved(name):
    assert check_onnx(ROOT / "examples" / "digits" / f"{name}_int8_qdq.onnx") >= 6


@pytest.mark.skipif(not MODELS.is_dir(), reason=NO_MODELS)
@pytest.mark.parametrize("name", ["mlperf_ic_resnet8_qdq", "mlperf_vww_qdq"])
def test_qdq_weights_are_preserved(name):
    assert check_onnx(MODELS / name / "model.onnx") >= 10


@pytest.mark.skipif(not MODELS.is_dir(), reason=NO_MODELS)
@pytest.mark.parametrize("name", ["mlperf_ic_resnet8_int8", "mlperf_kws_int8", "mlperf_vww_int8"])
def test_tflite_tensors_are_preserved(name):
    from ai_edge_litert.interpreter import Interpreter

    path = MODELS / name / "model.tflite"
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    graph, weights, biases = linnet.convert(path), 0, 0
    for detail in interpreter.get_tensor_details():
        q = detail["quantization_parameters"]
        try:
            data = interpreter.get_tensor(detail["index"])
        except ValueError:
            continue
        found = graph.values.get(detail["name"])
        if found is None or found.data is None:
            continue
        assert np.array_equal(found.data, data)
        biases += data.dtype == np.int32 and data.ndim == 1
        if found.type.quantization is not None:
            assert same_scales(found.type.quantization.scale, q["scales"])
            assert (found.type.quantization.zero_point == q["zero_points"]).all()
            weights += data.dtype == np.int8
    assert weights >= 8 and biases >= 8
