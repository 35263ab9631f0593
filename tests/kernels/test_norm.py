"""Softmax and normalization kernels against the references."""

import numpy as np
import pytest
from harness import NotBound, expected, levels, run_op

from linnet import ops
from linnet.types import Quantization

RNG = np.random.default_rng(17)
START = RNG.bit_generator.state
LEVELS = pytest.mark.parametrize(("isa", "threads"), list(levels()))
LENGTHS = (1, 2, 3, 7, 8, 15, 16, 17, 31, 63, 64, 65, 100, 255, 256, 257, 1000)


@pytest.fixture(autouse=True)
def numbers():
    """Draw the same whatever tests ran before."""
    RNG.bit_generator.state = START


def floats_of(shape, spread=3.0, middle=0.0):
    return (RNG.normal(size=shape) * spread + middle).astype(np.float32)


def bytes_of(shape):
    return RNG.integers(-128, 128, shape).astype(np.int8)


def check_bytes(op, x, given, wanted, isa, threads):
    call = {"quantizations": [given], "output_quantization": wanted}
    (result,) = run_op(op, [x], **call, isa=isa, threads=threads)
    np.testing.assert_array_equal(result, expected(op, [x], **call)[0])


def check_floats(op, arrays, isa, threads, rtol, atol, constants=()):
    (result,) = run_op(op, arrays, isa=isa, threads=threads, constants=constants)
    (wanted,) = expected(op, arrays)
    np.testing.assert_allclose(result, wanted, rtol=rtol, atol=atol)


@LEVELS
def test_int8_softmax_is_its_reference(isa, threads):
    shares = Quantization(1 / 256, -128)
    for length in LENGTHS:
        for scale, wanted in ((0.1, shares), (0.003, Quantization(0.5 / length, 127))):
            x = bytes_of((3, length))
            check_bytes(ops.Softmax(), x, Quantization(scale, 5), wanted, isa, threads)


@LEVELS
def test_int8_softmax_extremes(isa, threads):
    for length in (1, 5, 256, 300):
        for row in (np.full(length, -128), np.full(length, 127), np.resize([-128, 127], length)):
            for scale in (1e-6, 0.1, 30.0):
                x = row.astype(np.int8)[None]
                for wanted in (Quantization(1 / 256, -128), Quantization(1e-6, 0)):
                    check_bytes(ops.Softmax(), x, Quantization(scale, 0), wanted, isa, threads)


@LEVELS
@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_int8_softmax_along_any_axis(axis, isa, threads):
    given, wanted = Quantization(0.07, -9), Quantization(1 / 256, -128)
    for shape in ((4, 5, 6), (2, 21, 19), (1, 300, 3), (3, 0, 2)):
        check_bytes(ops.Softmax(axis=axis, beta=0.5), bytes_of(shape), given, wanted, isa, threads)


# A difference d rounded before exp adds up to |d| half-places; |d| stays below 25 here.
SOFTMAX_ERROR = {"rtol": 3e-6, "atol": 1e-12}


@LEVELS
def test_float_softmax_lengths(isa, threads):
    for length in LENGTHS:
        x = floats_of((3, length))
        check_floats(ops.Softmax(), [x], isa, threads, **SOFTMAX_ERROR)
        check_floats(ops.LogSoftmax(), [x], isa, threads, rtol=1e-6, atol=2e-6)


@LEVELS
@pytest.mark.parametrize("axis", [0, 1, -2, -1])
def test_float_softmax_along_any_axis(axis, isa, threads):
    for shape in ((4, 5, 6), (2, 21, 19), (1, 70, 33), (3, 0, 2)):
        x = floats_of(shape)
        check_floats(ops.Softmax(axis=axis, beta=0.5), [x], isa, threads, **SOFTMAX_ERROR)
        check_floats(ops.LogSoftmax(axis=axis), [x], isa, threads, rtol=1e-6, atol=2e-6)


@LEVELS
def test_float_softmax_of_infinities(isa, threads):
    infinity = np.float32(np.inf)
    x = floats_of((5, 37))
    x[0, 5:] = -infinity
    x[1] = -infinity
    x[2, 3] = np.nan
    x[3, 4] = infinity
    x[4] = 3e38
    for array, axis in ((x, -1), (x.T.copy(), 0)):
        (result,) = run_op(ops.Softmax(axis=axis), [array], isa=isa, threads=threads)
        rows = result if axis else result.T
        np.testing.assert_allclose(rows[0, :5].sum(), 1, rtol=1e-6)
        assert (rows[0, 5:] == 0).all()
        assert np.isnan(rows[1:4]).all()
        np.testing.assert_allclose(rows[4], 1 / 37, rtol=1e-6)


