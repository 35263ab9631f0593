"""ONNX operators that move elements: layout, slices, gathers, pads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import DType

from .node import OnnxNode, normalized
from .registry import handles


@handles("Transpose")
def transpose(node: OnnxNode) -> None:
    """Axes reversed where no order is given."""
    perm = node.integers("perm", tuple(reversed(range(node.rank())))) or ()
    node.finish(ops.Transpose(perm=perm), node.input(0))


@handles("Concat")
def concat(node: OnnxNode) -> None:
    """Join along an axis; absent inputs do not count."""
    names = [name for name in node.inputs if name]
    if not names:
        raise FormatError("no inputs")
    if not node.has("axis"):
        raise FormatError("attribute axis is missing")
    if len(names) == 1:
        node.give(names[0])
    else:
        node.finish(ops.Concat(axis=node.axis(0, node.rank())), *names)


@handles("Slice")
def slice_(node: OnnxNode) -> None:
    """Bounds are attributes up to opset 9, then inputs."""
    if node.version < 10:
        starts, ends = node.integers("starts"), node.integers("ends")
        if starts is None or ends is None:
            raise FormatError("attribute starts or ends is missing")
        axes = node.integers("axes", range(len(starts))) or ()
        _cut(node, starts, ends, axes, (1,) * len(starts))
        return
    values = [node.constant(i) for i in range(1, 5)]
    given = [node.optional(i) for i in range(1, 5)]
    if all(v is not None or not g for v, g in zip(values, given, strict=True)):
        lists = [tuple(int(i) for i in v.reshape(-1)) if v is not None else None for v in values]
        if lists[0] is None or lists[1] is None:
            raise FormatError("input starts or ends is missing")
        axes = lists[2] if lists[2] is not None else tuple(range(len(lists[0])))
        _cut(node, lists[0], lists[1], axes, lists[3] or (1,) * len(lists[0]))
        return
    while given and not given[-1]:
        given.pop()
    node.finish(ops.Slice(), node.input(0), *given)


def _cut(
    node: OnnxNode,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int],
    steps: Sequence[int],
) -> None:
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise FormatError(
            f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes, {len(steps)} steps"
        )
    rank = node.rank()
    places = tuple(normalized(a, rank) for a in axes)
    # ONNX begins at the first element where a backward step starts before it, Python takes none.
    begins = []
    for start, axis, step in zip(starts, places, steps, strict=True):
        size = node.shape()[axis]
        inside = step < 0 and isinstance(size, int)
        begins.append(max(start, -int(size)) if inside else start)
    op = ops.Slice(starts=tuple(begins), ends=tuple(ends), axes=places, steps=tuple(steps))
    node.finish(op, node.input(0))


@handles("Split")
def split(node: OnnxNode) -> None:
    """Sizes are an attribute, an input, or made equal (the last one smaller)."""
    axis = node.axis(0, node.rank())
    if not node.has("split") and node.optional(1) and node.constant(1) is None:
        late = ops.Split(axis=axis, sizes=(1,) * len(node.outputs))
        x = node.input(0)
        node.finish(node.late(late, [x], {"sizes": node.input(1)}), x, node.input(1))
        return
    sizes = node.known_integers(1, "split")
    if sizes is None:
        count = node.integer("num_outputs", len(node.outputs))
        total = node.shape()[axis]
        if count < 1:
            raise FormatError(f"{count} parts")
        if not isinstance(total, int):
            _equal_parts(node, axis, count)
            return
        if node.version < 18 and total % count:
            raise FormatError(f"{total} elements do not split into {count} equal parts")
        part = -(-total // count)
        sizes = tuple(max(min(part, total - part * i), 0) for i in range(count))
    if len(sizes) != len(node.outputs):
        raise FormatError(f"{len(sizes)} sizes for {len(node.outputs)} outputs")
    node.finish(ops.Split(axis=axis, sizes=sizes), node.input(0))


def _equal_parts(node: OnnxNode, axis: int, count: int) -> None:
    """Split an axis whose size only a run knows; the last parts are smaller where it must be."""
    x = node.input(0)
    total = node.emit(ops.Shape(start=axis, end=axis + 1), x)
    more, parts, zero = (
        node.constant_like(np.array([i], np.int64), "count") for i in (count - 1, count, 0)
    )
    part = node.emit(ops.FloorDiv(), node.emit(ops.Add(), total, more), parts)
    order = node.constant_like(np.arange(count, dtype=np.int64), "order")
    rest = node.emit(ops.Sub(), total, node.emit(ops.Mul(), part, order))
    sizes = node.emit(ops.Maximum(), node.emit(ops.Minimum(), rest, part), zero)
    op = ops.Split(axis=axis, sizes=(1,) * count)
    node.finish(node.late(op, [x], {"sizes": sizes}), x, sizes)


@handles("Pad")
def pad(node: OnnxNode) -> None:
    """Read counts and value from attributes up to opset 10, then inputs; some axes only from 18."""
    rank = node.rank()
    node.only("mode", "constant", "reflect", "edge", "wrap", hint="pad with Slice and Concat")
    if node.version >= 11 and any(node.optional(i) and node.constant(i) is None for i in (1, 2, 3)):
        _late_pad(node)
        return
    if node.version < 11:
        counts = node.integers("pads") or ()
        value = node.real("value", 0.0)
    else:
        counts = tuple(int(i) for i in node.known(1, "pads").reshape(-1))
        value = float(node.known(2, "constant_value").reshape(())) if node.optional(2) else 0.0
    axes = list(range(rank))
    if node.optional(3):
        axes = [normalized(int(a), rank) for a in node.known(3, "axes").reshape(-1)]
    if len(counts) != 2 * len(axes):
        raise FormatError(f"{len(counts)} pads for {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        before[axis], after[axis] = counts[index], counts[index + len(axes)]
    q = node.type(0).quantization
    if q is not None:
        value = (value - float(q.zero_point[0])) * float(q.scale[0])
    op = ops.Pad(pads=(*before, *after), mode=node.text("mode", "constant"), value=value)
    node.finish(op, node.input(0))


def _late_pad(node: OnnxNode) -> None:
    """Pad by counts, or with a value, that only a run knows."""
    x, rank = node.input(0), node.rank()
    if node.type(0).is_quantized:
        raise UnsupportedError("pads of a quantized value are computed at run time")
    counts = node.input(1)
    if node.optional(3):
        ranks, zero = (node.constant_like(np.array(i, np.int64), "rank") for i in (rank, 0))
        axes = node.emit(ops.Cast(to=DType.INT64), node.input(3))
        ends = node.emit(ops.Add(), axes, ranks)
        begins = node.emit(ops.Where(), node.emit(ops.Less(), axes, zero), ends, axes)
        both = node.emit(ops.Concat(axis=0), begins, node.emit(ops.Add(), begins, ranks))
        places = node.emit(ops.Reshape(shape=(-1, 1)), both)
        zeros = node.constant_like(np.zeros(2 * rank, np.int64), "zeros")
        counts = node.emit(ops.ScatterND(), zeros, places, counts)
    given = {"pads": counts}
    if node.optional(2):
        given["value"] = node.emit(ops.Cast(to=DType.FLOAT64), node.input(2))
    op = ops.Pad(pads=(0,) * (2 * rank), mode=node.text("mode", "constant"))
    node.finish(node.late(op, [x], given), x, *given.values())


@handles("Gather")
def gather(node: OnnxNode) -> None:
    """Pick slices along an axis."""
    node.finish(ops.Gather(axis=node.axis(0, node.rank())), node.input(0), node.input(1))


@handles("GatherElements")
def gather_elements(node: OnnxNode) -> None:
    """Pick single elements along an axis."""
    op = ops.GatherElements(axis=node.axis(0, node.rank()))
    node.finish(op, node.input(0), node.input(1))


@handles("GatherND")
def gather_nd(node: OnnxNode) -> None:
    """Pick slices by index tuples."""
    op = ops.GatherND(batch_dims=node.integer("batch_dims", 0))
    node.finish(op, node.input(0), node.input(1))


@handles("Tile")
def tile(node: OnnxNode) -> None:
    """Repeat along every axis."""
    node.finish(ops.Tile(), node.input(0), node.input(1))


@handles("ScatterND")
def scatter_nd(node: OnnxNode) -> None:
    """Replace slices at index tuples, or combine them with updates."""
    op = ops.ScatterND(reduction=node.text("reduction", "none"))
    node.finish(op, node.input(0), node.input(1), node.input(2))


@handles("Scatter", "ScatterElements")
def scatter_elements(node: OnnxNode) -> None:
    """Replace single elements along one axis, or combine them with updates."""
    axis, reduction = node.axis(0, node.rank()), node.text("reduction", "none")
    op = ops.ScatterElements(axis=axis, reduction=reduction)
    node.finish(op, node.input(0), node.input(1), node.input(2))


@handles("OneHot")
def one_hot(node: OnnxNode) -> None:
    """Emit the on value where an index points, the off value elsewhere."""
    indices, depth = node.input(0), node.input(1)
    if node.type(0).dtype not in (DType.INT32, DType.INT64):
        indices = node.emit(ops.Cast(to=DType.INT64), indices)
    if node.type(1).dtype != DType.INT64:
        depth = node.emit(ops.Cast(to=DType.INT64), depth)
    if node.rank(1):
        depth = node.emit(ops.Reshape(shape=()), depth)
    op = ops.OneHot(axis=node.axis(-1, node.rank() + 1))
    node.finish(op, indices, depth, node.input(2))


def target_shape(node: OnnxNode, name: str) -> tuple[int, ...] | None:
    """Return a value's shape as a reshape target, None where more than one dimension is open."""
    shape = node.graph.type_of(name).shape
    target = tuple(dim if isinstance(dim, int) else -1 for dim in shape)
    return target if target.count(-1) <= 1 and 0 not in target else None


def reshaped_like(node: OnnxNode, name: str, like: str, inner: bool = False) -> str:
    """Reshape a value to another one's shape; it is the node's output unless ``inner``."""
    target = target_shape(node, like)
    inputs = [name]
    if target is None:
        inputs.append(node.emit(ops.Shape(), like))
    op = ops.Reshape(shape=target, allow_zero=target is None)
    if inner:
        return node.emit(op, *inputs)
    node.finish(op, *inputs)
    return node.bound[node.outputs[0]] if node.wants(0) else ""
