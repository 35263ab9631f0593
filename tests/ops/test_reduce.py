"""Reductions: shapes and reference arithmetic against values worked out independently."""

from __future__ import annotations

import math

import numpy as np
import pytest

from linnet import ops
from linnet.errors import ShapeError
from linnet.types import DType, NodeTypes, Quantization, TensorType


def run(op, *arrays, quantization=(None, None)):
    """Run an op's reference on arrays; ``quantization`` is the first input's and the outputs'."""
    types = [TensorType.of(a) for a in arrays]
    types[0] = types[0].with_(quantization=quantization[0])
    outputs = tuple(
        t if t.quantization is not None else t.with_(quantization=quantization[1])
        for t in op.infer(*types)
    )
    results = op.reference(NodeTypes(tuple(types), outputs), *arrays)
    for result, type_ in zip(results, outputs, strict=True):
        assert result.dtype == type_.dtype.numpy
        assert result.shape == type_.shape
    return results


@pytest.mark.parametrize("axes", [(), (0,), (-1,), (1, 2), (-3, 2)])
@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize(
    ("op", "function"),
    [
        (ops.ReduceSum, np.sum),
        (ops.ReduceMean, np.mean),
        (ops.ReduceMax, np.max),
        (ops.ReduceMin, np.min),
        (ops.ReduceProd, np.prod),
    ],
)
def test_float_reductions_are_the_float64_result_rounded(op, function, axes, keepdims):
    x = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)
    (y,) = run(op(axes=axes, keepdims=keepdims), x)
    over = tuple(a % 3 for a in axes) or (0, 1, 2)
    expected = function(x.astype(np.float64), axis=over, keepdims=keepdims)
    np.testing.assert_array_equal(y, expected.astype(np.float32))


def test_reduced_shapes_keep_symbols():
    x = TensorType(DType.FLOAT32, ("n", 4, "w"))
    assert ops.ReduceSum(axes=(-1,), keepdims=False).infer(x)[0].shape == ("n", 4)
    assert ops.ReduceSum(axes=(1,)).infer(x)[0].shape == ("n", 1, "w")
    assert ops.ArgMax(axis=1).infer(x)[0].shape == ("n", "w")
    assert ops.TopK(k=2, axis=1).infer(x)[1].shape == ("n", 2, "w")
    counted = ops.TopK(axis=-1).infer(x, TensorType(DType.INT64, (1,)))
    assert counted[0].shape == ("n", 4, "?2")


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (ops.ReduceSum(axes=(3,)), r"axis 3 .* expected -3 to 2"),
        (ops.ReduceMax(axes=(1, -2)), "twice"),
        (ops.ArgMax(axis=-4), "axis -4"),
        (ops.CumSum(axis=3), "axis 3"),
        (ops.TopK(k=6), r"k = 6 along axis 2 .* expected 0 to 5"),
        (ops.TopK(), "gives k"),
    ],
)
def test_wrong_axes_and_counts_are_named(op, message):
    with pytest.raises(ShapeError, match=message):
        op.infer(TensorType(DType.FLOAT32, (3, 4, 5)))


def test_arg_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="no element"):
        ops.ArgMin(axis=0).infer(TensorType(DType.INT8, (0, 2)))


def test_reducing_nothing():
    x = np.zeros((2, 0), np.float32)
    assert run(ops.ReduceSum(axes=(1,)), x)[0].tolist() == [[0.0], [0.0]]
    assert run(ops.ReduceProd(axes=(1,)), x)[0].tolist() == [[1.0], [1.0]]
    assert run(ops.ReduceMax(axes=(1,)), x)[0].tolist() == [[-math.inf], [-math.inf]]
    assert np.isnan(run(ops.ReduceMean(axes=(1,)), x)[0]).all()
    assert run(ops.ReduceMin(), np.zeros((0,), np.int8))[0].tolist() == [127]


@pytest.mark.parametrize(("zero_in", "zero_out"), [(-128, 127), (127, -128), (-3, 5)])
def test_quantized_mean_is_one_rounding_of_an_exact_sum(zero_in, zero_out):
    x = np.random.default_rng(2).integers(-128, 128, (2, 5, 7, 3)).astype(np.int8)
    s_x, s_y = np.float32(0.037), np.float32(0.011)
    pair = (Quantization(s_x, zero_in), Quantization(s_y, zero_out))
    (y,) = run(ops.ReduceMean(axes=(1, 2)), x, quantization=pair)
    scale = np.float32(s_x / s_y) / np.float32(35)
    for n in range(2):
        for c in range(3):
            total = sum(int(v) - zero_in for v in x[n, :, :, c].ravel())
            real = np.float32(total) * scale
            expected = min(max(round(float(real)) + zero_out, -128), 127)
            assert y[n, 0, 0, c] == expected


