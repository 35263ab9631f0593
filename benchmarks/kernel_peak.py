"""int8 kernels as a fraction of what the machine can do, peak and kernel taking turns.

``python -m linnet.benchmarks.kernel_peak [--isa avx2] [--seconds 0.2] [--json FILE]``

Products, convolutions and depthwise convolutions are held against the peak of multiplying bytes by
the same instructions, products of one row against reading as many bytes from the cache. The best
try counts on both sides: other guests of the machine slow either, at other moments.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from linnet.types import Array, DType, Quantization, TensorType

from .machine import describe_machine
from .peak import peak_rate

SHAPES = {
    "gemm 48x384x384": lambda: dense(48, 384, 384),
    "gemm 128x768x768": lambda: dense(128, 768, 768),
    "gemm 192x768x3072": lambda: dense(192, 768, 3072),
    "gemv 256x1001": lambda: dense(1, 256, 1001),
    "gemv 768x768": lambda: dense(1, 768, 768),
    "conv 3x3 56x56x64-64": lambda: conv(56, 64, 64, 3, 1),
    "conv 3x3 32x32x16-16": lambda: conv(32, 16, 16, 3, 1),
    "conv 3x3/2 128x128x3-8": lambda: conv(128, 3, 8, 3, 2),
    "conv 1x1 56x56x24-144": lambda: conv(56, 24, 144, 1, 1),
    "conv 1x1 56x56x144-24": lambda: conv(56, 144, 24, 1, 1),
    "depthwise 3x3 56x56x64": lambda: depthwise(56, 64, 3, 1),
    "depthwise 3x3 14x14x512": lambda: depthwise(14, 512, 3, 1),
    "depthwise 3x3 64x64x16": lambda: depthwise(64, 16, 3, 1),
    "depthwise 3x3/2 56x56x128": lambda: depthwise(56, 128, 3, 2),
    "depthwise 3x3/2 64x64x16": lambda: depthwise(64, 16, 3, 2),
    "depthwise 5x5 28x28x64": lambda: depthwise(28, 64, 5, 1),
}


@dataclass(frozen=True)
class Fraction:
    """One kernel's rate and the peak that it is held against.

    Parameters
    ----------
    name : str
    unit : str
        "GMAC/s", or "GB/s" where reading the weights is the bound.
    seconds : float
        Best time of one run.
    rate, peak : float
        In ``unit``.
    """

    name: str
    unit: str
    seconds: float
    rate: float
    peak: float

    @property
    def fraction(self) -> float:
        """The rate as a part of the peak.

        Examples
        --------
        >>> Fraction("gemm", "GMAC/s", 1e-6, 150.0, 200.0).fraction
        0.75
        """
        return self.rate / self.peak


def dense(rows: int, depth: int, columns: int) -> Graph:
    """Return a graph of one int8 matrix product."""
    return _graph(FullyConnected(), (rows, depth), (columns, depth), 0, depth)


def conv(size: int, channels: int, outputs: int, kernel: int, stride: int) -> Graph:
    """Return a graph of one int8 convolution over a square image."""
    op = Conv2D(strides=(stride, stride), auto_pad="same_upper")
    depth = kernel * kernel * channels
    return _graph(op, (1, size, size, channels), (outputs, kernel, kernel, channels), 0, depth)


def depthwise(size: int, channels: int, kernel: int, stride: int) -> Graph:
    """Return a graph of one int8 depthwise convolution over a square image."""
    op = DepthwiseConv2D(strides=(stride, stride), auto_pad="same_upper")
    shape = (1, size, size, channels)
    return _graph(op, shape, (1, kernel, kernel, channels), 3, kernel * kernel)


def _graph(
    op: Op, x_shape: tuple[int, ...], w_shape: tuple[int, ...], axis: int, depth: int
) -> Graph:
    rng = np.random.default_rng(0)
    outputs = w_shape[axis]
    graph = Graph("kernel")
    x = graph.add_input("x", TensorType(DType.INT8, x_shape, Quantization(0.03, 3)))
    scales = np.full(outputs, 0.005, np.float32)
    weights = rng.integers(-127, 128, w_shape).astype(np.int8)
    w = graph.add_constant("w", weights, Quantization(scales, np.zeros(outputs), axis))
    bias = graph.add_constant("b", rng.integers(-900, 900, outputs).astype(np.int32))
    scale = 0.03 * 0.005 * 74 * 74 * depth**0.5 / 40
    graph.outputs = [graph.add(op, [x, w, bias], quantization=Quantization(scale, -7))]
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
    graph = SHAPES[name]()
    plan = linnet.load(graph, threads=1, isa=isa).plan()
    program, steps = plan.program, len(plan.program)
    types = plan.spans[0].item.types
    cost = plan.spans[0].item.node.op.cost(types)
    weights = types.inputs[1]
    assert weights is not None
    reading = name.startswith("gemv")
    row = "peak_read" if reading else "peak_dot_s8"
    data = _data(weights.nbytes) if reading else _data(0)
    best, peak, end = 1e9, 0.0, time.perf_counter() + 2 * seconds
    while time.perf_counter() < end:
        peak = max(peak, peak_rate(row, data, 1, isa, 0.002))
        for _ in range(4):
            best = min(best, _seconds(lambda: program.run(0, steps), best))
    work = weights.nbytes if reading else cost.macs
    unit = "GB/s" if reading else "GMAC/s"
    return Fraction(name, unit, best, work / best * 1e-9, peak * 1e-9)


def _seconds(run: Callable[[], Any], guess: float) -> float:
    """Return the time of one run, over enough of them that the clock does not matter."""
    repeats = max(1, int(2e-4 / max(guess, 1e-7))) if guess < 1 else 1
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def _data(nbytes: int) -> Array:
    size = -(-nbytes // 4096) * 4096
    raw = np.ones(size + 4096, np.uint8)
    start = -raw.ctypes.data % 4096
    return raw[start : start + size]


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
