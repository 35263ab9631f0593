"""The comparison with peers agrees on outputs before timing, and its table comes from results."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from paths import ROOT

from linnet.benchmarks import report
from linnet.benchmarks.peers import compare as peers
from linnet.benchmarks.peers.agreement import compare_outputs
from linnet.benchmarks.peers.engines import ENGINES, OWNERS, PACKAGES, installed, suits
from linnet.cli import main

DIGITS = ROOT / "examples" / "digits"
FLOAT = str(DIGITS / "cnn_float.onnx")


@pytest.fixture(scope="module")
def feeds():
    pytest.importorskip("onnx")
    return {"image": np.load(DIGITS / "heldout.npz")["images"][:1]}


def test_engines_take_turns_on_the_same_input(feeds):
    found = peers.compare(FLOAT, feeds, 1, rounds=3, seconds=0.01)
    assert {"linnet", "onnxruntime"} <= set(found["engines"])
    assert found["reference"] == "onnxruntime"
    for engine in ("linnet", "onnxruntime"):
        one = found["engines"][engine]
        assert one["status"] == "timed" and one["agreement"]["difference"] < 1e-4
        assert 0 < one["best"] <= one["median"] and 3 <= len(one["rounds"]) <= found["turns"]
    ratio = found["ratio"]
    assert ratio["low"] <= ratio["ratio"] <= ratio["high"]
    assert ratio["peer"] != "linnet"
    assert isinstance(found["valid"], bool)


def test_a_wrong_answer_is_not_timed(feeds):
    wrong = [np.arange(10, dtype=np.float32).reshape(1, 10)]
    found = peers.compare(FLOAT, feeds, 1, 2, 0.01, expected=wrong, engines=["linnet"])
    assert found["engines"]["linnet"]["status"] == "differs"
    assert "of its spread" in found["engines"]["linnet"]["reason"]
    assert "median" not in found["engines"]["linnet"]
    assert found["ratio"] is None


def test_an_engine_that_fails_is_named_with_its_reason(tmp_path, feeds):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    found = peers.compare(str(broken), feeds, 1, 2, 0.01, engines=["onnxruntime"])
    assert found["engines"]["onnxruntime"]["status"] == "failed"
    assert found["engines"]["onnxruntime"]["reason"]
    assert (found["valid"], found["problems"]) == (False, ["nothing was measured"])


def test_outputs_agree_by_their_spread():
    reference = np.linspace(-1, 1, 100)
    assert compare_outputs([reference], [reference + 1e-4], quantized=False).agrees
    assert not compare_outputs([reference], [reference[::-1]], quantized=False).agrees
    assert compare_outputs([reference.reshape(1, 100)], [reference], quantized=False).agrees
    shape = compare_outputs([reference], [reference[:50]], quantized=False)
    assert "shape" in shape.reason and not shape.agrees
    count = compare_outputs([reference], [reference, reference], quantized=False)
    assert "2 outputs instead of 1" in count.reason
    steps = np.full(50, 10, np.int8)
    assert compare_outputs([steps], [steps + 2], quantized=True).agrees
    assert not compare_outputs([steps], [steps + 30], quantized=True).agrees
    broken = np.where(reference > 0, reference, np.nan)
    assert "NaN" in compare_outputs([reference], [broken], quantized=False).reason
    assert compare_outputs([reference], [reference * 1.1], False, tolerance=0.2).agrees


def test_engines_read_their_own_formats_only():
    assert suits("linnet", "a.onnx") and suits("openvino", "a.tflite")
    assert not suits("litert", "a.onnx") and not suits("onnxruntime", "a.tflite")
    assert suits("ncnn", "a.onnx") and not suits("ncnn", "a.tflite")
    assert set(PACKAGES) == set(ENGINES) and set(OWNERS.values()) <= set(ENGINES)


@pytest.mark.skipif(not installed("ncnn"), reason="ncnn and pnnx are not installed")
def test_ncnn_takes_part(feeds):
    found = peers.compare(FLOAT, feeds, 1, 2, 0.01, engines=["linnet", "ncnn"])
    assert found["engines"]["ncnn"]["status"] == "timed", found["engines"]["ncnn"]


def test_the_command_writes_what_the_report_reads(tmp_path, capsys):
    target = tmp_path / "results.json"
    quick = ["--rounds", "2", "--seconds", "0.01", "--peers", "linnet,onnxruntime"]
    assert main(["compare-peers", FLOAT, *quick, "-o", str(target)]) == 0
    assert "cnn_float.onnx" in capsys.readouterr().out
    other = str(DIGITS / "cnn_int8_qdq.onnx")
    assert main(["compare-peers", other, *quick, "-o", str(target), "--add", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "linnet-peers-1"
    results = json.loads(target.read_text())
    assert list(results["models"]) == ["cnn_float.onnx", "cnn_int8_qdq.onnx"]
    text = report.table(results, "results.json")
    assert "cnn_int8_qdq.onnx" in text and "geometric mean of 2" in text
    results["machine"]["linnet"] = "0.0.0"
    target.write_text(json.dumps(results))
    assert main(["compare-peers", other, *quick, "-o", str(target), "--add"]) == 1
    assert "other versions" in capsys.readouterr().err
    assert main(["bench", FLOAT, "--peers", "--seconds", "0.01", "--runs", "5", "--json"]) == 0
    assert "linnet-peers-1" in capsys.readouterr().out


def result(ratio: float | None, valid: bool = True) -> dict:
    timed = {"status": "timed", "median": 2e-6, "best": 1e-6, "rounds": [2e-6], "first": 0.1}
    wrong = {"status": "differs", "reason": "far off"}
    low = None if ratio is None else {"peer": "litert", "ratio": ratio, "low": 0.4, "high": 3.0}
    return {"engines": {"linnet": timed, "litert": wrong}, "valid": valid, "ratio": low}


def test_the_table_has_every_model_and_the_geometric_mean():
    results = {
        "machine": {"cpu": "a CPU", "isa": "base", "extras": ["onnxruntime 1.0", "rich 1"]},
        "command": "linnet compare-peers",
        "models": {"first": {"1": result(0.5)}, "second": {"1": result(2.0, valid=False)}},
    }
    text = report.table(results, "results.json")
    assert "| first | 1 | 2.0 | differs | 0.50 | 0.40 to 3.00 |" in text
    assert "| second * | 1 |" in text and "In 1 of 2 rows" in text
    assert "| geometric mean of 2 | 1 |" in text and "| 1.00 | |" in text
    assert "rich" not in text


def test_readme_shows_committed_results():
    readme = (ROOT / "README.md").read_text()
    name = readme.split("from [")[1].split("]")[0]
    results = json.loads((ROOT / name).read_text())
    ratios = [f["ratio"]["ratio"] for by in results["models"].values() for f in by.values()]
    assert all(math.isfinite(ratio) for ratio in ratios)
    assert report.table(results, name) in readme


def test_the_table_of_kernels_is_that_of_committed_results():
    page = (ROOT / "PERFORMANCE.md").read_text()
    name = page.split("from [")[1].split("]")[0]
    assert report.table(json.loads((ROOT / name).read_text()), name) in page
    rows = [
        {"name": "gemm", "type": "int8", "unit": "GMAC/s", "isa": "avx2", "fraction": 0.5},
        {"name": "gemv", "type": "int8", "unit": "GB/s", "isa": "base", "fraction": 0.25},
    ]
    text = report.table({"machine": {"cpu": "a CPU"}, "kernels": rows}, "kernels.json")
    assert "| gemm | int8 | multiplying | 50% | - |" in text
    assert "| gemv | int8 | reading weights | - | 25% |" in text


def test_report_needs_its_marks(tmp_path, capsys):
    page, source = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text("no marks")
    source.write_text("{}")
    assert report.main([str(page), str(source)]) == 1
    assert "performance:begin" in capsys.readouterr().err
    assert page.read_text() == "no marks"
