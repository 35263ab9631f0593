"""Moving, joining, cutting, repeating and indexing elements."""

from __future__ import annotations

import numpy as np
import pytest

from linnet.errors import InputError, QuantizationError, ShapeError, UnsupportedError
from linnet.ops import (
    Concat,
    DepthToSpace,
    Gather,
    GatherElements,
    GatherND,
    OneHot,
    Op,
    Pad,
    Reverse,
    ScatterND,
    Slice,
    SpaceToDepth,
    Split,
    Tile,
    Transpose,
)
from linnet.types import DType, NodeTypes, Quantization, TensorType

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
Q = Quantization(0.5, 3)
CHANNELS = Quantization([0.5, 1.0, 2.0, 4.0], [1, 2, 3, 4], axis=2)


def apply_all(op: Op, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    types = tuple(TensorType.of(array) for array in arrays)
    outputs = op.infer(*types)
    results = op.reference(NodeTypes(types, outputs), *arrays)
    assert [TensorType.of(result) for result in results] == list(outputs)
    assert all(result.flags.c_contiguous for result in results)
    return results


def apply(op: Op, *arrays: np.ndarray) -> np.ndarray:
    (result,) = apply_all(op, *arrays)
    return result


def quantized(*shape: int | str, q: Quantization = Q) -> TensorType:
    return TensorType(DType.INT8, shape, q)


def test_transpose() -> None:
    np.testing.assert_array_equal(apply(Transpose(perm=(2, 0, 1)), X), X.transpose(2, 0, 1))
    assert apply(Transpose(perm=()), np.array(1.0)).shape == ()
    with pytest.raises(ShapeError, match="permutation of 0 to 2"):
        Transpose(perm=(0, 1)).infer(TensorType.of(X))


def test_quantization_per_axis_follows_the_transpose() -> None:
    (result,) = Transpose(perm=(0, 2, 1)).infer(quantized(2, 3, 4, q=CHANNELS))
    assert result.quantization == Quantization(CHANNELS.scale, CHANNELS.zero_point, axis=1)


def test_concat() -> None:
    y = np.ones((2, 1, 4), np.float32)
    np.testing.assert_array_equal(apply(Concat(axis=1), X, y), np.concatenate([X, y], 1))
    assert apply(Concat(axis=-1), X, X[:, :, :0]).shape == (2, 3, 4)
    shapes = TensorType(DType.FLOAT32, ("n", 2)), TensorType(DType.FLOAT32, (4, "m"))
    assert Concat(axis=1).infer(*shapes)[0].shape == (4, "2+m")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((2, 3, 4), np.int8), "dtype or rank"),
        (np.zeros((2, 3), np.float32), "dtype or rank"),
        (np.zeros((3, 3, 4), np.float32), "axis 0 differs"),
    ],
)
def test_concat_refuses(other: np.ndarray, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Concat(axis=1).infer(TensorType.of(X), TensorType.of(other))


def test_concat_of_equal_quantization_keeps_it() -> None:
    assert Concat(axis=0).infer(quantized(1, 2), quantized(3, 2))[0].quantization == Q
    left, right = quantized(1, 1, 4, q=CHANNELS), quantized(1, 1, 4, q=CHANNELS)
    assert Concat(axis=0).infer(left, right)[0].quantization == CHANNELS
    joined = Concat(axis=2).infer(left, right)[0].quantization
    assert joined is not None and joined.scale.tolist() == [0.5, 1, 2, 4] * 2
    with pytest.raises(QuantizationError, match="all or none"):
        Concat(axis=0).infer(quantized(1), TensorType(DType.INT8, (1,)))


def test_concat_requantizes_each_input_to_the_declared_output() -> None:
    one, two, out = Quantization(0.5, 3), Quantization(0.25, -4), Quantization(0.5, -1)
    types = (quantized(4, q=one), quantized(4, q=two))
    assert Concat(axis=0).infer(*types)[0].quantization is None
    arrays = np.array([-128, 0, 3, 127], np.int8), np.array([-128, -4, -3, 127], np.int8)
    nodes = NodeTypes(types, (quantized(8, q=out),))
    (result,) = Concat(axis=0).reference(nodes, *arrays)
    assert result.tolist() == [-128, -4, -1, 123, -63, -1, -1, 65]
    with pytest.raises(QuantizationError, match="declare one"):
        Concat(axis=0).reference(NodeTypes(types, (TensorType(DType.INT8, (8,)),)), *arrays)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[1:, :, ::2],
        np.s_[:, ::-1, 3:0:-2],
        np.s_[-1:, -2:-1],
        np.s_[:, 2:1],
        np.s_[:, :, -100:100],
        np.s_[:, :, 100:-100:-1],
    ],
)
def test_slice_takes_what_python_takes(index: tuple[slice, ...]) -> None:
    big = 2**63 - 1
    parts = [(s.start, s.stop, s.step or 1) for s in index]
    starts = tuple((0 if step > 0 else big) if a is None else a for a, _, step in parts)
    ends = tuple((big if step > 0 else -big) if b is None else b for _, b, step in parts)
    steps = tuple(step for _, _, step in parts)
    as_fields = Slice(starts=starts, ends=ends, steps=steps)
    np.testing.assert_array_equal(apply(as_fields, X), X[index])
    axes = np.arange(len(index))
    as_inputs = [np.array(part, np.int64) for part in (starts, ends, axes, steps)]
    np.testing.assert_array_equal(apply(Slice(), X, *as_inputs), X[index])


