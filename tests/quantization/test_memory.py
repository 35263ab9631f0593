"""Calibration takes the same memory for ten samples and for a thousand."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from paths import ROOT

SCRIPT = """
import resource, sys
import numpy as np
import linnet

def samples(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield {"image": rng.random((1, 1, 8, 8), dtype=np.float32)}

graph = linnet.convert(sys.argv[1])
linnet.quantize(graph, samples(int(sys.argv[2])), calibrator="mse")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(count: int) -> int:
    model = str(ROOT / "examples" / "digits" / "cnn_float.onnx")
    command = [sys.executable, "-c", SCRIPT, model, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    return int(done.stdout)


def test_resident_memory_does_not_grow_with_samples():
    pytest.importorskip("onnx", reason="onnx, which reads the model, is not installed")
    few, many = peak(10), peak(1000)
    assert many <= 1.05 * few, f"{few} kB for 10 samples, {many} kB for 1,000"
