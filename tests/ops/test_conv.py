"""Convolutions: inferred shapes, refusals, and the reference against loops written out."""

import itertools

import numpy as np
import pytest

from linnet.errors import QuantizationError, ShapeError
from linnet.ops import Conv2D, ConvTranspose2D, DepthwiseConv2D
from linnet.ops.window import output_size, patches, resolve
from linnet.types import DType, NodeTypes, Quantization, TensorType

RNG = np.random.default_rng(7)


def real(array, tensor):
    """Real values without scale: stored less zero point, as Python-exact integers or floats."""
    q = tensor.quantization
    if q is None:
        return array.astype(np.float64)
    zero = q.zero_point
    if q.axis is not None:
        zero = zero.reshape([-1 if axis == q.axis else 1 for axis in range(array.ndim)])
    return array.astype(np.int64) - zero


def loops_conv(x, w, op, pads, output, groups):
    """Sum every product of a convolution, one at a time."""
    total = np.zeros((x.shape[0], *output, w.shape[0]), x.dtype)
    per_group = w.shape[0] // groups
    for n, i, j, o in np.ndindex(*total.shape):
        for p, q, c in np.ndindex(*w.shape[1:]):
            row = i * op.strides[0] + p * op.dilations[0] - pads[0]
            column = j * op.strides[1] + q * op.dilations[1] - pads[1]
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                channel = o // per_group * w.shape[3] + c
                total[n, i, j, o] += x[n, row, column, channel] * w[o, p, q, c]
    return total


def loops_transpose(x, w, op, begins, output):
    """Add every product of a transposed convolution, one at a time."""
    outputs, inputs = w.shape[0], x.shape[3] // op.groups
    total = np.zeros((x.shape[0], *output, outputs * op.groups), x.dtype)
    for n, i, j, c in np.ndindex(*x.shape):
        for o, p, q in np.ndindex(*w.shape[:3]):
            row = i * op.strides[0] + p * op.dilations[0] - begins[0]
            column = j * op.strides[1] + q * op.dilations[1] - begins[1]
            if 0 <= row < output[0] and 0 <= column < output[1]:
                made = c // inputs * outputs + o
                total[n, row, column, made] += x[n, i, j, c] * w[o, p, q, c]
    return total


def requantized(total, bias, x, w, y, low, high, repeat=1):
    """Requantize sums as the contract says: float32 product of scales, divided, nearest even."""
    scale = np.float32(x.quantization.scale[0]) * w.quantization.scale.astype(np.float32)
    scale = np.tile(scale / np.float32(y.quantization.scale[0]), repeat)
    zero = int(y.quantization.zero_point[0])
    real_steps = (total + bias).astype(np.float32) * scale
    return np.clip(np.rint(real_steps).astype(np.int64) + zero, low, high)


def quantized(dtype, shape, scale=0.05, zero=0, axis=None):
    return TensorType(dtype, shape, Quantization(scale, zero, axis))


def stored(dtype, shape):
    info = np.iinfo(dtype.numpy)
    return RNG.integers(info.min, info.max + 1, shape).astype(dtype.numpy)


CASES = [
    Conv2D(),
    Conv2D(strides=(2, 1), pads=(1, 0, 2, 3)),
    Conv2D(dilations=(2, 3), pads=(2, 2, 2, 2)),
    Conv2D(strides=(2, 3), auto_pad="same_upper"),
    Conv2D(strides=(3, 2), auto_pad="same_lower"),
    Conv2D(auto_pad="valid", pads=(9, 9, 9, 9)),
    Conv2D(groups=3, pads=(1, 1, 1, 1)),
]
AUTO_PADS = {  # input 7 x 8, kernel 3 x 2
    "same_upper": lambda op: {(2, 3): (1, 0)}[op.strides],
    "same_lower": lambda op: {(3, 2): (1, 0)}[op.strides],
}


def begins_of(op):
    if op.auto_pad.startswith("same"):
        return AUTO_PADS[op.auto_pad](op)
    return (0, 0) if op.auto_pad else op.pads[:2]


