"""Softmax and normalization: references against loops written out."""

import math

import numpy as np
import pytest

from linnet import ops
from linnet.errors import ShapeError
from linnet.types import DType, NodeTypes, Quantization, TensorType

RNG = np.random.default_rng(31)


def run(op, *arrays, given=None, wanted=None):
    quantizations = [given] + [None] * (len(arrays) - 1)
    types = tuple(
        None if a is None else TensorType.of(a, q)
        for a, q in zip(arrays, quantizations, strict=True)
    )
    (inferred,) = op.infer(*types)
    (result,) = op.reference(NodeTypes(types, (inferred.with_(quantization=wanted),)), *arrays)
    assert result.dtype == inferred.dtype.numpy
    assert result.shape == inferred.shape
    return result


def floats_of(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def softmax_of(row, beta=1.0):
    powers = [math.exp(beta * float(v)) for v in row]
    return [p / sum(powers) for p in powers]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(axis):
    x = floats_of(3, 4, 5)
    shares = np.apply_along_axis(softmax_of, axis, x, 0.7)
    np.testing.assert_allclose(run(ops.Softmax(axis=axis, beta=0.7), x), shares, rtol=1e-6)
    logs = np.log(np.apply_along_axis(softmax_of, axis, x))
    np.testing.assert_allclose(run(ops.LogSoftmax(axis=axis), x), logs, rtol=1e-6, atol=1e-7)


def test_softmax_of_large_numbers_and_nothing():
    np.testing.assert_array_equal(run(ops.Softmax(), np.float32([[3e38, 3e38]])), [[0.5, 0.5]])
    assert np.isnan(run(ops.Softmax(), np.float32([[-np.inf, -np.inf]]))).all()
    assert run(ops.Softmax(), floats_of(2, 0)).shape == (2, 0)


@pytest.mark.parametrize("zero", [-128, 0, 127])
def test_int8_softmax_by_exact_fractions(zero):
    scale, share = np.float32(0.043), np.float32(1 / 256)
    x = RNG.integers(-128, 128, (6, 37)).astype(np.int8)
    x[0], x[1, 0] = -128, 127
    result = run(
        ops.Softmax(beta=1.5), x, given=Quantization(scale, 9), wanted=Quantization(share, zero)
    )
    for row, stored in zip(x, result, strict=True):
        best = max(int(v) for v in row)
        e = [round(2**23 * math.exp(-(best - int(v)) * float(scale) * 1.5)) for v in row]
        steps = [round(p / (sum(e) * float(share))) + zero for p in e]
        np.testing.assert_array_equal(stored, np.clip(steps, -128, 127))


def test_int8_softmax_is_within_a_step_of_the_real_one():
    given, wanted = Quantization(0.05, 3), Quantization(1 / 256, -128)
    x = RNG.integers(-128, 128, (20, 64)).astype(np.int8)
    result = run(ops.Softmax(), x, given=given, wanted=wanted)
    shares = np.array([softmax_of((row.astype(float) - 3) * 0.05) for row in x])
    assert (
        np.abs((result.astype(float) + 128) / 256 - np.minimum(shares, 255 / 256)).max()
        <= 0.5 / 256 + 1e-6
    )


def test_int16_softmax_uses_the_same_rule():
    given, wanted = Quantization(1e-3), Quantization(1 / 32768)
    x = RNG.integers(-32768, 32768, (2, 50)).astype(np.int16)
    result = run(ops.Softmax(), x, given=given, wanted=wanted)
    shares = np.array([softmax_of(row.astype(float) * 1e-3) for row in x])
    np.testing.assert_allclose(result / 32768, shares, atol=1 / 32768)


def normalized(values, epsilon):
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    return [(v - mean) / math.sqrt(variance + epsilon) for v in values]


@pytest.mark.parametrize(("axis", "shape"), [(-1, (5,)), (1, (4, 5)), (-2, (5,)), (0, (3, 1, 5))])
def test_layer_normalization(axis, shape):
    x, scale, bias = floats_of(3, 4, 5), floats_of(*shape), floats_of(*shape)
    rows = x.reshape(math.prod(x.shape[: axis % 3]), -1).astype(float)
    plain = np.array([normalized(row, 1e-3) for row in rows]).reshape(x.shape)
    op = ops.LayerNormalization(axis=axis, epsilon=1e-3)
    np.testing.assert_allclose(run(op, x), plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(op, x, scale), plain * scale, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(op, x, None, bias), plain + bias, rtol=1e-5, atol=1e-6)
    both = run(op, x, scale, bias)
    np.testing.assert_allclose(both, plain * scale + bias, rtol=1e-5, atol=1e-6)


def test_rms_normalization():
    x, scale = floats_of(3, 5), floats_of(5)
    roots = [math.sqrt(sum(float(v) ** 2 for v in row) / 5 + 1e-3) for row in x]
    wanted = x / np.array(roots)[:, None] * scale
    np.testing.assert_allclose(run(ops.RMSNormalization(epsilon=1e-3), x, scale), wanted, 1e-6)


def test_batch_normalization():
    x, scale, bias, mean = floats_of(2, 3, 4), floats_of(4), floats_of(4), floats_of(4)
    variance = np.abs(floats_of(4))
    wanted = (x - mean) / np.sqrt(variance + 1e-5) * scale + bias
    result = run(ops.BatchNormalization(), x, scale, bias, mean, variance)
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5)


