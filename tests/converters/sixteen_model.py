"""A network of int16 activations and int8 weights, as TFLite's 16x8 quantization makes them.

``python -m tests.converters.sixteen_model OUT.tflite`` writes one of MobileNetV1 0.25's shape, for
``linnet compare-peers``; its weights are random.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from linnet.types import Quantization
from tests.converters.tflite_builder import ModelBuilder, Operator

# (channels, stride) of the blocks of MobileNetV1 with a quarter of its channels.
BLOCKS = (
    (16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2),
    (128, 1), (128, 1), (128, 1), (128, 1), (128, 1), (256, 2), (256, 1),
)  # fmt: skip
RELU6, SAME = 3, 0
STEP = Quantization(6 / 32767)
UNIT = Quantization(1 / 32768)


class Network:
    """Builds the file layer by layer; every activation is int16 in steps of 6 / 32767."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.builder = ModelBuilder()
        self.rng = np.random.default_rng(8)
        self.now = self._tensor("x", shape, STEP)
        self.builder.inputs = [self.now]

    def _tensor(self, name: str, shape: tuple[int, ...], q: Quantization | None) -> int:
        self.shape = shape
        return self.builder.add(name, "int16", shape, None, q)

    def _weights(self, shape: tuple[int, ...], axis: int) -> list[int]:
        count = shape[axis]
        depth = int(np.prod(shape)) // count
        scale = self.rng.uniform(0.8, 1.2, count) * 1.4 / (73 * depth**0.5)
        stored = self.rng.integers(-127, 128, shape).astype(np.int8)
        bias = self.rng.integers(-900, 900, count).astype(np.int64)
        products = Quantization(np.float32(STEP.scale[0]) * scale.astype(np.float32), 0, 0)
        return [
            self.builder.add("w", "int8", shape, stored, Quantization(scale, 0, axis)),
            self.builder.add("b", "int64", (count,), bias, products),
        ]

    def step(self, kind: str, shape: tuple[int, ...], inputs: list[int], q: Any = STEP, **options):
        """Add an operator whose first input is the last output."""
        made = self._tensor(kind.lower(), shape, q)
        name = options.pop("options_type", "")
        self.builder.operators.append(Operator(kind, [self.now, *inputs], [made], options, name))
        self.now = made

    def conv(self, channels: int, size: int = 1, stride: int = 1) -> None:
        """Add a convolution with ReLU6."""
        _, height, width, depth = self.shape
        inputs = self._weights((channels, size, size, depth), 0)
        self.step(
            "CONV_2D", (1, -(-height // stride), -(-width // stride), channels), inputs,
            options_type="Conv2DOptions", Padding=SAME, StrideH=stride, StrideW=stride,
            DilationHFactor=1, DilationWFactor=1, FusedActivationFunction=RELU6,
        )  # fmt: skip

    def depthwise(self, stride: int) -> None:
        """Add a 3x3 depthwise convolution with ReLU6."""
        _, height, width, channels = self.shape
        inputs = self._weights((1, 3, 3, channels), 3)
        self.step(
            "DEPTHWISE_CONV_2D", (1, -(-height // stride), -(-width // stride), channels), inputs,
            options_type="DepthwiseConv2DOptions", Padding=SAME, StrideH=stride, StrideW=stride,
            DepthMultiplier=1, DilationHFactor=1, DilationWFactor=1, FusedActivationFunction=RELU6,
        )  # fmt: skip

    def finish(self, classes: int) -> bytes:
        """Add a gate, a residual, a mean, a classifier and a softmax; return the file."""
        before, shape = self.now, self.shape
        self.step("LOGISTIC", shape, [], UNIT)
        self.step("MUL", shape, [before], options_type="MulOptions")
        self.step("ADD", shape, [before], options_type="AddOptions")
        axes = self.builder.add("axes", "int32", (2,), np.array([1, 2], np.int32))
        self.step("MEAN", (1, shape[3]), [axes], options_type="ReducerOptions", KeepDims=False)
        inputs = self._weights((classes, shape[3]), 0)
        self.step("FULLY_CONNECTED", (1, classes), inputs, options_type="FullyConnectedOptions")
        self.step("SOFTMAX", (1, classes), [], UNIT, options_type="SoftmaxOptions", Beta=1.0)
        self.builder.outputs = [self.now]
        return self.builder.build()


def network(size: int = 224, blocks: tuple[tuple[int, int], ...] = BLOCKS, classes: int = 1000):
    """Return the content of a file."""
    made = Network((1, size, size, 3))
    made.conv(8, 3, 2)
    for channels, stride in blocks:
        made.depthwise(stride)
        made.conv(channels)
    return made.finish(classes)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(network())
