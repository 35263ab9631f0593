"""Ops of two operands: broadcasting, integer rules, references against loops written out."""

import math
from itertools import product

import numpy as np
import pytest

from linnet import ops
from linnet.errors import ShapeError
from linnet.types import DType, NodeTypes, Quantization, TensorType

RNG = np.random.default_rng(23)


def run(op, *arrays, given=(None, None, None), wanted=None):
    types = tuple(TensorType.of(a, q) for a, q in zip(arrays, given, strict=False))
    (inferred,) = op.infer(*types)
    (result,) = op.reference(NodeTypes(types, (inferred.with_(quantization=wanted),)), *arrays)
    assert result.dtype == inferred.dtype.numpy
    assert result.shape == inferred.shape
    return result


def floats_of(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        ((2, 3), (2, 3), (2, 3)),
        ((2, 3), (), (2, 3)),
        (("n", 1, 4), (5, 1), ("n", 5, 4)),
        (("n", 4), ("n", 4), ("n", 4)),
        (("n", 4), (1, 4), ("n", 4)),
        (("n", 4), (7, 4), (7, 4)),
        ((0, 4), (1, 1), (0, 4)),
    ],
)
def test_shapes_broadcast(left, right, wanted):
    x, y = TensorType(DType.FLOAT32, left), TensorType(DType.FLOAT32, right)
    assert ops.Add().infer(x, y)[0].shape == wanted
    assert ops.Mul().infer(y, x)[0].shape == wanted
    assert ops.Less().infer(x, y) == (TensorType(DType.BOOL, wanted),)


def test_refusals():
    x = TensorType(DType.FLOAT32, (2, 3))
    with pytest.raises(ShapeError, match="do not broadcast: 3 against 4"):
        ops.Add().infer(x, TensorType(DType.FLOAT32, (4,)))
    with pytest.raises(ShapeError, match="expected one element type"):
        ops.Add().infer(x, TensorType(DType.INT32, (3,)))
    stored = TensorType(DType.INT8, (3,), Quantization(0.5))
    with pytest.raises(ShapeError, match="all quantized or none"):
        ops.Mul().infer(stored, TensorType(DType.INT8, (3,)))
    flags = TensorType(DType.BOOL, (3,))
    with pytest.raises(ShapeError, match="expected numbers"):
        ops.Add().infer(flags, flags)
    with pytest.raises(ShapeError, match="expected bool or plain integers"):
        ops.And().infer(stored, stored)
    with pytest.raises(ShapeError, match="condition is"):
        ops.Where().infer(x, x, x)


FLOAT_FORMULAS = [
    (ops.Add(clamp=(-0.5, 1.0)), lambda a, b: min(max(a + b, -0.5), 1.0)),
    (ops.Sub(), lambda a, b: a - b),
    (ops.Mul(clamp=(0.0, math.inf)), lambda a, b: max(a * b, 0.0)),
    (ops.Div(), lambda a, b: a / b),
    (ops.Minimum(), min),
    (ops.Maximum(), max),
    (ops.SquaredDifference(), lambda a, b: (a - b) ** 2),
    (ops.PRelu(), lambda a, b: a if a >= 0 else a * b),
    (ops.FloorDiv(), lambda a, b: math.floor(a / b)),
    (ops.Mod(), lambda a, b: a - b * math.floor(a / b)),
    (ops.Mod(fmod=True), math.fmod),
    (ops.Equal(), lambda a, b: a == b),
    (ops.Less(), lambda a, b: a < b),
    (ops.LessOrEqual(), lambda a, b: a <= b),
    (ops.Greater(), lambda a, b: a > b),
    (ops.GreaterOrEqual(), lambda a, b: a >= b),
]


@pytest.mark.parametrize(("op", "formula"), FLOAT_FORMULAS, ids=lambda v: type(v).__name__)
def test_float_reference(op, formula):
    x, y = floats_of(3, 1, 4), floats_of(5, 1)
    y[0] = x[0, 0, 0]
    result = run(op, x, y)
    for n, m, k in product(range(3), range(5), range(4)):
        wanted = formula(float(x[n, 0, k]), float(y[m, 0]))
        np.testing.assert_allclose(result[n, m, k], wanted, rtol=2e-6, atol=1e-7)


def test_float_power():
    x = np.float32([0.5, 2, 3, 0])
    np.testing.assert_allclose(run(ops.Pow(), x, np.float32([2.5])), x.astype(float) ** 2.5, 1e-7)
    np.testing.assert_array_equal(run(ops.Pow(), -x, np.float32([3])), -(x**3))


@pytest.mark.parametrize("count", [1, 6])
def test_a_root_is_the_power_of_every_layout(count):
    x = np.float32([-np.inf, 4, np.inf, -1, np.nan, 0])
    for half in (np.full(6, 0.5, np.float32), np.full(1, 0.5, np.float32)):
        wanted = np.float32([np.inf, 2, np.inf, np.nan, np.nan, 0])
        np.testing.assert_array_equal(
            run(ops.Pow(), x[:count], half[:count] if half.size > 1 else half), wanted[:count]
        )


def test_integers_follow_c_and_numpy():
    x, y = np.int32([7, -7, 7, -7, 5, 6]), np.int32([2, 2, -2, -2, 0, 3])
    np.testing.assert_array_equal(run(ops.Div(), x, y), [3, -3, -3, 3, 0, 2])
    np.testing.assert_array_equal(run(ops.FloorDiv(), x, y), [3, -4, -4, 3, 0, 2])
    np.testing.assert_array_equal(run(ops.Mod(), x, y), [1, 1, -1, -1, 0, 0])
    np.testing.assert_array_equal(run(ops.Mod(fmod=True), x, y), [1, -1, 1, -1, 0, 0])
    small = np.int8([100, -100])
    np.testing.assert_array_equal(run(ops.Add(), small, small), [-56, 56])
    np.testing.assert_array_equal(run(ops.Add(clamp=(0.0, 6.5)), small, -small), [0, 0])
    np.testing.assert_array_equal(run(ops.Mul(clamp=(0.5, 6.5)), x, y), [6, 1, 1, 6, 1, 6])


