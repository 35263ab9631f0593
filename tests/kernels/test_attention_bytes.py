"""Attention on bytes against its float64 reference, and window, cap, lengths of both kernels.

Cosine 0.9995 on standard-normal operands is what three roundings to 8 bits leave: 0.9 % of a row's
length each (measured 0.99987 and more).
"""

from __future__ import annotations

import heads
import numpy as np
import pytest
from harness import expected, levels, run_op
from heads import hold, operands

from linnet.ops import Attention

LEAST = 0.9995


def cosine(left, right):
    a, b = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / norms if norms else float((a == b).all())


def check(op, arrays):
    """Near the reference, and the same whatever the threads."""
    (want,) = expected(op, arrays)
    hidden = (want == 0).all(axis=-1)

    def near(isa, got):
        assert cosine(got, want) >= LEAST, (isa, cosine(got, want))
        assert (got[hidden] == 0).all()

    hold(op, arrays, near)


SHAPES = [
    *heads.SHAPES,
    (1, 2, 2, 1, 1, 16, 16),
    (1, 2, 2, 30, 512, 128, 128),
    (1, 1, 1, 17, 90, 256, 256),
    (1, 2, 1, 4, 2048, 64, 64),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("causal", [False, True])
def test_shapes(shape, causal):
    check(Attention(bytes=True, causal=causal), operands(1, *shape))


@pytest.mark.parametrize("shape", [(2, 4, 19, 140), (2, 1, 1, 140), (19, 140), (1,)])
def test_masks(shape):
    arrays = operands(3, 2, 4, 2, 19, 140, 12, 10)
    rng = np.random.default_rng(2)
    check(Attention(bytes=True), [*arrays, rng.random(shape) < 0.7])
    values = np.where(rng.random(shape) < 0.3, -np.inf, rng.standard_normal(shape))
    check(Attention(bytes=True), [*arrays, values.astype(np.float32)])


@pytest.mark.parametrize("bytes_", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("from_end", [False, True])
@pytest.mark.parametrize("window", [0, 1, 7, 200])
def test_windows_and_lengths(bytes_, causal, from_end, window):
    op = Attention(bytes=bytes_, causal=causal, from_end=from_end, window=window)
    arrays = operands(5, 3, 4, 2, 30, 150, 16, 16)
    check(op, arrays)
    check(op, [*arrays, None, np.array([150, 31, 0], np.int64)])


@pytest.mark.parametrize("bytes_", [False, True])
def test_cap_and_heads_last(bytes_):
    arrays = operands(6, 2, 6, 3, 40, 70, 24, 24)
    op = Attention(bytes=bytes_, softcap=1.5, scale=0.4)
    check(op, arrays)
    moved = [np.ascontiguousarray(a.swapaxes(1, 2)) for a in arrays]
    last = Attention(bytes=bytes_, softcap=1.5, scale=0.4, heads_last=True)
    check(last, moved)
    for isa, threads in levels():
        (straight,) = run_op(op, arrays, isa=isa, threads=threads)
        (swapped,) = run_op(last, moved, isa=isa, threads=threads)
        np.testing.assert_allclose(swapped.swapaxes(1, 2), straight, rtol=1e-5, atol=1e-5)


def test_what_keys_and_values_have_in_common_costs_nothing():
    query, key, value = operands(7, 1, 2, 2, 50, 128, 32, 32)
    shift = np.random.default_rng(8).standard_normal((1, 2, 1, 32)).astype(np.float32) * 20
    check(Attention(bytes=True), [query, key + shift, value + shift])


def test_a_peaked_row_keeps_the_sum_of_its_many_small_weights():
    query, key, value = operands(9, 1, 1, 1, 16, 1000, 32, 32)
    check(Attention(bytes=True, scale=0.6), [query, key, value])


def test_zeros_stay_zeros():
    zeros = [np.zeros((1, 2, 5, 16), np.float32)] * 3
    for isa, threads in levels():
        (got,) = run_op(Attention(bytes=True), zeros, isa=isa, threads=threads)
        assert (got == 0).all()
