"""Kernels that move elements, against their references, on every ISA with one thread and two."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from harness import NotBound, expected, levels, run_op

from linnet.ops import (
    Concat,
    ConstantOfShape,
    DepthToSpace,
    Expand,
    Flatten,
    Gather,
    GatherElements,
    GatherND,
    Op,
    Pad,
    Resize,
    Reverse,
    ScatterND,
    Slice,
    SpaceToDepth,
    Split,
    Tile,
    Transpose,
)
from linnet.ops.bind_move import Axis, canonical
from linnet.ops.resize import ARITHMETIC_KINDS, COORDINATES, ROUNDINGS
from linnet.types import DType, Quantization

LEVELS = list(levels())
DTYPES = ("int8", "int16", "float32", "int64")


def content(shape: tuple[int, ...], dtype: str = "int8") -> np.ndarray:
    rng = np.random.default_rng(sum(shape) + len(shape))
    if dtype == "float32":
        return rng.standard_normal(shape).astype(np.float32)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def check(op: Op, *arrays: np.ndarray, constants: tuple[int, ...] = (), **given) -> None:
    wanted = expected(op, arrays, **given)
    for isa, threads in LEVELS:
        found = run_op(op, arrays, constants=constants, isa=isa, threads=threads, **given)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=f"{op} on {isa}, {threads} threads")


@pytest.mark.parametrize("rank", range(7))
def test_transpose_of_every_rank(rank: int) -> None:
    shape = (2, 3, 1, 4, 2, 5)[:rank]
    orders = list(itertools.permutations(range(rank)))
    for perm in orders[:: max(1, len(orders) // 6)]:
        check(Transpose(perm=perm), content(shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape",
    [
        (1, 7),
        (7, 1),
        (2, 40),
        (3, 37),
        (4, 64),
        (16, 16),
        (17, 33),
        (70, 300),
        (0, 5),
        (40, 3),
        (301, 5),
        (200, 13),
    ],
)
def test_transpose_of_matrices(shape: tuple[int, int], dtype: str) -> None:
    check(Transpose(perm=(1, 0)), content(shape, dtype))


@pytest.mark.parametrize("channels", [1, 3, 8, 33])
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_channels_move_last_and_back(channels: int, dtype: str) -> None:
    check(Transpose(perm=(0, 2, 3, 1)), content((2, channels, 9, 11), dtype))
    check(Transpose(perm=(0, 3, 1, 2)), content((2, 9, 11, channels), dtype))


def test_transpose_split_inside_a_long_narrow_matrix() -> None:
    for rows in range(2, 10):
        check(Transpose(perm=(1, 0)), content((rows, 9001)))
        check(Transpose(perm=(1, 0)), content((rows, 4100), "int16"))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_concat_and_split(axis: int, dtype: str) -> None:
    x, y = content((2, 3, 4), dtype), content((2, 3, 4), dtype)
    empty = np.take(x, [], axis=axis)
    check(Concat(axis=axis), x, empty, y)
    joined = np.concatenate([x, y], axis)
    size = x.shape[axis]
    check(Split(axis=axis, sizes=(1, 0, 2 * size - 1)), joined)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3, 5), (3, 200), (0, 4)])
def test_concat_requantizes(shape: tuple[int, ...]) -> None:
    inputs = [Quantization(0.11, 5), Quantization(0.05, -128), Quantization(0.3, 20)]
    arrays = [content(shape), content(shape)[::-1], content(shape)]
    given = {"quantizations": inputs, "output_quantization": Quantization(0.11, 5)}
    check(Concat(axis=-1), *arrays, **given)


@pytest.mark.parametrize("shape", [(), (6,), (4, 6), (3, 4, 6), (2, 3, 4, 6), (1, 2, 3, 4, 6)])
def test_slice_with_steps_of_both_signs(shape: tuple[int, ...]) -> None:
    rank, big = len(shape), 2**31 - 1
    for starts, ends, step in (((1,), (big,), 1), ((0,), (-1,), 2), ((-1,), (-big,), -2)):
        op = Slice(starts=starts * rank, ends=ends * rank, steps=(step,) * rank)
        for dtype in DTYPES:
            check(op, content(shape, dtype))


def test_slice_reads_constant_ranges_only() -> None:
    x, ranges = content((5, 6)), [np.array([1]), np.array([4]), np.array([-1])]
    check(Slice(), x, *ranges, constants=(1, 2, 3))
    fields = Slice(starts=(4,), ends=(1,))
    assert run_op(fields, [x])[0].shape == (0, 6)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "symmetric"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_pad(mode: str, dtype: str) -> None:
    check(Pad(pads=(0, 1, 2, 0, 0, 1, 1, 0), mode=mode, value=3.0), content((2, 3, 4, 5), dtype))
    check(Pad(pads=(2, -1, 0, 3), mode=mode), content((4, 5), dtype))


def test_pad_stores_the_zero_point() -> None:
    check(Pad(pads=(1, 1)), content((70,)), quantizations=[Quantization(0.5, -7)])
    check(Pad(pads=(0, 3, 0, 3), value=-1.5), content((3, 0)))
    check(Pad(pads=()), content(()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tile_and_expand(dtype: str) -> None:
    check(Tile(), content((2, 1, 3), dtype), np.array([2, 3, 4]), constants=(1,))
    check(Tile(), content((2, 3), dtype), np.array([0, 2]), constants=(1,))
    check(Expand(), content((3, 1, 2), dtype), np.array([4, 1, 5, 2]), constants=(1,))
    check(Expand(), content((), dtype), np.array([100]), constants=(1,))


@pytest.mark.parametrize("axes", [(0,), (-1,), (0, 1, 2), ()])
def test_reverse(axes: tuple[int, ...]) -> None:
    for dtype in DTYPES:
        check(Reverse(axes=axes), content((3, 4, 5), dtype))


@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks_and_depth(block: int) -> None:
    for dtype in ("int8", "float32"):
        deep = content((2, 3, 4, 2 * block * block), dtype)
        check(DepthToSpace(block=block), deep)
        check(DepthToSpace(block=block, mode="CRD"), deep)
        check(SpaceToDepth(block=block), content((2, 2 * block, 3 * block, 3), dtype))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("wide", ["int32", "int64"])
def test_gather(axis: int, wide: str) -> None:
    x = content((4, 5, 6), "int16")
    check(Gather(axis=axis), x, np.array([[0, -1], [3, 3]], wide))
    check(Gather(axis=axis), x, np.array(-2, wide))
    check(Gather(axis=axis), x, np.zeros(0, wide))


def test_gather_with_batches() -> None:
    indices = np.array([[[0, -1], [2, 2]], [[1, 0], [-3, 1]]])
    check(Gather(axis=2, batch_dims=1), content((2, 3, 4, 5)), indices)
    check(Gather(axis=2, batch_dims=2), content((2, 2, 3, 5)), indices)


@pytest.mark.parametrize("wide", ["int32", "int64"])
def test_gather_elements(wide: str) -> None:
    indices = np.array([[[0, -1], [2, 1]], [[1, 1], [0, -3]]], wide)
    for dtype in DTYPES:
        check(GatherElements(axis=1), content((2, 3, 4), dtype), indices)
    check(GatherElements(axis=0), content((5,)), np.zeros(0, wide))


@pytest.mark.parametrize("wide", ["int32", "int64"])
def test_gather_nd(wide: str) -> None:
    x = content((2, 3, 4, 5), "int16")
    for depth in (1, 2, 3, 4):
        check(GatherND(), x, np.array([[[0] * depth, [-1] * depth]], wide))
    check(GatherND(batch_dims=1), x, np.array([[[2, 0], [0, -4]], [[1, 1], [1, 1]]], wide))
    check(GatherND(), x, np.zeros((0, 2), wide))


def test_scatter_nd_lets_the_last_update_win() -> None:
    x, places = content((4, 3, 5)), np.array([[1, 1], [-1, 0], [1, 1]])
    check(ScatterND(), x, places, content((3, 5)))
    check(ScatterND(), x, places[:0], content((0, 5)))
    check(ScatterND(), x, np.array([[2]], np.int32), content((1, 3, 5)))
    with pytest.raises(NotBound):
        run_op(ScatterND(reduction="add"), [x, places, content((3, 5))])


OUTSIDE = [
    (Gather(), [content((5, 2)), np.array([0, 5])]),
    (Gather(), [content((5, 2)), np.array([-6, 0], np.int32)]),
    (Gather(), [content((5, 2)), np.array([2**40])]),
    (Gather(), [content((0, 2)), np.array([0])]),
    (GatherElements(axis=1), [content((5, 2)), np.array([[2]])]),
    (GatherND(), [content((5, 2)), np.array([[0, 1], [4, -3]])]),
    (ScatterND(), [content((5, 2)), np.array([[5]]), content((1, 2))]),
]


@pytest.mark.parametrize("case", range(len(OUTSIDE)))
def test_an_index_outside_its_axis_is_reported(case: int) -> None:
    op, arrays = OUTSIDE[case]
    for isa, threads in LEVELS:
        with pytest.raises(AssertionError, match="reported bad data"):
            run_op(op, arrays, isa=isa, threads=threads)


EXTENTS = [((5, 7), (10, 14)), ((5, 7), (3, 4)), ((1, 1), (3, 2)), ((6, 6), (6, 6))]


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("channels", [1, 3, 16, 37])
def test_resize(extent: tuple, channels: int) -> None:
    before, size = extent
    for dtype in ("int8", "float32"):
        x = content((2, *before, channels), dtype)
        for coordinates in COORDINATES:
            for arithmetic in ARITHMETIC_KINDS:
                op = Resize(
                    mode="linear", coordinates=coordinates, size=size, arithmetic=arithmetic
                )
                check(op, x)
        for rounding in ROUNDINGS:
            check(Resize(nearest=rounding, size=size), x)


def test_linear_resize_of_other_types_is_left_to_the_reference() -> None:
    with pytest.raises(NotBound):
        run_op(Resize(mode="linear", size=(4, 4)), [content((1, 2, 2, 1), "int16")])


def test_views_copy_where_memory_is_not_shared() -> None:
    check(Flatten(), content((2, 3, 5)))
    check(Flatten(), content((0, 3)))


def test_constant_of_shape() -> None:
    shape = np.array([3, 0, 5]), np.array([7, 11]), np.zeros(0, np.int64)
    for array in shape:
        check(ConstantOfShape(fill=2.5), array, constants=(0,))
        check(ConstantOfShape(fill=-3, dtype=DType.INT8), array, constants=(0,))
        check(ConstantOfShape(fill=2**40, dtype=DType.INT64), array, constants=(0,))


def random_move(rng: np.random.Generator, shape: tuple[int, ...]) -> Op:
    rank = len(shape)

    def several(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.integers(low, high, rank, endpoint=True).tolist())

    axes = tuple(rng.permutation(rank).tolist())
    cut = int(rng.integers(0, shape[0], endpoint=True))
    moves = (
        Transpose(perm=axes),
        Slice(starts=several(-9, 9), ends=several(-9, 9), steps=several(1, 3)),
        Slice(starts=several(-9, 9), ends=several(-9, 9), steps=several(-3, -1)),
        Pad(pads=several(-1, 2) + several(0, 2), value=5.0),
        Pad(pads=several(0, 2) + several(0, 2), mode="symmetric"),
        Reverse(axes=axes[: rank // 2]),
        Split(axis=0, sizes=(cut, shape[0] - cut)),
    )
    return moves[int(rng.integers(len(moves)))]


@pytest.mark.parametrize("seed", range(60))
def test_random_moves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 6, endpoint=True))
    shape = tuple(rng.integers(2, (40, 30, 12, 7, 5, 4)[rank - 1], rank, endpoint=True).tolist())
    check(random_move(rng, shape), content(shape, DTYPES[seed % 4]))


def test_canonical_loops() -> None:
    assert canonical([Axis(2, 12, 12), Axis(3, 4, 4)], 4) == (24, [])
    assert canonical([Axis(5, 4, 4), Axis(1, 99, 99), Axis(6, 20, 20)], 4) == (120, [])
    assert canonical([Axis(5, 8, 4)], 4) == (4, [Axis(5, 8, 4)])
    assert canonical([Axis(4, 0, 6), Axis(3, 0, 2)], 2) == (2, [Axis(12, 0, 2)])
