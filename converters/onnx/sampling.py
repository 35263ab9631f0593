"""ONNX operators that look where data says, and transforms of signals."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import Array, DType

from . import gathered
from .node import OnnxNode
from .proto import dtype_of
from .registry import handles
from .spatial import dilations_of, finish_first, pads_of, strides_of

_MODES = {"bilinear": "linear", "bicubic": "cubic", "linear": "linear", "cubic": "cubic"}


@handles("GridSample")
def grid_sample(node: OnnxNode) -> None:
    """Modes have other names before opset 20."""
    mode = node.text("mode", "linear")
    op = ops.GridSample(
        mode=_MODES.get(mode, mode),
        padding=node.text("padding_mode", "zeros"),
        corners=bool(node.integer("align_corners", 0)),
    )
    image = None
    if op.mode == "linear" and op.padding in ("zeros", "border"):
        image = gathered.image_of(node)
    if image is None:
        node.finish(op, node.input(0), node.input(1))
        return
    across, down = (_pixels(node, op, axis) for axis in (0, 1))
    sampled = gathered.gathered(
        node, image, down, across, gathered.beginnings(node, image, (-1, 1, 1))
    )
    finish_first(node, sampled, 2)


def _pixels(node: OnnxNode, op: ops.GridSample, axis: int) -> gathered.Taps:
    """Return the pixels around a grid's places, -1 to 1, of width (0) or height (1)."""
    size = int(node.shape()[3 - axis])
    place = node.constant_like(np.array(axis, np.int64), "axis")
    at = node.emit(ops.Gather(axis=3), node.input(1), place)
    at = node.emit(ops.Add(), at, gathered.real(node, 1.0))
    factor = (size - 1) / 2 if op.corners else size / 2
    at = node.emit(ops.Mul(), at, gathered.real(node, factor))
    if not op.corners:
        at = node.emit(ops.Sub(), at, gathered.real(node, 0.5))
    if op.padding == "border":
        at = gathered.bounded(node, at, size)
    return gathered.taps(node, at, size, op.padding == "zeros")


@handles("RoiAlign")
def roi_align(node: OnnxNode) -> None:
    """Regions are shifted by half a pixel since opset 16."""
    node.only("mode", "avg", "max")
    default = "half_pixel" if node.version >= 16 else "output_half_pixel"
    op = ops.RoiAlign(
        size=(node.integer("output_height", 1), node.integer("output_width", 1)),
        ratio=node.integer("sampling_ratio", 0),
        scale=node.real("spatial_scale", 1.0),
        half_pixel=node.text("coordinate_transformation_mode", default) == "half_pixel",
        largest=node.text("mode", "avg") == "max",
    )
    image = gathered.image_of(node) if op.ratio and not op.largest else None
    if image is None:
        node.finish(op, node.input(0), node.input(1), node.input(2))
        return
    first = node.emit(ops.Cast(to=DType.INT32), node.input(2))
    step = gathered.whole(node, image.height * image.width)
    first = node.emit(ops.Reshape(shape=(-1, 1, 1)), node.emit(ops.Mul(), first, step))
    down, across = (
        [(_turned(node, i, axis), _turned(node, w, axis)) for i, w in _samples(node, op, axis)]
        for axis in (0, 1)
    )
    pixels = gathered.gathered(node, image, down, across, first)
    (height, width), count = op.size, op.ratio
    shape = (-1, height, count, width, count, image.channels)
    samples = node.emit(ops.Reshape(shape=shape), pixels)
    finish_first(node, node.emit(ops.ReduceMean(axes=(2, 4), keepdims=False), samples), 2)


