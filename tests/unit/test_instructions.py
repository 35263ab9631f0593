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


def test_one_more_pass_over_the_inputs_is_beyond_the_tolerance():
    """`{name: np.asarray(a) for name, a in inputs.items()}` in Session.run: 5,144 -> 8,493."""
    known = json.loads(instructions.BASELINE.read_text())["x86_64 avx2"]
    worse = instructions.regressions({**known, "call": known["call"] * 8493 / 5144}, known)
    assert len(worse) == 1 and worse[0].startswith("call: 1.65 times")


def test_counts_between_marks_are_taken(tmp_path):
    path = tmp_path / "counts.1"
    path.write_text("events: Ir\nsummary: 1234\nfn=main\n")
    assert instructions.total(path) == 1234
    path.write_text("events: Ir\ntotals: 99\n")
    assert instructions.total(path) == 99
    with pytest.raises(RuntimeError, match="expected 11"):
        instructions.per_run([1, 2, 3])