def test_slice_by_negative_axis() -> None:
    np.testing.assert_array_equal(apply(Slice(starts=(1,), ends=(3,), axes=(-1,)), X), X[:, :, 1:3])


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [
        (0, 2**31 - 1, 1, "n"),
        (-1, -(2**31) + 1, -1, "n"),
        (1, 2**63 - 1, 1, "n-1"),
        (0, -1, 1, "n-1"),
        (-1, 2**63 - 1, 1, "min(n,1)"),
    ],
)
def test_slice_of_a_symbol(start: int, end: int, step: int, expected: str) -> None:
    x = TensorType(DType.FLOAT32, ("n", 2))
    (result,) = Slice(starts=(start,), ends=(end,), steps=(step,)).infer(x)
    assert result.shape == (expected, 2)


def test_slice_of_ranges_not_known_yet() -> None:
    two, one = TensorType(DType.INT64, (2,)), TensorType.of(np.array([1], np.int64))
    x = TensorType(DType.FLOAT32, (5, 6, 7))
    assert Slice().infer(x, two, two)[0].shape == ("?0", "?1", 7)
    single = TensorType(DType.INT64, (1,))
    assert Slice().infer(x, single, single, one)[0].shape == (5, "?1", 7)


def test_slice_refuses() -> None:
    x = TensorType.of(X)
    with pytest.raises(ShapeError, match="step along axis 1 is 0"):
        Slice(starts=(0,), ends=(1,), axes=(1,), steps=(0,)).infer(x)
    with pytest.raises(ShapeError, match="differ in length"):
        Slice(starts=(0, 1), ends=(1,)).infer(x)
    with pytest.raises(ShapeError, match="starts without ends"):
        Slice(starts=(0,)).infer(x)


def test_parameters_per_axis_are_cut_with_the_axis() -> None:
    x = quantized(2, 3, 4, q=CHANNELS)
    (cut,) = Slice(starts=(3,), ends=(0,), axes=(2,), steps=(-2,)).infer(x)
    assert cut.quantization == Quantization([4.0, 1.0], [4, 2], axis=2)
    first, second = Split(axis=2, sizes=(1, 3)).infer(x)
    assert first.quantization == Quantization([0.5], [1])
    assert second.quantization == Quantization([1.0, 2.0, 4.0], [2, 3, 4], axis=2)
    (turned,) = Reverse(axes=(-1,)).infer(x)
    assert turned.quantization == Quantization([4.0, 2.0, 1.0, 0.5], [4, 3, 2, 1], axis=2)
    pick = TensorType.of(np.array([-1, 0]))
    assert Gather(axis=2).infer(x, pick)[0].quantization == Quantization([4.0, 0.5], [4, 1], axis=2)
    with pytest.raises(QuantizationError, match="cannot follow"):
        Pad(pads=(0, 0, 1, 0, 0, 1)).infer(x)


