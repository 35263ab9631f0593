"""Pooling and reduction kernels against the reference, at every ISA, with one thread and two."""

from __future__ import annotations

import numpy as np
import pytest
from harness import NotBound, expected, levels, run_op

from linnet import ops
from linnet.types import DType, Quantization

INT8 = Quantization(0.05, -7)

# shape, fields
POOLS = {
    "global": ((1, 7, 7, 64), {"kernel": (7, 7)}),
    "2x2": ((2, 8, 6, 33), {"kernel": (2, 2), "strides": (2, 2)}),
    "3x3 same": ((1, 9, 11, 16), {"kernel": (3, 3), "auto_pad": "same_upper"}),
    "3x3 stride 2": ((1, 9, 8, 65), {"kernel": (3, 3), "strides": (2, 2), "pads": (0, 1, 1, 0)}),
    "one channel": ((1, 12, 17, 1), {"kernel": (2, 3), "pads": (1, 1, 0, 2)}),
    "three channels": ((1, 5, 40, 3), {"kernel": (5, 5), "pads": (2, 2, 2, 2)}),
    "1-d": ((1, 50, 1, 40), {"kernel": (4, 1), "strides": (4, 1)}),
    "ceil": ((1, 7, 6, 8), {"kernel": (3, 3), "strides": (2, 2), "ceil_mode": True}),
    "dilated": ((1, 9, 9, 20), {"kernel": (2, 3), "dilations": (3, 2), "pads": (1, 2, 2, 1)}),
    "wide kernel": ((1, 3, 4, 12), {"kernel": (9, 8), "pads": (6, 4, 5, 4)}),
    "zero batch": ((0, 4, 4, 8), {"kernel": (2, 2)}),
}


def same_at_every_level(op, arrays, **quantizations):
    """Check that every ISA and thread count gives the reference's bytes."""
    want = expected(op, arrays, **quantizations)
    for isa, threads in levels():
        got = run_op(op, arrays, isa=isa, threads=threads, **quantizations)
        np.testing.assert_array_equal(got[0], want[0], err_msg=f"{isa}, {threads} threads")
    return want[0]


def close_at_every_level(op, x, terms):
    """Check float sums of ``terms`` terms: within their rounding, and the same with two threads."""
    (want,) = expected(op, [x])
    (magnitude,) = expected(op, [np.abs(x)])
    bound = (terms + 2) * 2.0**-24 * magnitude
    results = [run_op(op, [x], isa=isa, threads=threads)[0] for isa, threads in levels()]
    for one, two in zip(results[::2], results[1::2], strict=True):
        assert (np.abs(one - want) <= bound).all()
        np.testing.assert_array_equal(one, two)


