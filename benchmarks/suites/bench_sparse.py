"""A matrix product with block-sparse weights beside the dense one.

``python -m linnet.benchmarks.suites.bench_sparse [SHARE]`` prints both times and their ratio.
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pytest

import linnet
from linnet.converters.pruning.blocks import zeroed
from linnet.graph import Graph
from linnet.ops import FullyConnected
from linnet.session import Session
from linnet.types import Array, DType, Quantization, TensorType

from ..threads import stretch

SIZES = ((64, 512, 512), (128, 768, 768), (196, 256, 1024))
TYPES = (DType.FLOAT32, DType.INT8)


def layer(rows: int, depth: int, columns: int, share: float, dtype: DType) -> Session:
    """Return a session of one linear layer, a share of whose blocks are zero."""
    weights = zeroed(np.random.default_rng(0).standard_normal((columns, depth)), share)
    graph, stored = Graph("layer"), dtype is DType.INT8
    scales = (
        (Quantization(0.03, 2), Quantization(0.05), Quantization(1.0)) if stored else [None] * 3
    )
    codes = np.clip(np.rint(weights / 0.05), -127, 127).astype(np.int8) if stored else weights
    x = graph.add_input("x", TensorType(dtype, (rows, depth), scales[0]))
    w = graph.add_constant("w", codes, scales[1])
    y = graph.add(FullyConnected(), [x, w], "y", quantization=scales[2])
    graph.outputs = [y]
    return linnet.load(graph, threads=1)


def feeds(rows: int, depth: int, dtype: DType) -> dict[str, Array]:
    """Return seeded rows."""
    made = np.random.default_rng(1).standard_normal((rows, depth))
    return {"x": (made * (1 if dtype is DType.FLOAT32 else 30)).astype(dtype.numpy)}


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.value)
@pytest.mark.parametrize("share", [0.0, 0.7])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "x".join(map(str, sizes)))
def test_block_sparse(benchmark, sizes, share, dtype):  # type: ignore[no-untyped-def]
    """Time one layer, dense and with 70 % of its blocks zero."""
    rows, depth, columns = sizes
    benchmark(layer(rows, depth, columns, share, dtype).run, feeds(rows, depth, dtype))


def compare(share: float, rounds: int = 60) -> list[tuple[str, float, float]]:
    """Return sizes, and the least times of the dense and of the sparse layer, taking turns."""
    found = []
    for dtype, (rows, depth, columns) in product(TYPES, SIZES):
        pair = [layer(rows, depth, columns, zeros, dtype) for zeros in (0.0, share)]
        given, best = feeds(rows, depth, dtype), [float("inf")] * 2
        for _ in range(rounds):
            for k, session in enumerate(pair):
                best[k] = min(best[k], stretch(session, given, 0.002))
        found.append((f"{dtype.value} {rows} x {depth} x {columns}", best[0], best[1]))
    return found


if __name__ == "__main__":
    for name, dense, sparse in compare(float(sys.argv[1]) if len(sys.argv) > 1 else 0.7):
        print(f"{name}: dense {1e6 * dense:.1f} us, sparse {1e6 * sparse:.1f} us, "
              f"{dense / sparse:.2f} times as fast")  # fmt: skip
