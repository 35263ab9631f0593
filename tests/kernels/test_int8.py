"""int8 kernels: the op's reference, bit for bit, at every ISA, on one thread and two."""

import numpy as np
import pytest
from harness import NotBound, equals_reference, run_op

from linnet.kernels import _core
from linnet.ops import Conv2D, ConvTranspose2D, FullyConnected, MatMul
from linnet.ops.bind_int8 import pack
from linnet.types import Quantization

RNG = np.random.default_rng(3)


def stored(*shape):
    """Bytes of the whole range, the extremes often among them."""
    values = RNG.integers(-128, 128, shape)
    extreme = RNG.random(shape) < 0.1
    return np.where(extreme, RNG.choice([-128, 127], shape), values).astype(np.int8)


def fitting(scale_x, scales_w, depth):
    """An output scale with which sums of such products use the whole range without sticking."""
    return float(scale_x * np.mean(scales_w) * 74 * 74 * np.sqrt(depth) / 40)


def conv(op, x_shape, w_shape, zero=3, weight_zero=0, per_channel=True, bias=True, scale=None):
    outputs = w_shape[0]
    scales = RNG.uniform(0.002, 0.02, outputs if per_channel else 1)
    axis = 0 if per_channel else None
    depth = int(np.prod(w_shape[1:]))
    scale = scale or fitting(0.03, scales, max(depth, 1))
    quantizations = [Quantization(0.03, zero), Quantization(scales, weight_zero, axis), None]
    b = RNG.integers(-3000, 3000, outputs).astype(np.int32) if bias else None
    arrays = [stored(*x_shape), stored(*w_shape), b]
    return equals_reference(op, arrays, quantizations, Quantization(scale, -7), (1, 2))


def dense(rows, channels, depth, **options):
    scales = RNG.uniform(0.002, 0.02, channels)
    zero = options.get("zero", 5)
    weight_zero = options.get("weight_zero", 0)
    quantizations = [Quantization(0.02, zero), Quantization(scales, weight_zero, 0), None]
    arrays = [
        stored(*rows, depth),
        stored(channels, depth),
        RNG.integers(-900, 900, channels).astype(np.int32),
    ]
    scale = fitting(0.02, scales, max(depth, 1)) * options.get("shrink", 1.0)
    output = Quantization(scale, options.get("output_zero", 4))
    clamp = options.get("clamp", (-np.inf, np.inf))
    return equals_reference(FullyConnected(clamp=clamp), arrays, quantizations, output, (1, 2))


@pytest.mark.parametrize("depth", [24, 600])
@pytest.mark.parametrize("shrink", [1.0, 0.02])
@pytest.mark.parametrize("output_zero", [-128, 7])
@pytest.mark.parametrize("clamp", [(-np.inf, np.inf), (-1.0, 2.0)])
def test_sums_and_outputs_small_and_large(depth, shrink, output_zero, clamp):
    dense((9,), 35, depth, shrink=shrink, output_zero=output_zero, clamp=clamp)


@pytest.mark.parametrize("rows", range(1, 14))
def test_every_number_of_rows(rows):
    for channels in (16, 40, 64, 70):
        dense((rows,), channels, 21)


@pytest.mark.parametrize("channels", range(1, 71))
def test_every_number_of_channels(channels):
    dense((5,), channels, 18)


@pytest.mark.parametrize("depth", range(0, 68))
def test_every_depth(depth):
    dense((7,), 19, depth, weight_zero=depth % 3)


@pytest.mark.parametrize("depth", range(0, 36))
def test_every_depth_of_one_row_and_of_many(depth):
    dense((1,), 70, depth, weight_zero=depth % 2)
    dense((14,), 70, depth, weight_zero=depth % 3)


@pytest.mark.parametrize("rows", [25, 100, 203])
@pytest.mark.parametrize("channels", [33, 80, 130])
def test_several_blocks_of_rows(rows, channels):
    dense((rows,), channels, 700)


