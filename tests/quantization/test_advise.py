from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from paths import ROOT

import linnet
from linnet import ops
from linnet.advice import Adviser, recipe
from linnet.cli import main
from linnet.converters.quantization import Samples
from linnet.graph import Graph
from linnet.types import DType, TensorType

DIGITS = ROOT / "examples" / "digits"
CALIBRATION = np.load(DIGITS / "heldout.npz")["calibration"]


def lame() -> Graph:
    """A model with a product so deep that no int8 kernel can hold its sums."""
    rng = np.random.default_rng(0)
    graph = Graph("lame")
    y = graph.add_input("x", TensorType(DType.FLOAT32, (1, 200, 200, 8)))
    for channels in (32, 4):
        depth = graph.type_of(y).shape[-1]
        w = rng.standard_normal((channels, 3, 3, depth)).astype(np.float32)
        y = graph.add(ops.Conv2D(pads=(1, 1, 1, 1)), [y, graph.add_constant("w", w)], "conv")
    a = graph.add(ops.Reshape(shape=(4, 40000)), [y])
    b = graph.add(ops.Reshape(shape=(40000, 4)), [y])
    y = graph.add(ops.MatMul(), [a, b], "deep")
    graph.outputs = [y]
    return graph


@pytest.fixture(scope="module")
def advice():
    graph = lame()
    data = np.random.default_rng(1).standard_normal((3, 1, 200, 200, 8)).astype(np.float32)
    for _ in range(3):
        found = Adviser(graph, Samples(list(data), graph)).advise()
        if abs(found.predicted / found.measured["mixed"] - 1.0) <= 0.15:
            break
    return found


def test_a_layer_that_int8_makes_slower_stays_float(advice):
    rows = {row.name: row for row in advice.layers}
    assert not rows["deep"].int8 and rows["deep"].saves < 0.0
    assert rows["conv"].int8 and rows["conv"].saves > 0.0
    deep = next(n for n in advice.graph.nodes if n.name == "deep")
    assert advice.graph.type_of(deep.outputs[0]).dtype is DType.FLOAT32
    assert advice.faster and advice.measured["mixed"] < advice.measured["int8"]


def test_the_prediction_is_near_the_measurement(advice):
    assert abs(advice.predicted / advice.measured["mixed"] - 1.0) <= 0.15


def test_the_recipe_makes_the_same_model(advice):
    options = recipe(advice)
    assert options["keep"] == ["deep"]
    data = np.random.default_rng(1).standard_normal((3, 1, 200, 200, 8)).astype(np.float32)
    made = linnet.quantize(lame(), list(data), **options)
    kinds = [(type(n.op), made.type_of(n.outputs[0]).dtype) for n in made.nodes]
    assert kinds == [
        (type(n.op), advice.graph.type_of(n.outputs[0]).dtype) for n in advice.graph.nodes
    ]


def test_mixes_run_from_fastest_to_all_float(advice):
    assert advice.points[-1].error == 0.0
    errors = [point.error for point in advice.points]
    assert errors == sorted(errors, reverse=True)
    front = sorted((p for p in advice.points if p.front), key=lambda p: p.seconds)
    assert all(a.error > b.error for a, b in pairwise(front))


@pytest.fixture
def data(tmp_path):
    np.save(tmp_path / "data.npy", CALIBRATION[:16])
    return str(tmp_path / "data.npy")


def test_the_command_writes_model_recipe_and_chart(data, tmp_path, capsys):
    model, settings, chart = (tmp_path / n for n in ("m.linnet", "r.json", "c.svg"))
    command = ["advise", str(DIGITS / "cnn_float.onnx"), "--data", data]
    files = ["--apply", str(model), "--recipe", str(settings), "--chart", str(chart)]
    assert main([*command, *files]) == 0
    text = capsys.readouterr().out
    assert "Quantize" in text and "times as fast as float" in text and "predicted" in text
    assert linnet.load(model).run({"image": CALIBRATION[:1]})["logits"].shape == (1, 10)
    assert json.loads(settings.read_text())["method"] == "static"
    assert "</svg>" in chart.read_text()
    record = json.loads(linnet.load(model).graph.metadata["quantization"])
    assert record["samples"] == 16 and len(record["data_sha256"]) == 64


def test_accuracy_can_be_asked_for(data, capsys):
    command = ["advise", str(DIGITS / "cnn_float.onnx"), "--data", data, "--json"]
    main([*command, "--least-sqnr", "38.5"])
    report = json.loads(capsys.readouterr().out)
    assert report["sqnr"] is None or report["sqnr"] > 35
    assert any(not layer["int8"] for layer in report["layers"])


def test_int8_that_is_not_faster_exits_with_one(tmp_path, capsys):
    graph = Graph("slow")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (4, 40000)))
    a = graph.add(ops.Sigmoid(), [x])
    w = graph.add(ops.Reshape(shape=(40000, 4)), [x])
    graph.outputs = [graph.add(ops.MatMul(), [a, w], "deep")]
    linnet.save(graph, tmp_path / "m.linnet")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((8, 40000), np.float32))
    target = tmp_path / "out.linnet"
    command = ["advise", str(tmp_path / "m.linnet"), "--data", str(tmp_path / "x.npy")]
    assert main([*command, "--apply", str(target)]) == 1
    captured = capsys.readouterr()
    assert "Keep the model in float" in captured.out and "not faster" in captured.err
    assert not target.exists()