@LEVELS
def test_long_sums_keep_their_digits(isa, threads):
    x = np.random.default_rng(10).normal(5.0, 0.1, (1, 200_003)).astype(np.float32)
    check_floats(ops.Softmax(), [x], isa, threads, rtol=2e-6, atol=0)
    check_floats(ops.LayerNormalization(), [x], isa, threads, rtol=1e-5, atol=1e-5)
    check_floats(ops.RMSNormalization(), [x], isa, threads, rtol=2e-6, atol=0)


NORM_ERROR = {"rtol": 5e-6, "atol": 5e-6}


@LEVELS
def test_row_normalization_lengths(isa, threads):
    for length in LENGTHS:
        x, scale, bias = floats_of((5, length)), floats_of((length,)), floats_of((length,))
        for arrays in ([x], [x, scale], [x, scale, bias], [x, None, bias]):
            check_floats(ops.LayerNormalization(), arrays, isa, threads, **NORM_ERROR)
        for arrays in ([x], [x, scale]):
            check_floats(ops.RMSNormalization(epsilon=1e-6), arrays, isa, threads, **NORM_ERROR)


@LEVELS
def test_row_normalization_over_several_axes(isa, threads):
    x = floats_of((3, 4, 5, 7), middle=2.0)
    for axis, shape in ((1, (4, 5, 7)), (-2, (5, 7)), (0, (3, 4, 5, 7))):
        scale, bias = floats_of(shape), floats_of(shape)
        op = ops.LayerNormalization(axis=axis)
        check_floats(op, [x, scale, bias], isa, threads, **NORM_ERROR)
    spread = [x, floats_of((7,)), floats_of(())]
    op = ops.LayerNormalization(axis=-2)
    check_floats(op, spread, isa, threads, **NORM_ERROR, constants=(1, 2))


def test_a_computed_scale_that_repeats_is_not_bound():
    with pytest.raises(NotBound):
        run_op(ops.LayerNormalization(axis=-2), [floats_of((2, 3, 4)), floats_of((4,))])


@LEVELS
def test_constant_rows_normalize_to_the_bias(isa, threads):
    x = np.full((2, 40), 7.25, np.float32)
    bias = floats_of((40,))
    (result,) = run_op(
        ops.LayerNormalization(), [x, np.ones(40, np.float32), bias], isa=isa, threads=threads
    )
    np.testing.assert_array_equal(result, np.broadcast_to(bias, (2, 40)))


@LEVELS
def test_lp_normalization(isa, threads):
    for length in LENGTHS:
        x = floats_of((4, length))
        x[1] = 0
        for op in (ops.LpNormalization(), ops.LpNormalization(p=1, epsilon=1e-3)):
            check_floats(op, [x], isa, threads, rtol=2e-6, atol=0)


@LEVELS
def test_instance_normalization(isa, threads):
    for shape in ((2, 5, 6, 3), (1, 130, 17), (2, 3, 3, 40), (1, 1, 1, 16), (0, 3, 4, 8)):
        channels = shape[-1]
        arrays = [floats_of(shape, middle=1.0), floats_of((channels,)), floats_of((channels,))]
        check_floats(ops.InstanceNormalization(), arrays, isa, threads, rtol=2e-5, atol=1e-5)


@LEVELS
def test_group_normalization(isa, threads):
    cases = (
        ((2, 5, 6, 3), 3),
        ((1, 130, 20), 2),
        ((2, 3, 3, 40), 8),
        ((1, 1, 48), 1),
        ((3, 34), 17),
    )
    for shape, groups in cases:
        parameters = [floats_of(shape[-1:]), floats_of(shape[-1:])]
        arrays = [floats_of(shape, middle=1.0), *parameters]
        op = ops.GroupNormalization(groups=groups, epsilon=1e-2)
        check_floats(op, arrays, isa, threads, rtol=2e-5, atol=1e-5)


@LEVELS
def test_batch_normalization(isa, threads):
    for shape in ((2, 5, 6, 3), (7, 1), (3, 40), (2, 300), (0, 4)):
        channels = shape[-1]
        scale, bias, mean = (floats_of((channels,)) for _ in range(3))
        arrays = [floats_of(shape), scale, bias, mean, np.abs(floats_of((channels,))) + 0.1]
        # One rounding each of the product, the shift and their sum.
        (result,) = run_op(
            ops.BatchNormalization(), arrays, isa=isa, threads=threads, constants=(1, 2, 3, 4)
        )
        (wanted,) = expected(ops.BatchNormalization(), arrays)
        size = np.abs(scale / np.sqrt(arrays[4])) * (np.abs(arrays[0]) + np.abs(mean))
        assert (np.abs(result - wanted) <= 4e-7 * (size + np.abs(bias))).all()


def test_results_do_not_depend_on_threads():
    x = floats_of((7, 129))
    for isa in sorted({isa for isa, _ in levels()}):
        for op in (ops.Softmax(), ops.Softmax(axis=0), ops.LayerNormalization()):
            (one,) = run_op(op, [x], isa=isa)
            (two,) = run_op(op, [x], isa=isa, threads=2)
            np.testing.assert_array_equal(one, two)
