"""Every bench case of the tests' case table on the default ISA: time of the kernels alone."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from linnet.kernels import _core
from linnet.types import NodeTypes

# The table and the harness are plain modules of the test suite, beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
CASES: dict[str, Any] = importlib.import_module("cases").CASES
bind_op: Any = importlib.import_module("harness").bind_op

THREADS = sorted({1, _core.usable_cpus()})


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.bench])
@pytest.mark.benchmark(max_time=0.25, min_time=1e-4, warmup=True, warmup_iterations=10)
def test_op(benchmark: Any, name: str, threads: int) -> None:
    """Time the bound steps of one case, at most ``threads`` threads each."""
    case = CASES[name]
    step = bind_op(
        case.op,
        case.arrays,
        **case.call,
        constants=case.constants,
        threads=threads,
        forced=False,
    )
    types: NodeTypes = step.types
    cost = case.op.cost(types)
    benchmark.group = "+".join(sorted(case.kernels))
    benchmark.extra_info |= {
        "isa": step.program.isa,
        "threads": max(used for _, used in step.program.steps),
        "macs": cost.macs,
    }
    assert benchmark(step.program.run) == -1
    if benchmark.stats:
        seconds = benchmark.stats.stats.median
        benchmark.extra_info["GMAC/s"] = cost.macs / seconds * 1e-9
        benchmark.extra_info["GB/s"] = cost.bytes / seconds * 1e-9
