"""Matrix products: inferred shapes, refusals, and the reference against loops written out."""

import numpy as np
import pytest

from linnet.errors import QuantizationError, ShapeError
from linnet.ops import FullyConnected, MatMul
from linnet.types import DType, NodeTypes, Quantization, TensorType

RNG = np.random.default_rng(11)
F = DType.FLOAT32


def stored(shape, dtype=np.int8):
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max + 1, shape).astype(dtype)


def requantized(total, scale, zero, low=-128, high=127):
    steps = np.asarray(total).astype(np.float32) * np.asarray(scale, np.float32)
    return np.clip(np.rint(steps).astype(np.int64) + zero, low, high)


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (0, 5)])
def test_float_fully_connected(shape):
    x, w = RNG.normal(size=shape).astype(np.float32), RNG.normal(size=(4, 5)).astype(np.float32)
    b = RNG.normal(size=4).astype(np.float32)
    op = FullyConnected(clamp=(-1.0, 1.5))
    types = tuple(TensorType.of(a) for a in (x, w, b))
    (y,) = op.infer(*types)
    (result,) = op.reference(NodeTypes(types, (y,)), x, w, b)
    expected = np.einsum("...k,ok->...o", x.astype(float), w.astype(float)) + b
    assert result.shape == y.shape == (*shape[:-1], 4)
    np.testing.assert_allclose(result, np.clip(expected, -1, 1.5), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
def test_quantized_fully_connected_requantizes_exact_sums(dtype):
    zero = 0 if dtype is np.int16 else 100
    scales = RNG.uniform(0.001, 0.02, 6).astype(np.float32)
    zeros = RNG.integers(-128, 128, 6)
    x = TensorType(DType.of(dtype), (7, 33), Quantization(0.01, zero))
    w = TensorType(DType.INT8, (6, 33), Quantization(scales, zeros, 0))
    b = TensorType(DType.INT32, (6,))
    op = FullyConnected()
    y = op.infer(x, w, b)[0].with_(quantization=Quantization(0.75, 1))
    arrays = stored(x.shape, dtype), stored(w.shape), stored(6, np.int16).astype(np.int32)
    (result,) = op.reference(NodeTypes((x, w, b), (y,)), *arrays)
    left, right = arrays[0].astype(int) - zero, arrays[1].astype(int) - zeros[:, None]
    total = [[sum(left[m] * right[n]) + arrays[2][n] for n in range(6)] for m in range(7)]
    info = np.iinfo(dtype)
    scale = np.float32(0.01) * scales / np.float32(0.75)
    np.testing.assert_array_equal(result, requantized(total, scale, 1, info.min, info.max))
    assert result.dtype == dtype


SHAPES = [
    ((3, 4), (4, 5), (3, 5)),
    ((2, 1, 3, 4), (7, 4, 5), (2, 7, 3, 5)),
    ((4,), (4, 5), (5,)),
    ((3, 4), (4,), (3,)),
    ((4,), (4,), ()),
    ((2, 3, 4), (4,), (2, 3)),
    ((3, 0), (0, 5), (3, 5)),
]


@pytest.mark.parametrize(("a", "b", "out"), SHAPES)
def test_float_matmul_is_numpys(a, b, out):
    left, right = RNG.normal(size=a).astype(np.float32), RNG.normal(size=b).astype(np.float32)
    types = TensorType.of(left), TensorType.of(right)
    (y,) = MatMul().infer(*types)
    (result,) = MatMul().reference(NodeTypes(types, (y,)), left, right)
    assert y.shape == out and result.dtype == np.float32
    np.testing.assert_allclose(result, left @ right, rtol=1e-5, atol=1e-6)


def test_transposes_swap_the_last_axes():
    left, right = RNG.normal(size=(2, 4, 3)), RNG.normal(size=(2, 5, 4))
    op = MatMul(transpose_a=True, transpose_b=True)
    types = TensorType.of(left), TensorType.of(right)
    (y,) = op.infer(*types)
    (result,) = op.reference(NodeTypes(types, (y,)), left, right)
    assert y.shape == (2, 3, 5)
    np.testing.assert_allclose(result, np.einsum("bkm,bnk->bmn", left, right))


def test_integers_multiply_as_integers():
    left = np.array([[2**40 + 1, 3]], np.int64)
    right = np.array([[5], [7]], np.int64)
    types = TensorType.of(left), TensorType.of(right)
    (result,) = MatMul().reference(NodeTypes(types, MatMul().infer(*types)), left, right)
    assert result.tolist() == [[5 * (2**40 + 1) + 21]]


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_quantized_matmul_requantizes_exact_sums(transpose, per_channel):
    shape = (5, 9) if transpose else (9, 5)
    axis = 0 if transpose else 1
    scales = RNG.uniform(0.001, 0.02, 5).astype(np.float32) if per_channel else np.float32(0.01)
    a = TensorType(DType.INT8, (2, 3, 9), Quantization(0.02, -7))
    b = TensorType(DType.INT8, shape, Quantization(scales, 4, axis if per_channel else None))
    op = MatMul(transpose_b=transpose)
    y = op.infer(a, b)[0].with_(quantization=Quantization(0.1, -2))
    left, right = stored(a.shape), stored(shape)
    (result,) = op.reference(NodeTypes((a, b), (y,)), left, right)
    wide = right.T if transpose else right
    total = (left.astype(int) + 7) @ (wide.astype(int) - 4)
    scale = np.float32(0.02) * scales / np.float32(0.1)
    np.testing.assert_array_equal(result, requantized(total, scale, -2))


def test_symbolic_dims_pass_through():
    x = TensorType(F, ("n", "t", 8))
    assert FullyConnected().infer(x, TensorType(F, (3, 8)))[0].shape == ("n", "t", 3)
    b = TensorType(F, ("n", 8, "s"))
    assert MatMul().infer(x, b)[0].shape == ("n", "t", "s")


@pytest.mark.parametrize(
    ("op", "a", "b", "message"),
    [
        (FullyConnected(), (2, 3), (4, 5), "found 3, expected 5"),
        (FullyConnected(), (2, 3), (4,), "outputs, k"),
        (MatMul(), (2, 3), (4, 5), "found 4, expected 3"),
        (MatMul(), (), (4, 5), "rank 0; expected at least 1"),
        (MatMul(transpose_a=True), (4,), (4, 5), "rank 1; expected at least 2"),
        (MatMul(), (2, 3, 4), (3, 4, 5), "do not broadcast: 2, 3"),
    ],
)
def test_misfits_are_refused(op, a, b, message):
    with pytest.raises(ShapeError, match=message):
        op.infer(TensorType(F, a), TensorType(F, b))


def test_element_types_must_agree():
    with pytest.raises(ShapeError, match="float32 and float16; expected one"):
        MatMul().infer(TensorType(F, (2, 3)), TensorType(DType.FLOAT16, (3, 4)))
    a = TensorType(DType.INT8, (2, 3), Quantization(1.0))
    with pytest.raises(QuantizationError, match="second operand has no quantization"):
        MatMul().infer(a, TensorType(DType.INT8, (3, 4)))
    b = TensorType(DType.INT8, (3, 4), Quantization([1.0, 1.0, 1.0], 0, 0))
    with pytest.raises(QuantizationError, match="axis 0; expected per tensor or axis 1"):
        MatMul().infer(a, b)


def test_cost_counts_macs():
    a, b = TensorType(F, (2, 3, 4)), TensorType(F, (4, 5))
    assert MatMul().cost(NodeTypes((a, b), MatMul().infer(a, b))).macs == 2 * 3 * 4 * 5
    w = TensorType(F, (5, 4))
    cost = FullyConnected().cost(NodeTypes((a, w), FullyConnected().infer(a, w)))
    assert cost == (120, 4 * (24 + 20 + 30))
