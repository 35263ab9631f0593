"""Ops of one operand: inferred types, refusals, references against formulas written out."""

import math

import numpy as np
import pytest

from linnet import ops
from linnet.errors import QuantizationError, ShapeError
from linnet.types import DType, NodeTypes, Quantization, TensorType

INFINITY = math.inf
GRID = np.array([-20, -6, -3, -1.5, -0.5, -1e-3, 0.0, 1e-3, 0.5, 1, 2.5, 3, 5.9, 30], np.float32)


def run(op, array, given=None, wanted=None):
    types = (TensorType.of(array, given),)
    (inferred,) = op.infer(*types)
    (result,) = op.reference(NodeTypes(types, (inferred.with_(quantization=wanted),)), array)
    assert result.dtype == inferred.dtype.numpy
    assert result.shape == inferred.shape
    return result


def gelu_tanh(v):
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


FORMULAS = [
    (ops.Clip(minimum=-1.0, maximum=4.0), lambda v: min(max(v, -1.0), 4.0)),
    (ops.LeakyRelu(alpha=0.25), lambda v: v if v >= 0 else 0.25 * v),
    (ops.Sigmoid(), lambda v: 1 / (1 + math.exp(-v))),
    (ops.Tanh(), math.tanh),
    (ops.Exp(), math.exp),
    (ops.Neg(), lambda v: -v),
    (ops.Abs(), abs),
    (ops.Square(), lambda v: v * v),
    (ops.Erf(), math.erf),
    (ops.Gelu(), lambda v: v * 0.5 * math.erfc(-v / math.sqrt(2))),
    (ops.Gelu(approximate=True), gelu_tanh),
    (ops.HardSwish(), lambda v: v * min(max(v / 6 + 0.5, 0), 1)),
    (ops.HardSigmoid(alpha=0.3, beta=0.6), lambda v: min(max(0.3 * v + 0.6, 0), 1)),
    (ops.Silu(), lambda v: v / (1 + math.exp(-v))),
    (ops.Swish(alpha=1.702), lambda v: v / (1 + math.exp(-1.702 * v))),
    (ops.Elu(alpha=0.5), lambda v: v if v > 0 else 0.5 * math.expm1(v)),
    (ops.Softplus(), lambda v: math.log1p(math.exp(v))),
    (ops.Sin(), math.sin),
    (ops.Cos(), math.cos),
    (ops.Floor(), math.floor),
    (ops.Ceil(), math.ceil),
    (ops.Round(), round),
    (ops.Sign(), lambda v: (v > 0) - (v < 0)),
]
POSITIVE_FORMULAS = [
    (ops.Log(), math.log),
    (ops.Sqrt(), math.sqrt),
    (ops.Rsqrt(), lambda v: 1 / math.sqrt(v)),
    (ops.Reciprocal(), lambda v: 1 / v),
]
CASES = [(op, f, GRID) for op, f in FORMULAS]
CASES += [(op, f, np.abs(GRID) + np.float32(0.01)) for op, f in POSITIVE_FORMULAS]


