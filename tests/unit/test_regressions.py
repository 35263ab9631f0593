"""Results of the suites are compared by their noise: only what lies beyond it fails."""

from __future__ import annotations

import json

import numpy as np
import pytest
from paths import ROOT

from linnet.benchmarks import regressions, rounds


def result(times: dict[str, list[float]], pair: str = "one", speeds=None) -> dict:
    count = len(next(iter(times.values())))
    return {
        "pair": pair,
        "problems": [],
        "speeds": speeds or [1e9] * count,
        "benchmarks": {n: {"group": "g", "rounds": r, "facts": {}} for n, r in times.items()},
    }


def noisy(scale: float, seed: int, count: int = 7) -> list[float]:
    return (scale * np.random.default_rng(seed).lognormal(0, 0.02, count)).tolist()


def test_noise_is_no_change_and_a_slowdown_is():
    old = result({"a": noisy(1.0, 1), "b": noisy(1.0, 2), "c": noisy(1.0, 3)})
    new = result({"a": noisy(1.0, 4), "b": noisy(1.2, 5), "c": noisy(0.8, 6), "new": [1.0]})
    found = {c.name: c.verdict for c in regressions.compare_results(old, new, 0.05)}
    assert found == {"a": "same", "b": "slower", "c": "faster"}


def test_a_noisy_slowdown_is_not_claimed():
    rng = np.random.default_rng(0)
    old = result({"a": rng.lognormal(0, 0.5, 7).tolist()})
    new = result({"a": (1.1 * rng.lognormal(0, 0.5, 7)).tolist()})
    assert regressions.compare_results(old, new, 0.05)[0].verdict == "same"


def test_what_slows_both_down_cancels_in_pairs():
    drift = np.linspace(1, 3, 7)
    old, new = result({"a": drift.tolist()}), result({"a": (1.1 * drift).tolist()})
    change = regressions.compare_results(old, new, 0.05)[0]
    assert change.verdict == "slower" and change.low == pytest.approx(1.1)


def test_separate_runs_are_compared_in_cycles():
    old = result({"a": [1.0] * 5}, "one", [2e9] * 5)
    new = result({"a": [2.0] * 5}, "other", [1e9] * 5)
    assert regressions.compare_results(old, new, 0.05)[0].ratio == pytest.approx(1.0)


def test_the_command_fails_on_a_slowdown_only(tmp_path, capsys):
    paths = []
    for name, scale in (("old", 1.0), ("same", 1.0), ("slow", 1.5)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(result({"a": noisy(scale, len(name))})))
    old, same, slow = map(str, paths)
    assert regressions.main([old, same]) == 0
    assert regressions.main([old, slow]) == 1
    assert "slower" in capsys.readouterr().out
    assert regressions.main([slow, old]) == 0


def test_suites_run_in_rounds(tmp_path, capsys):
    target = tmp_path / "result.json"
    words = ["-k", "test_run and tiny", "--rounds", "2", "--base", str(ROOT)]
    assert rounds.main([*words, "--tree", str(ROOT), "-o", str(target)]) == 0
    made = [json.loads(path.read_text()) for path in (target, tmp_path / "result-base.json")]
    assert made[0]["pair"] == made[1]["pair"]
    for one in made:
        assert one["benchmarks"] and len(one["speeds"]) == 2
        assert all(len(b["rounds"]) == 2 for b in one["benchmarks"].values())
        assert all("bench_calls.py" in name for name in one["benchmarks"])
    changes = regressions.compare_results(made[1], made[0], 0.05)
    assert len(changes) == len(made[0]["benchmarks"])


def test_a_failing_suite_is_not_a_result(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "bench_bad.py").write_text("def test_bad(benchmark): assert 0\n")
    with pytest.raises(SystemExit, match="failed"):
        rounds.Tree(tmp_path).run("")
