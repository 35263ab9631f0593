"""Pooling: shapes and reference arithmetic against window-by-window loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from linnet import ops
from linnet.errors import ShapeError
from linnet.types import DType, NodeTypes, Quantization, TensorType

CASES = [
    {"kernel": (2, 2), "strides": (2, 2)},
    {"kernel": (3, 3), "strides": (2, 2), "pads": (0, 0, 1, 1)},
    {"kernel": (3, 2), "strides": (1, 3), "pads": (2, 1, 1, 0)},
    {"kernel": (3, 3), "strides": (2, 2), "auto_pad": "same_upper"},
    {"kernel": (2, 4), "strides": (2, 1), "auto_pad": "same_lower"},
    {"kernel": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1), "ceil_mode": True},
    {"kernel": (2, 3), "strides": (1, 1), "dilations": (2, 2), "pads": (1, 2, 1, 2)},
    {"kernel": (7, 6)},
]


def run(op, x, q_x=None, q_y=None):
    """Run an op's reference."""
    x_type = TensorType.of(x, q_x)
    (y_type,) = op.infer(x_type)
    if y_type.quantization is None:
        y_type = y_type.with_(quantization=q_y)
    (y,) = op.reference(NodeTypes((x_type,), (y_type,)), x)
    assert y.dtype == y_type.dtype.numpy
    assert y.shape == y_type.shape
    return y


def taps(op, x_type, y_type):
    """Yield every output place with the input taps inside the image and how many are padding."""
    _, height, width, _ = x_type.shape
    window = op.window(x_type)
    top, left, bottom, right = window.pads
    for oy in range(y_type.shape[1]):
        for ox in range(y_type.shape[2]):
            inside, padding = [], 0
            for ky in range(op.kernel[0]):
                for kx in range(op.kernel[1]):
                    y = oy * op.strides[0] - top + ky * op.dilations[0]
                    x = ox * op.strides[1] - left + kx * op.dilations[1]
                    if 0 <= y < height and 0 <= x < width:
                        inside.append((y, x))
                    elif y < height + bottom and x < width + right:
                        padding += 1
            yield (oy, ox), inside, padding


@pytest.mark.parametrize("fields", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_max_pool_takes_the_largest_tap_inside(fields, dtype):
    x = np.random.default_rng(1).integers(-128, 128, (2, 7, 6, 3)).astype(dtype)
    op = ops.MaxPool2D(**fields)
    y = run(op, x)
    for (oy, ox), inside, _ in taps(op, TensorType.of(x), TensorType.of(y)):
        expected = np.max([x[:, i, j] for i, j in inside], axis=0)
        np.testing.assert_array_equal(y[:, oy, ox], expected)


@pytest.mark.parametrize("fields", CASES)
@pytest.mark.parametrize("include", [False, True])
def test_float_average_counts_what_it_should(fields, include):
    x = np.random.default_rng(2).normal(size=(2, 7, 6, 3)).astype(np.float32)
    op = ops.AveragePool2D(**fields, count_include_pad=include)
    y = run(op, x)
    for (oy, ox), inside, padding in taps(op, TensorType.of(x), TensorType.of(y)):
        total = np.sum([x[:, i, j].astype(np.float64) for i, j in inside], axis=0)
        expected = total / (len(inside) + (padding if include else 0))
        np.testing.assert_allclose(y[:, oy, ox], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("fields", CASES[1:4])
@pytest.mark.parametrize(("zero_in", "zero_out"), [(-128, 127), (127, -128), (7, -9)])
def test_int8_average_is_one_rounding_of_an_exact_sum(fields, zero_in, zero_out):
    x = np.random.default_rng(3).integers(-128, 128, (1, 7, 6, 2)).astype(np.int8)
    s_x, s_y = np.float32(0.02), np.float32(0.013)
    op = ops.AveragePool2D(**fields, clamp=(0.0, 1.5))
    y = run(op, x, Quantization(s_x, zero_in), Quantization(s_y, zero_out))
    low = max(zero_out, -128)
    high = min(round(1.5 / float(s_y)) + zero_out, 127)
    for (oy, ox), inside, _ in taps(op, TensorType.of(x), TensorType.of(y)):
        scale = np.float32(s_x / s_y) / np.float32(len(inside))
        for c in range(2):
            total = sum(int(x[0, i, j, c]) - zero_in for i, j in inside)
            stored = round(float(np.float32(total) * scale)) + zero_out
            assert y[0, oy, ox, c] == min(max(stored, low), high)


def test_plain_integers_truncate():
    x = np.array([-1, -2, 3, 5], np.int32).reshape(1, 1, 4, 1)
    y = run(ops.AveragePool2D(kernel=(1, 2), strides=(1, 2)), x)
    assert y.ravel().tolist() == [-1, 4]


def test_max_pool_clamps_in_stored_values_and_keeps_quantization():
    q = Quantization(0.5, -10)
    x = np.array([-128, -20, 5, 127], np.int8).reshape(1, 1, 4, 1)
    op = ops.MaxPool2D(kernel=(1, 1), clamp=(0.0, 6.0))
    assert run(op, x, q).ravel().tolist() == [-10, -10, 2, 2]
    assert op.infer(TensorType.of(x, q))[0].quantization == q


def test_nan_wins_and_padding_never_does():
    x = np.array([math.nan, -math.inf], np.float32).reshape(1, 1, 2, 1)
    y = run(ops.MaxPool2D(kernel=(1, 2), pads=(0, 1, 0, 1)), x).ravel()
    assert np.isnan(y[:2]).all()
    assert y[2] == -math.inf


def test_shapes_keep_symbols_and_zero_batches():
    op = ops.MaxPool2D(kernel=(2, 2), strides=(2, 2), auto_pad="same_upper")
    assert op.infer(TensorType(DType.INT8, ("n", "h", 5, 8)))[0].shape == ("n", "(h+1)//2", 3, 8)
    assert run(op, np.zeros((0, 4, 4, 2), np.float32)).shape == (0, 2, 2, 2)


def test_wrong_inputs_are_named():
    with pytest.raises(ShapeError, match="expected rank 4"):
        ops.MaxPool2D(kernel=(2, 2)).infer(TensorType(DType.FLOAT32, (4, 4, 2)))
    with pytest.raises(ShapeError, match="at least as large as the kernel"):
        ops.AveragePool2D(kernel=(5, 2)).infer(TensorType(DType.FLOAT32, (1, 4, 4, 2)))
    with pytest.raises(ShapeError, match="strides"):
        ops.AveragePool2D(kernel=(2, 2), strides=(0, 1)).infer(
            TensorType(DType.FLOAT32, (1, 4, 4, 2))
        )


@pytest.mark.parametrize(
    ("rounding", "wanted"),
    [("half_even", [2, 4, -2, -4]), ("half_up", [3, 4, -2, -3]), ("half_away", [3, 4, -3, -4])],
)
def test_ties_of_means_round_as_asked(rounding, wanted):
    sums = np.array([5, 7, -5, -7])
    x = np.stack([sums // 2, sums - sums // 2], axis=-1).astype(np.int8).reshape(4, 1, 2, 1)
    q = Quantization(0.5, 0)
    op = ops.AveragePool2D(kernel=(1, 2), rounding=rounding)
    (inferred,) = op.infer(TensorType.of(x, q))
    types = NodeTypes((TensorType.of(x, q),), (inferred.with_(quantization=q),))
    assert op.reference(types, x)[0].reshape(-1).tolist() == wanted
