"""What surrounds the kernels: loading a model, planning a shape, and the overhead of a call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet.graph import Graph
from linnet.ops import Add, Clip, FullyConnected
from linnet.types import DType, TensorType

FEEDS = {"x": np.linspace(-1.0, 1.0, 8, dtype=np.float32).reshape(1, 8)}
# Layers, bytes of constants in all.
MODELS = {"tiny": (1, 0), "100 layers": (100, 0), "16 MiB": (1, 16 << 20)}


def model(layers: int, constants: int, batch: int | str = 1) -> Graph:
    """Return a graph of small nodes, and one of large weights where ``constants`` is not 0."""
    graph = Graph("bench")
    value = graph.add_input("x", TensorType(DType.FLOAT32, (batch, 8)))
    step = graph.add_constant("step", np.ones(8, np.float32))
    for index in range(layers):
        op, operands = (Add(), [value, step]) if index % 2 else (Clip(minimum=0.0), [value])
        value = graph.add(op, operands, name=f"layer{index}")
    if constants:
        weights = np.ones((constants // 32, 8), np.float32)
        value = graph.add(FullyConnected(), [value, graph.add_constant("weights", weights)])
    graph.outputs = [value]
    return graph


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.benchmark(group="load", max_time=0.1)
def test_load(benchmark: Any, name: str, tmp_path: Any) -> None:
    """Time opening a file: reading, checking, planning and binding its fixed shape."""
    path = tmp_path / "model.linnet"
    linnet.save(model(*MODELS[name]), path)
    session = benchmark(linnet.load, path, threads=1)
    assert session.run(FEEDS)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.benchmark(group="new shape")
def test_new_shape(benchmark: Any, name: str) -> None:
    """Time the first run of a shape that the session has not planned at load."""
    graph = model(*MODELS[name], batch="n")

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (linnet.load(graph, threads=1),), {}

    results = benchmark.pedantic(lambda session: session.run(FEEDS), setup=fresh, rounds=10)
    assert len(results) == 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["tiny", "100 layers"])
@pytest.mark.benchmark(group="run", max_time=0.1, warmup=True)
def test_run(benchmark: Any, name: str, threads: int) -> None:
    """Time a run whose nodes have next to nothing to compute."""
    layers = MODELS[name][0]
    session = linnet.load(model(*MODELS[name]), threads=threads)
    session.run(FEEDS)
    benchmark(session.run, FEEDS)
    if benchmark.stats:
        benchmark.extra_info["ns per node"] = benchmark.stats.stats.median / layers * 1e9
