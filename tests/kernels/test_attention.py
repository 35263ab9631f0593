"""The attention kernel against its reference: error bound, threads, masks, edges.

A score is off by at most (D + 6) * 2^-24 * scale * sum |q| |k|; twice that, the sums over keys and
the exponential (2e-7 each for weight and correction) bound the output relative to sum p |v|.
"""

from __future__ import annotations

import heads
import numpy as np
import pytest
from harness import expected, levels, run_op
from heads import hold, operands

from linnet.ops import Attention

UNIT = 2.0**-24


def bound(op, arrays):
    query, key, value, *mask = arrays
    group = query.shape[1] // max(key.shape[1], 1)
    wide = np.repeat(np.abs(key), group, axis=1).astype(np.float64)
    products = np.abs(query).astype(np.float64) @ wide.swapaxes(2, 3)
    largest = products.max(axis=3, keepdims=True, initial=0.0) * abs(op.factor(query.shape[3]))
    if mask and mask[0].dtype != np.bool_:
        finite = np.where(np.isfinite(mask[0]), np.abs(mask[0]), 0.0)
        largest = largest + finite.max(initial=0.0)
    score = (query.shape[3] + 6) * UNIT * largest
    (mixed,) = expected(op, [query, key, np.abs(value), *mask])
    return (2 * score + (2 * key.shape[2] + 16) * UNIT + 6e-7) * mixed


def check(op, arrays, constants=()):
    (want,) = expected(op, arrays)
    allowed = bound(op, arrays)

    def near(isa, got):
        worst = np.abs(got.astype(np.float64) - want)
        assert (worst <= allowed).all(), (isa, worst.max(initial=0.0))

    hold(op, arrays, near, constants)


SHAPES = [
    *heads.SHAPES,
    (1, 1, 1, 1, 1, 1, 1),
    (2, 2, 2, 17, 64, 4, 70),
    (1, 1, 1, 260, 30, 5, 3),
    (1, 4, 2, 30, 1100, 20, 36),
    (1, 1, 1, 1100, 40, 8, 12),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("causal", [False, True])
def test_shapes(shape, causal):
    check(Attention(causal=causal), operands(1, *shape))


def mask_of(kind, shape):
    rng = np.random.default_rng(2)
    if kind == "bool":
        return rng.random(shape) < 0.7
    values = rng.standard_normal(shape).astype(np.float32)
    return np.where(rng.random(shape) < 0.3, -np.inf, values).astype(np.float32)


@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize(
    "shape",
    [(2, 4, 19, 140), (2, 1, 1, 140), (1, 4, 19, 1), (19, 140), (140,), (1,), (4, 1, 140)],
)
@pytest.mark.parametrize("constants", [(), (3,)])
def test_masks(kind, shape, constants):
    arrays = operands(3, 2, 4, 2, 19, 140, 12, 10)
    check(Attention(scale=0.2), [*arrays, mask_of(kind, shape)], constants)


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_mask_and_causal(kind):
    arrays = operands(4, 1, 4, 2, 40, 140, 12, 10)
    check(Attention(causal=True), [*arrays, mask_of(kind, (40, 140))], (1, 2))


def test_keys_hidden_by_the_lowest_float_still_share_a_row():
    arrays = operands(5, 1, 1, 1, 3, 150, 4, 5)
    lowest = np.full((3, 150), np.finfo(np.float32).min, np.float32)
    lowest[1, 140:] = 0.0
    (want,) = expected(Attention(), [*arrays, lowest])
    for isa, threads in levels():
        (got,) = run_op(Attention(), [*arrays, lowest], isa=isa, threads=threads)
        np.testing.assert_allclose(got[:, :, 1], want[:, :, 1], rtol=1e-5, atol=1e-5)
        even = arrays[2].mean(axis=2)[0]
        np.testing.assert_allclose(got[0, 0, [0, 2]], np.repeat(even, 2, 0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_rows_without_keys_give_zeros(kind):
    arrays = operands(6, 1, 2, 2, 5, 200, 8, 7)
    seen = np.ones((5, 200), bool)
    seen[2] = False
    seen[3, :190] = False
    seen[4, 10:] = False
    mask = seen if kind == "bool" else np.where(seen, 0.0, -np.inf).astype(np.float32)
    check(Attention(), [*arrays, mask])
    for isa, threads in levels():
        (got,) = run_op(Attention(), [*arrays, mask], isa=isa, threads=threads)
        assert (got[0, :, 2] == 0.0).all()
        assert (got[0, :, [0, 1, 3, 4]] != 0.0).all()


@pytest.mark.parametrize(
    "shape",
    [
        (1, 2, 2, 3, 0, 4, 5),
        (0, 2, 2, 3, 4, 4, 5),
        (1, 2, 2, 0, 4, 4, 5),
        (1, 2, 2, 3, 4, 0, 5),
        (1, 2, 2, 3, 4, 4, 0),
        (1, 0, 0, 3, 4, 4, 5),
    ],
)
def test_nothing(shape):
    check(Attention(), operands(7, *shape))


def test_weights_are_accurate_down_to_the_smallest():
    query = np.linspace(-87.0, 0.0, 4001, dtype=np.float32).reshape(1, 1, -1, 1)
    line = np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1)
    exact = np.exp(query.astype(np.float64))
    for isa, threads in levels():
        (got,) = run_op(Attention(scale=1.0), [query, line, line], isa=isa, threads=threads)
        np.testing.assert_allclose(got, exact / (1.0 + exact), rtol=5e-7)


def test_large_scores_do_not_overflow():
    query, key, value = operands(8, 1, 2, 2, 9, 140, 16, 8)
    check(Attention(scale=30.0), [query, key, value])


@pytest.mark.parametrize("place", ["query", "key", "value"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_are_none_get_through(place, number):
    arrays = operands(9, 1, 1, 1, 5, 140, 6, 4)
    arrays[["query", "key", "value"].index(place)][0, 0, 3, 2] = number
    with np.errstate(invalid="ignore"):
        (want,) = expected(Attention(), arrays)
    assert not np.isfinite(want).all()
    for isa, threads in levels():
        (got,) = run_op(Attention(), arrays, isa=isa, threads=threads)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        rest = ~np.isnan(want)
        np.testing.assert_allclose(got[rest], want[rest], rtol=1e-5, atol=1e-5)


def test_nan_score_in_an_otherwise_masked_row():
    query, key, value = operands(10, 1, 1, 1, 2, 140, 6, 4)
    query[0, 0, 1] = np.nan
    mask = np.full((2, 140), -np.inf, np.float32)
    mask[:, 130] = 0.0
    with np.errstate(invalid="ignore"):
        (want,) = expected(Attention(), [query, key, value, mask])
    for isa, threads in levels():
        (got,) = run_op(Attention(), [query, key, value, mask], isa=isa, threads=threads)
        np.testing.assert_allclose(got, want, rtol=1e-5)
        assert np.isnan(got[0, 0, 1]).all()
