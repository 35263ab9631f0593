"""Every row of the kernel table, by the case table's benchmark cases: a share of the peak."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from linnet.benchmarks.machine.peak import Peaks
from linnet.kernels import _core
from linnet.types import DType, NodeTypes

# The table and the harness are plain modules of the test suite, beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
CASES: dict[str, Any] = importlib.import_module("cases").CASES
bind_op: Any = importlib.import_module("harness").bind_op

THREADS = sorted({1, _core.usable_cpus()})
RUNS = [
    (row, name, threads)
    for row in _core.kernel_rows()
    for name, case in CASES.items()
    for threads in THREADS
    if case.bench and row in case.rows(threads)
]


@pytest.mark.parametrize(("row", "name", "threads"), RUNS)
@pytest.mark.benchmark(max_time=0.05, min_time=1e-4, warmup=True, warmup_iterations=10)
def test_kernel(benchmark: Any, row: str, name: str, threads: int, peaks: dict[int, Peaks]) -> None:
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
    used = max(count for _, count in step.program.steps)
    benchmark.group = row
    benchmark.extra_info |= {"isa": step.program.isa, "threads": used, "macs": int(cost.macs)}
    assert benchmark(step.program.run) == -1
    if benchmark.stats:
        seconds = benchmark.stats.stats.median
        int8 = types.inputs[0] is not None and types.inputs[0].dtype is DType.INT8
        roof = peaks[min(threads, used) if used in peaks else 1].bound(cost.macs, cost.bytes, int8)
        benchmark.extra_info["GMAC/s"] = cost.macs / seconds * 1e-9
        benchmark.extra_info["GB/s"] = cost.bytes / seconds * 1e-9
        benchmark.extra_info["fraction of peak"] = roof / seconds
