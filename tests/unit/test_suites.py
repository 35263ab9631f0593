"""``linnet bench --suite``: the four tasks found by name, layers beside the peaks."""

from __future__ import annotations

import json
import shutil

import pytest
from paths import ROOT

import linnet
from linnet.benchmarks.suites.kernels import FLOAT_ONLY, LAYERS, layer_graph
from linnet.benchmarks.suites.tiny import find_models
from linnet.cli import main
from linnet.errors import InputError
from linnet.reference import evaluate

SOURCE = ROOT / "examples" / "digits" / "cnn_int8_qdq.onnx"


@pytest.fixture
def folder(tmp_path):
    for name in ("kws_int8", "vww_int8", "mlperf_ic_float", "pretrainedResnet_quant", "ad01_int8"):
        shutil.copyfile(SOURCE, tmp_path / f"{name}.onnx")
    return tmp_path


def test_tasks_are_found_and_quantized_models_come_first(folder):
    found = find_models(str(folder))
    assert list(found) == ["kws", "vww", "ic", "ad"]
    assert found["ic"].stem == "pretrainedResnet_quant"
    (folder / "vww_int8.onnx").unlink()
    with pytest.raises(InputError, match="no model for vww"):
        find_models(str(folder))
    with pytest.raises(InputError, match="no folder"):
        find_models(str(folder / "absent"))


def test_the_tasks_are_measured(folder, capsys):
    quick = ["--seconds", "0.02", "--max-seconds", "0.03", "--warmup", "0"]
    assert main(["bench", "--suite", "mlperf-tiny", str(folder), "--json", *quick]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["tasks"]) == ["kws", "vww", "ic", "ad"]
    assert all(task["results"][0]["p50"] > 0 for task in report["tasks"].values())
    assert main(["bench", "--suite", "mlperf-tiny", str(folder), *quick]) == 0
    assert "kws" in capsys.readouterr().out


@pytest.mark.parametrize("int8", [True, False])
def test_every_layer_runs_on_a_kernel(int8):
    for layer in LAYERS:
        if int8 and layer.name in FLOAT_ONLY:
            continue
        session = linnet.load(layer_graph(layer, int8)[0], threads=1)
        assert not session.plan().has_host_steps, layer.name


def test_a_layer_is_the_layer_that_it_says():
    layer = next(layer for layer in LAYERS if layer.name == "1x1, late")
    graph, feeds = layer_graph(layer, True)
    found = linnet.load(graph, threads=1).run(feeds)[graph.outputs[0]]
    assert (found == evaluate(graph, feeds)[graph.outputs[0]]).all()
    assert found.shape == (1, 7, 7, 1280) and len(set(found.reshape(-1).tolist())) > 20


def test_the_kernel_suite_names_shares_of_the_peak(capsys):
    assert main(["bench", "--suite", "kernels", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = report["results"][0]["layers"]
    assert len(rows) == 2 * len(LAYERS) - len(FLOAT_ONLY)
    assert all(0 <= row["fraction"] <= 1 and row["seconds"] > 0 for row in rows)
    assert {row["bound"] for row in rows} >= {"compute", "memory"}