@pytest.mark.parametrize(("op", "formula", "x"), CASES, ids=lambda v: type(v).__name__)
def test_float_reference(op, formula, x):
    wanted = np.array([formula(float(v)) for v in x])
    np.testing.assert_allclose(run(op, x), wanted, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(("op", "formula", "x"), CASES, ids=lambda v: type(v).__name__)
def test_quantized_reference_is_the_rounded_real_function(op, formula, x):
    given, wanted = Quantization(0.05, 3), Quantization(0.08, -7)
    if x[0] > 0:
        given = Quantization(0.05, -129 + 1)
    stored = np.arange(-127, 128, 7).astype(np.int8)
    reals = (stored.astype(np.float32) - np.float32(given.zero_point[0])) * np.float32(0.05)
    steps = np.array([formula(float(v)) for v in reals]).astype(np.float32) / np.float32(0.08)
    expected = np.clip(np.rint(steps) - 7, -128, 127)
    np.testing.assert_array_equal(run(op, stored, given, wanted), expected)


def test_gelu_forms_differ_by_at_most_five_ten_thousandths():
    x = np.linspace(-6, 6, 4001).astype(np.float32)
    gap = np.abs(run(ops.Gelu(), x) - run(ops.Gelu(approximate=True), x)).max()
    assert 1e-4 < gap < 5e-4


def test_round_is_half_to_even():
    ties = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    np.testing.assert_array_equal(run(ops.Round(), ties), [-2, -2, 0, 0, 2, 2])


def test_outside_the_domain():
    bad = np.array([-1.0, 0.0], np.float32)
    assert np.isnan(run(ops.Log(), bad)[0]) and run(ops.Log(), bad)[1] == -np.inf
    assert np.isnan(run(ops.Sqrt(), bad)[0])
    assert run(ops.Reciprocal(), bad)[1] == np.inf
    low = np.array([-128, 0], np.int8)
    stored = run(ops.Log(), low, Quantization(1.0, 0), Quantization(0.1, 17))
    np.testing.assert_array_equal(stored, [17, -128])


def test_nan_passes_through_clip():
    x = np.array([np.nan, -5, 5], np.float32)
    np.testing.assert_array_equal(run(ops.Clip(minimum=0.0, maximum=1.0), x), [np.nan, 0, 1])


@pytest.mark.parametrize(
    ("dtype", "bounds", "wanted"),
    [
        (np.int8, (-INFINITY, INFINITY), [-128, -1, 0, 127]),
        (np.int8, (-1000.0, 3.7), [-128, -1, 0, 3]),
        (np.int8, (0.5, 1000.0), [1, 1, 1, 127]),
        (np.uint8, (-5.0, INFINITY), [128, 255, 0, 127]),
        (np.int8, (200.0, 300.0), [127] * 4),
        (np.int8, (-300.0, -200.0), [-128] * 4),
        (np.int64, (-(2.0**63), 2.0**63), [-128, -1, 0, 127]),
        (np.int8, (5.0, 2.0), [2] * 4),
    ],
)
def test_clip_bounds_of_integers(dtype, bounds, wanted):
    x = np.array([-128, -1, 0, 127], np.int8).astype(dtype)
    result = run(ops.Clip(minimum=bounds[0], maximum=bounds[1]), x)
    np.testing.assert_array_equal(result, wanted)


def test_integers_keep_their_type():
    x = np.array([-128, -3, 0, 5], np.int8)
    np.testing.assert_array_equal(run(ops.Neg(), x), [-128, 3, 0, -5])
    np.testing.assert_array_equal(run(ops.Abs(), x), [-128, 3, 0, 5])
    np.testing.assert_array_equal(run(ops.Square(), x), [0, 9, 0, 25])
    np.testing.assert_array_equal(run(ops.Sign(), x), [-1, -1, 0, 1])
    np.testing.assert_array_equal(run(ops.Round(), x), x)


def test_not():
    np.testing.assert_array_equal(run(ops.Not(), np.array([True, False])), [False, True])
    np.testing.assert_array_equal(run(ops.Not(), np.array([0, 5], np.int32)), [-1, -6])
    with pytest.raises(ShapeError, match="expected bool or plain integers"):
        ops.Not().infer(TensorType(DType.FLOAT32, (2,)))


@pytest.mark.parametrize(
    ("source", "to", "wanted"),
    [
        (np.float32([-1.9, 1.9, np.nan, np.inf, -np.inf]), "int8", [-1, 1, 0, 127, -128]),
        (np.float32([-1.9, 254.9, 255.5, 256, 1e30]), "uint8", [0, 254, 255, 255, 255]),
        (np.float32([2.0**31, -(2.0**31), 2147483520]), "int32", [2**31 - 1, -(2**31), 2147483520]),
        (np.float32([2.0**63, -(2.0**63), 1e10]), "int64", [2**63 - 1, -(2**63), 10**10]),
        (np.float64([2.0**53 + 2, -0.5]), "int64", [2**53 + 2, 0]),
        (np.int32([300, -1, 128]), "int8", [44, -1, -128]),
        (np.int64([2**40 + 7, -1]), "uint8", [7, 255]),
        (np.float32([np.nan, 0.0, -0.0, 0.3]), "bool", [True, False, False, True]),
        (np.array([True, False]), "float32", [1.0, 0.0]),
        (np.int64([2**24 + 1]), "float32", [2.0**24]),
        (np.float32([65520.0, 1.0]), "float16", [np.inf, 1.0]),
    ],
)
def test_cast(source, to, wanted):
    result = run(ops.Cast(to=DType(to)), source)
    np.testing.assert_array_equal(result, np.array(wanted, to))


def test_refusals():
    with pytest.raises(QuantizationError, match="use Dequantize"):
        ops.Cast(to=DType.FLOAT32).infer(TensorType(DType.INT8, (2,), Quantization(0.5)))
    with pytest.raises(ShapeError, match="insert Cast"):
        ops.Exp().infer(TensorType(DType.INT32, (2,)))
    with pytest.raises(ShapeError, match="insert Cast"):
        ops.Abs().infer(TensorType(DType.BOOL, (2,)))


def test_symbolic_shapes_pass_through():
    x = TensorType(DType.INT8, ("n", 4), Quantization(0.5, 1))
    assert ops.Tanh().infer(x) == (TensorType(DType.INT8, ("n", 4)),)
    plain = TensorType(DType.INT64, ("n",))
    assert ops.Cast(to=DType.BOOL).infer(plain) == (TensorType(DType.BOOL, ("n",)),)


def test_cost_counts_operations_and_bytes():
    x = TensorType(DType.FLOAT32, (3, 4))
    cost = ops.Exp().cost(NodeTypes((x,), (x,)))
    assert cost.macs == 12 * ops.Exp.operations
    assert cost.bytes == 96