def test_split() -> None:
    one, none, two = apply_all(Split(axis=-2, sizes=(1, 0, 2)), X)
    np.testing.assert_array_equal(one, X[:, :1])
    assert none.shape == (2, 0, 4)
    np.testing.assert_array_equal(two, X[:, 1:])
    with pytest.raises(ShapeError, match="do not add up"):
        Split(axis=0, sizes=(1, 2)).infer(TensorType.of(X))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "symmetric"])
def test_pad_adds_what_numpy_adds(mode: str) -> None:
    result = apply(Pad(pads=(1, 0, 2, 0, 2, 1), mode=mode), X)
    np.testing.assert_array_equal(result, np.pad(X, [(1, 0), (0, 2), (2, 1)], mode=mode))


def test_pad_of_quantized_values_stores_the_real_value() -> None:
    x = quantized(2)
    (result,) = Pad(pads=(1, 1), value=1.0).reference(
        NodeTypes((x,), Pad(pads=(1, 1)).infer(x)), np.array([7, 8], np.int8)
    )
    assert result.tolist() == [5, 7, 8, 5]
    assert int(Pad(pads=(0, 0)).stored(x)) == 3
    assert int(Pad(pads=(0, 0), value=-np.inf).stored(x)) == -128


def test_pad_crops_by_negative_counts() -> None:
    np.testing.assert_array_equal(
        apply(Pad(pads=(0, -1, 1, 0, 1, -2), value=9.0), X),
        np.pad(X[:, 1:, :2], [(0, 0), (0, 1), (1, 0)], constant_values=9),
    )


def test_pad_wraps_around() -> None:
    np.testing.assert_array_equal(
        apply(Pad(pads=(0, 2, 1, 0, 1, 3), mode="wrap"), X),
        np.pad(X, [(0, 0), (2, 1), (1, 3)], mode="wrap"),
    )


def test_pad_refuses() -> None:
    x = TensorType.of(X)
    with pytest.raises(ShapeError, match="expected 6"):
        Pad(pads=(1, 1)).infer(x)
    with pytest.raises(UnsupportedError, match="'spiral'"):
        Pad(pads=(0,) * 6, mode="spiral").infer(x)
    with pytest.raises(ShapeError, match="do not fit axis 0 of 2"):
        Pad(pads=(2, 0, 0, 0, 0, 0), mode="reflect").infer(x)
    with pytest.raises(ShapeError, match="do not fit axis 1 of 3"):
        Pad(pads=(0, -2, 0, 0, -2, 0)).infer(x)


def test_tile() -> None:
    np.testing.assert_array_equal(apply(Tile(), X, np.array([1, 2, 3])), np.tile(X, (1, 2, 3)))
    assert apply(Tile(), X, np.array([0, 1, 1])).shape == (0, 3, 4)
    with pytest.raises(ShapeError, match="expected 3 counts"):
        Tile().infer(TensorType.of(X), TensorType.of(np.array([1])))


def test_reverse() -> None:
    np.testing.assert_array_equal(apply(Reverse(axes=(0, -1)), X), X[::-1, :, ::-1])


def test_depth_to_space_modes_differ_in_channel_order() -> None:
    x = np.arange(8, dtype=np.int8).reshape(1, 1, 1, 8)
    dcr = apply(DepthToSpace(block=2), x)
    assert dcr.tolist() == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]
    crd = apply(DepthToSpace(block=2, mode="CRD"), x)
    assert crd.tolist() == [[[[0, 4], [1, 5]], [[2, 6], [3, 7]]]]


