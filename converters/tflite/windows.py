"""What convolutions and poolings share: strides, sizes and TFLite's two paddings."""

from __future__ import annotations

from linnet.errors import FormatError, ShapeError
from linnet.types import TensorType

from .node import TfliteNode

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]
_SAME, _VALID = 0, 1


def pair_option(node: TfliteNode, down: str, across: str, default: Pair | None = None) -> Pair:
    """Return two options as (down, across).

    Raises
    ------
    FormatError
        If one is missing or not positive.
    """
    first, second = default or (None, None)
    found = int(node.option(down, first)), int(node.option(across, second))
    if min(found) < 1:
        raise FormatError(f"{down} and {across} are {found}; expected positive numbers")
    return found


def static_sizes(image: TensorType, what: str) -> Pair:
    """Return height and width, which must be numbers."""
    if image.rank != 4:
        raise ShapeError(f"{what} {image}; expected 4 dimensions")
    height, width = image.shape[1:3]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ShapeError(f"{what} {image}; height and width must be numbers")
    return height, width


def padding(
    node: TfliteNode, x: TensorType, kernel: Pair, strides: Pair, dilations: Pair = (1, 1)
) -> tuple[Pads, str]:
    """Return (pads, auto_pad) of a window op: numbers where the image size is known.

    SAME makes ceil(size / stride) outputs and puts the odd element of padding at the end.
    """
    kind = node.option("Padding")
    if x.rank != 4:
        raise ShapeError(f"input {x}; expected 4 dimensions")
    if kind == _VALID:
        return (0, 0, 0, 0), ""
    if kind != _SAME:
        raise FormatError(f"padding number {kind}; expected {_SAME} (SAME) or {_VALID} (VALID)")
    before, after = [], []
    for size, length, stride, dilation in zip(
        x.shape[1:3], kernel, strides, dilations, strict=True
    ):
        if not isinstance(size, int):
            return (0, 0, 0, 0), "same_upper"
        first, last = same_pads(size, length, stride, dilation)
        before.append(first)
        after.append(last)
    return (before[0], before[1], after[0], after[1]), ""


def same_pads(size: int, length: int, stride: int, dilation: int = 1) -> Pair:
    """Return what SAME padding puts before and after one axis of an input."""
    span = (length - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2