def test_quantized_sum_and_product():
    x = np.array([[-128, 127, 3]], np.int8)
    pair = (Quantization(0.5, 1), Quantization(2.0, -7))
    assert run(ops.ReduceSum(axes=(1,)), x, quantization=pair)[0].item() == round(-1 * 0.25) - 7
    pair = (Quantization(0.5, 1), Quantization(100.0, 0))
    product = (-129 * 0.5) * (126 * 0.5) * (2 * 0.5) / 100
    assert run(ops.ReduceProd(axes=(1,)), x, quantization=pair)[0].item() == round(product)


def test_quantized_extremes_keep_the_quantization():
    q = Quantization(0.5, 4)
    x = TensorType(DType.INT8, (2, 3), q)
    assert ops.ReduceMax(axes=(0,)).infer(x)[0].quantization == q
    assert ops.ReduceSum(axes=(0,)).infer(x)[0].quantization is None


def test_integer_mean_truncates_and_bool_reduces():
    assert run(ops.ReduceMean(), np.array([-1, -1, -3], np.int32))[0].item() == -1
    assert run(ops.ReduceMax(), np.array([False, True]))[0].item() is True
    assert run(ops.ReduceMin(), np.array([False, True]))[0].item() is False
    big = np.full(3, 2**31 - 1, np.int32)
    assert run(ops.ReduceSum(), big)[0].item() == (3 * (2**31 - 1) + 2**31) % 2**32 - 2**31


def test_nan_wins():
    x = np.array([1.0, math.nan, 5.0], np.float32)
    assert np.isnan(run(ops.ReduceMax(), x)[0])
    assert np.isnan(run(ops.ReduceMin(), x)[0])
    assert run(ops.ArgMax(), x)[0] == 1


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_ties_go_to_the_first_index_or_the_last(dtype):
    x = np.array([[1, 7, 7, 0, 0]], dtype)
    assert run(ops.ArgMax(), x)[0].tolist() == [1]
    assert run(ops.ArgMin(), x)[0].tolist() == [3]
    assert run(ops.ArgMax(select_last=True), x)[0].tolist() == [2]
    assert run(ops.ArgMin(select_last=True, keepdims=True), x)[0].tolist() == [[4]]
    assert run(ops.ArgMax(axis=0, dtype=DType.INT32), x)[0].tolist() == [0] * 5


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [[1, 2, 3], [5, 7, 9]]),
        ({"axis": 1}, [[1, 3, 6], [4, 9, 15]]),
        ({"axis": -1, "exclusive": True}, [[0, 1, 3], [0, 4, 9]]),
        ({"axis": 1, "reverse": True}, [[6, 5, 3], [15, 11, 6]]),
        ({"axis": 1, "reverse": True, "exclusive": True}, [[5, 3, 0], [11, 6, 0]]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64])
def test_running_sums(fields, expected, dtype):
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    assert run(ops.CumSum(**fields), x)[0].tolist() == expected


def test_running_sum_of_quantized_and_of_nothing():
    x = np.array([3, 5, -128], np.int8)
    pair = (Quantization(0.5, 1), Quantization(0.25, 2))
    assert run(ops.CumSum(), x, quantization=pair)[0].tolist() == [6, 14, -128]
    assert run(ops.CumSum(exclusive=True), np.zeros((0, 2), np.float32))[0].shape == (0, 2)


def test_top_k_orders_and_breaks_ties_by_index():
    x = np.array([3, -128, 9, 9, 127, 3], np.int8)
    values, indices = run(ops.TopK(k=5), x)
    assert values.tolist() == [127, 9, 9, 3, 3]
    assert indices.tolist() == [4, 2, 3, 0, 5]
    values, indices = run(ops.TopK(k=3, largest=False, dtype=DType.INT32), x)
    assert values.tolist() == [-128, 3, 3]
    assert indices.tolist() == [1, 0, 5]
    assert run(ops.TopK(k=0), x)[0].shape == (0,)


def test_top_k_along_a_middle_axis_with_k_as_input():
    x = np.random.default_rng(3).normal(size=(2, 6, 3)).astype(np.float32)
    values, indices = run(ops.TopK(axis=1), x, np.array([4], np.int64))
    np.testing.assert_array_equal(values, -np.sort(-x, axis=1)[:, :4])
    np.testing.assert_array_equal(np.take_along_axis(x, indices, 1), values)
