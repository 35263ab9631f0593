"""Products of int16 activations: the op's reference, bit for bit, at every ISA and thread count."""

import numpy as np
import pytest
from harness import NotBound, equals_reference, run_op

from linnet.ops import Conv2D, DepthwiseConv2D, FullyConnected, IntegerSoftmax, Mul
from linnet.ops.pack_int16 import pack_sixteen
from linnet.types import Quantization

RNG = np.random.default_rng(16)


def words(*shape):
    values = RNG.integers(-32768, 32768, shape)
    extreme = RNG.random(shape) < 0.1
    return np.where(extreme, RNG.choice([-32768, 32767], shape), values).astype(np.int16)


def dense(rows, channels, depth, bias=300_000, zero=0):
    scales = RNG.uniform(0.002, 0.02, channels)
    weights = RNG.integers(-128, 128, (channels, depth)).astype(np.int8)
    start = RNG.integers(-bias, bias, channels)
    output = 0.001 * 0.01 * 74 * 19000 * max(depth, 1) ** 0.5 / 16000
    quantizations = [Quantization(0.001, zero), Quantization(scales, 0, 0), None]
    return equals_reference(
        FullyConnected(), [words(rows, depth), weights, start], quantizations, Quantization(output)
    )


@pytest.mark.parametrize("rows", range(1, 14))
def test_every_number_of_rows(rows):
    for channels in (16, 40, 70):
        dense(rows, channels, 21)


@pytest.mark.parametrize("channels", range(1, 71, 3))
def test_every_number_of_channels(channels):
    dense(5, channels, 18)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 33, 509, 510, 511, 1021, 3000])
def test_every_depth(depth):
    dense(7, 19, depth)
    dense(2, 35, depth, zero=-3)


def test_biases_beyond_int32():
    dense(3, 20, 40, bias=2**40)


@pytest.mark.parametrize("x_value", [-32768, 32767])
@pytest.mark.parametrize("w_value", [-128, 127])
def test_extremes_do_not_saturate(x_value, w_value):
    x, w = np.full((13, 3001), x_value, np.int16), np.full((66, 3001), w_value, np.int8)
    q = [Quantization(1.0), Quantization(1.0)]
    want = equals_reference(FullyConnected(), [x, w], q, Quantization(1e6), (1,))
    assert abs(want[0, 0] - 3001 * x_value * w_value / 1e6) <= 1


def test_runs_are_as_long_as_int32_holds():
    weights = np.full((4, 1, 2000), 127, np.int8)
    zero, scale = np.zeros(1, np.int32), np.ones(1, np.float32)
    more = (1, 2000), zero, scale, None, 0, 1
    assert pack_sixteen(weights, *more).run == (2**31 - 1) // (254 * 32768)
    assert pack_sixteen(weights // 100, *more).wide_bias is None


@pytest.mark.parametrize("weight_zero", [0, 9])
@pytest.mark.parametrize("size", [3, 6, 14])
def test_convolutions(size, weight_zero):
    for channels, pads, strides in ((3, (1, 1, 1, 1), (1, 1)), (20, (0, 1, 2, 0), (2, 1))):
        arrays = [
            words(2, size, size, channels),
            RNG.integers(-128, 128, (17, 3, 3, channels)).astype(np.int8),
        ]
        q = [Quantization(0.001, 70), Quantization(0.01, weight_zero)]
        equals_reference(
            Conv2D(pads=pads, strides=strides), arrays, q, Quantization(0.02, -5), (1,)
        )


@pytest.mark.parametrize("size", [2, 3, 5, 9])
@pytest.mark.parametrize("zero", [0, -500])
def test_depthwise(size, zero):
    for channels, strides in ((5, (1, 1)), (33, (2, 1)), (64, (2, 2))):
        arrays = [
            words(2, size, size, channels),
            RNG.integers(-128, 128, (1, 3, 3, channels)).astype(np.int8),
        ]
        q = [Quantization(0.001, zero), Quantization(RNG.uniform(0.002, 0.01, channels), 0, 3)]
        op = DepthwiseConv2D(pads=(1, 1, 1, 1), strides=strides, clamp=(0.0, 30.0))
        equals_reference(op, arrays, q, Quantization(0.004, zero), (1,))


@pytest.mark.parametrize("length", [1, 2, 17, 1000])
@pytest.mark.parametrize("scale", [1e-6, 1e-4, 3e-2])
def test_softmax(length, scale):
    unit = Quantization(1 / 32768)
    equals_reference(IntegerSoftmax(), [words(3, length)], [Quantization(scale)], unit, ())


def test_products_beyond_int32_are_left_to_the_reference():
    q = [Quantization(0.001, -32768), Quantization(0.001, -32768)]
    with pytest.raises(NotBound):
        run_op(Mul(), [words(9), words(9)], quantizations=q, output_quantization=Quantization(0.01))
