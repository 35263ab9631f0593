"""Depthwise convolution kernels against the reference, at every ISA, with one thread and two."""

from __future__ import annotations

import numpy as np
import pytest
from harness import NotBound, expected, levels, run_op

from linnet.ops import DepthwiseConv2D
from linnet.types import Quantization

# (batch, height, width, channels, multiplier), kernel, attributes
CASES = {
    "one pixel": ((1, 1, 1, 1, 1), (1, 1), {}),
    "tile edge 16": ((1, 5, 4, 16, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "tile edge 32": ((1, 4, 9, 32, 1), (3, 3), {"auto_pad": "same_upper", "strides": (2, 2)}),
    "tile edge 64": ((2, 6, 7, 64, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "tail 65": ((1, 4, 5, 65, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "tail 63": ((1, 4, 11, 63, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "overlap 96": ((1, 5, 14, 96, 1), (3, 3), {"pads": (1, 1, 1, 1), "strides": (2, 2)}),
    "flat 8": ((1, 9, 10, 8, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "flat 8 stride 2": ((1, 9, 11, 8, 1), (3, 3), {"pads": (0, 0, 1, 1), "strides": (2, 2)}),
    "flat 24": ((1, 6, 13, 24, 1), (3, 3), {"auto_pad": "same_lower", "strides": (2, 2)}),
    "flat 3 stride 3": ((1, 7, 17, 3, 1), (2, 4), {"strides": (3, 3), "pads": (0, 2, 1, 0)}),
    "5x5": ((1, 7, 8, 40, 1), (5, 5), {"pads": (2, 2, 2, 2)}),
    "5x5 stride 2": ((1, 9, 8, 72, 1), (5, 5), {"pads": (1, 2, 2, 1), "strides": (2, 2)}),
    "7x7 wide": ((1, 8, 30, 64, 1), (7, 7), {"pads": (3, 3, 3, 3)}),
    "dilated": ((1, 11, 12, 66, 1), (3, 3), {"pads": (2, 4, 3, 1), "dilations": (2, 3)}),
    "dilated stride": ((1, 9, 13, 20, 1), (3, 5), {"dilations": (1, 2), "strides": (1, 3)}),
    "dilation beyond": ((1, 5, 5, 8, 1), (3, 3), {"pads": (6, 6, 6, 6), "dilations": (6, 6)}),
    "1-d time": ((1, 40, 1, 64, 1), (13, 1), {}),
    "1-d streaming": ((1, 9, 1, 40, 1), (9, 1), {}),
    "1-d width": ((1, 1, 33, 16, 1), (1, 6), {"pads": (0, 5, 0, 0), "strides": (1, 2)}),
    "speech": ((1, 15, 12, 1, 8), (10, 8), {"auto_pad": "same_upper", "strides": (2, 2)}),
    "multiplier": ((1, 6, 7, 5, 3), (3, 3), {"pads": (1, 0, 1, 2)}),
    "multiplier wide": ((2, 5, 6, 48, 2), (3, 3), {"pads": (1, 1, 1, 1), "strides": (1, 2)}),
    "direct 80": ((1, 6, 9, 80, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "direct 64 odd rows": ((2, 7, 7, 64, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "direct 128 stride 2": ((1, 9, 8, 128, 1), (3, 3), {"pads": (0, 0, 1, 1), "strides": (2, 2)}),
    "direct 128 dilated": ((1, 9, 11, 128, 1), (3, 3), {"pads": (2, 3) * 2, "dilations": (2, 3)}),
    "direct 64 strides differ": ((1, 7, 9, 64, 1), (3, 3), {"pads": (1,) * 4, "strides": (1, 2)}),
    "direct 64 narrow": ((1, 5, 1, 64, 1), (3, 3), {"pads": (1, 1, 1, 1)}),
    "flat 72 stride 2": ((1, 8, 13, 72, 1), (3, 3), {"pads": (1, 1, 1, 1), "strides": (2, 2)}),
    "flat 48 stride 2": ((1, 8, 12, 48, 1), (3, 3), {"pads": (0, 0, 1, 1), "strides": (2, 2)}),
    "flat 16 stride 2": ((1, 8, 13, 16, 1), (3, 3), {"pads": (1, 1, 1, 1), "strides": (2, 2)}),
    "flat 5 dilated": ((1, 9, 13, 5, 1), (3, 3), {"pads": (2, 2, 2, 2), "dilations": (2, 2)}),
    "flat 4 rows": ((1, 9, 13, 12, 1), (4, 5), {"pads": (1, 2, 2, 2)}),
    "zero batch": ((0, 5, 6, 8, 1), (3, 3), {}),
}


def int8_case(name, zeros=(3, -5), weight_zero=0, extreme=False):
    """Return op, arrays and quantizations of a case; ``extreme`` puts -128 and 127 everywhere."""
    (batch, height, width, channels, multiplier), kernel, fields = CASES[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    outputs = channels * multiplier
    shape_w = (1, *kernel, outputs)
    if extreme:
        x = rng.choice(np.array([-128, 127], np.int8), (batch, height, width, channels))
        w = rng.choice(np.array([-128, 127], np.int8), shape_w)
        x[:, : height // 2] = -128
        w[..., ::2] = -128
    else:
        x = rng.integers(-128, 128, (batch, height, width, channels)).astype(np.int8)
        w = rng.integers(-128, 128, shape_w).astype(np.int8)
    bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
    if weight_zero:
        w_q = Quantization(0.021, weight_zero)
    else:
        w_q = Quantization(rng.uniform(0.01, 0.04, outputs), np.zeros(outputs), 3)
    quantizations = (Quantization(0.05, zeros[0]), w_q, None)
    y_q = Quantization(0.1 * np.sqrt(kernel[0] * kernel[1]), zeros[1])
    return DepthwiseConv2D(**fields), (x, w, bias), quantizations, y_q


def check_int8(op, arrays, quantizations, y_q):
    """Compare bit for bit at every level."""
    (want,) = expected(op, arrays, quantizations=quantizations, output_quantization=y_q)
    for isa, threads in levels():
        (got,) = run_op(
            op,
            arrays,
            quantizations=quantizations,
            output_quantization=y_q,
            constants=(1, 2),
            isa=isa,
            threads=threads,
        )
        np.testing.assert_array_equal(got, want, err_msg=f"{isa}, {threads} threads")
    return want


@pytest.mark.parametrize("name", CASES)
def test_int8_is_the_reference_bit_for_bit(name):
    want = check_int8(*int8_case(name))
    assert want.size == 0 or name == "one pixel" or np.unique(want).size > 3


@pytest.mark.parametrize("zeros", [(-128, 127), (127, -128)])
@pytest.mark.parametrize("name", ["tail 65", "flat 8", "5x5", "speech"])
def test_int8_extreme_values_and_zero_points(name, zeros):
    check_int8(*int8_case(name, zeros, extreme=True))


@pytest.mark.parametrize("weight_zero", [-128, 5, 127])
@pytest.mark.parametrize("name", ["tile edge 64", "flat 24", "1-d time"])
def test_int8_weights_with_a_zero_point(name, weight_zero):
    check_int8(*int8_case(name, (-128, 4), weight_zero, extreme=weight_zero == -128))


def test_int8_clamps_and_absent_bias():
    op, arrays, quantizations, y_q = int8_case("tail 65")
    op = DepthwiseConv2D(pads=op.pads, clamp=(0.0, 6.0))
    want = check_int8(op, arrays[:2], quantizations[:2], y_q)
    assert want.min() == -5
    assert want.max() == -5 + round(6.0 / float(y_q.scale[0]))


def test_int8_accumulators_beyond_int32_are_left_to_the_reference():
    op, arrays, quantizations, y_q = int8_case("flat 8")
    huge = np.full_like(arrays[2], 2**31 - 1)
    with pytest.raises(NotBound):
        run_op(
            op,
            (*arrays[:2], huge),
            quantizations=quantizations,
            output_quantization=y_q,
            constants=(1, 2),
        )


def float_case(name):
    """Return op and arrays of a case."""
    (batch, height, width, channels, multiplier), kernel, fields = CASES[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    x = rng.normal(size=(batch, height, width, channels)).astype(np.float32)
    w = rng.normal(size=(1, *kernel, channels * multiplier)).astype(np.float32)
    bias = rng.normal(size=channels * multiplier).astype(np.float32)
    return DepthwiseConv2D(**fields), (x, w, bias)


@pytest.mark.parametrize("name", CASES)
def test_float_stays_within_the_rounding_of_its_sums(name):
    op, arrays = float_case(name)
    (want,) = expected(op, arrays)
    (magnitude,) = expected(op, [np.abs(a) for a in arrays])
    bound = (arrays[1].shape[1] * arrays[1].shape[2] + 2) * 2.0**-24 * magnitude
    results = [
        run_op(op, arrays, constants=(1, 2), isa=isa, threads=threads)[0]
        for isa, threads in levels()
    ]
    for one, two in zip(results[::2], results[1::2], strict=True):
        assert (np.abs(one - want) <= bound).all()
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1), (1, 2)])
@pytest.mark.parametrize("width", [4, 5, 7, 8, 9, 14, 16, 21])
def test_float_square_kernels_of_any_width(width, strides):
    rng = np.random.default_rng(width)
    x = rng.normal(size=(2, 9, width, 24)).astype(np.float32)
    w = rng.normal(size=(1, 3, 3, 24)).astype(np.float32)
    for pads, rows in [((1, 1, 1, 1), 1), ((0, 1, 1, 0), 1), ((0, 0, 2, 1), 1), ((2, 1, 2, 1), 2)]:
        op = DepthwiseConv2D(pads=pads, strides=strides, dilations=(rows, 1), clamp=(-2.0, 3.0))
        (want,) = expected(op, (x, w))
        for isa, threads in levels():
            (got,) = run_op(op, (x, w), constants=(1,), isa=isa, threads=threads)
            np.testing.assert_allclose(got, want, atol=2e-5)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("name", ["tail 65", "flat 8 stride 2", "1-d time", "dilated"])
def test_float_weights_of_run_time_are_read_in_place(name, biased):
    op, arrays = float_case(name)
    given = arrays if biased else arrays[:2]
    for isa, threads in levels():
        (want,) = run_op(op, given, constants=(1, 2)[: len(given) - 1], isa=isa, threads=threads)
        (got,) = run_op(op, given, isa=isa, threads=threads)
        np.testing.assert_array_equal(got, want)


def test_float_clamps_absent_bias_and_keeps_nan():
    op, (x, w, _) = float_case("tail 65")
    op = DepthwiseConv2D(pads=op.pads, clamp=(-0.5, 0.75))
    x[0, 0, 0, 0] = np.nan
    (want,) = expected(op, (x, w))
    assert np.isnan(want).any()
    for isa, threads in levels():
        (got,) = run_op(op, (x, w), constants=(1,), isa=isa, threads=threads)
        np.testing.assert_allclose(got, want, atol=1e-5)
