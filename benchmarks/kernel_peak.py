"""Kernels as a fraction of what the machine can do, peak and kernel taking turns.

``python -m linnet.benchmarks.kernel_peak [--float] [--isa LIST] [--seconds 0.2] [--json FILE]``

Products, convolutions and depthwise convolutions of bytes, or with ``--float`` of floats, are held
against the peak of multiplying by the same instructions, products of one row against reading as
many bytes from the cache. The best try counts on both sides: other guests of the machine slow
either, at other moments. What a call of nothing takes is not the kernel's: it is taken off.
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
from linnet.types import DType, Quantization, TensorType

from .machine.describe import describe_machine
from .machine.peak import aligned_data, peak_rate

SCHEMA = "linnet-kernel-peak-1"


@dataclass(frozen=True)
class Shape:
    """One layer to measure: its operator and the shapes of its input and weights."""

    op: Op
    x: tuple[int, ...]
    weights: tuple[int, ...]


def dense(rows: int, depth: int, columns: int) -> Shape:
    """Return a matrix product."""
    return Shape(FullyConnected(), (rows, depth), (columns, depth))


def conv(size: int, channels: int, outputs: int, kernel: int, stride: int) -> Shape:
    """Return a convolution over a square image."""
    op = Conv2D(strides=(stride, stride), auto_pad="same_upper")
    return Shape(op, (1, size, size, channels), (outputs, kernel, kernel, channels))


def depthwise(size: int, channels: int, kernel: int, stride: int) -> Shape:
    """Return a depthwise convolution over a square image."""
    op = DepthwiseConv2D(strides=(stride, stride), auto_pad="same_upper")
    return Shape(op, (1, size, size, channels), (1, kernel, kernel, channels))


INT8 = {
    "gemm 48x384x384": dense(48, 384, 384),
    "gemm 128x768x768": dense(128, 768, 768),
    "gemm 192x768x3072": dense(192, 768, 3072),
    "gemv 256x1001": dense(1, 256, 1001),
    "gemv 768x768": dense(1, 768, 768),
    "conv 3x3 56x56x64-64": conv(56, 64, 64, 3, 1),
    "conv 3x3 32x32x16-16": conv(32, 16, 16, 3, 1),
    "conv 3x3/2 128x128x3-8": conv(128, 3, 8, 3, 2),
    "conv 1x1 56x56x24-144": conv(56, 24, 144, 1, 1),
    "conv 1x1 56x56x144-24": conv(56, 144, 24, 1, 1),
    "depthwise 3x3 56x56x64": depthwise(56, 64, 3, 1),
    "depthwise 3x3 14x14x512": depthwise(14, 512, 3, 1),
    "depthwise 3x3 64x64x16": depthwise(64, 16, 3, 1),
    "depthwise 3x3/2 56x56x128": depthwise(56, 128, 3, 2),
    "depthwise 3x3/2 64x64x16": depthwise(64, 16, 3, 2),
    "depthwise 5x5 28x28x64": depthwise(28, 64, 5, 1),
}
FLOAT = {
    "gemm 48x384x384": dense(48, 384, 384),
    "gemm 49x256x256": dense(49, 256, 256),
    "gemm 169x512x256": dense(169, 512, 256),
    "gemm 784x64x64": dense(784, 64, 64),
    "gemm 3136x32x32": dense(3136, 32, 32),
    "gemv 640x128": dense(1, 640, 128),
    "gemv 128x640": dense(1, 128, 640),
    "conv 3x3 8x8x64-64": conv(8, 64, 64, 3, 1),
    "conv 3x3 56x56x64-64": conv(56, 64, 64, 3, 1),
    "conv 3x3 16x16x32-32": conv(16, 32, 32, 3, 1),
    "conv 3x3 32x32x16-16": conv(32, 16, 16, 3, 1),
    "conv 3x3/2 96x96x3-8": conv(96, 3, 8, 3, 2),
    "conv 5x5 28x28x1-8": conv(28, 1, 8, 5, 1),
    "conv 5x5 64x64x8-1": conv(64, 8, 1, 5, 1),
    "depthwise 3x3 24x24x32": depthwise(24, 32, 3, 1),
    "depthwise 3x3 14x14x128": depthwise(14, 128, 3, 1),
    "depthwise 3x3/2 48x48x16": depthwise(48, 16, 3, 2),
    "depthwise 5x5 28x28x64": depthwise(28, 64, 5, 1),
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


def graph_of(shape: Shape, floats: bool) -> Graph:
    """Return a graph of one layer with weights, on bytes or on floats."""
    rng = np.random.default_rng(0)
    axis = 3 if isinstance(shape.op, DepthwiseConv2D) else 0
    outputs = shape.weights[axis]
    graph = Graph("kernel")
    if floats:
        x = graph.add_input("x", TensorType(DType.FLOAT32, shape.x))
        w = graph.add_constant("w", rng.standard_normal(shape.weights).astype(np.float32))
        bias = graph.add_constant("b", rng.standard_normal(outputs).astype(np.float32))
        graph.outputs = [graph.add(shape.op, [x, w, bias])]
        return graph
    x = graph.add_input("x", TensorType(DType.INT8, shape.x, Quantization(0.03, 3)))
    scales = np.full(outputs, 0.005, np.float32)
    weights = rng.integers(-127, 128, shape.weights).astype(np.int8)
    w = graph.add_constant("w", weights, Quantization(scales, np.zeros(outputs), axis))
    bias = graph.add_constant("b", rng.integers(-900, 900, outputs).astype(np.int32))
    depth = weights.size // outputs
    scale = 0.03 * 0.005 * 74 * 74 * depth**0.5 / 40
    graph.outputs = [graph.add(shape.op, [x, w, bias], quantization=Quantization(scale, -7))]
    return graph


def measure(name: str, floats: bool, isa: str, seconds: float) -> Fraction:
    """Measure one of the shapes and its peak by turns.

    Parameters
    ----------
    name : str
        Key of `INT8` or `FLOAT`.
    floats : bool
        Which of the two.
    isa : str
        Instruction set; "" takes the best.
    seconds : float
        Time spent on the kernel; about as much goes to the peak.
    """
    session = linnet.load(graph_of((FLOAT if floats else INT8)[name], floats), threads=1, isa=isa)
    spec = session.inputs[0]
    if floats:
        # Numbers of usual size: denormal ones would be slower.
        shape = tuple(int(dim) for dim in spec.shape)
        values = np.random.default_rng(1).standard_normal(shape)
        session.run({spec.name: values.astype(np.float32)})
    plan = session.plan()
    program, steps = plan.program, len(plan.program)
    types = plan.spans[0].item.types
    cost = plan.spans[0].item.node.op.cost(types)
    weights = types.inputs[1]
    assert weights is not None
    reading = name.startswith("gemv")
    row = "peak_read" if reading else "peak_fma_f32" if floats else "peak_dot_s8"
    data = aligned_data(weights.nbytes if reading else 0)
    best, empty, peak, end = 1e9, 1e-6, 0.0, time.perf_counter() + 2 * seconds
    while time.perf_counter() < end:
        peak = max(peak, peak_rate(row, data, 1, isa, 0.002))
        for _ in range(4):
            best = min(best, _seconds(lambda: program.run(0, steps), best))
        empty = min(empty, _seconds(lambda: program.run(0, 0), empty))
    best -= empty
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


def main() -> int:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="substrings of the shapes to measure")
    parser.add_argument("--float", action="store_true", dest="floats", help="kernels of floats")
    parser.add_argument("--isa", default=_core.default_isa(), metavar="LIST")
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--json", type=Path, help="join a result for linnet.benchmarks.report")
    options = parser.parse_args()
    rows = []
    for isa in options.isa.split(","):
        for name in FLOAT if options.floats else INT8:
            if options.names and not any(part in name for part in options.names):
                continue
            found = measure(name, options.floats, isa, options.seconds)
            facts = {"isa": isa, "type": "float" if options.floats else "int8"}
            rows.append(facts | asdict(found) | {"fraction": found.fraction})
            print(
                f"{isa:10s} {found.name:28s} {found.seconds * 1e6:9.2f} us {found.rate:8.1f} of "
                f"{found.peak:6.1f} {found.unit} = {found.fraction:.0%}"
            )
    if options.json:
        before = json.loads(options.json.read_text())["kernels"] if options.json.exists() else []
        made = {(row["isa"], row["type"], row["name"]): row for row in (*before, *rows)}
        report = {"schema": SCHEMA, "machine": describe_machine(), "kernels": list(made.values())}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
