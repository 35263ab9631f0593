"""The dispatch path takes no more instructions than the committed baseline (callgrind)."""

from __future__ import annotations

import json
import platform
import shutil

import pytest

from linnet.benchmarks import instructions


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_instructions_are_within_the_baseline():
    known = json.loads(instructions.BASELINE.read_text())
    key = f"{platform.machine()} {instructions.isa()}"
    if key not in known:
        pytest.skip(f"no baseline of instruction counts for {key}")
    counts = instructions.count()
    worse = instructions.regressions(instructions.ratios(counts), known[key])
    assert not worse, f"{worse}; counted {counts}"


def test_every_program_runs():
    found = instructions.programs()
    assert set(found) == {"reference", "call", "hundred nodes", "int8 layer", "plan"}
    for program in found.values():
        program()


def test_a_call_that_checks_twice_is_beyond_the_tolerance():
    """What one more pass over names, dtypes and shapes costs was counted: 3.8 times a call."""
    found = {"call": 0.2264 * 3.8, "node": 0.00534}
    worse = instructions.regressions(found, {"call": 0.2264, "node": 0.00534})
    assert len(worse) == 1 and worse[0].startswith("call: 3.80 times")


def test_counts_between_marks_are_taken(tmp_path):
    path = tmp_path / "counts.1"
    path.write_text("events: Ir\nsummary: 1234\nfn=main\n")
    assert instructions.total(path) == 1234
    path.write_text("events: Ir\ntotals: 99\n")
    assert instructions.total(path) == 99
    with pytest.raises(RuntimeError, match="expected 11"):
        instructions.per_run([1, 2, 3])