@pytest.mark.parametrize("channels", [63, 64, 65, 2049, 2200])
def test_one_row_of_many_channels(channels):
    dense((1,), channels, 91, weight_zero=channels % 2)


def test_deep_windows_in_pieces():
    conv(Conv2D(pads=(1, 1, 1, 1)), (1, 9, 9, 96), (40, 3, 3, 96), 3, 0)
    conv(Conv2D(), (1, 8, 8, 150), (33, 2, 2, 150), -5, 2)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3), (2, 3), ()])
def test_leading_axes_and_empty_batches(shape):
    want = dense(shape, 20, 9)
    assert want.shape == (*shape, 20)


@pytest.mark.parametrize("zero", [-128, 0, 127])
@pytest.mark.parametrize("weight_zero", [-128, 127])
def test_zero_points_at_both_ends(zero, weight_zero):
    dense((9,), 35, 31, zero=zero, weight_zero=weight_zero)
    conv(Conv2D(pads=(1, 1, 1, 1)), (1, 4, 5, 3), (6, 3, 3, 3), zero, weight_zero)


def test_zero_points_of_each_channel():
    dense((14,), 37, 45, weight_zero=RNG.integers(-128, 128, 37))


def test_extremes_do_not_saturate():
    """-128 times -128 throughout: pair sums that saturated would show."""
    for x_value, w_value in ((-128, -128), (127, -128), (-128, 127), (127, 127)):
        x, w = np.full((13, 300), x_value, np.int8), np.full((66, 300), w_value, np.int8)
        q = [Quantization(1.0, 0), Quantization(1.0, 0, None)]
        want = equals_reference(FullyConnected(), [x, w], q, Quantization(40000.0, 1), (1,))
        assert want[0, 0] == 1 + round(300 * x_value * w_value / 40000)


@pytest.mark.parametrize("clamp", [(0.0, np.inf), (0.0, 6.0), (-1.0, 1.0), (2.0, 3.0)])
def test_clamps(clamp):
    dense((13,), 40, 30, clamp=clamp)


def test_ties_round_to_even():
    x = np.arange(-64, 64, dtype=np.int8).reshape(128, 1)
    q = [Quantization(1.0, 0), Quantization(1.0, 0)]
    want = equals_reference(
        FullyConnected(), [x, np.ones((1, 1), np.int8)], q, Quantization(2.0, 0), (1,)
    )
    assert want[64:72, 0].tolist() == [0, 0, 1, 2, 2, 2, 3, 4]


