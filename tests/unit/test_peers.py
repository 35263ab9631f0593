"""The comparison with peers runs, agrees on outputs, and its table comes from its results."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from paths import ROOT

from linnet.benchmarks import peers, report
from linnet.benchmarks.engines import suits

DIGITS = ROOT / "examples" / "digits"


def test_engines_take_turns_on_the_same_input():
    feeds = {"image": np.load(DIGITS / "heldout.npz")["images"][:1]}
    result = peers.compare(str(DIGITS / "cnn_float.onnx"), feeds, 1, rounds=2, seconds=0.01)
    assert {"linnet", "onnxruntime"} <= set(result)
    for engine in result.values():
        assert 0 < engine["best"] <= engine["median"]
        assert engine["cosine"] == pytest.approx(1.0, abs=1e-5)
    fastest = min(r["median"] for e, r in result.items() if e != "linnet")
    assert result["linnet"]["ratio"] == pytest.approx(result["linnet"]["median"] / fastest)


def test_engines_read_their_own_formats_only():
    assert suits("linnet", "a.onnx") and suits("openvino", "a.tflite")
    assert not suits("litert", "a.onnx") and not suits("onnxruntime", "a.tflite")


def test_the_table_has_every_model_and_the_geometric_mean():
    engine = {"median": 2e-6, "best": 1e-6, "first": 0.1, "cosine": 1.0}
    results = {
        "machine": {"cpu": "a CPU", "isa": "base", "extras": ["onnxruntime 1.0"]},
        "models": {
            name: {"1": {"linnet": engine | {"ratio": ratio}, "litert": engine | {"ratio": 1.0}}}
            for name, ratio in (("first", 0.5), ("second", 2.0))
        },
    }
    text = report.table(results, "results.json")
    assert "| first | 1 | 2.0 | 2.0 | - | - | 0.50 |" in text
    assert "| geometric mean | 1 |" in text and text.rstrip().endswith("| 1.00 |")


def test_readme_shows_committed_results(tmp_path):
    readme = (ROOT / "README.md").read_text()
    name = readme.split("from [")[1].split("]")[0]
    page = tmp_path / "README.md"
    page.write_text(readme)
    results = json.loads((ROOT / name).read_text())
    assert all(
        math.isfinite(by["linnet"]["ratio"])
        for model in results["models"].values()
        for by in model.values()
    )
    assert report.table(results, name) in readme


def test_report_needs_its_marks(tmp_path, capsys):
    page, source = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text("no marks")
    source.write_text("{}")
    assert report.main([str(source), str(page)]) == 1
    assert "performance:begin" in capsys.readouterr().err
    assert page.read_text() == "no marks"
