"""Quantize and Dequantize against the formulas element by element."""

import numpy as np
import pytest

from linnet import ops
from linnet.errors import QuantizationError, ShapeError
from linnet.types import DType, NodeTypes, Quantization, TensorType

RNG = np.random.default_rng(29)
F = np.float32


def quantize(x, q, dtype=DType.INT8, given=None):
    types = (TensorType.of(x, given),)
    op = ops.Quantize(dtype=dtype)
    (inferred,) = op.infer(*types)
    (result,) = op.reference(NodeTypes(types, (inferred.with_(quantization=q),)), x)
    assert result.dtype == dtype.numpy
    return result


def dequantize(x, q):
    types = (TensorType.of(x, q),)
    (result,) = ops.Dequantize().reference(NodeTypes(types, ops.Dequantize().infer(*types)), x)
    assert result.dtype == np.float32
    return result


@pytest.mark.parametrize(
    ("dtype", "zero"),
    [(DType.INT8, -5), (DType.UINT8, 100), (DType.INT16, 0), (DType.INT8, 127), (DType.INT32, 3)],
)
def test_quantize_divides_and_rounds_half_to_even(dtype, zero):
    scale = F(0.3)
    ties = ((np.arange(-20, 20) + 0.5) * 0.3).astype(F)
    x = np.concatenate([ties, RNG.normal(size=200).astype(F) * 40])
    info = np.iinfo(dtype.numpy)
    wanted = [min(max(round(float(v / scale)) + zero, info.min), info.max) for v in x]
    np.testing.assert_array_equal(quantize(x, Quantization(scale, zero), dtype), wanted)


def test_what_is_not_a_number_becomes_the_zero_point():
    x = F([np.nan, np.inf, -np.inf, 3e38, -3e38])
    result = quantize(x, Quantization(0.1, 11))
    np.testing.assert_array_equal(result, [11, 127, -128, 127, -128])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_parameters_along_an_axis(axis):
    x = RNG.normal(size=(3, 4, 5)).astype(F) * 10
    count = x.shape[axis]
    q = Quantization(RNG.uniform(0.05, 0.2, count), RNG.integers(-9, 9, count), axis)
    stored = quantize(x, q)
    back = dequantize(stored, q)
    for i in range(count):
        one = Quantization(q.scale[i], q.zero_point[i])
        part = np.take(x, i, axis)
        np.testing.assert_array_equal(np.take(stored, i, axis), quantize(part, one))
        np.testing.assert_array_equal(
            np.take(back, i, axis), dequantize(np.take(stored, i, axis), one)
        )


def test_dequantize_is_one_rounded_product():
    stored = np.arange(-128, 128).astype(np.int8)
    wanted = [F(int(v) + 3) * F(0.1) for v in stored]
    np.testing.assert_array_equal(dequantize(stored, Quantization(0.1, -3)), wanted)


@pytest.mark.parametrize("scale", [1e-6, 0.1, 1 / 3, 7.3, 1e6])
def test_every_stored_value_survives_a_round_trip(scale):
    q = Quantization(scale, 17)
    stored = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_array_equal(quantize(dequantize(stored, q), q), stored)
    np.testing.assert_array_equal(quantize(stored, q, given=q), stored)


def test_a_storage_type_shifted_by_128_flips_the_top_bit():
    stored = np.arange(256).astype(np.uint8)
    result = quantize(stored, Quantization(0.03, 2), DType.INT8, Quantization(0.03, 130))
    np.testing.assert_array_equal(result.view(np.uint8), stored ^ 0x80)


def test_a_wider_scale_requantizes_reals():
    stored = np.int8([-128, -1, 0, 1, 126, 127])
    result = quantize(stored, Quantization(0.2, 5), given=Quantization(0.1, 0))
    np.testing.assert_array_equal(result, [-59, 5, 5, 5, 68, 69])


def test_refusals():
    plain = TensorType(DType.INT8, (2,))
    with pytest.raises(ShapeError, match="float or quantized"):
        ops.Quantize().infer(plain)
    with pytest.raises(ShapeError, match="expected an integer type"):
        ops.Quantize(dtype=DType.FLOAT32).infer(TensorType(DType.FLOAT32, (2,)))
    with pytest.raises(QuantizationError, match="without quantization"):
        ops.Dequantize().infer(plain)
    x = TensorType(DType.FLOAT32, (2,))
    with pytest.raises(QuantizationError, match="no quantization to quantize to"):
        ops.Quantize().reference(NodeTypes((x,), (plain,)), np.zeros(2, F))