def test_integer_power():
    x, y = np.int64([2, 3, -1, -1, 1, 5, 0]), np.int64([10, 0, -3, -2, -9, -1, 2])
    np.testing.assert_array_equal(run(ops.Pow(), x, y), [1024, 1, -1, 1, 1, 0, 0])
    unsigned = np.uint8([3, 2])
    np.testing.assert_array_equal(run(ops.Pow(), unsigned, unsigned), [27, 4])


def test_logic():
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    np.testing.assert_array_equal(run(ops.And(), a, b), [True, False, False, False])
    np.testing.assert_array_equal(run(ops.Or(), a, b), [True, True, True, False])
    np.testing.assert_array_equal(run(ops.Xor(), a, b), [False, True, True, False])
    np.testing.assert_array_equal(run(ops.And(), np.int32([12]), np.int32([10])), [8])


def test_where_broadcasts_all_three():
    condition = np.array([[True], [False]])
    result = run(ops.Where(), condition, np.int64([1, 2, 3]), np.int64(9))
    np.testing.assert_array_equal(result, [[1, 2, 3], [9, 9, 9]])


def test_nan_wins_minimum_and_maximum():
    x, y = np.float32([np.nan, 1, np.nan]), np.float32([1, np.nan, np.nan])
    for op in (ops.Minimum(), ops.Maximum()):
        assert np.isnan(run(op, x, y)).all()


F = np.float32


def stored(steps, zero, low=-128, high=127):
    return int(min(max(round(float(steps)), low - zero), high - zero)) + zero


def quantized_pairs(a, b, s, zero_out, op):
    """Written out per element in scalar float32."""
    left, right, both = s[0] / s[2], s[1] / s[2], (s[0] * s[1]) / s[2]
    if op == "Add":
        steps = F(a) * left + F(b) * right
    elif op == "Sub":
        steps = F(a) * left - F(b) * right
    elif op == "Mul":
        steps = F(a * b) * both
    else:
        steps = F(a) * left if a >= 0 else F(a * b) * both
    return stored(steps, zero_out)


@pytest.mark.parametrize("op", [ops.Add(), ops.Sub(), ops.Mul(), ops.PRelu()])
@pytest.mark.parametrize("zeros", [(0, 0, 0), (-128, 127, 5), (3, -9, -128)])
def test_quantized_rules(op, zeros):
    s = F(0.037), F(0.11), F(0.051)
    x, y = (RNG.integers(-128, 128, 64).astype(np.int8) for _ in range(2))
    x[:2], y[:2] = (-128, 127), (-128, -128)
    given = [Quantization(v, z) for v, z in zip(s[:2], zeros[:2], strict=True)]
    result = run(op, x, y, given=given, wanted=Quantization(s[2], zeros[2]))
    name = type(op).__name__
    wanted = [
        quantized_pairs(int(a) - zeros[0], int(b) - zeros[1], s, zeros[2], name)
        for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_array_equal(result, wanted)


def test_quantized_rules_hold_for_int16():
    given = [Quantization(1e-4), Quantization(2e-4)]
    x, y = np.int16([32767, -32768, 1000]), np.int16([32767, -32768, -3])
    result = run(ops.Mul(), x, y, given=given, wanted=Quantization(1e-3))
    np.testing.assert_array_equal(result, [21474, 21475, 0])


def test_clamp_becomes_stored_bounds():
    given, wanted = [Quantization(0.1, 3), Quantization(0.1, 3)], Quantization(0.05, -20)
    x = np.arange(-128, 128).astype(np.int8)
    result = run(ops.Add(clamp=(0.0, 6.0)), x, x, given=given, wanted=wanted)
    assert result.min() == -20
    assert result.max() == 100


def test_quantized_extremes_pick_the_real_extreme():
    given, wanted = [Quantization(0.1, 5), Quantization(0.07, -3)], Quantization(0.09, 1)
    x, y = (RNG.integers(-128, 128, 200).astype(np.int8) for _ in range(2))
    a = (x.astype(np.int32) - 5).astype(F) * F(0.1)
    b = (y.astype(np.int32) + 3).astype(F) * F(0.07)
    for op, extreme in ((ops.Minimum(), np.minimum), (ops.Maximum(), np.maximum)):
        steps = np.rint(extreme(a, b) / F(0.09)).astype(int) + 1
        result = run(op, x, y, given=given, wanted=wanted)
        np.testing.assert_array_equal(result, np.clip(steps, -128, 127))


def test_quantized_relations_compare_reals():
    given = [Quantization(0.5, 1), Quantization(0.25, -2)]
    x, y = np.int8([3, 3, 3]), np.int8([2, 1, 3])
    np.testing.assert_array_equal(run(ops.Equal(), x, y, given=given), [True, False, False])
    np.testing.assert_array_equal(run(ops.Greater(), x, y, given=given), [False, True, False])


def test_quantized_where_requantizes():
    given = [None, Quantization(0.5, 1), Quantization(0.25, 0)]
    condition = np.array([True, False])
    result = run(
        ops.Where(),
        condition,
        np.int8([5, 5]),
        np.int8([8, 8]),
        given=given,
        wanted=Quantization(0.5, -10),
    )
    np.testing.assert_array_equal(result, [-6, -6])
