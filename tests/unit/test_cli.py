from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from paths import ROOT

import linnet
from linnet.cli import main

DIGITS = ROOT / "examples" / "digits"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "cnn.linnet"
    assert main(["convert", str(DIGITS / "cnn_int8_qdq.onnx"), "-o", str(path)]) == 0
    return path


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.npy"
    np.save(path, np.load(DIGITS / "heldout.npz")["images"][:1])
    return path


def test_convert_says_what_it_wrote(tmp_path, capsys):
    target = tmp_path / "vit.linnet"
    assert main(["convert", str(DIGITS / "vit_float.onnx"), "-o", str(target)]) == 0
    assert "nodes" in capsys.readouterr().out
    assert linnet.load(target).outputs[0].name == "logits"


def test_check_accepts_a_supported_model(capsys):
    assert main(["check", str(DIGITS / "cnn_float.onnx")]) == 0
    assert "supported" in capsys.readouterr().out


def test_check_lists_every_reason(tmp_path, capsys):
    from onnx import TensorProto, helper, save

    nodes = [
        helper.make_node("NoSuchOp", ["x"], ["a"], name="first", domain="test"),
        helper.make_node("NorThisOne", ["a"], ["y"], name="second", domain="test"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("test", 1)]
    path = tmp_path / "odd.onnx"
    save(helper.make_model(helper.make_graph(nodes, "odd", [x], [y]), opset_imports=opsets), path)
    assert main(["check", str(path)]) == 1
    error = capsys.readouterr().err
    assert "NoSuchOp" in error and "first" in error
    assert "NorThisOne" in error and "second" in error
    target = tmp_path / "odd.linnet"
    assert main(["convert", str(path), "-o", str(target)]) == 1
    assert not target.exists()


def test_inspect_json_lists_nodes_and_kernels(model, capsys):
    assert main(["inspect", str(model), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["host_steps"] == 0
    assert report["macs"] > 0
    assert any("conv" in kernel for node in report["nodes"] for kernel in node["kernels"])


def test_inspect_table(model, capsys):
    assert main(["inspect", str(model)]) == 0
    assert "MMAC" in capsys.readouterr().out


def test_run_writes_the_outputs(model, image, tmp_path):
    target = tmp_path / "out.npz"
    code = main(["run", str(model), "--input", f"image={image}", "--output", str(target)])
    assert code == 0
    assert np.load(target)["logits"].shape == (1, 10)


def test_compare_agrees_with_the_source(model, image, capsys):
    source = str(DIGITS / "cnn_int8_qdq.onnx")
    arguments = ["compare", source, str(model), "--input", f"image={image}"]
    assert main([*arguments, "--tolerance", "0.05", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["outputs"][0]["within"] is True


def test_compare_fails_against_another_model(model, image, capsys):
    source = str(DIGITS / "vit_float.onnx")
    assert main(["compare", source, str(model), "--input", f"image={image}"]) == 1
    assert "beyond the tolerance" in capsys.readouterr().err


def test_info_is_a_table(capsys):
    assert main(["info"]) == 0
    assert "features" in capsys.readouterr().out


def test_info(capsys):
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["linnet"] == linnet.__version__


def test_folders_stand_for_their_only_model(model, tmp_path, capsys):
    assert main(["inspect", str(model.parent), "--json"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(tmp_path)]) == 1
    assert "is a folder; expected a .linnet" in capsys.readouterr().err
    for name in ("a.onnx", "b.tflite"):
        (tmp_path / name).write_bytes(b"")
    assert main(["inspect", str(tmp_path)]) == 1
    assert "several models: a.onnx, b.tflite; name one" in capsys.readouterr().err


def test_targets_are_looked_at_before_the_work(model, tmp_path, capsys):
    missing = str(tmp_path / "none" / "out.json")
    assert main(["bench", str(model), "-o", missing]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert main(["convert", str(model), "-o", str(tmp_path)]) == 1
    assert "it is a folder; name a file" in capsys.readouterr().err


def test_unknown_dimensions_are_refused(model, capsys):
    assert main(["bench", str(model), "--dim", "rows=3"]) == 1
    assert "no dimensions named ['rows']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "absent.linnet"], "No such file"),
        (["convert", str(ROOT / "README.md"), "-o", "x.linnet"], "README.md"),
        (["run", "{model}", "--input", "image"], "NAME=FILE"),
        (["run", "{model}", "--input", "other=x.npy"], "'other'"),
        (["run", "{model}", "--input", f"image={ROOT / 'README.md'}"], "not a .npy file"),
    ],
)
def test_failures_are_one_line_and_exit_code_1(arguments, message, model, capsys):
    assert main([a.replace("{model}", str(model)) for a in arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_wrong_usage_exits_with_2():
    with pytest.raises(SystemExit) as stop:
        main(["bench"])
    assert stop.value.code == 2


def test_python_m_linnet_is_the_command(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "linnet", "info", "--json"],
        capture_output=True, text=True, check=False, env=dict(os.environ), cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["cpus"] >= 1


def test_plain_tables_without_rich(model, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert main(["inspect", str(model)]) == 0
    assert "---" in capsys.readouterr().out
