"""How TFLite files store weights: 4 bits, blocks with scales of their own, sparse, float16."""

import numpy as np
import pytest

from linnet.converters.importer import import_model
from linnet.errors import FormatError
from linnet.types import Quantization
from tests.converters.tflite_builder import ModelBuilder, Operator, Sparsity
from tests.converters.tflite_reference import litert
from tests.evaluate import execute

RNG = np.random.default_rng(53)


def packed(values):
    """Return int4 numbers two to a byte, the first in the low half."""
    flat = values.reshape(-1).astype(np.uint8) & 15
    flat = np.append(flat, 0)[: (flat.size + 1) // 2 * 2]
    return (flat[::2] | flat[1::2] << 4).astype(np.uint8).tobytes()


def dense(kind, values, x_type="float32", quantization=None, blocks=None, scales=None):
    """Return a model of one fully connected layer with 4-bit weights, and its feeds."""
    builder = ModelBuilder()
    outputs, depth = values.shape
    q = Quantization(0.05, 3) if x_type == "int8" else None
    x = builder.add("x", x_type, (3, depth), None, q)
    w = builder.add("w", kind, values.shape, packed(values), quantization)
    if scales is not None:
        builder.tensors[w].blocks = (2, blocks)
        builder.add("scales", scales.dtype.name, scales.shape, scales)
    y = builder.add("y", x_type, (3, outputs), None, Quantization(0.5, -1) if q else None)
    builder.operators.append(
        Operator("FULLY_CONNECTED", [x, w, -1], [y], {}, "FullyConnectedOptions")
    )
    builder.inputs, builder.outputs = [x], [y]
    feed = RNG.normal(0, 1, (3, depth)).astype(np.float32)
    if q is not None:
        feed = RNG.integers(-128, 128, (3, depth)).astype(np.int8)
    return builder.build(), {"x": feed}


def int4(*shape):
    return RNG.integers(-7, 8, shape).astype(np.int8)


def test_int4_weights_of_an_int8_layer():
    scale = Quantization(0.07)
    model, feeds = dense("int4", int4(6, 10), "int8", scale)
    (found,), (want,) = execute(import_model(model), feeds).values(), litert(model, feeds)
    assert np.abs(found.astype(int) - want.astype(int)).max() <= 1


def test_int4_weights_beside_floats():
    """LiteRT quantizes the input row by row here, to 1 part in 127."""
    model, feeds = dense("int4", int4(6, 10), "float32", Quantization(0.07))
    (found,), (want,) = execute(import_model(model), feeds).values(), litert(model, feeds)
    np.testing.assert_allclose(found, want, atol=0.02 * np.abs(want).max())


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_blockwise_int4_weights(dtype):
    values = int4(5, 64)
    scales = RNG.uniform(0.01, 0.2, (5, 2)).astype(dtype)
    model, feeds = dense("int4", values, blocks=32, scales=scales)
    graph = import_model(model)
    assert [type(node.op).__name__ for node in graph.nodes] == ["BlockLinear"]
    (found,) = execute(graph, feeds).values()
    real = values.reshape(5, 2, 32) * scales.astype(np.float32)[..., None]
    np.testing.assert_allclose(found, feeds["x"] @ real.reshape(5, 64).T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("blocks", [0, 7])
def test_blocks_that_do_not_divide_are_refused(blocks):
    model, _ = dense("int4", int4(5, 64), blocks=blocks, scales=np.ones((5, 2), np.float32))
    with pytest.raises(FormatError, match="blocks of"):
        import_model(model)


def test_scales_that_do_not_fit_are_refused():
    model, _ = dense("int4", int4(5, 64), blocks=32, scales=np.ones((5, 3), np.float32))
    with pytest.raises(FormatError, match="do not fit blocks"):
        import_model(model)


def sparse_model(sparsity, stored, shape=(4, 6)):
    builder = ModelBuilder()
    w = builder.add("w", "float32", shape, stored)
    builder.tensors[w].sparsity = sparsity
    d, x, y = (builder.add(name, "float32", shape) for name in ("d", "x", "y"))
    builder.operators += [
        Operator("DENSIFY", [w], [d], {}, "DensifyOptions"),
        Operator("ADD", [x, d], [y], {}, "AddOptions"),
    ]
    builder.inputs, builder.outputs = [x], [y]
    return builder.build()


MATRIX = np.array(
    [[1, 0, 0, 2, 0, 0], [0, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 4], [5, 0, 0, 0, 6, 7]], np.float32
)
ROWS = (
    Sparsity((0, 1), [4, ([0, 2, 2, 4, 7], [0, 3, 1, 5, 0, 4, 5])]),
    np.arange(1, 8, dtype=np.float32),
)
COLUMNS = (
    Sparsity((1, 0), [6, ([0, 2, 3, 3, 4, 5, 7], [0, 3, 2, 0, 3, 2, 3])]),
    np.array([1, 5, 3, 2, 6, 4, 7], np.float32),
)
BLOCKS = (
    Sparsity((0, 1, 2, 3), [2, ([0, 2, 4], [0, 1, 0, 2]), 2, 2], (0, 1)),
    np.array([1, 0, 0, 0, 0, 2, 0, 0, 0, 3, 5, 0, 0, 4, 6, 7], np.float32),
)


@pytest.mark.parametrize("stored", [ROWS, COLUMNS, BLOCKS], ids=["rows", "columns", "blocks"])
def test_sparse_constants(stored):
    model = sparse_model(*stored)
    feeds = {"x": np.zeros((4, 6), np.float32)}
    (found,) = execute(import_model(model), feeds).values()
    np.testing.assert_array_equal(found, MATRIX)
    np.testing.assert_array_equal(litert(model, feeds)[0], MATRIX)


@pytest.mark.parametrize(
    "sparsity",
    [
        Sparsity((0, 0), [4, 6]),
        Sparsity((0, 1), [4]),
        Sparsity((0, 1), [4, ([0, 2, 2, 4], [0, 3, 1, 5])]),
        Sparsity((0, 1), [4, ([0, 2, 2, 4, 7], [0, 3, 1, 5, 0, 4, 6])]),
        Sparsity((0, 1), [4, ([0, 2, 1, 4, 7], [0, 3, 1, 5, 0, 4, 5])]),
        Sparsity((0, 1, 2), [4, 6, 4], (1,)),
    ],
)
def test_damaged_sparsity_is_refused(sparsity):
    with pytest.raises(FormatError):
        import_model(sparse_model(sparsity, ROWS[1]))