@pytest.mark.parametrize("op", CASES, ids=str)
def test_float_conv_is_the_sum_of_products(op):
    x = RNG.normal(size=(2, 7, 8, 6)).astype(np.float32)
    w = RNG.normal(size=(9, 3, 2, 6 // op.groups)).astype(np.float32)
    b = RNG.normal(size=9).astype(np.float32)
    types = tuple(TensorType.of(a) for a in (x, w, b))
    (y,) = op.infer(*types)
    (result,) = op.reference(NodeTypes(types, (y,)), x, w, b)
    wide = loops_conv(x.astype(float), w.astype(float), op, begins_of(op), y.shape[1:3], op.groups)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, (wide + b).astype(np.float32))


@pytest.mark.parametrize("op", CASES, ids=str)
@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8, DType.INT16])
def test_quantized_conv_requantizes_exact_sums(op, dtype):
    x = quantized(dtype, (1, 7, 8, 6), 0.02, 0 if dtype is DType.INT16 else 11)
    scales = RNG.uniform(0.001, 0.01, 9)
    w = quantized(DType.INT8, (9, 3, 2, 6 // op.groups), scales, RNG.integers(-128, 128, 9), 0)
    b = TensorType(DType.INT32, (9,))
    (y,) = op.infer(x, w, b)
    y = y.with_(quantization=Quantization(0.5, 5 if dtype is not DType.INT16 else 0))
    arrays = [stored(t.dtype, t.shape) for t in (x, w)]
    arrays.append(RNG.integers(-5000, 5000, 9).astype(np.int32))
    (result,) = op.reference(NodeTypes((x, w, b), (y,)), *arrays)
    total = loops_conv(
        real(arrays[0], x), real(arrays[1], w), op, begins_of(op), y.shape[1:3], op.groups
    )
    info = np.iinfo(dtype.numpy)
    expected = requantized(total, arrays[2], x, w, y, info.min, info.max)
    assert result.dtype == dtype.numpy
    np.testing.assert_array_equal(result, expected)
    assert len(np.unique(expected)) > 20


def test_clamp_bounds_quantized_and_float_outputs():
    op = Conv2D(clamp=(0.0, 6.0))
    x, w = quantized(DType.INT8, (1, 5, 5, 4)), quantized(DType.INT8, (3, 1, 1, 4), 0.1)
    y = op.infer(x, w)[0].with_(quantization=Quantization(0.25, -20))
    data = stored(DType.INT8, x.shape), stored(DType.INT8, w.shape)
    (result,) = op.reference(NodeTypes((x, w), (y,)), *data)
    assert (result.min(), result.max()) == (-20, 4)
    floats = [a.astype(np.float32) for a in data]
    types = tuple(TensorType.of(a) for a in floats)
    (result,) = op.reference(NodeTypes(types, op.infer(*types)), *floats)
    assert (result.min(), result.max()) == (0.0, 6.0)


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_is_a_grouped_convolution(multiplier):
    depthwise = DepthwiseConv2D(strides=(2, 1), dilations=(1, 2), pads=(1, 2, 0, 1))
    grouped = Conv2D(strides=(2, 1), dilations=(1, 2), pads=(1, 2, 0, 1), groups=5)
    x = quantized(DType.INT8, (2, 6, 7, 5), 0.02, -9)
    channels = 5 * multiplier
    scales = RNG.uniform(0.001, 0.01, channels)
    zeros = RNG.integers(-5, 5, channels)
    w = quantized(DType.INT8, (1, 3, 2, channels), scales, zeros, 3)
    data, weights = stored(DType.INT8, x.shape), stored(DType.INT8, w.shape)
    bias = RNG.integers(-500, 500, channels).astype(np.int32)
    moved = np.ascontiguousarray(weights.transpose(3, 1, 2, 0))
    g = quantized(DType.INT8, moved.shape, scales, zeros, 0)
    (y,) = depthwise.infer(x, w)
    y = y.with_(quantization=Quantization(0.05, 3))
    (one,) = depthwise.reference(NodeTypes((x, w), (y,)), data, weights, bias)
    (two,) = grouped.reference(NodeTypes((x, g), (y,)), data, moved, bias)
    np.testing.assert_array_equal(one, two)
    assert one.shape == (2, 3, 8, channels)


TRANSPOSED = [
    ConvTranspose2D(),
    ConvTranspose2D(strides=(2, 3)),
    ConvTranspose2D(strides=(2, 2), pads=(1, 0, 0, 1), output_padding=(1, 1)),
    ConvTranspose2D(strides=(3, 4), output_padding=(2, 3)),
    ConvTranspose2D(dilations=(2, 2), groups=2),
    ConvTranspose2D(strides=(2, 2), auto_pad="same_upper"),
    ConvTranspose2D(strides=(1, 1), auto_pad="same_lower"),
]


@pytest.mark.parametrize("op", TRANSPOSED, ids=str)
def test_transposed_conv_adds_every_product(op):
    x = quantized(DType.INT8, (2, 3, 4, 6), 0.02, 7)
    w = quantized(DType.INT8, (5, 3, 2, 6), RNG.uniform(0.001, 0.01, 5), 2, 0)
    outputs = 5 * op.groups
    (y,) = op.infer(x, w, TensorType(DType.INT32, (outputs,)))
    y = y.with_(quantization=Quantization(0.1, -3))
    arrays = [stored(DType.INT8, t.shape) for t in (x, w)]
    arrays.append(RNG.integers(-500, 500, outputs).astype(np.int32))
    (result,) = op.reference(NodeTypes((x, w, None), (y,)), *arrays)
    begins = {"": op.pads[:2], "same_upper": (0, 0), "same_lower": (1, 1)}[op.auto_pad]
    total = loops_transpose(real(arrays[0], x), real(arrays[1], w), op, begins, y.shape[1:3])
    expected = requantized(total, arrays[2], x, w, y, -128, 127, op.groups)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("op", "size"),
    [
        (ConvTranspose2D(strides=(2, 3)), (7, 11)),
        (ConvTranspose2D(strides=(2, 3), pads=(1, 1, 1, 0), output_padding=(1, 2)), (6, 12)),
        (ConvTranspose2D(strides=(2, 3), auto_pad="same_upper"), (6, 12)),
        (ConvTranspose2D(dilations=(2, 4)), (7, 8)),
    ],
)
def test_transposed_output_size(op, size):
    x, w = TensorType(DType.FLOAT32, (1, 3, 4, 2)), TensorType(DType.FLOAT32, (1, 3, 2, 2))
    assert op.infer(x, w)[0].shape == (1, *size, 1)


def test_symbolic_sizes_stay_symbolic():
    x = TensorType(DType.FLOAT32, ("n", "h", "w", 3))
    w = TensorType(DType.FLOAT32, (8, 3, 3, 3))
    assert Conv2D(pads=(1, 1, 1, 1)).infer(x, w)[0].shape == ("n", "h", "w", 8)
    halved = Conv2D(strides=(2, 2), auto_pad="same_upper").infer(x, w)[0]
    assert halved.shape == ("n", "(h+1)//2", "(w+1)//2", 8)
    strided = Conv2D(strides=(2, 2)).infer(x, w)[0]
    assert strided.shape == ("n", "((h-3)//2)+1", "((w-3)//2)+1", 8)


def test_zero_batch_gives_an_empty_output():
    x, w = np.zeros((0, 4, 4, 2), np.float32), np.ones((3, 3, 3, 2), np.float32)
    types = TensorType.of(x), TensorType.of(w)
    (y,) = Conv2D().infer(*types)
    (result,) = Conv2D().reference(NodeTypes(types, (y,)), x, w, None)
    assert result.shape == (0, 2, 2, 3)


F = DType.FLOAT32


@pytest.mark.parametrize(
    ("op", "x", "w", "message"),
    [
        (Conv2D(), (1, 4, 4), (1, 1, 1, 4), "rank 3; expected 4"),
        (Conv2D(), (1, 4, 4, 3), (1, 1, 1, 4), "found 3, expected 4"),
        (Conv2D(groups=2), (1, 4, 4, 4), (3, 1, 1, 2), "do not split into 2 groups"),
        (Conv2D(), (1, 2, 4, 3), (1, 3, 3, 3), "spans 3 along height, the input has 2"),
        (Conv2D(strides=(0, 1)), (1, 4, 4, 3), (1, 1, 1, 3), "strides"),
        (Conv2D(auto_pad="SAME"), (1, 4, 4, 3), (1, 1, 1, 3), "auto_pad 'SAME'"),
        (Conv2D(pads=(-1, 0, 0, 0)), (1, 4, 4, 3), (1, 1, 1, 3), "not below 0"),
        (DepthwiseConv2D(), (1, 4, 4, 3), (1, 1, 1, 4), "multiple of the 3"),
        (DepthwiseConv2D(), (1, 4, 4, 3), (3, 1, 1, 1), "expected 1"),
        (ConvTranspose2D(groups=2), (1, 4, 4, 3), (1, 1, 1, 3), "do not split"),
        (ConvTranspose2D(pads=(5, 0, 5, 0)), (1, 4, 4, 3), (1, 1, 1, 3), "cut more"),
    ],
)
def test_misfits_are_refused(op, x, w, message):
    with pytest.raises(ShapeError, match=message):
        op.infer(TensorType(F, x), TensorType(F, w))


def test_quantization_misfits_are_refused():
    x, w = quantized(DType.INT8, (1, 4, 4, 3)), TensorType(DType.INT8, (2, 1, 1, 3))
    with pytest.raises(QuantizationError, match="second operand has no quantization"):
        Conv2D().infer(x, w)
    along = w.with_(quantization=Quantization([1.0, 2.0, 3.0], 0, 3))
    with pytest.raises(QuantizationError, match="along axis 3; expected per tensor or axis 0"):
        Conv2D().infer(x, along)
    few = w.with_(quantization=Quantization([1.0, 2.0, 3.0], 0, 0))
    with pytest.raises(QuantizationError, match="3 scales for 2 channels"):
        Conv2D().infer(x, few)
    fits = w.with_(quantization=Quantization(1.0))
    with pytest.raises(ShapeError, match="bias is float32; expected int32"):
        Conv2D().infer(x, fits, TensorType(F, (2,)))
    with pytest.raises(ShapeError, match=r"bias has shape \(3,\); expected \(2,\)"):
        Conv2D().infer(x, fits, TensorType(DType.INT32, (3,)))


def test_cost_counts_macs_and_bytes():
    op = Conv2D(pads=(1, 1, 1, 1), groups=2)
    x, w = TensorType(F, (1, 5, 6, 4)), TensorType(F, (8, 3, 3, 2))
    cost = op.cost(NodeTypes((x, w), op.infer(x, w)))
    assert cost == (30 * 8 * 18, 4 * (30 * 4 + 8 * 18 + 30 * 8))
    depthwise = DepthwiseConv2D()
    x, w = TensorType(F, (1, 5, 6, 4)), TensorType(F, (1, 3, 3, 8))
    assert depthwise.cost(NodeTypes((x, w), depthwise.infer(x, w))).macs == 12 * 8 * 9
    transposed = ConvTranspose2D(strides=(2, 2))
    x, w = TensorType(F, (1, 5, 6, 4)), TensorType(F, (8, 3, 3, 4))
    assert transposed.cost(NodeTypes((x, w), transposed.infer(x, w))).macs == 120 * 72


def test_output_sizes_agree_with_counting_windows():
    sizes, kernels, strides, pads = range(1, 9), (1, 2, 3), (1, 2, 3), ((0, 0), (1, 0), (1, 2))
    for size, kernel, stride, pad in itertools.product(sizes, kernels, strides, pads):
        if max(pad) >= kernel:
            continue
        padded = pad[0] + size + pad[1]
        whole = [s for s in range(0, padded, stride) if s + kernel <= padded]
        assert output_size(size, kernel, stride, 1, pad) == len(whole)
        if not whole:
            continue
        partial = whole[-1] + stride
        more = whole[-1] + kernel < padded and partial < pad[0] + size
        counted = output_size(size, kernel, stride, 1, pad, ceil_mode=True)
        assert counted == len(whole) + more


def test_patches_reach_beyond_the_image_in_ceil_mode():
    image = np.arange(1, 6, dtype=np.float32).reshape(1, 1, 5, 1)
    window = resolve(1, 5, (1, 2), (1, 2), (1, 1), (0, 0, 0, 0), ceil_mode=True)
    taps = patches(image, window, -9.0)[0, 0, :, 0, :, 0]
    np.testing.assert_array_equal(taps, [[1, 2], [3, 4], [5, -9]])
