"""``linnet bench``: its figures, its forms, its flags, and what it says of a busy machine."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from paths import ROOT

from linnet.benchmarks.latency.measure import take_sittings
from linnet.benchmarks.latency.measured import Rounds, curve, joined
from linnet.benchmarks.latency.settings import PROCESSES, Settings
from linnet.benchmarks.latency.sitting import Sitting, run_rounds
from linnet.benchmarks.latency.spread import (
    LEAST_PROCESSES,
    bootstrap,
    lone_interval,
    ratio_interval,
    repeat_interval,
)
from linnet.benchmarks.machine.conditions import take
from linnet.benchmarks.machine.memory import UNKNOWN
from linnet.benchmarks.machine.peak import Reading
from linnet.benchmarks.machine.system import System
from linnet.benchmarks.machine.watch import Watch
from linnet.cli import main

DIGITS = ROOT / "examples" / "digits"
SOURCE = str(DIGITS / "cnn_int8_qdq.onnx")
QUICK = ["--runs", "40", "--warmup", "0"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "cnn.linnet"
    assert main(["convert", SOURCE, "-o", str(path)]) == 0
    return str(path)


@pytest.fixture(scope="module")
def schema():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    described = json.loads((ROOT / "benchmarks" / "latency" / "bench.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(described)
    return jsonschema.Draft202012Validator(described)


def bench_json(capsys, *arguments: str) -> dict:
    assert main(["bench", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_fits_its_schema_and_adds_up(model, schema, capsys):
    report = bench_json(
        capsys, model, "--threads", "1,2", "--seconds", "0.5", "--max-seconds", "0.1"
    )
    schema.validate(report)
    assert [r["threads"] for r in report["results"]] == [1, 2]
    for r in report["results"]:
        assert 0 < r["min"] <= r["p50"] <= r["p90"] <= r["p95"] <= r["p99"] <= r["max"]
        kept = [x for x in r["rounds"] if x["kept"]]
        assert r["interval"][0] <= np.median([x["median"] for x in kept]) <= r["interval"][1]
        assert sum(x["runs"] for x in kept) == r["runs"]
        assert len(r["samples"]) == -(-r["runs"] // r["sample_stride"])
        assert r["rounds"][-1]["snapshot"] == len(r["conditions"]) - 2
        assert {x["process"] for x in r["rounds"]} == set(range(LEAST_PROCESSES))
        assert r["nodes"] and r["kernels"]
        assert r["valid"] is (not r["problems"])


def test_a_source_model_is_converted_on_the_fly_and_that_is_shown(schema, capsys):
    assert main(["bench", SOURCE, "--json", "--no-ops", *QUICK]) == 0
    captured = capsys.readouterr()
    assert "converted" in captured.err
    report = json.loads(captured.out)
    schema.validate(report)
    assert report["model"]["convert_seconds"] > 0
    assert report["model"]["format"] == "onnx"
    assert "nodes" not in report["results"][0]


def test_the_schema_refuses_a_wrong_result(model, schema, capsys):
    report = bench_json(capsys, model, *QUICK)
    assert schema.is_valid(report)
    assert not schema.is_valid(report | {"schema": "linnet-bench-1"})
    report["results"][0]["p50"] = "fast"
    assert not schema.is_valid(report)


def test_a_cpu_hog_makes_the_run_invalid(model, capsys):
    code = "while True: pass"
    hogs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(os.cpu_count() or 1)]
    try:
        arguments = ["--json", "--no-ops", "--seconds", "0.6", "--max-seconds", "0.8"]
        assert main(["bench", model, *arguments, "--strict"]) == 1
        report = json.loads(capsys.readouterr().out)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert report["valid"] is False
    assert any("other processes used" in p for p in report["results"][0]["problems"])


def test_csv_and_markdown_hold_every_thread_count(model, capsys):
    assert main(["bench", model, "--csv", "--threads", "1,2", *QUICK]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["threads"] for row in rows] == ["1", "2"]
    assert float(rows[0]["interval_low"]) <= float(rows[0]["interval_high"])
    assert main(["bench", model, "--md", *QUICK]) == 0
    text = capsys.readouterr().out
    assert text.count("|---|") >= 2 and "energy: " in text


def test_table_goes_to_the_screen_and_json_to_the_file(model, tmp_path, capsys):
    target = tmp_path / "out.json"
    assert main(["bench", model, "-o", str(target), *QUICK]) == 0
    assert "p99" in capsys.readouterr().out
    assert json.loads(target.read_text())["schema"] == "linnet-bench-3"


def test_flags_of_benchmark_model_are_accepted(model, tmp_path, capsys):
    target = tmp_path / "out.json"
    known = ["--num_threads=2", "--num_runs=25", "--warmup_runs=2", "--enable_op_profiling=true"]
    more = ["--report_peak_memory_footprint=true", "--use_xnnpack=true", "--run_delay=0"]
    out = f"--result_json={target}"
    assert main(["bench", f"--graph={model}", *known, *more, out]) == 0
    result = json.loads(target.read_text())["results"][0]
    assert (result["threads"], result["runs"]) == (2, 25)
    assert "Conv2D" in capsys.readouterr().out
    assert main(["bench", f"--graph={model}", "--dry_run=true"]) == 0
    assert main(["bench", model, "--op_profiling_output_mode=csv", *QUICK]) == 0
    assert "node,op,kernel,seconds,macs,bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{model}", "--use_gpu=true"], "CPU only"),
        (["{model}", "--graph={model}"], "twice"),
        ([], "no model given"),
        (["{model}", "--input_layer=a,b", "--input_layer_shape=1,2"], "as many inputs as shapes"),
    ],
)
def test_flags_that_cannot_be_met_are_wrong_usage(arguments, message, model, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bench", *[a.replace("{model}", model) for a in arguments]])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_inputs_come_from_npz_and_images(model, tmp_path, capsys):
    image = np.load(DIGITS / "heldout.npz")["images"][:1]
    np.savez(tmp_path / "in.npz", image=image)
    report = bench_json(capsys, model, "--input", str(tmp_path / "in.npz"), *QUICK)
    assert report["model"]["inputs"][0]["shape"] == list(image.shape)
    Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    Image.new("L", (16, 16), 200).save(tmp_path / "in.png")
    image = f"image={tmp_path / 'in.png'}"
    assert bench_json(capsys, model, "--input", image, *QUICK)["model"]["inputs"]
    np.savez(tmp_path / "other.npz", nothing=image)
    assert main(["bench", model, "--input", str(tmp_path / "other.npz")]) == 1
    assert "nothing" in capsys.readouterr().err


class Steps:
    """A clock that a call moves on by the next of some durations."""

    def __init__(self, durations):
        self.durations, self.now, self.calls = durations, 0.0, 0

    def __call__(self) -> float:
        return self.now

    def run(self) -> None:
        self.now += self.durations[self.calls % len(self.durations)]
        self.calls += 1


class FreeCore:
    """A probe of a core that nothing disturbs."""

    def read(self) -> Reading:
        return Reading(3e8, 250.0)


def watch(tmp_path) -> Watch:
    return Watch(System(tmp_path, cpus={0}), FreeCore())


def test_rounds_end_with_the_time_of_a_process(tmp_path):
    steady = Steps([0.010])
    done = run_rounds(steady.run, Settings(least=0.8), watch(tmp_path), clock=steady)
    assert 0.8 / PROCESSES <= steady.now < 0.07
    assert len(done.samples) == len(done.edges) == steady.calls


class Processes:
    """Measuring processes that take half a second each, and what they find."""

    def __init__(self, medians):
        self.medians, self.now, self.ready = medians, 0.0, take(System("/nowhere", cpus={0}))

    def __call__(self) -> float:
        return self.now

    def sit_down(self, index: int) -> Sitting:
        self.now += 0.5
        samples = [np.full(3, self.medians[index % len(self.medians)])] * 4
        edges = [(Reading(3e8, 250.0),) * 2] * 4
        rounds = Rounds(samples, [0] * 4, edges, [self.ready] * 2, [0] * 4)
        return Sitting(rounds, {}, set())


def test_processes_measure_until_the_median_is_known():
    steady = Processes([1.0])
    sittings, stable = take_sittings(steady.sit_down, Settings(), UNKNOWN, clock=steady)
    assert stable and len(sittings) == PROCESSES
    whole = joined([sitting.rounds for sitting in sittings])
    assert whole.spans[-1] == 2 * PROCESSES - 2 and whole.processes[-1] == PROCESSES - 1


def test_processes_end_at_the_time_limit_when_it_is_not():
    wild = Processes([1.0, 1.5])
    sittings, stable = take_sittings(wild.sit_down, Settings(most=10.2), UNKNOWN, clock=wild)
    assert not stable and len(sittings) == 20
    slow = Processes([1.0])
    assert len(take_sittings(slow.sit_down, Settings(most=1.0), UNKNOWN, clock=slow)[0]) == 5
    runs = take_sittings(slow.sit_down, Settings(runs=100), UNKNOWN, clock=slow)[0]
    assert len(runs) == 1


def test_sustained_mode_shows_each_minute(tmp_path):
    clock = Steps([0.5])
    settings = Settings(minutes=3)
    done = run_rounds(clock.run, settings, watch(tmp_path), clock=clock)
    assert clock.now == pytest.approx(180, abs=5)
    begin = done.snapshots[0].seconds
    for i, snapshot in enumerate(done.snapshots):
        object.__setattr__(snapshot, "seconds", begin + 5.0 * i)
    rows = curve(done)
    assert [row["minute"] for row in rows] == [1, 2, 3]
    assert sum(row["runs"] for row in rows) == clock.calls


def test_what_processes_differ_by_widens_the_interval():
    samples = np.repeat([1.0, 1.02, 0.99, 1.01, 1.0, 0.98], 10)
    processes = np.repeat(range(6), 10)
    low, high = repeat_interval(samples, processes)
    assert high - low > 0.05
    assert repeat_interval(np.ones(60), processes) == pytest.approx((1 / 1.02, 1.02))


def test_one_process_does_not_know_what_another_would_find():
    low, high = lone_interval([1.0] * 40)
    assert high - low > 0.05


def test_repeats_fall_into_the_interval():
    rng = np.random.default_rng(2)
    processes = np.repeat(range(PROCESSES), 5)

    def measured():
        return np.repeat(rng.normal(1.0, 0.02, PROCESSES), 5) + rng.normal(0, 0.002, 5 * PROCESSES)

    agree = 0
    for _ in range(40):
        first, second = measured(), measured()
        low, high = repeat_interval(first, processes)
        agree += low <= np.median(second) <= high
    assert agree >= 38


def test_intervals_cover_the_median_and_tell_runs_apart():
    rng = np.random.default_rng(1)
    values = 100 + rng.normal(0, 1, 40)
    low, high = bootstrap(values)
    assert low < np.median(values) < high
    wide = lone_interval(values)
    assert wide[0] <= low and wide[1] >= high
    slower = [v * 1.2 for v in values]
    ratio, least, most = ratio_interval(values, slower, paired=True)
    assert ratio == pytest.approx(1.2) and least == pytest.approx(1.2) == pytest.approx(most)
    _, least, most = ratio_interval(values, list(rng.permutation(values)), paired=False)
    assert least < 1.0 < most


def test_a_drift_common_to_both_cancels_in_pairs():
    drift = np.linspace(1.0, 2.0, 12)
    before, after = 10.0 * drift, 11.0 * drift
    _, least, most = ratio_interval(before, after, paired=True)
    assert least == pytest.approx(1.1) == pytest.approx(most)
    _, least, most = ratio_interval(before, after, paired=False)
    assert most - least > 0.2
