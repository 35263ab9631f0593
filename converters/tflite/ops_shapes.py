"""Rules of operators about shapes: views, shapes as data, constants made from shapes."""

from __future__ import annotations

import numpy as np

from linnet.errors import FormatError, UnsupportedError
from linnet.ops import (
    Cast,
    Concat,
    Equal,
    Expand,
    Range,
    Reshape,
    Shape,
    Split,
    Squeeze,
    Unsqueeze,
    Where,
)
from linnet.types import DType

from .node import TfliteNode

_MOST_CLASSES = 1 << 20


def reshape(node: TfliteNode) -> None:
    """RESHAPE: to a constant shape, to the one that the file declares, or to a computed one."""
    target = _target(node)
    if target is None:
        node.emit(Reshape(allow_zero=True), [node.input(0), node.input(1)])
    else:
        node.emit(Reshape(shape=target, allow_zero=True), [node.input(0)])


def _target(node: TfliteNode) -> tuple[int, ...] | None:
    if not node.has(1):
        return tuple(int(n) for n in node.option("NewShape"))
    if node.graph.constant(node.input(1)) is not None:
        return node.integers(1, "shape")
    declared = node.output_type().shape
    unknown = [dim for dim in declared if not isinstance(dim, int)]
    if not declared or len(unknown) > 1:
        return None
    return tuple(dim if isinstance(dim, int) else -1 for dim in declared)


def squeeze(node: TfliteNode) -> None:
    """SQUEEZE: without the named dimensions of one, or without all of them."""
    axes = tuple(int(n) for n in node.option("SqueezeDims", ()))
    node.emit(Squeeze(axes=axes or None), [node.input(0)])


def expand_dims(node: TfliteNode) -> None:
    """EXPAND_DIMS: a dimension of one at an axis."""
    if node.graph.constant(node.input(1)) is None:
        axis = {"axes": node.as_int64(node.input(1))}
        return node.emit_late(Unsqueeze(axes=(0,)), node.input(0), axis)
    node.emit(Unsqueeze(axes=(node.integer(1, "axis"),)), [node.input(0)])


def pack(node: TfliteNode) -> None:
    """PACK: inputs side by side along a new axis."""
    axis, rank = int(node.option("Axis", 0)), node.type(0).rank
    axis = axis + rank + 1 if axis < 0 else axis
    parts = [
        node.step(Unsqueeze(axes=(axis,)), [name], f"part{i}")
        for i, name in enumerate(node.inputs())
    ]
    node.emit(Concat(axis=axis), parts)


def unpack(node: TfliteNode) -> None:
    """UNPACK: one output per entry along an axis, which is removed."""
    axis, rank, count = int(node.option("Axis", 0)), node.type(0).rank, node.output_count
    axis = axis + rank if axis < 0 else axis
    if not 0 <= axis < rank or node.type(0).shape[axis] != count:
        raise FormatError(f"{count} outputs along axis {axis} of {node.type(0)}")
    parts = node.steps(Split(axis=axis, sizes=(1,) * count), [node.input(0)], "part")
    for position, part in enumerate(parts):
        node.emit_one(position, Squeeze(axes=(axis,)), [part])


def shape(node: TfliteNode) -> None:
    """SHAPE: the dimensions, as the integer type that the file declares."""
    dtype, x = node.output_type().dtype, node.type(0)
    if x.is_static:
        node.emit_constant(np.array(x.static_shape, dtype.numpy))
    elif dtype is DType.INT64:
        node.emit(Shape(), [node.input(0)])
    else:
        node.emit(Cast(to=dtype), [node.step(Shape(), [node.input(0)], "int64")])


def rank(node: TfliteNode) -> None:
    """RANK: the number of dimensions, known at conversion."""
    node.emit_constant(np.array(node.type(0).rank, node.output_type().dtype.numpy))


def fill(node: TfliteNode) -> None:
    """FILL: one value in every element of a shape."""
    node.emit(Expand(), [node.input(1), node.input(0)])


def broadcast_to(node: TfliteNode) -> None:
    """BROADCAST_TO: repeated to a shape."""
    node.emit(Expand(), [node.input(0), node.input(1)])


def zeros_like(node: TfliteNode) -> None:
    """ZEROS_LIKE: zeros of the input's type and shape."""
    x = node.type(0)
    if x.is_quantized:
        raise UnsupportedError("quantized zeros; only plain numbers are known")
    if x.is_static:
        dims = node.array(np.array(x.static_shape, np.int64), "shape")
    else:
        dims = node.step(Shape(), [node.input(0)], "shape")
    node.emit(Expand(), [node.scalar(0, x.dtype), dims])


def range_(node: TfliteNode) -> None:
    """RANGE: from start by delta up to, but without, limit."""
    node.emit(Range(), [node.input(0), node.input(1), node.input(2)])


def one_hot(node: TfliteNode) -> None:
    """ONE_HOT: on where the index equals the position, off elsewhere, negative indices too."""
    depth, axis, indices = node.input(1), int(node.option("Axis", -1)), node.type(0)
    axis = axis + indices.rank + 1 if axis < 0 else axis
    known = node.graph.constant(depth)
    if not 0 <= axis <= indices.rank or (known is not None and not 0 <= known <= _MOST_CLASSES):
        raise UnsupportedError(f"depth {known} along axis {axis} of {indices}")
    zero, one = (node.scalar(i, DType.INT64) for i in (0, 1))
    end = node.step(Reshape(shape=()), [node.as_int64(depth)], "depth")
    counted = node.step(Range(), [zero, end, one], "counted")
    if indices.dtype is not DType.INT64:
        counted = node.step(Cast(to=indices.dtype), [counted], "cast")
    shape = (-1,) + (1,) * (indices.rank - axis)
    positions = node.step(Reshape(shape=shape), [counted], "positions")
    index = node.step(Unsqueeze(axes=(axis,)), [node.input(0)], "index")
    equal = node.step(Equal(), [index, positions], "equal")
    node.emit(Where(), [equal, node.input(2), node.input(3)])


CONVERTERS = {
    "BROADCAST_TO": broadcast_to,
    "EXPAND_DIMS": expand_dims,
    "FILL": fill,
    "ONE_HOT": one_hot,
    "PACK": pack,
    "RANGE": range_,
    "RANK": rank,
    "RESHAPE": reshape,
    "SHAPE": shape,
    "SQUEEZE": squeeze,
    "UNPACK": unpack,
    "ZEROS_LIKE": zeros_like,
}
