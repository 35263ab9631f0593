"""float kernels as a fraction of the multiply-add peak, peak and kernel taking turns.

``python -m linnet.benchmarks.float_peak [--isa avx2] [--seconds 0.2] [--json FILE] [NAME...]``

Products of one row are held against reading as many bytes from the cache. The best try counts on
both sides: other guests of the machine slow either, at other moments.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from linnet.types import DType, TensorType

from .kernel_peak import Fraction, _data, _seconds
from .machine import describe_machine
from .peak import peak_rate

SHAPES = {
    "gemm 48x384x384": lambda: dense(48, 384, 384),
    "gemm 49x256x256": lambda: dense(49, 256, 256),
    "gemm 169x512x256": lambda: dense(169, 512, 256),
    "gemm 784x64x64": lambda: dense(784, 64, 64),
    "gemm 3136x32x32": lambda: dense(3136, 32, 32),
    "gemv 640x128": lambda: dense(1, 640, 128),
    "gemv 128x640": lambda: dense(1, 128, 640),
    "conv 3x3 8x8x64-64": lambda: conv(8, 64, 64, 3, 1),
    "conv 3x3 56x56x64-64": lambda: conv(56, 64, 64, 3, 1),
    "conv 3x3 16x16x32-32": lambda: conv(16, 32, 32, 3, 1),
    "conv 3x3 32x32x16-16": lambda: conv(32, 16, 16, 3, 1),
    "conv 3x3/2 96x96x3-8": lambda: conv(96, 3, 8, 3, 2),
    "conv 5x5 28x28x1-8": lambda: conv(28, 1, 8, 5, 1),
    "conv 5x5 64x64x8-1": lambda: conv(64, 8, 1, 5, 1),
    "depthwise 3x3 24x24x32": lambda: depthwise(24, 32, 3, 1),
    "depthwise 3x3 14x14x128": lambda: depthwise(14, 128, 3, 1),
    "depthwise 3x3/2 48x48x16": lambda: depthwise(48, 16, 3, 2),
    "depthwise 5x5 28x28x64": lambda: depthwise(28, 64, 5, 1),
}


def dense(rows: int, depth: int, columns: int) -> Graph:
    """Return a graph of one matrix product."""
    return _graph(FullyConnected(), (rows, depth), (columns, depth), columns)


def conv(size: int, channels: int, outputs: int, kernel: int, stride: int) -> Graph:
    """Return a graph of one convolution over a square image."""
    op = Conv2D(strides=(stride, stride), auto_pad="same_upper")
    return _graph(op, (1, size, size, channels), (outputs, kernel, kernel, channels), outputs)


def depthwise(size: int, channels: int, kernel: int, stride: int) -> Graph:
    """Return a graph of one depthwise convolution over a square image."""
    op = DepthwiseConv2D(strides=(stride, stride), auto_pad="same_upper")
    return _graph(op, (1, size, size, channels), (1, kernel, kernel, channels), channels)


def _graph(op: Op, x_shape: tuple[int, ...], w_shape: tuple[int, ...], outputs: int) -> Graph:
    rng = np.random.default_rng(0)
    graph = Graph("kernel")
    x = graph.add_input("x", TensorType(DType.FLOAT32, x_shape))
    w = graph.add_constant("w", rng.standard_normal(w_shape).astype(np.float32))
    bias = graph.add_constant("b", rng.standard_normal(outputs).astype(np.float32))
    graph.outputs = [graph.add(op, [x, w, bias])]
    return graph


def measure(name: str, isa: str, seconds: float) -> Fraction:
    """Measure one of `SHAPES` and its peak by turns.

    Parameters
    ----------
    name : str
        Key of `SHAPES`.
    isa : str
        Instruction set; "" takes the best.
    seconds : float
        Time spent on the kernel; about as much goes to the peak.
    """
    session = linnet.load(SHAPES[name](), threads=1, isa=isa)
    spec = session.inputs[0]
    shape = tuple(int(dim) for dim in spec.shape)
    session.run({spec.name: np.random.default_rng(1).standard_normal(shape).astype(np.float32)})
    plan = session.plan()
    program, steps = plan.program, len(plan.program)
    types = plan.spans[0].item.types
    cost = plan.spans[0].item.node.op.cost(types)
    weights = types.inputs[1]
    assert weights is not None
    reading = name.startswith("gemv")
    row, data = ("peak_read", _data(weights.nbytes)) if reading else ("peak_fma_f32", _data(0))
    best, peak, end = 1e9, 0.0, time.perf_counter() + 2 * seconds
    while time.perf_counter() < end:
        peak = max(peak, peak_rate(row, data, 1, isa, 0.002))
        for _ in range(4):
            best = min(best, _seconds(lambda: program.run(0, steps), best))
    work = weights.nbytes if reading else cost.macs
    unit = "GB/s" if reading else "GMAC/s"
    return Fraction(name, unit, best, work / best * 1e-9, peak * 1e-9)


def main() -> int:
    """Print the table, or write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="substrings of the shapes to measure")
    parser.add_argument("--isa", default="", choices=["", *_core.available_isas()])
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for name in SHAPES:
        if options.names and not any(part in name for part in options.names):
            continue
        rows.append(measure(name, options.isa, options.seconds))
        found = rows[-1]
        print(
            f"{found.name:28s} {found.seconds * 1e6:9.2f} us {found.rate:8.1f} of "
            f"{found.peak:6.1f} {found.unit} = {found.fraction:.0%}"
        )
    if options.json:
        report = {
            "machine": describe_machine(),
            "isa": options.isa or _core.default_isa(),
            "kernels": [asdict(row) | {"fraction": row.fraction} for row in rows],
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