def _samples(node: OnnxNode, op: ops.RoiAlign, axis: int) -> gathered.Taps:
    """Return the pixels around every region's samples [regions, bins * ratio] of an axis."""
    size, bins = int(node.shape()[2 + axis]), op.size[axis]
    begin, end = (
        node.emit(ops.Slice(starts=(i,), ends=(i + 1,), axes=(1,), steps=(1,)), node.input(1))
        for i in (1 - axis, 3 - axis)
    )
    scale = gathered.real(node, op.scale)
    begin, end = node.emit(ops.Mul(), begin, scale), node.emit(ops.Mul(), end, scale)
    length = node.emit(ops.Sub(), end, begin)
    if op.half_pixel:
        begin = node.emit(ops.Sub(), begin, gathered.real(node, 0.5))
    else:
        length = node.emit(ops.Maximum(), length, gathered.real(node, 1.0))
    parts = (np.arange(bins * op.ratio, dtype=np.float32) + 0.5) / np.float32(bins * op.ratio)
    steps = node.emit(ops.Mul(), length, node.constant_like(parts, "parts"))
    at = node.emit(ops.Add(), begin, steps)
    near = node.emit(ops.Clip(minimum=-1.0, maximum=float(size)), at)
    kept = node.emit(ops.Cast(to=DType.FLOAT32), node.emit(ops.Equal(), near, at))
    found = gathered.taps(node, gathered.bounded(node, at, size), size, False)
    return [(index, node.emit(ops.Mul(), weight, kept)) for index, weight in found]


def _turned(node: OnnxNode, name: str, axis: int) -> str:
    """Return [regions, samples] as a column of each region's samples, or as a row."""
    return node.emit(ops.Unsqueeze(axes=(2 - axis,)), name)


@handles("MaxRoiPool")
def max_roi_pool(node: OnnxNode) -> None:
    """Take the image of a region out of its first column."""
    size = node.integers("pooled_shape") or ()
    op = ops.RoiPool(size=size, scale=node.real("spatial_scale", 1.0))  # type: ignore[arg-type]
    first, corners = (
        ops.Slice(starts=(begin,), ends=(end,), axes=(1,), steps=(1,))
        for begin, end in ((0, 1), (1, 5))
    )
    image = node.emit(ops.Reshape(shape=(-1,)), node.emit(first, node.input(1)))
    image = node.emit(ops.Cast(to=DType.INT64), image)
    node.finish(op, node.input(0), node.emit(corners, node.input(1)), image)


@handles("DeformConv")
def deform_conv(node: OnnxNode) -> None:
    """Images only."""
    if node.rank() != 4:
        raise UnsupportedError(f"input of rank {node.rank()}; only images (rank 4)")
    op = ops.DeformConv(
        strides=strides_of(node, 2),
        dilations=dilations_of(node, 2),
        pads=pads_of(node, 2),
        groups=node.integer("group", 1),
        offset_groups=node.integer("offset_group", 1),
    )
    weights, places = node.constant(1), node.type(2)
    known = weights is not None and all(isinstance(dim, int) for dim in places.shape[1:])
    image = gathered.image_of(node) if known else None
    if image is not None and op.groups == op.offset_groups == 1:
        _gathered_taps(node, op, image, np.asarray(weights))
        return
    names = [node.optional(i) for i in range(5)]
    while not names[-1]:
        names.pop()
    node.finish(op, *names)


def _gathered_taps(
    node: OnnxNode, op: ops.DeformConv, image: gathered.Image, weights: Array
) -> None:
    """Gather every tap of a convolution, then multiply."""
    outputs, _, kh, kw = weights.shape
    count, height, width = (int(dim) for dim in node.type(2).shape[1:])
    if count != 2 * kh * kw:
        raise FormatError(f"offsets are {node.type(2)} for weights {weights.shape}")
    last = node.emit(ops.Transpose(perm=(0, 2, 3, 1)), node.input(2))
    pairs = (-1, height, width, kh * kw, 2)
    moved = node.emit(ops.Reshape(shape=pairs), last)
    found = []
    for axis, (size, length) in enumerate(((image.height, height), (image.width, width))):
        tap = np.arange(kh * kw) // kw if axis == 0 else np.arange(kh * kw) % kw
        place = np.arange(length) * op.strides[axis] - op.pads[axis]
        grid = place.reshape((-1, 1, 1) if axis == 0 else (-1, 1)) + tap * op.dilations[axis]
        chosen = node.constant_like(np.array(axis, np.int64), "axis")
        offset = node.emit(ops.Gather(axis=4), moved, chosen)
        at = node.emit(ops.Add(), offset, node.constant_like(grid.astype(np.float32), "grid"))
        found.append(gathered.taps(node, at, size, True))
    first = gathered.beginnings(node, image, (-1, 1, 1, 1))
    rows = gathered.gathered(node, image, found[0], found[1], first)
    if node.optional(4):
        shares = node.emit(ops.Transpose(perm=(0, 2, 3, 1)), node.input(4))
        rows = node.emit(ops.Mul(), rows, node.emit(ops.Unsqueeze(axes=(4,)), shares))
    taps = kh * kw * image.channels
    flat = node.emit(ops.Reshape(shape=(-1, height, width, taps)), rows)
    matrix = np.ascontiguousarray(weights.transpose(0, 2, 3, 1).reshape(outputs, -1))
    bias = [node.input(3)] if node.optional(3) else []
    made = node.emit(ops.FullyConnected(), flat, node.constant_like(matrix, "weights"), *bias)
    finish_first(node, made, 2)


