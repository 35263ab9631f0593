from __future__ import annotations

import json

import numpy as np
import pytest
from paths import MODELS, NO_MODELS, ROOT

import linnet
from linnet import ops
from linnet.agreement import Agreement, calibration_error
from linnet.cli import main
from linnet.comparison import Comparison
from linnet.graph import Graph
from linnet.types import DType, Quantization, TensorType

DIGITS = ROOT / "examples" / "digits"
HELD_OUT = np.load(DIGITS / "heldout.npz")
PRODUCTS = (ops.Conv2D, ops.DepthwiseConv2D, ops.FullyConnected)


def runner(graph):
    return linnet.load(graph).run


def rows(first, second, samples):
    comparison = Comparison(first, second, runner)
    for feeds in samples:
        comparison.add(feeds)
    return comparison.rows()


@pytest.fixture(scope="module", params=["cnn", "vit"])
def pair(request):
    graph = linnet.convert(DIGITS / f"{request.param}_float.onnx")
    return graph, linnet.quantize(graph, HELD_OUT["calibration"])


def samples(count=8):
    return [{"image": image[None]} for image in HELD_OUT["images"][:count]]


def scaled(graph, name, factor):
    """The graph with a value's scale multiplied, and of what only moves its elements."""
    graph = graph.copy()
    names = {name}
    for node in graph.nodes:
        old = graph.type_of(name).quantization
        if node.inputs and node.inputs[0] in names:
            names |= {o for o in node.outputs if graph.type_of(o).quantization == old}
    for each in names:
        value = graph.values[each]
        q = value.type.quantization
        value.type = value.type.with_(quantization=Quantization(q.scale * factor, q.zero_point))
    graph.validate()
    return graph


def coarse(graph, node):
    """The graph with the weights of a node rounded to four bits."""
    graph = graph.copy()
    value = graph.values[node.inputs[1]]
    value.data = (np.clip(np.rint(value.data / 18.14), -7, 7) * 18).astype(np.int8)
    return graph


def named(name):
    return name.split(":")[0]


def test_a_multiplied_scale_comes_first(pair):
    first, second = pair
    for node in [n for n in second.nodes if isinstance(n.op, (*PRODUCTS, ops.Add))]:
        if second.type_of(node.outputs[0]).is_quantized:
            found = rows(first, scaled(second, node.outputs[0], 4), samples(4))[0]
            assert found.name == named(node.outputs[0]) and found.suspect


def test_weights_of_four_bits_come_first(pair):
    first, second = pair
    for node in [n for n in second.nodes if isinstance(n.op, PRODUCTS)]:
        found = rows(first, coarse(second, node), samples(4))[0]
        assert found.name == named(node.outputs[0]) and found.suspect


def test_a_multiplied_weight_scale_comes_first(pair):
    first, second = pair
    node = [n for n in second.nodes if isinstance(n.op, PRODUCTS)][2]
    graph = second.copy()
    value = graph.values[node.inputs[1]]
    q = value.type.quantization
    value.type = value.type.with_(quantization=Quantization(q.scale * 4, q.zero_point, q.axis))
    assert rows(first, graph, samples(4))[0].name == named(node.outputs[0])


def test_a_sound_model_has_no_suspects(pair):
    found = rows(*pair, [{"image": image[None]} for image in HELD_OUT["calibration"]])
    assert len(found) > 8 and not any(layer.finding for layer in found)
    assert not any(layer.suspect for layer in found)
    assert all(layer.own is not None for layer in found if layer.op in ("Conv2D", "Add"))


def test_values_beyond_a_range_are_told():
    graph = linnet.convert(DIGITS / "cnn_float.onnx")
    dim = linnet.quantize(graph, HELD_OUT["calibration"] * np.float32(0.3))
    found = rows(graph, dim, samples())
    assert sum("do not fit its range" in layer.finding for layer in found) >= 2


def test_a_model_against_itself_is_exact(pair):
    for layer in rows(pair[0], pair[0].copy(), samples(2)):
        assert layer.total.sqnr == np.inf and layer.total.cosine == pytest.approx(1.0)
        assert layer.own is None or layer.own.sqnr == np.inf


