"""Float products and convolutions against the references: error bound, threads, edges.

The bound is that of a chain of multiply-adds:
|error| <= (depth + 3) * 2^-24 * (sum |a| |b| + |bias|).
"""

from __future__ import annotations

import numpy as np
import pytest
from harness import expected, levels, run_op

from linnet.ops import Conv2D, ConvTranspose2D, FullyConnected, MatMul

UNIT = 2.0**-24
RELU6 = (0.0, 6.0)


def normal(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def magnitude(op, arrays):
    """Return sum |a| |b| + |bias| for every output."""
    unclamped = type(op)(**{f: getattr(op, f) for f in op.__struct_fields__ if f != "clamp"})
    return expected(unclamped, [None if a is None else np.abs(a) for a in arrays])[0]


def check(op, arrays, depth, constants=(1, 2)):
    """Compare every ISA with the reference, and two threads with one bit for bit."""
    (want,) = expected(op, arrays)
    bound = (depth + 3) * UNIT * magnitude(op, arrays)
    single = {}
    for isa, threads in levels():
        (got,) = run_op(op, arrays, constants=constants, isa=isa, threads=threads)
        assert got.shape == want.shape
        if threads == 1:
            single[isa] = got
            worst = np.abs(got.astype(np.float64) - want)
            assert (worst <= bound).all(), (isa, worst.max(initial=0.0))
        else:
            np.testing.assert_array_equal(got, single[isa], strict=True)


# Rows and columns around every ISA's tile, more rows than one block, depth beyond one k-block.
PRODUCTS = [
    (1, 1, 1),
    (1, 3, 200),
    (2, 16, 17),
    (3, 5, 48),
    (4, 7, 8),
    (6, 9, 16),
    (7, 513, 33),
    (8, 31, 47),
    (12, 40, 32),
    (13, 64, 49),
    (17, 1030, 65),
    (50, 12, 96),
    (100, 27, 10),
    (490, 5, 20),
]


@pytest.mark.parametrize(("rows", "depth", "columns"), PRODUCTS)
@pytest.mark.parametrize("clamp", [None, RELU6])
def test_fully_connected(rows, depth, columns, clamp):
    x, w, b = normal(rows * depth + columns, (rows, depth), (columns, depth), (columns,))
    if clamp:
        check(FullyConnected(clamp=clamp), [x, w, b], depth)
    else:
        check(FullyConnected(), [x, w], depth)


def test_fully_connected_with_weights_made_at_run_time():
    x, w, b = normal(1, (2, 9, 33), (35, 33), (35,))
    check(FullyConnected(clamp=RELU6), [x, w, b], 33, constants=())
    check(FullyConnected(), [x, w, b], 33, constants=(1,))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("constants", [(), (0,), (1,)])
@pytest.mark.parametrize(("rows", "depth", "columns"), [(1, 70, 19), (9, 5, 50), (33, 530, 17)])
def test_matmul(transpose_a, transpose_b, constants, rows, depth, columns):
    a, b = normal(rows, (3, rows, depth), (3, depth, columns))
    a = a.swapaxes(1, 2) if transpose_a else a
    b = b.swapaxes(1, 2) if transpose_b else b
    op = MatMul(transpose_a=transpose_a, transpose_b=transpose_b)
    check(op, [np.ascontiguousarray(a), np.ascontiguousarray(b)], depth, constants)


def test_matmul_packs_wide_rows_of_b():
    check(MatMul(), normal(2, (60, 40), (40, 301)), 40, ())
    check(MatMul(transpose_a=True), normal(3, (40, 60), (40, 301)), 40, ())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3, 4, 5), (5, 6)),
        ((4, 5), (2, 3, 5, 6)),
        ((2, 1, 4, 5), (3, 5, 6)),
        ((2, 1, 1, 5), (1, 3, 5, 6)),
        ((5,), (5, 6)),
        ((4, 5), (5,)),
        ((5,), (5,)),
        ((3, 4, 5), (5,)),
        ((5,), (3, 5, 6)),
    ],
)
@pytest.mark.parametrize("constants", [(), (1,)])
def test_matmul_broadcasts(left, right, constants):
    check(MatMul(), normal(4, left, right), 5, constants)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((0, 5), (5, 6)),
        ((4, 0), (0, 6)),
        ((4, 5), (5, 0)),
        ((0, 4, 5), (5, 6)),
        ((0, 4, 5), (0, 5, 6)),
    ],
)
@pytest.mark.parametrize("constants", [(), (1,)])
def test_matmul_of_nothing(left, right, constants):
    check(MatMul(), normal(5, left, right), left[-1], constants)


