from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from paths import ROOT

import linnet
from linnet import advice as advising
from linnet import ops
from linnet.advice import Adviser, Times, recipe
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
    y = graph.add_input("x", TensorType(DType.FLOAT32, (1, 100, 100, 2)))
    for channels in (4, 4):
        depth = graph.type_of(y).shape[-1]
        w = rng.standard_normal((channels, 3, 3, depth)).astype(np.float32)
        y = graph.add(ops.Conv2D(pads=(1, 1, 1, 1)), [y, graph.add_constant("w", w)], "conv")
    a = graph.add(ops.Reshape(shape=(1, 40000)), [y])
    b = graph.add(ops.Reshape(shape=(40000, 1)), [y])
    y = graph.add(ops.MatMul(), [a, b], "deep")
    graph.outputs = [y]
    return graph


def images() -> list[np.ndarray]:
    data = np.random.default_rng(1).standard_normal((3, 1, 100, 100, 2))
    return list(data.astype(np.float32))


@pytest.fixture(autouse=True, scope="module")
def clock():
    """Times by rule instead of by clock: products gain from int8, those named "deep" lose."""

    def seconds(node, int8):
        if node.name == "deep":
            return 90e-6 if int8 else 30e-6
        if isinstance(node.op, (ops.Conv2D, ops.DepthwiseConv2D, ops.FullyConnected, ops.MatMul)):
            return 10e-6 if int8 else 50e-6
        return 2e-6

    def times(graph, made, feeds, threads):
        nodes = {
            key: {n.outputs[0]: seconds(n, key == "int8") for n in graph.nodes}
            for key in ("float", "int8")
        }
        totals = {key: sum(rows.values()) for key, rows in nodes.items()}
        return Times(graph, nodes, totals, lambda kind, value: 3e-6)

    def models(graphs, feeds, threads):
        # The machine has become twice as slow since the nodes were timed.
        return {key: 2 * total(graph) for key, graph in graphs.items()}

    def total(graph):
        found = 0.0
        for node in graph.nodes:
            converts = isinstance(node.op, (ops.Quantize, ops.Dequantize))
            int8 = graph.type_of(node.inputs[0]).dtype is DType.INT8
            found += 3e-6 if converts else seconds(node, int8)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advising, "measure_times", times)
        patch.setattr(advising, "measure_models", models)
        yield


@pytest.fixture(scope="module")
def advice():
    graph = lame()
    return Adviser(graph, Samples(images(), graph)).advise()


def test_a_layer_that_int8_makes_slower_stays_float(advice):
    rows = {row.name: row for row in advice.layers}
    assert not rows["deep"].int8 and rows["deep"].saves < 0.0
    assert rows["conv"].int8 and rows["conv"].saves > 0.0
    deep = next(n for n in advice.graph.nodes if n.name == "deep")
    assert advice.graph.type_of(deep.outputs[0]).dtype is DType.FLOAT32
    assert advice.faster and advice.measured["mixed"] < advice.measured["int8"]


def test_the_prediction_sums_nodes_and_conversions_at_the_speed_of_the_machine(advice):
    # quantize x, conv, conv, reshape, reshape, dequantize both, deep
    mixed = 3e-6 + 2 * 10e-6 + 2 * 2e-6 + 2 * 3e-6 + 30e-6
    assert advice.chosen.seconds == pytest.approx(mixed)
    assert advice.predicted == pytest.approx(2 * mixed)
    assert advice.measured["mixed"] == pytest.approx(2 * mixed)


def test_what_a_run_takes_beside_its_nodes_is_spread_over_them():
    graph = lame()
    nodes = {key: {n.outputs[0]: 1e-6 for n in graph.nodes} for key in ("float", "int8")}
    totals = {"float": 2e-6 * len(graph.nodes), "int8": 1e-6 * len(graph.nodes)}
    times = Times(graph, nodes, totals, lambda kind, value: 0.0)
    assert times.predict(None) == pytest.approx(totals["float"])


def test_the_recipe_makes_the_same_model(advice):
    options = recipe(advice)
    assert options["keep"] == ["deep"]
    made = linnet.quantize(lame(), images(), **options)
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
