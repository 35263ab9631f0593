"""Linear layers with integer weights: exact sums at every ISA, activations, edges of quantization.

A float result differs from the reference by the rounding of one product, one sum and the
activation: 4e-6 of the largest result covers them.
"""

from __future__ import annotations

import numpy as np
import pytest
from harness import expected, levels, run_op

from linnet.ops import DynamicLinear, Embedding
from linnet.ops.linear import quantized_rows
from linnet.types import Quantization

NOISE = 4e-6


def operands(seed, rows, depth, outputs):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, depth)).astype(np.float32)
    w = rng.integers(-128, 128, (outputs, depth)).astype(np.int8)
    scale = rng.uniform(0.001, 0.02, outputs).astype(np.float32)
    return x, w, Quantization(scale, 0, 0), rng.standard_normal(outputs).astype(np.float32)


def check(op, arrays, weights, constants=(1, 2)):
    call = {"quantizations": (None, weights)}
    with np.errstate(invalid="ignore"):
        (want,) = expected(op, arrays, **call)
    for isa, threads in levels():
        (got,) = run_op(op, arrays, constants=constants, isa=isa, threads=threads, **call)
        largest = np.abs(want[np.isfinite(want)]).max(initial=0.0)
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        np.testing.assert_allclose(got, want, rtol=NOISE, atol=NOISE * largest)


@pytest.mark.parametrize("rows", [1, 2, 5, 13, 25, 100])
@pytest.mark.parametrize(("depth", "outputs"), [(1, 1), (3, 17), (64, 64), (65, 100), (130, 9)])
def test_sizes(rows, depth, outputs):
    x, w, q, bias = operands(rows, rows, depth, outputs)
    check(DynamicLinear(), [x, w, bias], q)


@pytest.mark.parametrize("activation", ["relu", "relu6", "gelu", "gelu_tanh", "silu", "quick_gelu"])
@pytest.mark.parametrize("per_tensor", [False, True])
def test_activations_and_residual(activation, per_tensor):
    x, w, q, bias = operands(7, 14, 40, 51)
    residual = np.random.default_rng(8).standard_normal((14, 51)).astype(np.float32)
    op = DynamicLinear(activation=activation, per_tensor=per_tensor)
    check(op, [x, w, bias, residual], q)
    check(op, [x, w, bias], q)


def test_weights_with_zero_points():
    x, w, q, bias = operands(9, 30, 77, 35)
    zero = np.random.default_rng(1).integers(-128, 128, 35)
    check(DynamicLinear(), [x, w, bias], Quantization(q.scale, zero, 0))
    check(DynamicLinear(), [x, w, bias], Quantization(0.01, -7))


def test_rows_are_equal_whatever_lies_beside_them():
    x, w, q, bias = operands(10, 40, 96, 80)
    call = {"quantizations": (None, q), "constants": (1, 2)}
    for isa, threads in levels():
        (many,) = run_op(DynamicLinear(), [x, w, bias], isa=isa, threads=threads, **call)
        for row in (0, 17, 39):
            (one,) = run_op(DynamicLinear(), [x[row : row + 1], w, bias], isa=isa, **call)
            np.testing.assert_array_equal(one[0], many[row])


def test_bytes_are_equal_on_every_isa():
    """Unit weights bring the quantized rows out; they are those of the reference."""
    rng = np.random.default_rng(11)
    x = np.concatenate([rng.standard_normal((20, 64)) * 10.0**e for e in range(-6, 7)])
    x = x.astype(np.float32)
    q, step, zero = quantized_rows(x, per_tensor=False)
    call = {"quantizations": (None, Quantization(1.0)), "constants": (1,)}
    for isa, threads in levels():
        (got,) = run_op(DynamicLinear(), [x, np.eye(64, dtype=np.int8)], isa=isa, threads=threads,
                        **call)  # fmt: skip
        np.testing.assert_array_equal(got, (q - zero[:, None]).astype(np.float32) * step[:, None])
    assert np.abs((q - zero[:, None]) * step[:, None].astype(np.float64) - x).max(axis=1).max() > 0
    assert (np.abs((q - zero[:, None]) * step[:, None] - x) <= 0.51 * step[:, None]).all()


@pytest.mark.parametrize("low, high", [(0.0, 0.0), (1.0, 3.0), (-3.0, -1.0), (0.0, 1e-38)])
def test_one_sided_and_vanishing_ranges(low, high):
    rng = np.random.default_rng(12)
    x = rng.uniform(low, high, (3, 37)).astype(np.float32) if high > low else np.zeros((3, 37))
    _, w, q, bias = operands(13, 3, 37, 20)
    check(DynamicLinear(), [x.astype(np.float32), w, bias], q)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_rows_that_hold_no_numbers_give_nan(number):
    x, w, q, bias = operands(14, 4, 50, 20)
    x[2, 49] = number
    call = {"quantizations": (None, q), "constants": (1, 2)}
    for isa, threads in levels():
        (got,) = run_op(DynamicLinear(), [x, w, bias], isa=isa, threads=threads, **call)
        assert np.isnan(got[2]).all()
        assert np.isfinite(got[[0, 1, 3]]).all()


@pytest.mark.parametrize("indices", [[0, -1, 3], [[2], [-4]]])
def test_embedding(indices):
    table = np.arange(-10, 10, dtype=np.int8).reshape(4, 5)
    for q in (Quantization(0.5, 1), Quantization([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], 0)):
        arrays, call = [table, np.array(indices)], {"quantizations": (q,)}
        (want,) = expected(Embedding(), arrays, **call)
        for isa, threads in levels():
            (got,) = run_op(Embedding(), arrays, constants=(0,), isa=isa, threads=threads, **call)
            np.testing.assert_array_equal(got, want)


def test_embedding_refuses_indices_outside_the_table():
    table = np.zeros((4, 5), np.int8)
    with pytest.raises(AssertionError, match="bad data"):
        run_op(Embedding(), [table, np.array([4])], constants=(0,),
               quantizations=(Quantization(0.5),))  # fmt: skip