CONVOLUTIONS = [
    # image (h, w, c), outputs, kernel, options
    ((7, 9, 16), 20, (1, 1), {}),
    ((7, 9, 16), 20, (1, 1), {"strides": (2, 2)}),
    ((8, 8, 3), 16, (3, 3), {"pads": (1, 1, 1, 1)}),
    ((9, 11, 3), 24, (3, 3), {"strides": (2, 2), "auto_pad": "same_upper"}),
    ((9, 12, 5), 33, (3, 2), {"auto_pad": "same_lower"}),
    ((12, 10, 4), 7, (3, 3), {"dilations": (2, 3), "pads": (2, 3, 1, 4)}),
    ((6, 6, 2), 5, (5, 5), {"pads": (4, 4, 4, 4), "strides": (3, 1)}),
    ((5, 5, 12), 18, (3, 3), {"groups": 3, "pads": (1, 1, 1, 1)}),
    ((5, 6, 8), 8, (1, 1), {"groups": 2}),
    ((5, 6, 6), 6, (3, 3), {"groups": 6, "pads": (1, 0, 1, 0)}),
    ((1, 20, 4), 3, (1, 7), {"pads": (0, 9, 0, 9)}),
    ((4, 4, 70), 50, (3, 3), {"pads": (1, 1, 1, 1)}),
    # More pixels than a block of gathered rows, beside large and small weights.
    ((12, 12, 70), 60, (3, 3), {"pads": (1, 1, 1, 1)}),
    ((13, 15, 8), 9, (3, 3), {"pads": (1, 1, 1, 1)}),
    # Winograd's transforms: tiles cut by either edge, padding beyond a tile, part of a vector.
    ((13, 18, 16), 20, (3, 3), {"pads": (1, 1, 1, 1)}),
    ((17, 16, 21), 8, (3, 3), {"auto_pad": "same_lower"}),
    ((16, 19, 40), 33, (3, 3), {"pads": (0, 6, 7, 0)}),
    ((18, 30, 64), 64, (3, 3), {}),
    # Bands of rows that share most of what they read.
    ((90, 24, 12), 12, (5, 1), {"dilations": (17, 1), "pads": (34, 0, 34, 0)}),
    ((70, 20, 24), 9, (3, 1), {"dilations": (25, 1), "strides": (2, 1), "pads": (25, 0, 9, 0)}),
    # Few pixels: threads share the outputs.
    ((3, 3, 20), 100, (3, 3), {}),
    ((3, 3, 8), 60, (3, 3), {"groups": 2}),
]


@pytest.mark.parametrize(("image", "outputs", "kernel", "options"), CONVOLUTIONS)
@pytest.mark.parametrize("clamp", [None, RELU6])
def test_conv2d(image, outputs, kernel, options, clamp):
    depth = image[2] // options.get("groups", 1)
    x, w, b = normal(image[0], (2, *image), (outputs, *kernel, depth), (outputs,))
    taps = depth * kernel[0] * kernel[1]
    if clamp:
        check(Conv2D(clamp=clamp, **options), [x, w, b], taps)
    else:
        check(Conv2D(**options), [x, w], taps)


def test_conv2d_of_a_constant_image():
    x, w = normal(6, (1, 4, 5, 3), (4, 3, 3, 3))
    check(Conv2D(), [x, w], 27, constants=(0, 1))


def test_conv2d_of_no_images():
    x, w = normal(7, (0, 4, 5, 3), (4, 3, 3, 3))
    check(Conv2D(), [x, w], 27)


TRANSPOSED = [
    ((5, 6, 8), 12, (3, 3), {"strides": (2, 2), "pads": (1, 1, 1, 1), "output_padding": (1, 1)}),
    ((5, 6, 8), 17, (2, 2), {"strides": (2, 2)}),
    ((4, 3, 5), 3, (4, 4), {"strides": (2, 3), "pads": (1, 0, 2, 1)}),
    ((4, 3, 5), 3, (2, 1), {"strides": (3, 2), "output_padding": (1, 1)}),
    ((4, 5, 6), 4, (3, 3), {}),
    ((4, 5, 6), 4, (3, 2), {"dilations": (2, 3), "strides": (2, 2)}),
    ((4, 5, 6), 4, (3, 3), {"dilations": (4, 3), "strides": (2, 3)}),
    ((4, 5, 6), 2, (3, 3), {"groups": 2, "strides": (2, 1)}),
    ((3, 4, 4), 5, (3, 3), {"strides": (2, 2), "auto_pad": "same_upper"}),
    ((1, 1, 3), 4, (1, 1), {"strides": (4, 4), "output_padding": (2, 3)}),
    ((5, 7, 19), 1, (4, 4), {"groups": 19, "strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((6, 1, 33), 1, (5, 1), {"groups": 33, "strides": (2, 1), "pads": (1, 0, 2, 0)}),
    ((4, 3, 16), 1, (2, 2), {"groups": 16, "strides": (3, 2), "output_padding": (1, 1)}),
]


@pytest.mark.parametrize(("image", "outputs", "kernel", "options"), TRANSPOSED)
@pytest.mark.parametrize("clamp", [None, RELU6])
def test_conv_transpose2d(image, outputs, kernel, options, clamp):
    groups = options.get("groups", 1)
    x, w, b = normal(outputs, (2, *image), (outputs, *kernel, image[2]), (outputs * groups,))
    taps = kernel[0] * kernel[1] * image[2]
    if clamp:
        check(ConvTranspose2D(clamp=clamp, **options), [x, w, b], taps)
    else:
        check(ConvTranspose2D(**options), [x, w], taps)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("clamp", [(-np.inf, np.inf), RELU6])
def test_numbers_that_are_none_get_through(value, clamp):
    x, w = normal(8, (9, 20), (21, 20))
    x[4, 3] = value
    x[5, 2], x[5, 9], w[:, 9] = np.inf, np.inf, -w[:, 2]
    op = FullyConnected(clamp=clamp)
    with np.errstate(invalid="ignore"):
        (want,) = expected(op, [x, w])
    for isa, threads in levels():
        (got,) = run_op(op, [x, w], constants=(1,), isa=isa, threads=threads)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
        rest = np.isfinite(want)
        np.testing.assert_allclose(got[rest], want[rest], rtol=1e-5, atol=1e-5)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    x, w = normal(9, (29, 700), (100, 700))
    for isa, threads in levels():
        together = run_op(FullyConnected(), [x, w], constants=(1,), isa=isa, threads=threads)[0]
        for row in (0, 7, 28):
            alone = run_op(
                FullyConnected(), [x[row : row + 1], w], constants=(1,), isa=isa, threads=threads
            )[0]
            np.testing.assert_array_equal(alone[0], together[row])
