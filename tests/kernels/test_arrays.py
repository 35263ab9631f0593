"""The kernels' functions on arrays, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from linnet import kernels
from linnet.ops import Conv2D
from linnet.types import NodeTypes, TensorType


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 33, 50), (0, 3, 2), (64, 64, 64)])
def test_matmul(sizes):
    m, k, n = sizes
    a, b = normal(m, k), normal(k, n)
    found = kernels.matmul(a, b, threads=2)
    np.testing.assert_allclose(found, a.astype("f8") @ b.astype("f8"), rtol=1e-4, atol=1e-4)


def test_matmul_of_views():
    a, b = normal(9, 12).T, normal(9, 5)
    np.testing.assert_allclose(kernels.matmul(a, b), a @ b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("groups", [1, 2])
def test_conv2d(groups):
    x, w, bias = normal(2, 9, 7, 6), normal(10, 3, 2, 6 // groups), normal(10)
    op = Conv2D(strides=(2, 1), pads=(1, 0, 2, 1), dilations=(1, 2), groups=groups)
    types = tuple(TensorType.of(a) for a in (x, w, bias))
    wanted = op.reference(NodeTypes(types, op.infer(*types)), x, w, bias)[0]
    found = kernels.conv2d(x, w, bias, (2, 1), (1, 0, 2, 1), (1, 2), groups, threads=2)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal):
    q, k, v = normal(2, 4, 5, 8), normal(2, 2, 5, 8), normal(2, 2, 5, 3)
    scores = q @ np.repeat(k, 2, 1).swapaxes(2, 3) / np.sqrt(8)
    scores = np.where(np.tri(5, dtype=bool), scores, -np.inf) if causal else scores
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    wanted = weights / weights.sum(-1, keepdims=True) @ np.repeat(v, 2, 1)
    np.testing.assert_allclose(kernels.attention(q, k, v, causal=causal), wanted, atol=1e-5)


def test_softmax_along_an_axis():
    x = normal(3, 4, 5)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(kernels.softmax(x, 1), e / e.sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quantize_and_back(dtype):
    x = np.linspace(-20, 20, 333, dtype=np.float32).reshape(3, 111)
    limits = np.iinfo(dtype)
    wanted = np.clip(np.rint(x / np.float32(0.1)) + 7, limits.min, limits.max).astype(dtype)
    stored = kernels.quantize(x, 0.1, 7, dtype)
    np.testing.assert_array_equal(stored, wanted)
    back = (stored.astype(np.int32) - 7).astype(np.float32) * np.float32(0.1)
    np.testing.assert_array_equal(kernels.dequantize(stored, 0.1, 7), back)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.matmul(normal(2, 3), normal(2, 3)), "do not fit"),
        (lambda: kernels.conv2d(normal(1, 4, 4, 2), normal(1, 3, 3, 3)), "do not fit"),
        (lambda: kernels.conv2d(normal(1, 2, 2, 2), normal(1, 3, 3, 2)), "does not fit"),
        (lambda: kernels.conv2d(normal(1, 3, 3, 2), normal(1, 3, 3, 2), [1, 2]), "bias"),
        (lambda: kernels.attention(normal(1, 3, 2, 4), *[normal(1, 2, 2, 4)] * 2), "dividing"),
        (lambda: kernels.quantize([1.0], 0.0), "positive"),
        (lambda: kernels.quantize([1.0], 1.0, dtype=np.int16), "int16"),
        (lambda: kernels.dequantize([1.0], 1.0), "float64"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_table_lists_every_kernel():
    assert len(kernels.table()) > 40
    assert all(isas == kernels.isa_names() for _, isas in kernels.table())


@pytest.mark.parametrize("bytes_", [False, True])
def test_attention_takes_windows_and_caps(bytes_):
    rng = np.random.default_rng(5)
    q, k, v = (rng.standard_normal((1, 2, 20, 16)).astype(np.float32) for _ in range(3))
    got = kernels.attention(q, k, v, causal=True, window=4, softcap=2.0, bytes=bytes_)
    scores = 2.0 * np.tanh(q @ k.swapaxes(2, 3) / 4.0 / 2.0)
    at = np.arange(20)
    seen = (at[None] <= at[:, None]) & (at[None] > at[:, None] - 4)
    weights = np.where(seen, np.exp(scores), 0.0)
    want = weights / weights.sum(3, keepdims=True) @ v
    np.testing.assert_allclose(got, want, atol=0.05 if bytes_ else 1e-5)
