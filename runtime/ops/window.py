"""Geometry of sliding windows over channels-last images: sizes, padding, dilation, patches.

Shared by convolutions and pooling. Knows nothing of what is computed inside a window.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Dim

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]

_AXES = ("height", "width")
_AUTO_PADS = ("", "valid", "same_upper", "same_lower")


class Window(NamedTuple):
    """Windows over an image of known size.

    Parameters
    ----------
    kernel, strides, dilations : (int, int)
        Height and width of the kernel, its steps, and the steps between its taps.
    pads : (int, int, int, int)
        Top, left, bottom, right; resolved, so ``auto_pad`` no longer matters. The last windows may
        reach beyond bottom and right (``ceil_mode``), or not use all of them.
    output : (int, int)
        Number of windows down and across.
    """

    kernel: Pair
    strides: Pair
    dilations: Pair
    pads: Pads
    output: Pair


def span(kernel: int, dilation: int) -> int:
    """Return how many pixels a dilated kernel covers."""
    return (kernel - 1) * dilation + 1


def check_window(kernel: Pair, strides: Pair, dilations: Pair, pads: Pads, auto_pad: str) -> None:
    """Check the attributes of a window.

    Raises
    ------
    ShapeError
        If one is out of its range.
    """
    for name, values, least in (
        ("kernel", kernel, 1),
        ("strides", strides, 1),
        ("dilations", dilations, 1),
        ("pads", pads, 0),
    ):
        if any(value < least for value in values):
            raise ShapeError(f"{name} {tuple(values)}; expected values not below {least}")
    if auto_pad not in _AUTO_PADS:
        raise ShapeError(f"auto_pad '{auto_pad}'; expected one of {', '.join(_AUTO_PADS)}")


def output_size(
    size: Dim,
    kernel: int,
    stride: int,
    dilation: int,
    pads: Pair,
    auto_pad: str = "",
    ceil_mode: bool = False,
) -> Dim:
    """Return the number of windows along one axis; ``pads`` is (begin, end).

    Notes
    -----
    With ``ceil_mode`` a last, partial window counts if it starts inside the image or its leading
    padding.

    Examples
    --------
    >>> output_size(7, 3, 2, 1, (0, 0)), output_size("h", 3, 1, 1, (1, 1))
    (3, 'h')
    >>> output_size(7, 2, 2, 1, (0, 0), ceil_mode=True)
    4
    """
    if auto_pad.startswith("same"):
        return dims.ceil_div(size, stride)
    begin, end = (0, 0) if auto_pad == "valid" else pads
    extra = begin + end - span(kernel, dilation)
    if stride == 1:
        return max(size + extra + 1, 0) if isinstance(size, int) else dims.add(size, extra + 1)
    steps = dims.add(size, extra)
    if not isinstance(steps, int):
        divide = dims.ceil_div if ceil_mode else dims.floor_div
        return dims.add(divide(steps, stride), 1)
    if steps < 0:
        return 0
    if not ceil_mode:
        return steps // stride + 1
    count = -(-steps // stride) + 1
    return count - 1 if (count - 1) * stride >= steps + span(kernel, dilation) - end else count


def output_sizes(
    height: Dim,
    width: Dim,
    kernel: Pair,
    strides: Pair,
    dilations: Pair,
    pads: Pads,
    auto_pad: str = "",
    ceil_mode: bool = False,
) -> tuple[Dim, Dim]:
    """Return the numbers of windows down and across an image that may be symbolic.

    Raises
    ------
    ShapeError
        If an attribute is out of its range or the padded image is smaller than the kernel.
    """
    check_window(kernel, strides, dilations, pads, auto_pad)
    result: list[Dim] = []
    for axis, size in enumerate((height, width)):
        begin, end = pads[axis], pads[axis + 2]
        count = output_size(
            size, kernel[axis], strides[axis], dilations[axis], (begin, end), auto_pad, ceil_mode
        )
        if count == 0 and size != 0:
            covered = span(kernel[axis], dilations[axis])
            raise ShapeError(
                f"the kernel spans {covered} along {_AXES[axis]}, the input has {size} and padding "
                f"({begin}, {end}); expected an input at least as large as the kernel"
            )
        result.append(count)
    return result[0], result[1]


def resolve(
    height: int,
    width: int,
    kernel: Pair,
    strides: Pair,
    dilations: Pair,
    pads: Pads,
    auto_pad: str = "",
    ceil_mode: bool = False,
) -> Window:
    """Return the windows over an image of known size, its padding resolved.

    Raises
    ------
    ShapeError
        As `output_sizes`.
    """
    counts = output_sizes(height, width, kernel, strides, dilations, pads, auto_pad, ceil_mode)
    output = (int(counts[0]), int(counts[1]))
    begins, ends = [pads[0], pads[1]], [pads[2], pads[3]]
    if auto_pad:
        for axis, size in enumerate((height, width)):
            needed = (output[axis] - 1) * strides[axis] + span(kernel[axis], dilations[axis])
            total = max(needed - size, 0) if auto_pad != "valid" else 0
            small = total // 2
            lower = auto_pad == "same_lower"
            begins[axis], ends[axis] = (total - small, small) if lower else (small, total - small)
    return Window(kernel, strides, dilations, (begins[0], begins[1], ends[0], ends[1]), output)


def patches(image: Array, window: Window, fill: Any) -> Array:
    """Return a read-only view of every window of a padded image.

    Parameters
    ----------
    image : ndarray, shape (batch, height, width, channels)
    window : Window
    fill : scalar
        Value of the padding, as stored.

    Returns
    -------
    ndarray, shape (batch, output height, output width, kernel height, kernel width, channels)
    """
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.strides, window.dilations
    top, left = window.pads[:2]
    batch, height, width, channels = image.shape
    full = [
        max((window.output[axis] - 1) * window.strides[axis], 0)
        + span(window.kernel[axis], window.dilations[axis])
        for axis in (0, 1)
    ]
    padded = np.full((batch, *full, channels), fill, image.dtype)
    rows, columns = min(height, full[0] - top), min(width, full[1] - left)
    if rows > 0 and columns > 0:
        padded[:, top : top + rows, left : left + columns] = image[:, :rows, :columns]
    n, h, w, c = padded.strides
    return np.lib.stride_tricks.as_strided(
        padded,
        (batch, *window.output, kh, kw, channels),
        (n, h * sh, w * sw, h * dh, w * dw, c),
        writeable=False,
    )