CONVS = {
    "1x1": (Conv2D(), (2, 5, 6, 7), (9, 1, 1, 7)),
    "1x1 strided": (Conv2D(strides=(2, 3)), (1, 7, 8, 20), (17, 1, 1, 20)),
    "1x1 padded": (Conv2D(pads=(1, 0, 2, 1)), (1, 3, 4, 5), (6, 1, 1, 5)),
    "3x3": (Conv2D(pads=(1, 1, 1, 1)), (2, 6, 7, 16), (24, 3, 3, 16)),
    "first layer": (Conv2D(strides=(2, 2), pads=(0, 0, 1, 1)), (1, 15, 17, 3), (16, 3, 3, 3)),
    "one channel": (Conv2D(pads=(2, 2, 2, 2)), (1, 9, 8, 1), (8, 5, 5, 1)),
    "uneven padding": (Conv2D(pads=(3, 0, 1, 4)), (1, 5, 5, 6), (5, 4, 5, 6)),
    "dilated": (Conv2D(dilations=(2, 3), pads=(2, 3, 2, 3)), (1, 7, 9, 5), (18, 3, 3, 5)),
    "dilated and strided": (
        Conv2D(strides=(2, 1), dilations=(1, 2), pads=(0, 1, 1, 0)),
        (1, 6, 8, 12),
        (5, 2, 3, 12),
    ),
    "bands that share rows": (
        Conv2D(dilations=(17, 1), strides=(2, 1), pads=(34, 0, 34, 0)),
        (1, 90, 30, 24),
        (8, 5, 1, 24),
    ),
    "bands that share columns": (
        Conv2D(dilations=(1, 60), pads=(0, 60, 0, 60)),
        (1, 1, 700, 64),
        (8, 1, 3, 64),
    ),
    "grouped": (Conv2D(groups=3, pads=(1, 1, 1, 1)), (1, 5, 6, 12), (21, 3, 3, 4)),
    "grouped wide": (Conv2D(groups=2), (2, 3, 3, 40), (40, 1, 1, 20)),
    "grouped strided": (
        Conv2D(groups=2, strides=(2, 2), pads=(1, 1, 0, 0)),
        (1, 6, 6, 6),
        (4, 3, 3, 3),
    ),
    "one row": (Conv2D(pads=(0, 4, 0, 4)), (1, 1, 40, 10), (13, 1, 9, 10)),
    "one column": (Conv2D(strides=(2, 1)), (1, 49, 1, 10), (8, 10, 1, 10)),
    "kernel beyond the image": (Conv2D(pads=(3, 3, 3, 3)), (1, 1, 2, 4), (3, 5, 6, 4)),
    "same upper": (Conv2D(strides=(2, 2), auto_pad="same_upper"), (1, 8, 9, 4), (6, 3, 3, 4)),
    "same lower": (Conv2D(strides=(2, 2), auto_pad="same_lower"), (1, 8, 9, 4), (6, 3, 3, 4)),
    "many rows": (Conv2D(pads=(1, 1, 1, 1)), (3, 17, 19, 8), (32, 3, 3, 8)),
    "several bands of rows": (Conv2D(pads=(1, 1, 1, 1)), (2, 40, 30, 32), (7, 3, 3, 32)),
    "several bands of columns": (Conv2D(pads=(1, 1, 1, 1)), (1, 3, 150, 64), (5, 3, 3, 64)),
    "narrow": (Conv2D(strides=(2, 2), pads=(4, 1, 5, 1)), (1, 49, 10, 1), (16, 10, 4, 1)),
    "five kernel rows": (Conv2D(pads=(2, 1, 2, 1)), (1, 12, 13, 9), (33, 5, 3, 9)),
    "deep": (Conv2D(pads=(1, 1, 1, 1)), (1, 4, 4, 130), (20, 3, 3, 130)),
    "empty batch": (Conv2D(), (0, 5, 6, 7), (9, 1, 1, 7)),
}


@pytest.mark.parametrize("name", CONVS)
def test_convolutions(name):
    op, x, w = CONVS[name]
    conv(op, x, w)
    conv(op, x, w, zero=-128, weight_zero=RNG.integers(-9, 9, w[0]))
    conv(op, x, w, zero=127, per_channel=False, bias=False)


def test_large_weights_are_met_by_large_blocks():
    conv(Conv2D(pads=(1, 1, 1, 1)), (1, 9, 9, 240), (260, 3, 3, 240))
    dense((101,), 700, 800)


MATMULS = [
    ((3, 5), (5, 4), False),
    ((13, 64), (64, 70), False),
    ((13, 33), (35, 33), True),
    ((2, 3, 30, 17), (2, 3, 17, 30), False),
    ((4, 1, 7, 9), (3, 20, 9), True),
    ((2, 100, 40), (2, 40, 50), False),
    ((2, 0, 3), (2, 3, 4), False),
    ((0, 2, 3), (0, 3, 4), False),
    ((5,), (5, 18), False),
    ((6, 5), (5,), False),
    ((2, 4, 0), (0, 18), False),
]


@pytest.mark.parametrize(("a", "b", "transpose"), MATMULS)
@pytest.mark.parametrize("zeros", [(0, 0), (-128, 127), (5, -9)])
def test_products_of_activations(a, b, transpose, zeros):
    q = [Quantization(0.02, zeros[0]), Quantization(0.03, zeros[1])]
    output = Quantization(fitting(0.02, 0.03, max(a[-1], 1)), 2)
    equals_reference(MatMul(transpose_b=transpose), [stored(*a), stored(*b)], q, output, ())


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_products_with_constants(transpose, per_channel):
    shape = (30, 21) if transpose else (21, 30)
    scales = RNG.uniform(0.01, 0.05, 30 if per_channel else 1)
    axis = (0 if transpose else 1) if per_channel else None
    q = [Quantization(0.02, 3), Quantization(scales, -4, axis)]
    output = Quantization(fitting(0.02, scales, 21), 2)
    equals_reference(
        MatMul(transpose_b=transpose), [stored(2, 9, 21), stored(*shape)], q, output, (1,)
    )


