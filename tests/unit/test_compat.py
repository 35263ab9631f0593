"""Code written for other runtimes runs after changing its import line."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from paths import ROOT

import linnet
import linnet.compat.onnxruntime as ort
from linnet.compat.tflite import Interpreter

MODEL = ROOT / "examples" / "digits" / "cnn_float.onnx"
IMAGES = np.load(ROOT / "examples" / "digits" / "heldout.npz")["images"]


def test_onnxruntime_code_gives_onnxruntime_results():
    def application(runtime):
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        session = runtime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
        first = session.get_inputs()[0]
        outputs = session.run(None, {first.name: IMAGES[:4]})
        named = session.run([session.get_outputs()[0].name], {first.name: IMAGES[:1]})
        return first.name, first.type, list(first.shape), outputs[0], named[0]

    mine, theirs = application(ort), application(onnxruntime)
    assert mine[:3] == theirs[:3]
    np.testing.assert_allclose(mine[3], theirs[3], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(mine[4], theirs[4], rtol=1e-4, atol=1e-4)


def test_other_providers_are_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="CUDA"):
        ort.InferenceSession(MODEL.read_bytes(), providers=["CUDAExecutionProvider"])


def test_unknown_output_names_are_refused():
    session = ort.InferenceSession(str(MODEL))
    with pytest.raises(linnet.InputError, match="nothing"):
        session.run(["nothing"], {"image": IMAGES[:1]})


def test_tflite_code_runs():
    interpreter = Interpreter(model_path=str(MODEL), num_threads=1)
    detail = interpreter.get_input_details()[0]
    assert list(detail["shape"]) == [1, 1, 8, 8]
    assert list(detail["shape_signature"]) == [-1, 1, 8, 8]
    interpreter.resize_tensor_input(detail["index"], [3, 1, 8, 8])
    interpreter.allocate_tensors()
    interpreter.set_tensor(detail["index"], IMAGES[:3])
    interpreter.invoke()
    output = interpreter.get_output_details()[0]
    found = interpreter.get_tensor(output["index"])
    wanted = linnet.load(linnet.convert(MODEL)).run({"image": IMAGES[:3]})["logits"]
    np.testing.assert_array_equal(found, wanted)


def test_tflite_mistakes_have_clear_errors():
    interpreter = Interpreter(model_content=MODEL.read_bytes())
    with pytest.raises(linnet.InputError, match="float64"):
        interpreter.set_tensor(0, np.zeros((1, 1, 8, 8)))
    with pytest.raises(linnet.InputError, match="not an input"):
        interpreter.set_tensor(1, IMAGES[:1])
    with pytest.raises(linnet.InputError, match="not set"):
        interpreter.invoke()
    with pytest.raises(linnet.InputError, match="one of the two"):
        Interpreter()
