"""Rules of operators that move elements: joining, cutting, padding, indexing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from linnet.errors import FormatError, UnsupportedError
from linnet.ops import (
    Add,
    Concat,
    Dequantize,
    Equal,
    Expand,
    FloorDiv,
    Gather,
    GatherND,
    Less,
    Pad,
    ReduceSum,
    Reshape,
    Reverse,
    ScatterND,
    Shape,
    Slice,
    Split,
    Sub,
    Tile,
    Transpose,
    Where,
)
from linnet.types import DType

from .node import TfliteNode

_TO_END = (1 << 63) - 1
_MIRRORS: dict[int, Literal["reflect", "symmetric"]] = {0: "reflect", 1: "symmetric"}


def concatenation(node: TfliteNode) -> None:
    """CONCATENATION: inputs one after the other along an axis."""
    if node.option("FusedActivationFunction", 0):
        raise UnsupportedError("a fused activation; only none is known")
    node.emit(Concat(axis=int(node.option("Axis"))), node.inputs())


def transpose(node: TfliteNode) -> None:
    """TRANSPOSE: axes in the order that an input says."""
    if node.graph.constant(node.input(1)) is None:
        op = Transpose(perm=tuple(range(node.type(0).rank)))
        return node.emit_late(op, node.input(0), {"perm": node.as_int64(node.input(1))})
    node.emit(Transpose(perm=node.integers(1, "permutation")), [node.input(0)])


def reverse(node: TfliteNode) -> None:
    """REVERSE_V2: the order of elements turned around along constant axes."""
    node.emit(Reverse(axes=node.integers(1, "axes")), [node.input(0)])


def tile(node: TfliteNode) -> None:
    """TILE: repeated along each axis."""
    node.emit(Tile(), [node.input(0), node.as_int64(node.input(1))])


def _pad(node: TfliteNode, mode: Literal["constant", "reflect", "symmetric"], value: float) -> None:
    rank = node.type(0).rank
    if node.graph.constant(node.input(1)) is None:
        if node.type(1).shape != (rank, 2):
            raise UnsupportedError(f"paddings {node.type(1)} for rank {rank}")
        sides = node.step(Transpose(perm=(1, 0)), [node.as_int64(node.input(1))], "sides")
        flat = node.step(Reshape(shape=(2 * rank,)), [sides], "pads")
        op = Pad(pads=(0,) * (2 * rank), mode=mode, value=value)
        return node.emit_late(op, node.input(0), {"pads": flat})
    numbers = node.integers(1, "paddings")
    if len(numbers) != 2 * rank:
        raise FormatError(f"{len(numbers)} paddings for rank {rank}; expected {2 * rank}")
    pads = (*numbers[::2], *numbers[1::2])
    node.emit(Pad(pads=pads, mode=mode, value=value), [node.input(0)])


def pad(node: TfliteNode) -> None:
    """PAD: real zeros around, as many as an input says."""
    _pad(node, "constant", 0.0)


def pad_v2(node: TfliteNode) -> None:
    """PADV2: a constant value around; quantized tensors give it quantized."""
    value = float(node.constant(2, "padding value").reshape(-1)[0])
    q = node.type(2).quantization
    if q is not None:
        value = (value - float(q.zero_point[0])) * float(q.scale[0])
    _pad(node, "constant", value)


def mirror_pad(node: TfliteNode) -> None:
    """MIRROR_PAD: the mirror image around, without or with the edge repeated."""
    mode = _MIRRORS.get(node.option("Mode"))
    if mode is None:
        raise FormatError(f"mirror mode {node.option('Mode')}; expected one of {_MIRRORS}")
    _pad(node, mode, 0.0)


def split(node: TfliteNode) -> None:
    """SPLIT: axis, x; equal parts."""
    x, count = node.type(1), node.output_count
    if node.graph.constant(node.input(0)) is None:
        return _split_along(node, count)
    axis = node.integer(0, "axis")
    length = x.shape[axis] if -x.rank <= axis < x.rank else 0
    if not isinstance(length, int) or not count or length % count:
        raise UnsupportedError(f"axis {axis} of {x} in {count} equal parts")
    node.emit(Split(axis=axis, sizes=(length // count,) * count), [node.input(1)])


def _split_along(node: TfliteNode, count: int) -> None:
    """Split into equal parts along an axis that only a run knows."""
    axis = node.step(Reshape(shape=(1,)), [node.as_int64(node.input(0))], "axis")
    shape = node.step(Shape(), [node.input(1)], "shape")
    length = node.step(Gather(axis=0), [shape, axis], "length")
    part = node.step(FloorDiv(), [length, node.scalar(count, DType.INT64)], "part")
    sizes = node.step(Tile(), [part, node.array(np.array([count], np.int64), "parts")], "sizes")
    given = {"axis": axis, "sizes": sizes}
    node.emit_late(Split(axis=0, sizes=(1,) * count), node.input(1), given)


def _split_by(node: TfliteNode, axis: int) -> None:
    """Split by sizes that only a run knows; -1 is what the others leave."""
    sizes, open_size = node.as_int64(node.input(1)), node.scalar(-1, DType.INT64)
    total = node.step(Shape(start=axis, end=axis + 1), [node.input(0)], "total")
    others = node.step(ReduceSum(axes=(0,)), [sizes], "others")
    left = node.step(Sub(), [total, others], "left")
    rest = node.step(Add(), [left, open_size], "rest")
    open_ = node.step(Equal(), [sizes, open_size], "open")
    whole = node.step(Where(), [open_, rest, sizes], "sizes")
    op = Split(axis=axis, sizes=(1,) * node.output_count)
    node.emit_late(op, node.input(0), {"sizes": whole})


def split_v(node: TfliteNode) -> None:
    """SPLIT_V: x, sizes, axis; one size may be -1, what is left."""
    if node.graph.constant(node.input(1)) is None:
        return _split_by(node, node.integer(2, "axis") % max(node.type(0).rank, 1))
    sizes, axis, x = list(node.integers(1, "sizes")), node.integer(2, "axis"), node.type(0)
    if -1 in sizes:
        length = x.shape[axis] if -x.rank <= axis < x.rank else None
        if not isinstance(length, int):
            raise UnsupportedError(f"a part of unknown size along axis {axis} of {x}")
        sizes[sizes.index(-1)] = length - sum(sizes) - 1
    node.emit(Split(axis=axis, sizes=tuple(sizes)), [node.input(0)])


def slice_(node: TfliteNode) -> None:
    """SLICE: begin and size; a size of -1 reaches the end."""
    known = [node.graph.constant(node.input(i)) for i in (1, 2)]
    if any(content is None for content in known):
        _slice_computed(node)
        return
    starts, sizes = node.integers(1, "begin"), node.integers(2, "sizes")
    if len(starts) != len(sizes):
        raise FormatError(f"{len(starts)} begins and {len(sizes)} sizes")
    ends = (_TO_END if n < 0 else s + n for s, n in zip(starts, sizes, strict=True))
    node.emit(Slice(starts=starts, ends=tuple(ends)), [node.input(0)])


def _slice_computed(node: TfliteNode) -> None:
    starts, sizes = (node.as_int64(node.input(i)) for i in (1, 2))
    ends = node.step(Add(), [starts, sizes], "ends")
    content = node.graph.constant(sizes)
    if content is None or content.min(initial=0) < 0:
        open_ = node.step(Less(), [sizes, node.array(np.array([0], np.int64), "zero")], "open")
        last = node.array(np.array([_TO_END], np.int64), "last")
        ends = node.step(Where(), [open_, last, ends], "limits")
    node.emit(Slice(), [node.input(0), starts, ends])


def gather(node: TfliteNode) -> None:
    """GATHER: entries of x along an axis, by indices."""
    x, indices = node.type(0), node.type(1)
    axis, batch = int(node.option("Axis", 0)), int(node.option("BatchDims", 0))
    batch = batch + indices.rank if batch < 0 else batch
    axis = axis + x.rank if axis < 0 else axis
    node.emit(Gather(axis=axis, batch_dims=batch), [node.input(0), _indices(node, 1)])


def gather_nd(node: TfliteNode) -> None:
    """GATHER_ND: slices of x at index tuples."""
    node.emit(GatherND(), [node.input(0), _indices(node, 1)])


def scatter_nd(node: TfliteNode) -> None:
    """SCATTER_ND: indices, updates, shape; zeros with the updates added at index tuples."""
    updates = node.type(1)
    if updates.is_quantized:
        raise UnsupportedError("quantized updates; only plain numbers are known")
    zeros = node.step(Expand(), [node.scalar(0, updates.dtype), node.input(2)], "zeros")
    node.emit(ScatterND(reduction="add"), [zeros, _indices(node, 0), node.input(1)])


def embedding_lookup(node: TfliteNode) -> None:
    """EMBEDDING_LOOKUP: rows of a table, dequantized where the output is float."""
    inputs = [node.input(1), _indices(node, 0)]
    if node.type(1).is_quantized and node.output_type().dtype.is_float:
        node.emit(Dequantize(), [node.step(Gather(axis=0), inputs, "rows")])
    else:
        node.emit(Gather(axis=0), inputs)


def _indices(node: TfliteNode, position: int) -> str:
    known = node.type(position).dtype in (DType.INT32, DType.INT64)
    return node.input(position) if known else node.as_int64(node.input(position))


CONVERTERS = {
    "CONCATENATION": concatenation,
    "EMBEDDING_LOOKUP": embedding_lookup,
    "GATHER": gather,
    "GATHER_ND": gather_nd,
    "MIRROR_PAD": mirror_pad,
    "PAD": pad,
    "PADV2": pad_v2,
    "REVERSE_V2": reverse,
    "SCATTER_ND": scatter_nd,
    "SLICE": slice_,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "TILE": tile,
    "TRANSPOSE": transpose,
}