@pytest.mark.skipif(not MODELS.is_dir(), reason=NO_MODELS)
def test_faults_in_a_real_model_come_first():
    folder = MODELS / "mlperf_ic_resnet8_onnx"
    cases = np.load(folder / "cases.npz")
    real = [{"input": cases[f"c{i}_in0"]} for i in range(3)]
    first = linnet.convert(folder / "model.onnx")
    second = linnet.quantize(first, real)
    for node in [n for n in second.nodes if isinstance(n.op, PRODUCTS)][::3]:
        for fault in (scaled(second, node.outputs[0], 4), coarse(second, node)):
            assert rows(first, fault, real)[0].name == named(node.outputs[0])


def test_calibration_error_is_the_gap_of_confidence_and_accuracy():
    certain = np.array([0.95] * 10 + [0.55] * 10)
    right = np.array([True] * 9 + [False] + [True] * 5 + [False] * 5)
    assert calibration_error(certain, right) == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0.0


def test_agreement_counts_choices_and_labels():
    agreement = Agreement()
    left = np.eye(6, dtype=np.float32)[:4]
    right = left.copy()
    right[3] = [0, 0, 0, 0, 0, 1]
    agreement.add({"y": left}, {"other": right})
    report = agreement.summary(np.array([0, 1, 2, 5]))
    assert report["top1_agreement"] == 0.75 and report["judged_by"] == "labels"
    assert report["first_accuracy"] == 0.75 and report["second_accuracy"] == 1.0
    assert agreement.summary()["second_accuracy"] == 0.75


@pytest.fixture
def files(pair, tmp_path):
    first, second = tmp_path / "float.linnet", tmp_path / "int8.linnet"
    linnet.save(pair[0], first)
    linnet.save(pair[1], second)
    np.save(tmp_path / "images.npy", HELD_OUT["images"][:20])
    np.save(tmp_path / "labels.npy", HELD_OUT["labels"][:20])
    return tmp_path, ["compare", str(first), str(second), "--data", str(tmp_path / "images.npy")]


def test_the_command_shows_layers_and_answers(files, capsys):
    folder, command = files
    chart, targets = folder / "chart.svg", folder / "targets.npz"
    options = ["--labels", str(folder / "labels.npy"), "--chart", str(chart)]
    more = ["--targets", str(targets), "--layer", "*Conv*"]
    assert main([*command, *options, *more]) == 0
    text = capsys.readouterr().out
    assert "same choice" in text and "calibration error" in text and "own SQNR" in text
    assert chart.read_text().startswith("<svg") and "</svg>" in chart.read_text()
    with np.load(targets) as written:
        assert written["logits"].shape == (20, 1, 10) and len(written.files) > 1


def test_the_command_writes_json(files, capsys):
    _, command = files
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["samples"] == 20 and report["agreement"]["top1_agreement"] == 1.0
    assert {"name", "own_sqnr", "sqnr", "cosine", "largest", "excess"} <= report["layers"][0].keys()


def test_a_least_ratio_decides_the_exit_code(files, capsys):
    _, command = files
    assert main([*command, "--least-sqnr", "5"]) == 0
    assert main([*command, "--least-sqnr", "90"]) == 1
    assert "dB" in capsys.readouterr().err


def test_models_of_different_inputs_are_refused(files, capsys):
    folder, command = files
    other = Graph("other")
    x = other.add_input("x", TensorType(DType.INT64, (1,)))
    other.outputs = [other.add(ops.Identity(), [x])]
    linnet.save(other, folder / "other.linnet")
    assert main([*command[:2], str(folder / "other.linnet"), *command[3:]]) == 1
    assert "different inputs" in capsys.readouterr().err


def test_a_student_of_another_structure_is_held_against_its_teacher(files, capsys):
    folder, command = files
    student = "vit" if "Gelu" not in str(linnet.load(command[1]).graph.nodes) else "cnn"
    path = str(DIGITS / f"{student}_float.onnx")
    assert main([*command[:2], path, *command[3:], "--labels", str(folder / "labels.npy")]) == 0
    assert "same choice" in capsys.readouterr().out