def test_space_to_depth_undoes_depth_to_space() -> None:
    x = np.arange(2 * 4 * 6 * 3, dtype=np.int32).reshape(2, 4, 6, 3)
    deep = apply(SpaceToDepth(block=2), x)
    assert deep.shape == (2, 2, 3, 12)
    assert deep[0, 0, 0].tolist() == [*x[0, 0, :2].ravel(), *x[0, 1, :2].ravel()]
    np.testing.assert_array_equal(apply(DepthToSpace(block=2), deep), x)
    with pytest.raises(ShapeError, match="cannot divide"):
        SpaceToDepth(block=5).infer(TensorType.of(x))


def test_gather() -> None:
    indices = np.array([[0, -1], [2, 1]])
    np.testing.assert_array_equal(apply(Gather(axis=1), X, indices), X[:, indices])
    np.testing.assert_array_equal(apply(Gather(), X, np.array(-1, np.int32)), X[-1])
    assert apply(Gather(), X[:0], np.zeros(0, np.int64)).shape == (0, 3, 4)
    batched = apply(Gather(axis=1, batch_dims=1), X, np.array([[2, 0], [1, 1]]))
    np.testing.assert_array_equal(batched, np.stack([X[0, [2, 0]], X[1, [1, 1]]]))


@pytest.mark.parametrize("op", [Gather(axis=1), GatherElements(axis=1)])
@pytest.mark.parametrize("index", [3, -4])
def test_indices_outside_the_axis_are_an_error(op: Op, index: int) -> None:
    arrays = X, np.full((1, 1, 1), index)
    types = tuple(TensorType.of(array) for array in arrays)
    with pytest.raises(InputError, match="expected -3 to 2 along axis 1"):
        op.reference(NodeTypes(types, op.infer(*types)), *arrays)


def test_gather_elements() -> None:
    indices = np.array([[[0, 1, -1, 2]], [[2, 2, 0, 0]]])
    expected = np.take_along_axis(X, indices % 3, 1)
    np.testing.assert_array_equal(apply(GatherElements(axis=1), X, indices), expected)
    smaller = np.array([[[1], [-1]]])
    assert apply(GatherElements(axis=2), X, smaller).tolist() == [[[1], [7]]]


def test_gather_nd() -> None:
    pairs = np.array([[0, 1], [1, -1]])
    np.testing.assert_array_equal(apply(GatherND(), X, pairs), X[[0, 1], [1, -1]])
    single = np.array([[[2]], [[0]]])
    batched = apply(GatherND(batch_dims=1), X, single)
    np.testing.assert_array_equal(batched, np.stack([X[0, [2]], X[1, [0]]]))
    with pytest.raises(ShapeError, match="expected 1 to 3"):
        GatherND().infer(TensorType.of(X), TensorType.of(np.zeros((2, 4), np.int64)))


def test_scatter_nd() -> None:
    updates = np.full((2, 4), -1, np.float32)
    expected = X.copy()
    expected[0, 2] = expected[1, 0] = -1
    places = np.array([[0, -1], [1, 0]])
    np.testing.assert_array_equal(apply(ScatterND(), X, places, updates), expected)
    twice = np.array([[1, 1], [1, 1]])
    expected = X.copy()
    expected[1, 1] -= 2
    np.testing.assert_array_equal(apply(ScatterND(reduction="add"), X, twice, updates), expected)
    with pytest.raises(ShapeError, match="updates are"):
        ScatterND().infer(*(TensorType.of(a) for a in (X, twice, updates[:, :3])))


def test_one_hot() -> None:
    indices, values = np.array([1, -1, 7]), np.array([0.0, 5.0], np.float32)
    expected = [[0, 5, 0], [0, 0, 5], [0, 0, 0]]
    assert apply(OneHot(), indices, np.array(3), values).tolist() == expected
    first = apply(OneHot(axis=0), indices, np.array(3), values)
    np.testing.assert_array_equal(first, np.array(expected).T)