def test_instance_normalization():
    x, scale, bias = floats_of(2, 3, 4, 5), floats_of(5), floats_of(5)
    result = run(ops.InstanceNormalization(epsilon=1e-4), x, scale, bias)
    for n in range(2):
        for c in range(5):
            plain = normalized([float(v) for v in x[n, :, :, c].ravel()], 1e-4)
            wanted = np.array(plain) * scale[c] + bias[c]
            np.testing.assert_allclose(result[n, :, :, c].ravel(), wanted, rtol=1e-5, atol=1e-6)


def test_lp_normalization():
    x = np.float32([[3, 4], [0, 0], [-1, 0]])
    np.testing.assert_allclose(run(ops.LpNormalization(), x), [[0.6, 0.8], [0, 0], [-1, 0]])
    ones = run(ops.LpNormalization(p=1, axis=0), x)
    np.testing.assert_allclose(ones, [[0.75, 1], [0, 0], [-0.25, 0]])
    floor = run(ops.LpNormalization(epsilon=10.0), x)
    np.testing.assert_allclose(floor, x / 10)


def test_quantized_normalization_rounds_the_real_result():
    given, wanted = Quantization(0.1, 5), Quantization(0.02, -3)
    x = RNG.integers(-128, 128, (4, 16)).astype(np.int8)
    result = run(ops.LayerNormalization(), x, given=given, wanted=wanted)
    reals = (x.astype(float) - 5) * 0.1
    steps = np.array([normalized(row, 1e-5) for row in reals]) / 0.02 - 3
    assert np.abs(result - np.clip(steps, -128, 127)).max() <= 0.5 + 1e-4


def test_symbolic_shapes_and_refusals():
    x = TensorType(DType.FLOAT32, ("n", 4))
    scale = TensorType(DType.FLOAT32, (4,))
    assert ops.Softmax().infer(x) == (x,)
    assert ops.LayerNormalization().infer(x, scale, scale) == (x,)
    long = TensorType(DType.FLOAT32, (5,))
    with pytest.raises(ShapeError, match="scale is float32"):
        ops.LayerNormalization().infer(x, long)
    with pytest.raises(ShapeError, match="scale is float32"):
        ops.RMSNormalization().infer(x, TensorType(DType.FLOAT32, (1, 4)))
    with pytest.raises(ShapeError, match="variance is"):
        ops.BatchNormalization().infer(x, scale, scale, scale, long)
    with pytest.raises(ShapeError, match="sample, space and channel"):
        ops.InstanceNormalization().infer(x, scale, scale)
    with pytest.raises(ShapeError, match="axis 2 is outside"):
        ops.Softmax(axis=2).infer(x)
    with pytest.raises(ShapeError, match="beta is"):
        ops.Softmax(beta=0.0).infer(x)
    with pytest.raises(ShapeError, match="expected 1 or 2"):
        ops.LpNormalization(p=3).infer(x)
    with pytest.raises(ShapeError, match="insert Cast"):
        ops.Softmax().infer(TensorType(DType.INT32, (4,)))