@handles("Col2Im")
def columns_to_image(node: OnnxNode) -> None:
    """Sizes of image and windows are two vectors."""
    rank = node.shape(1)[0]
    if not isinstance(rank, int):
        raise UnsupportedError(f"image_shape {node.type(1)}; its length must be known")
    ones = (1,) * rank
    op = ops.ColumnsToImage(
        sizes=ones,
        kernel=ones,
        strides=node.integers("strides") or ones,
        dilations=node.integers("dilations") or ones,
        pads=node.integers("pads") or (0,) * (2 * rank),
    )
    finish_late(node, op, {"sizes": node.input(1), "kernel": node.input(2)})


@handles("Det")
def determinant(node: OnnxNode) -> None:
    """Of the matrices of the last two axes."""
    node.finish(ops.Determinant(), node.input(0))


def finish_late(node: OnnxNode, op: ops.Op, given: dict[str, str]) -> None:
    """Make the output from the first input by an op whose attributes some inputs give."""
    known = {name: value for name, value in given.items() if value}
    x = node.input(0)
    node.finish(node.late(op, [x], known) if known else op, x, *known.values())


@handles("DFT")
def dft(node: OnnxNode) -> None:
    """Read the axis from an attribute up to opset 19, then from an input."""
    inverse, onesided = (bool(node.integer(name, 0)) for name in ("inverse", "onesided"))
    axis = node.integer("axis", 1) if node.version < 20 else -2
    op = ops.DFT(axis=axis, inverse=inverse, onesided=onesided)
    finish_late(node, op, {"length": node.optional(1), "axis": node.optional(2)})


@handles("STFT")
def stft(node: OnnxNode) -> None:
    """Frames picked by index, weighted, transformed one by one."""
    signal = node.input(0)
    if node.rank() == 2:
        signal = node.emit(ops.Unsqueeze(axes=(2,)), signal)

    def whole(name: str) -> str:
        return node.emit(ops.Reshape(shape=()), node.emit(ops.Cast(to=DType.INT64), name))

    if node.optional(2):
        length = whole(node.emit(ops.Shape(), node.input(2)))
    elif node.optional(3):
        length = whole(node.input(3))
    else:
        raise FormatError("neither a window nor the length of frames is given")
    step, zero, one = whole(node.input(1)), *(_whole(node, i) for i in (0, 1))
    spare = node.emit(ops.Sub(), whole(node.emit(ops.Shape(start=1, end=2), signal)), length)
    begins = node.emit(ops.Range(), zero, node.emit(ops.Add(), spare, one), step)
    inside = node.emit(ops.Range(), zero, length, one)
    column = node.emit(ops.Reshape(shape=(-1, 1)), begins)
    frames = node.emit(ops.Gather(axis=1), signal, node.emit(ops.Add(), column, inside))
    if node.optional(2):
        window = node.emit(ops.Reshape(shape=(-1, 1)), node.input(2))
        frames = node.emit(ops.Mul(), frames, window)
    onesided = bool(node.integer("onesided", 1)) and node.graph.type_of(signal).shape[-1] != 2
    node.finish(ops.DFT(axis=2, onesided=onesided), frames)