def bytes_of(shape, seed=0):
    """Return random int8 values, both ends among them."""
    x = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    x.reshape(-1)[: x.size // 3] = -128
    x.reshape(-1)[x.size // 3 : x.size // 2] = 127
    return x


def floats_of(shape, seed=0):
    """Return normal float32 values."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", POOLS)
def test_max_pool(name):
    shape, fields = POOLS[name]
    op = ops.MaxPool2D(**fields, clamp=(-3.0, 5.0))
    same_at_every_level(op, [bytes_of(shape)], quantizations=[INT8])
    same_at_every_level(op, [floats_of(shape) * 4])
    same_at_every_level(ops.MaxPool2D(**fields), [floats_of(shape)])


def test_max_pool_keeps_nan_and_infinities():
    x = floats_of((1, 6, 6, 20))
    x[0, 2, 3, ::3] = np.nan
    x[0, 3, 2, 1::3] = -np.inf
    x[0, 2, 2, 2::3] = np.inf
    for op in (ops.MaxPool2D(kernel=(3, 3)), ops.MaxPool2D(kernel=(2, 2), strides=(2, 2))):
        assert np.isnan(same_at_every_level(op, [x])).any()


@pytest.mark.parametrize("zeros", [(-128, 127), (127, -128), (3, -4)])
@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("name", POOLS)
def test_int8_average_pool(name, include, zeros):
    shape, fields = POOLS[name]
    op = ops.AveragePool2D(**fields, count_include_pad=include)
    pair = {
        "quantizations": [Quantization(0.03, zeros[0])],
        "output_quantization": Quantization(0.021, zeros[1]),
    }
    same_at_every_level(op, [bytes_of(shape)], **pair)


def test_int8_average_pool_clamps():
    op = ops.AveragePool2D(kernel=(2, 2), clamp=(-0.5, 1.0))
    pair = {"quantizations": [Quantization(0.03, 5)], "output_quantization": Quantization(0.02, 1)}
    y = same_at_every_level(op, [bytes_of((1, 9, 9, 9))], **pair)
    assert (y.min(), y.max()) == (-24, 51)


@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("name", POOLS)
def test_float_average_pool(name, include):
    shape, fields = POOLS[name]
    op = ops.AveragePool2D(**fields, count_include_pad=include)
    close_at_every_level(op, floats_of(shape), op.kernel[0] * op.kernel[1])


def test_average_of_a_very_tall_window_is_left_to_the_reference():
    op = ops.AveragePool2D(kernel=(300, 1))
    with pytest.raises(NotBound):
        run_op(op, [bytes_of((1, 300, 1, 2))], quantizations=[INT8], output_quantization=INT8)


# shape, axes
REDUCTIONS = {
    "spatial": ((2, 5, 7, 40), (1, 2)),
    "spatial one": ((1, 7, 7, 1280), (1, 2)),
    "spatial small": ((1, 33, 9, 3), (1, 2)),
    "last": ((9, 131), (1,)),
    "last short": ((70, 3), (-1,)),
    "first": ((37, 65), (0,)),
    "all": ((3, 50, 7), ()),
    "middle": ((4, 6, 5), (1,)),
    "two groups": ((5, 4, 70), (0, 2)),
    "two groups inside": ((2, 3, 4, 5, 18), (1, 3)),
    "many": ((1, 700, 1, 16), (1, 2)),
    "ones": ((1, 20, 1), (0, 2)),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize(
    "kind", [ops.ReduceSum, ops.ReduceMean, ops.ReduceMax, ops.ReduceMin], ids=lambda k: k.__name__
)
def test_float_reductions(kind, name):
    shape, axes = REDUCTIONS[name]
    op = kind(axes=axes, keepdims=len(name) % 2 == 0)
    if kind in (ops.ReduceMax, ops.ReduceMin):
        x = floats_of(shape)
        same_at_every_level(op, [x])
        x.reshape(-1)[:: max(x.size // 5, 1)] = np.nan
        same_at_every_level(op, [x])
    else:
        over = tuple(a % len(shape) for a in axes) or range(len(shape))
        close_at_every_level(op, floats_of(shape), np.prod([shape[a] for a in over]))


@pytest.mark.parametrize("zeros", [(-128, 127), (127, -128), (3, -4)])
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("kind", [ops.ReduceSum, ops.ReduceMean], ids=lambda k: k.__name__)
def test_int8_sums_and_means(kind, name, zeros):
    shape, axes = REDUCTIONS[name]
    pair = {
        "quantizations": [Quantization(0.03, zeros[0])],
        "output_quantization": Quantization(0.03 if kind is ops.ReduceMean else 2.0, zeros[1]),
    }
    same_at_every_level(kind(axes=axes), [bytes_of(shape)], **pair)
    same_at_every_level(kind(axes=axes), [np.full(shape, -128, np.int8)], **pair)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("kind", [ops.ReduceMax, ops.ReduceMin], ids=lambda k: k.__name__)
def test_int8_extremes(kind, name):
    shape, axes = REDUCTIONS[name]
    same_at_every_level(kind(axes=axes), [bytes_of(shape, 3)], quantizations=[INT8])


def test_reducing_nothing_into_nothing():
    same_at_every_level(ops.ReduceMax(axes=(1,)), [np.zeros((1, 1), np.float32)])
    with pytest.raises(NotBound):
        run_op(ops.ReduceSum(axes=(1,)), [np.zeros((2, 0), np.float32)])


@pytest.mark.parametrize("shape", [(1, 1), (5, 2), (3, 21), (2, 64), (1, 1000), (2, 3, 131, 1)])
@pytest.mark.parametrize("kind", [ops.ArgMax, ops.ArgMin], ids=lambda k: k.__name__)
@pytest.mark.parametrize("dtype", [DType.INT32, DType.INT64], ids=lambda d: d.value)
@pytest.mark.parametrize("last", [False, True])
def test_places_of_extremes(kind, shape, dtype, last):
    axis = 2 if len(shape) == 4 else -1
    op = kind(axis=axis, dtype=dtype, select_last=last)
    rng = np.random.default_rng(4)
    same_at_every_level(op, [rng.integers(-128, 128, shape).astype(np.int8)])
    same_at_every_level(op, [rng.integers(-1, 1, shape).astype(np.int8)])
    same_at_every_level(op, [np.full(shape, 127 if last else -128, np.int8)])
    x = rng.integers(-3, 3, shape).astype(np.float32)
    same_at_every_level(op, [x])
    x[..., x.shape[-1] // 2 :] = np.nan
    same_at_every_level(op, [x])


def test_places_along_other_axes():
    for axis in (0, 1):
        same_at_every_level(ops.ArgMax(axis=axis), [floats_of((4, 5, 33))])
        same_at_every_level(ops.ArgMin(axis=axis), [floats_of((4, 5, 33))])
