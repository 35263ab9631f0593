"""Images sampled between their pixels: gathers of rows, weighted and added, which kernels serve.

Coordinates are in float32, as ONNX Runtime has them. Values of places and weights have shapes that
broadcast; rows of channels lie one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linnet import ops
from linnet.types import Dim, DType

from .node import OnnxNode
from .spatial import images_last

# The pixels around a place of one axis, as int32, and their weights.
Taps = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Image:
    """Pixels of images as rows [n * height * width, channels], all sizes but n known."""

    rows: str
    batch: Dim
    height: int
    width: int
    channels: int


def image_of(node: OnnxNode) -> Image | None:
    """Return the first input as rows; None where it is no image whose sizes are known."""
    type_ = node.type(0)
    sizes = [dim for dim in type_.shape[1:] if isinstance(dim, int) and dim]
    if type_.rank != 4 or len(sizes) != 3 or type_.dtype is not DType.FLOAT32:
        return None
    batch, (channels, height, width) = type_.shape[0], sizes
    last = images_last(node, node.input(0))
    rows = node.emit(ops.Reshape(shape=(-1, channels)), last)
    return Image(rows, batch, height, width, channels)


def real(node: OnnxNode, value: float) -> str:
    """Add a number."""
    return node.constant_like(np.array(value, np.float32), "number")


def whole(node: OnnxNode, value: int) -> str:
    """Add an int32."""
    return node.constant_like(np.array(value, np.int32), "number")


def bounded(node: OnnxNode, at: str, size: int) -> str:
    """Return places moved onto the nearest pixel where they are outside."""
    return node.emit(ops.Clip(minimum=0.0, maximum=float(size - 1)), at)


def taps(node: OnnxNode, at: str, size: int, zeros: bool) -> Taps:
    """Return the two pixels around places of an axis; with ``zeros`` none outside counts."""
    low = node.emit(ops.Floor(), at)
    after = node.emit(ops.Sub(), at, low)
    before = node.emit(ops.Sub(), real(node, 1.0), after)
    high = node.emit(ops.Add(), low, real(node, 1.0))
    return [
        settled(node, place, weight, size, zeros)
        for place, weight in ((low, before), (high, after))
    ]


def settled(node: OnnxNode, place: str, weight: str, size: int, zeros: bool) -> tuple[str, str]:
    """Return whole places as pixels that there are, and their weights."""
    inside = bounded(node, place, size)
    if zeros:
        kept = node.emit(ops.Cast(to=DType.FLOAT32), node.emit(ops.Equal(), inside, place))
        weight = node.emit(ops.Mul(), weight, kept)
    index = node.emit(ops.Cast(to=DType.INT32), inside)
    # Again in integers: NaN is no pixel.
    index = node.emit(ops.Maximum(), index, whole(node, 0))
    return node.emit(ops.Minimum(), index, whole(node, size - 1)), weight


def gathered(node: OnnxNode, image: Image, down: Taps, across: Taps, first: str = "") -> str:
    """Return the weighted sum of pixels [*places, channels].

    Parameters
    ----------
    node : OnnxNode
    image : Image
    down, across : Taps
    first : str
        Per place the row where its image begins; "" for one image.
    """
    total = ""
    for row, upper in down:
        begin = node.emit(ops.Mul(), row, whole(node, image.width))
        begin = node.emit(ops.Add(), begin, first) if first else begin
        for column, left in across:
            index = node.emit(ops.Add(), begin, column)
            pixels = node.emit(ops.Gather(axis=0), image.rows, index)
            rank = node.graph.type_of(index).rank
            weight = node.emit(ops.Mul(), upper, left)
            weight = node.emit(ops.Unsqueeze(axes=(rank,)), weight)
            part = node.emit(ops.Mul(), pixels, weight)
            total = node.emit(ops.Add(), total, part) if total else part
    return total


def beginnings(node: OnnxNode, image: Image, shape: Sequence[int]) -> str:
    """Return the rows where images begin, in a shape; "" where there is one image."""
    if image.batch == 1:
        return ""
    places = node.emit(ops.Cast(to=DType.INT32), node.counted(0, 0))
    begins = node.emit(ops.Mul(), places, whole(node, image.height * image.width))
    return node.emit(ops.Reshape(shape=tuple(shape)), begins)