@handles("MelWeightMatrix")
def mel_weight_matrix(node: OnnxNode) -> None:
    """Triangles over the bins of a spectrum, spaced evenly in mel."""
    what = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    bins, length, rate, *edges = (float(node.known(i, w).reshape(())) for i, w in enumerate(what))
    low, high = (2595.0 * np.log10(1.0 + edge / 700.0) for edge in edges)
    mels = np.arange(int(bins) + 2) * ((high - low) / (bins + 2)) + low
    hertz = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    places = np.floor((length + 1) * hertz / rate)
    begins, middles, ends = places[:-2], places[1:-1], places[2:]
    at = np.arange(int(length) // 2 + 1)[:, None]
    rising = np.divide(
        at - begins, middles - begins, out=(at == middles) * 1.0, where=middles > begins
    )
    falling = np.divide(ends - at, ends - middles, out=np.zeros(rising.shape), where=ends > middles)
    rises, falls = (begins <= at) & (at <= middles), (middles <= at) & (at < ends)
    table = np.where(falls, falling, np.where(rises, rising, 0.0))
    dtype = dtype_of(node.integer("output_datatype", 1), "output_datatype")
    node.give(node.constant_like(table.astype(dtype.numpy), "mel"))


def _whole(node: OnnxNode, value: int) -> str:
    return node.constant_like(np.array(value, np.int64), "number")


@handles("AffineGrid")
def affine_grid(node: OnnxNode) -> None:
    """Places of all elements of an image or a volume, times a matrix."""
    theta = node.input(0)
    axes = node.graph.type_of(theta).shape[1]
    if axes not in (2, 3):
        raise FormatError(f"theta is {node.type(0)}; expected [n, 2, 3] or [n, 3, 4]")
    dtype = node.type(0).dtype
    columns = []
    one = node.constant_like(np.array(1, dtype.numpy), "one")
    two = node.constant_like(np.array(2, dtype.numpy), "two")
    sizes = [_size(node, 2 + axis) for axis in range(int(axes))]
    zero, step = (node.constant_like(np.array(i, np.int64), "count") for i in (0, 1))
    for axis, size in enumerate(sizes):
        rows = node.emit(ops.Range(), zero, size, step)
        at = node.emit(ops.Mul(), node.emit(ops.Cast(to=dtype), rows), two)
        count = node.emit(ops.Cast(to=dtype), size)
        if node.integer("align_corners", 0):
            count = node.emit(ops.Sub(), count, one)
        else:
            at = node.emit(ops.Add(), at, one)
        at = node.emit(ops.Sub(), node.emit(ops.Div(), at, count), one)
        shape = [1] * (int(axes) + 1)
        shape[axis] = -1
        columns.append(node.emit(ops.Reshape(shape=tuple(shape)), at))
    whole = columns[0]
    for column in columns[1:]:
        whole = node.emit(ops.Add(), whole, column)
    parts = [node.emit(ops.Add(), c, node.emit(ops.Sub(), whole, whole)) for c in columns]
    ones = node.emit(ops.Add(), node.emit(ops.Sub(), whole, whole), one)
    homogeneous = node.emit(ops.Concat(axis=int(axes)), *reversed(parts), ones)
    flat = node.emit(ops.Reshape(shape=(-1, int(axes) + 1)), homogeneous)
    made = node.emit(ops.MatMul(transpose_b=True), flat, theta)
    last = node.constant_like(np.array([int(axes)], np.int64), "last")
    cut = ops.Slice(starts=(2,), ends=(2 + int(axes),), axes=(0,), steps=(1,))
    batch = node.emit(ops.Shape(start=0, end=1), theta)
    target = node.emit(ops.Concat(axis=0), batch, node.emit(cut, node.input(1)), last)
    node.finish(ops.Reshape(), made, target)


def _size(node: OnnxNode, place: int) -> str:
    index = node.constant_like(np.array(place, np.int64), "axis")
    return node.emit(ops.Gather(axis=0), node.input(1), index)
