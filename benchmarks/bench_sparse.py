"""A matrix product with block-sparse weights beside the dense one.

``python -m linnet.benchmarks.bench_sparse [SHARE]`` prints both times and their ratio.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

import linnet
from linnet.converters.pruning.blocks import zeroed
from linnet.graph import Graph
from linnet.ops import FullyConnected
from linnet.session import Session
from linnet.types import Array, DType, TensorType

SIZES = ((64, 512, 512), (128, 768, 768), (196, 256, 1024))


def layer(rows: int, depth: int, columns: int, share: float) -> Session:
    """Return a session of one linear layer, a share of whose blocks are zero."""
    weights = np.random.default_rng(0).standard_normal((columns, depth)).astype(np.float32)
    graph = Graph("layer")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (rows, depth)))
    w = graph.add_constant("w", zeroed(weights, share))
    graph.outputs = [graph.add(FullyConnected(), [x, w], "y")]
    return linnet.load(graph, threads=1)


def feeds(rows: int, depth: int) -> dict[str, Array]:
    """Return seeded rows."""
    return {"x": np.random.default_rng(1).standard_normal((rows, depth)).astype(np.float32)}


@pytest.mark.parametrize("share", [0.0, 0.7])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "x".join(map(str, sizes)))
def test_block_sparse(benchmark, sizes, share):  # type: ignore[no-untyped-def]
    """Time one layer, dense and with 70 % of its blocks zero."""
    rows, depth, columns = sizes
    benchmark(layer(rows, depth, columns, share).run, feeds(rows, depth))


def compare(share: float, rounds: int = 60) -> list[tuple[str, float, float]]:
    """Return sizes, and the least times of the dense and of the sparse layer, taking turns."""
    found = []
    for rows, depth, columns in SIZES:
        pair = layer(rows, depth, columns, 0.0), layer(rows, depth, columns, share)
        given, best = feeds(rows, depth), [float("inf")] * 2
        for _ in range(rounds):
            for k, session in enumerate(pair):
                start = time.perf_counter()
                for _ in range(4):
                    session.run(given)
                best[k] = min(best[k], (time.perf_counter() - start) / 4)
        found.append((f"{rows} x {depth} x {columns}", best[0], best[1]))
    return found


if __name__ == "__main__":
    for name, dense, sparse in compare(float(sys.argv[1]) if len(sys.argv) > 1 else 0.7):
        print(f"{name}: dense {1e6 * dense:.1f} us, sparse {1e6 * sparse:.1f} us, "
              f"{dense / sparse:.2f} times as fast")  # fmt: skip
