"""TFLite operators on int16 activations against the LiteRT reference kernels."""

import numpy as np
import pytest

import linnet
from linnet.types import Quantization
from tests.converters.sixteen_model import BLOCKS, network
from tests.converters.tflite_reference import Case, Operand, check, litert

RNG = np.random.default_rng(41)
X, Y = Quantization(0.001), Quantization(0.0015)
UNIT = Quantization(1 / 32768)


def stored(*shape, constant=False, quantization=X, low=-32768, high=32767):
    return Operand(RNG.integers(low, high + 1, shape).astype(np.int16), constant, quantization)


def weights(*shape, axis):
    scale = RNG.uniform(0.002, 0.006, shape[axis])
    content = RNG.integers(-127, 128, shape).astype(np.int8)
    return Operand(content, True, Quantization(scale, 0, axis))


def bias(w, dtype=np.int64):
    q = w.quantization
    content = RNG.integers(-90000, 90000, q.scale.size).astype(dtype)
    return Operand(content, True, Quantization(np.float32(0.001) * q.scale, 0, 0))


def made(kind, operands, options_type="", output=Y, **options):
    label = options.pop("label", "")
    return Case(kind, operands, options_type, options, [("int16", output)], label)


CONV = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
FILTER, DEPTHWISE, ROWS = (
    weights(5, 3, 2, 4, axis=0),
    weights(1, 3, 3, 4, axis=3),
    weights(6, 9, axis=0),
)
ROWS.quantization = Quantization(0.004)
DEEP = Quantization(0.01)
CASES = [
    made("CONV_2D", [stored(1, 7, 6, 4), FILTER, bias(FILTER)], "Conv2DOptions", DEEP, **CONV),
    made("CONV_2D", [stored(1, 7, 6, 4), FILTER, bias(FILTER)], "Conv2DOptions", DEEP,
         label="relu", FusedActivationFunction=1, **CONV),
    made("DEPTHWISE_CONV_2D", [stored(1, 7, 6, 4), DEPTHWISE, bias(DEPTHWISE)],
         "DepthwiseConv2DOptions", DEEP, DepthMultiplier=1, **CONV),
    made("FULLY_CONNECTED", [stored(3, 9), ROWS, Operand(
        RNG.integers(-90000, 90000, 6).astype(np.int64), True, Quantization(4e-6))],
        "FullyConnectedOptions", DEEP),
    made("ADD", [stored(3, 7), stored(3, 7, quantization=Y)], "AddOptions", Quantization(0.002)),
    made("ADD", [stored(3, 7), stored(7, quantization=Y)], "AddOptions", Quantization(0.002),
         label="broadcast", FusedActivationFunction=1),
    made("SUB", [stored(3, 7), stored(3, 7, quantization=Y)], "SubOptions", Quantization(0.002)),
    made("MUL", [stored(3, 7), stored(3, 7, quantization=Y)], "MulOptions", Quantization(0.03)),
    made("MAXIMUM", [stored(3, 7), stored(3, 7)], output=X),
    made("MINIMUM", [stored(3, 7), stored(3, 7)], output=X),
    made("LOGISTIC", [stored(5, 90)], output=UNIT),
    made("TANH", [stored(5, 90)], output=UNIT),
    made("SOFTMAX", [stored(5, 9, low=-5000, high=5000)], "SoftmaxOptions", UNIT, Beta=1.0),
    made("LEAKY_RELU", [stored(5, 9)], "LeakyReluOptions", Alpha=0.3),
    made("RELU", [stored(5, 9)]),
    made("RELU6", [stored(5, 9)]),
    made("AVERAGE_POOL_2D", [stored(1, 6, 6, 3)], "Pool2DOptions", X, FilterHeight=2,
         FilterWidth=2, StrideH=2, StrideW=2, Padding=1),
    made("MAX_POOL_2D", [stored(1, 6, 6, 3)], "Pool2DOptions", X, FilterHeight=2, FilterWidth=2,
         StrideH=2, StrideW=2, Padding=1),
    made("CONCATENATION", [stored(2, 3), stored(2, 4)], "ConcatenationOptions", X, Axis=1),
    made("RESHAPE", [stored(2, 6), Operand(np.array([3, 4], np.int32), True)], "ReshapeOptions", X),
    made("TRANSPOSE", [stored(2, 6), Operand(np.array([1, 0], np.int32), True)],
         "TransposeOptions", X),
    made("PAD", [stored(2, 6), Operand(np.array([[1, 0], [2, 1]], np.int32), True)], "PadOptions",
         X),
    made("MEAN", [stored(2, 6, 5), Operand(np.array([1], np.int32), True)], "ReducerOptions"),
    made("REDUCE_MAX", [stored(2, 6, 5), Operand(np.array([1], np.int32), True)],
         "ReducerOptions", X),
    made("BATCH_MATMUL", [stored(2, 3, 5), stored(2, 5, 4, quantization=Y)], "BatchMatMulOptions",
         Quantization(0.1)),
    made("ABS", [stored(3, 7)], output=X),
    made("RESIZE_BILINEAR", [stored(1, 3, 3, 2), Operand(np.array([5, 6], np.int32), True)],
         "ResizeBilinearOptions", X),
    made("QUANTIZE", [Operand(RNG.uniform(-9, 9, (3, 7)).astype(np.float32))]),
    Case("DEQUANTIZE", [stored(3, 7)]),
    Case("QUANTIZE", [stored(3, 7)], output=[("int8", Quantization(0.2, 3))], label="to-int8"),
    Case("QUANTIZE", [Operand(RNG.integers(-128, 128, (3, 7)).astype(np.int8), False,
                              Quantization(0.2, 3))], output=[("int16", X)], label="from-int8"),
    made("STRIDED_SLICE", [stored(4, 6), *(Operand(np.array(n, np.int32), True)
                           for n in ([0, 1], [3, 6], [1, 2]))], "StridedSliceOptions", X),
    made("TRANSPOSE_CONV", [Operand(np.array([1, 5, 5, 4], np.int32), True),
                            weights(4, 3, 3, 2, axis=0), stored(1, 3, 3, 2)],
         "TransposeConvOptions", DEEP, Padding=1, StrideH=1, StrideW=1),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_matches_litert(case):
    check(case)


def test_a_network_runs_on_kernels_alone_and_agrees_with_litert():
    content = network(40, BLOCKS[:3], 10)
    session = linnet.load(linnet.convert(content))
    x = RNG.integers(-32768, 32768, (1, 40, 40, 3)).astype(np.int16)
    (found,) = session.run({"x": x}).values()
    plan = session.plan({"x": x.shape})
    assert not [span.item.node.name for span in plan.spans if span.host]
    (wanted,) = litert(content, {"x": x}, reference=False)
    assert np.abs(found.astype(int) - wanted).max() <= 16
