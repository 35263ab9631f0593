"""Typical layers as ops of a graph, run by a session: `linnet bench --suite kernels` in rounds."""

from __future__ import annotations

from typing import Any

import pytest

import linnet
from linnet.benchmarks.machine.peak import Peaks
from linnet.benchmarks.suites.kernels import FLOAT_ONLY, LAYERS, layer_graph

CASES = {
    f"{layer.name} {'int8' if int8 else 'float'}": (layer, int8)
    for layer in LAYERS
    for int8 in (True, False)
    if not (int8 and layer.name in FLOAT_ONLY)
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.benchmark(group="layers", max_time=0.05, warmup=True, warmup_iterations=5)
def test_layer(benchmark: Any, name: str, peaks: dict[int, Peaks]) -> None:
    """Time a session of one node on one thread."""
    layer, int8 = CASES[name]
    graph, feeds = layer_graph(layer, int8)
    session = linnet.load(graph, threads=1)
    benchmark(session.run, feeds)
    if benchmark.stats:
        item = session.plan().spans[0].item
        cost = item.node.op.cost(item.types)
        roof = peaks[1].bound(cost.macs, cost.bytes, int8)
        benchmark.extra_info["fraction of peak"] = roof / benchmark.stats.stats.median
