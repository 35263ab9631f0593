"""``linnet profile``: the time adds up, the peaks bound it, the charts are there to be seen."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import pytest
from paths import MODELS, NO_MODELS, ROOT

import linnet
from linnet.benchmarks.machine.peak import Peaks
from linnet.benchmarks.peers.compare import inputs_of
from linnet.benchmarks.profile.analysis import analyze, analyze_model, short_name
from linnet.benchmarks.profile.charts import (
    histogram,
    node_bars,
    operator_bars,
    over_time,
    roofline,
)
from linnet.benchmarks.profile.html import html_report
from linnet.benchmarks.profile.trace import chrome_trace
from linnet.cli import main
from linnet.graph import Graph
from linnet.opening import open_graph
from linnet.ops import Add, MaxPool2D
from linnet.profile import Profile, profile_session
from linnet.types import DType, TensorType

DIGITS = ROOT / "examples" / "digits"
SOURCE = str(DIGITS / "cnn_int8_qdq.onnx")
MOBILENET = MODELS / "mobilenet_v2_ptq_int8"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
PEAKS = Peaks("base", 2, 1e9, 4e9, {1000: 8e9, 1000_000: 1e9})


def row(op: str, seconds: float, **more) -> dict:
    known = {"name": op.lower(), "op": op, "kernel": "k", "macs": 0, "bytes": 0, "threads": 1}
    return {**known, "int8": False, **more, "seconds": seconds}


@pytest.fixture(scope="module")
def analysis():
    graph = open_graph(SOURCE)
    feeds = {"image": np.load(DIGITS / "heldout.npz")["images"][:1]}
    return analyze_model(graph, feeds, 2, 20)


def test_time_adds_up(analysis):
    profile = analysis.profile
    nodes = sum(node["seconds"] for node in analysis.nodes)
    assert nodes > 0 and profile.clocks > 0.0
    assert profile.accounted == pytest.approx(
        (nodes + profile.between + profile.call) / profile.total
    )
    assert profile.between > 0.0 and profile.call > 0.0
    assert sum(node["share"] for node in analysis.nodes) == pytest.approx(nodes / profile.total)


@pytest.mark.skipif(not MOBILENET.is_dir(), reason=NO_MODELS)
def test_at_least_95_percent_of_a_real_run_is_accounted_for():
    path, feeds = inputs_of(MOBILENET)
    session = linnet.load(open_graph(path), threads=1)
    found = [profile_session(session, feeds, 20).accounted for _ in range(5)]
    assert min(abs(share - 1.0) for share in found) <= 0.05


def test_host_steps_are_timed_and_named():
    graph = Graph("host")
    x = graph.add_input("x", TensorType(DType.INT16, (64, 64)))
    y = graph.add(Add(), [x, graph.add_constant("one", np.ones(64, np.int16))], name="sum")
    graph.outputs = [graph.add(Add(), [y, x], name="again")]
    session = linnet.load(graph, threads=1)
    plan = session.plan()
    if not plan.has_host_steps:
        pytest.fail("int16 Add has a kernel now: take another op for this test")
    profile = profile_session(session, {"x": np.ones((64, 64), np.int16)}, 10)
    assert [r["kernel"] for r in profile.rows] == ["host step"] * 2
    assert all(r["seconds"] > 0 for r in profile.rows)
    assert {event.node for event in profile.events[0][2]} == {0, 1}
    # The session runs as before.
    assert (session.run({"x": np.ones((64, 64), np.int16)})[graph.outputs[0]] == 3).all()


def test_states_begin_anew_after_profiling():
    graph = Graph("state")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (4,)))
    h = graph.add_input("h", TensorType(DType.FLOAT32, (4,)))
    out = graph.add(Add(), [x, h], name="sum")
    graph.outputs = [out]
    session = linnet.load(graph, threads=1)
    session.bind_state({out: "h"})
    feeds = {"x": np.ones(4, np.float32)}
    profile = profile_session(session, feeds, 5)
    assert profile.rows[0]["seconds"] > 0
    assert (session.run(feeds)[out] == 1).all()
    assert (session.run(feeds)[out] == 2).all()


def test_nodes_stand_against_the_peaks():
    rows = [
        row("Conv2D", 1e-3, macs=2_000_000, bytes=1000, int8=True, threads=2),
        row("Add", 1e-3, macs=10, bytes=500_000),
        row("Odd", 2e-3, kernel="host step"),
        row("Reshape", 0.0, kernel="view"),
    ]
    single = [row(r["op"], r["seconds"] * 1.5) for r in rows]
    profile = Profile(rows, 4.2e-3, 1e-4, 0.0, 5, [], 5e-5)
    assert profile.accounted == pytest.approx(4.15 / 4.2)
    found = analyze(profile, PEAKS, Profile(single, 6.2e-3, 1e-4, 0.0, 5, []))
    conv, add, odd, view = found.nodes
    assert (conv["bound"], add["bound"], odd["bound"], view["bound"]) == (
        "compute", "memory", "host", "-",
    )  # fmt: skip
    assert conv["fraction"] == pytest.approx(0.5)
    assert conv["gmacs"] == pytest.approx(2.0)
    assert conv["efficiency"] == pytest.approx(0.75) and add["efficiency"] is None
    assert add["gbytes"] == pytest.approx(0.5)
    text = " ".join(found.lines)
    assert "48 % of the time in 1 Odd node, run by NumPy because no kernel serves them." in text
    assert "24 % of the time in 1 Conv2D node, compute bound: at 50 %" in text
    assert "Without its 1 host steps (Odd) a run would take 2.2 ms: 48 % less." in text
    assert "2 threads are 1.48x as fast as one" in text


def test_advice_names_the_memory_bound_layers():
    rows = [row("DepthwiseConv2D", 2e-4, macs=1000, bytes=100_000) for _ in range(3)]
    rows.append(row("Conv2D", 3.7e-4, macs=300_000, bytes=1000))
    found = analyze(Profile(rows, 1e-3, 3e-5, 0.0, 5, []), PEAKS)
    assert found.lines[0].startswith("60 % of the time in 3 DepthwiseConv2D nodes, memory bound")


def test_chrome_trace_nests_nodes_in_runs(analysis, tmp_path):
    trace = json.loads(json.dumps(chrome_trace(analysis.profile)))
    events = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    runs = [e for e in events if e["cat"] == "run"]
    nodes = [e for e in events if e["cat"] != "run"]
    assert len(runs) == 3 and runs[0]["ts"] == 0
    assert any(e["cat"] == "Conv2D" for e in nodes)
    for node in nodes:
        inside = [r for r in runs if r["ts"] <= node["ts"] + 0.01]
        run = inside[-1]
        assert node["ts"] + node["dur"] <= run["ts"] + run["dur"] + 0.01
    ends = 0.0
    for node in nodes:
        assert node["ts"] >= ends - 0.01, "nodes of one runner follow one another"
        ends = node["ts"] + node["dur"]


@pytest.mark.parametrize("draw", [roofline, node_bars, operator_bars])
def test_charts_are_well_formed_and_hold_the_nodes(draw, analysis):
    tree = xml.fromstring(draw(analysis))
    assert tree.tag.endswith("svg")
    text = " ".join(tree.itertext())
    assert "Conv2D" in text
    assert "nan" not in draw(analysis) and "inf" not in draw(analysis).replace("info", "")


def test_charts_of_a_measurement_are_well_formed(capsys, tmp_path):
    page = tmp_path / "report.html"
    arguments = ["bench", SOURCE, "--json", "--html", str(page)]
    assert main([*arguments, "--runs", "40", "--warmup", "0"]) == 0
    result = json.loads(capsys.readouterr().out)["results"][0]
    for chart in (histogram(result), over_time(result)):
        assert xml.fromstring(chart).tag.endswith("svg")
    assert page.read_text().count("<svg") == 5


def test_files_of_every_kind_are_written(tmp_path, capsys):
    names = {"--html": "a.html", "--chrome-trace": "a.json", "--roofline": "a.svg"}
    files = {flag: str(tmp_path / name) for flag, name in names.items()}
    flags = [part for pair in files.items() for part in pair]
    assert main(["profile", SOURCE, "--runs", "5", *flags]) == 0
    out = capsys.readouterr().out
    assert "accounted for" in out and "of peak" in out
    assert all(Path(file).stat().st_size > 500 for file in files.values())
    assert main(["profile", SOURCE, "--runs", "5", "--chart", str(tmp_path / "a.gif")]) == 1
    assert ".svg or .png" in capsys.readouterr().err
    assert main(["profile", SOURCE, "--runs", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accounted"] > 0


def test_charts_become_pictures(tmp_path, analysis):
    pytest.importorskip("resvg_py", reason="resvg_py is not installed (extra 'charts')")
    from linnet.benchmarks.profile.charts import write_chart

    target = tmp_path / "roof.png"
    write_chart(str(target), roofline(analysis))
    assert colors_of_png(target) > 50


def test_the_page_loads_nothing_from_elsewhere(analysis):
    page = html_report("model.onnx", analysis, None)
    for word in ("http:", "https:", "src=", "<script", "<link", "url("):
        assert word not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script>" not in html_report("<script>.onnx", analysis, None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to take a screenshot with")
def test_the_page_shows_its_charts_in_a_browser(tmp_path, analysis):
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(html_report("model.onnx", analysis, None))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    more = [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=900,1800"]
    subprocess.run(
        [*command, *more, f"--screenshot={picture}", page.as_uri()],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert colors_of_png(picture) > 200
    # The palette's first two colors are the slowest operators' bars.
    assert pixels_of_png(picture, (0x00, 0x72, 0xB2)) > 2000
    assert pixels_of_png(picture, (0xE6, 0x9F, 0x00)) > 100


def test_names_are_short_enough_for_a_table():
    assert short_name("a/b;c") == "a/b"
    assert len(short_name("x" * 100)) == 44


def pixels(path: Path) -> np.ndarray:
    Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).reshape(-1, 3)


def colors_of_png(path: Path) -> int:
    return len(np.unique(pixels(path), axis=0))


def pixels_of_png(path: Path, color: tuple[int, int, int]) -> int:
    return int((pixels(path) == color).all(axis=1).sum())


def test_a_size_that_no_file_tells_is_asked_for(tmp_path, capsys):
    graph = Graph("window")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (1, "length", 4, 1)))
    graph.outputs = [graph.add(MaxPool2D(kernel=(3, 3)), [x])]
    path = str(tmp_path / "window.linnet")
    linnet.save(graph, path)
    assert main(["profile", path]) == 1
    assert "taken as 1: give --dim length=N" in capsys.readouterr().err
    assert main(["profile", path, "--dim", "length=8", "--runs", "3"]) == 0