def test_sums_that_could_overflow_are_left_to_the_reference():
    w = np.full((1, 1, 70000), 127, np.int8)
    weight_zero, scale = np.zeros(1), np.ones(1, np.float32)
    program = _core.Program(64)
    assert pack(program, w, (1, 70000), weight_zero, scale, None, 0, 1) is not None
    assert pack(program, w, (1, 70000), weight_zero, scale, None, -128, 1) is None
    with pytest.raises(NotBound):
        run_op(
            FullyConnected(),
            [stored(1, 70000), w[0]],
            quantizations=[Quantization(1.0, -128), Quantization(1.0)],
            output_quantization=Quantization(1.0),
            constants=(1,),
        )


def test_the_largest_sums_that_fit_are_exact():
    """Intermediate sums wrap around int32 here: the shift to unsigned adds 128 * sum of weights."""
    x, w = np.full((3, 66000), -128, np.int8), np.full((2, 66000), 127, np.int8)
    x[1] = 127
    q = [Quantization(1.0, 0), Quantization(1.0, 0)]
    equals_reference(FullyConnected(), [x, w], q, Quantization(1e7, 0), (1,))


TRANSPOSED = {
    "stride 1": (ConvTranspose2D(), (1, 4, 5, 6), (9, 3, 3, 6)),
    "stride 2": (ConvTranspose2D(strides=(2, 2)), (2, 5, 6, 7), (20, 3, 3, 7)),
    "kernel 2": (ConvTranspose2D(strides=(2, 2)), (1, 8, 13, 16), (8, 2, 2, 16)),
    "cut": (
        ConvTranspose2D(strides=(2, 3), pads=(1, 2, 0, 1), output_padding=(1, 2)),
        (1, 6, 5, 8),
        (17, 4, 5, 8),
    ),
    "holes": (ConvTranspose2D(strides=(3, 4), output_padding=(2, 1)), (1, 3, 4, 5), (6, 2, 1, 5)),
    "dilated": (
        ConvTranspose2D(strides=(2, 3), dilations=(3, 2), pads=(2, 0, 1, 1)),
        (1, 5, 6, 4),
        (5, 3, 4, 4),
    ),
    "grouped": (
        ConvTranspose2D(strides=(2, 1), groups=3, pads=(1, 1, 1, 1)),
        (2, 4, 6, 12),
        (5, 3, 3, 12),
    ),
    "same": (ConvTranspose2D(strides=(2, 2), auto_pad="same_upper"), (1, 9, 10, 5), (4, 3, 3, 5)),
    "depthwise": (
        ConvTranspose2D(strides=(2, 2), groups=38, pads=(1, 1, 1, 1)),
        (1, 4, 5, 38),
        (1, 4, 3, 38),
    ),
    "groups of two": (ConvTranspose2D(strides=(1, 2), groups=6), (1, 3, 4, 18), (2, 3, 2, 18)),
}


@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.parametrize("weight_zero", [0, 3])
def test_transposed_convolutions(name, weight_zero):
    op, x_shape, w_shape = TRANSPOSED[name]
    outputs = w_shape[0] * op.groups
    scales = RNG.uniform(0.002, 0.02, w_shape[0])
    quantizations = [Quantization(0.03, -11), Quantization(scales, weight_zero, 0), None]
    b = RNG.integers(-3000, 3000, outputs).astype(np.int32)
    output = Quantization(fitting(0.03, scales, 2 * w_shape[3]), 6)
    equals_reference(op, [stored(*x_shape), stored(*w_shape), b], quantizations, output, (1, 2))
