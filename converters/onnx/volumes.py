"""Volumes (three spatial axes) as images: one for each depth, or one axis after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError

from .node import OnnxNode
from .spatial import auto_pad_of, known_sizes, padding_for

_LAST = (0, 2, 3, 4, 1)
_FIRST = (0, 4, 1, 2, 3)


def _triple(node: OnnxNode, name: str, default: int) -> tuple[int, int, int]:
    given = node.integers(name, (default,) * 3) or (default,) * 3
    if len(given) != 3:
        raise FormatError(f"{name} has {len(given)} entries for 3 spatial axes")
    return given[0], given[1], given[2]


def _pads(
    node: OnnxNode, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[int, ...]:
    """Return padding at the beginnings, then at the ends."""
    auto = node.text("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        given = node.integers("pads", (0,) * 6) if auto == "NOTSET" else (0,) * 6
        if given is None or len(given) != 6:
            raise FormatError(f"pads are {given} for 3 spatial axes")
        return given
    begins, ends = [], []
    for axis, size in enumerate(node.shape()[2:]):
        if not isinstance(size, int):
            raise UnsupportedError(f"auto_pad of volumes {node.type(0)} of unknown size")
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        total = max((-(-size // strides[axis]) - 1) * strides[axis] + reach - size, 0)
        less = total // 2
        begins.append(less if auto == "SAME_UPPER" else total - less)
        ends.append(total - less if auto == "SAME_UPPER" else less)
    return (*begins, *ends)


def _shape_of(node: OnnxNode, parts: list[str]) -> str:
    """Return a shape made of parts of others."""
    return node.emit(ops.Concat(axis=0), *parts)


def _part(node: OnnxNode, name: str, start: int, end: int) -> str:
    return node.emit(ops.Shape(start=start, end=end), name)


def _merged(node: OnnxNode, name: str) -> str:
    """Return [n, d, h, w, c] as images [n * d, h, w, c]."""
    minus = node.constant_like(np.array([-1], np.int64), "images")
    return node.emit(ops.Reshape(), name, _shape_of(node, [minus, _part(node, name, 2, 5)]))


def _divided(node: OnnxNode, name: str, like: str) -> str:
    """Return images [n * d, h, w, c] as volumes with the first two sizes of another."""
    parts = [_part(node, like, 0, 2), _part(node, name, 1, 4)]
    return node.emit(ops.Reshape(), name, _shape_of(node, parts))


def _depths(node: OnnxNode, x: str, pads: tuple[int, int], fill: float = 0.0) -> str:
    """Pad, or for negative numbers cut, along depth."""
    more = tuple(max(p, 0) for p in pads)
    if any(more):
        op = ops.Pad(pads=(0, more[0], 0, 0, 0, 0, more[1], 0, 0, 0), value=fill)
        x = node.emit(op, x)
    less = tuple(max(-p, 0) for p in pads)
    if any(less):
        end = -less[1] if less[1] else np.iinfo(np.int64).max
        x = node.emit(ops.Slice(starts=(less[0],), ends=(int(end),), axes=(1,), steps=(1,)), x)
    return x


def _tap(node: OnnxNode, x: str, start: int, after: int, stride: int) -> str:
    """Return every stride-th depth from ``start`` to ``after`` before the end."""
    end = -after if after else int(np.iinfo(np.int64).max)
    return node.emit(ops.Slice(starts=(start,), ends=(end,), axes=(1,), steps=(stride,)), x)


def _weights(node: OnnxNode, index: int, depth: int, perm: tuple[int, ...]) -> str:
    """Return the weights of one depth of the kernel."""
    place = node.constant_like(np.array(depth, np.int64), "depth")
    flat = node.emit(ops.Gather(axis=2), node.input(index), place)
    return node.emit(ops.Transpose(perm=perm), flat)


def _kernel(node: OnnxNode) -> tuple[int, int, int]:
    if node.rank(1) != 5 or not node.type(1).is_static:
        raise UnsupportedError(f"weights {node.type(1)} of a volume")
    sizes = node.type(1).static_shape
    return sizes[2], sizes[3], sizes[4]


def _summed(node: OnnxNode, terms: list[str], bias: str) -> str:
    total = terms[0]
    for term in terms[1:]:
        total = node.emit(ops.Add(), total, term)
    if bias:
        total = node.emit(ops.Add(), total, bias)
    return node.emit(ops.Transpose(perm=_FIRST), total)


def convolved_volumes(node: OnnxNode) -> str:
    """Return a convolution: one of images for each depth of the kernel, summed."""
    kernel, strides = _kernel(node), _triple(node, "strides", 1)
    dilations = _triple(node, "dilations", 1)
    pads = _pads(node, kernel, strides, dilations)
    x = node.emit(ops.Transpose(perm=_LAST), node.input(0))
    x = _depths(node, x, (pads[0], pads[3]))
    groups, inside = node.integer("group", 1), node.type(1).static_shape[1]
    flat: dict[str, Any] = {
        "strides": strides[1:],
        "dilations": dilations[1:],
        "pads": (pads[1], pads[2], pads[4], pads[5]),
    }
    op: ops.Op = ops.Conv2D(**flat, groups=groups)
    perm = (0, 2, 3, 1)
    if groups > 1 and inside == 1:
        op, perm = ops.DepthwiseConv2D(**flat), (1, 2, 3, 0)
    terms = []
    for depth in range(kernel[0]):
        at = depth * dilations[0]
        after = (kernel[0] - 1) * dilations[0] - at
        tap = _tap(node, x, at, after, strides[0])
        made = node.emit(op, _merged(node, tap), _weights(node, 1, depth, perm))
        terms.append(_divided(node, made, tap))
    return _summed(node, terms, node.optional(2))


def spread_volumes(node: OnnxNode) -> str:
    """Return a transposed convolution: zeros between depths, then one of images for each."""
    kernel, strides = _kernel(node), _triple(node, "strides", 1)
    dilations, extra = _triple(node, "dilations", 1), _triple(node, "output_padding", 0)
    auto_pad = auto_pad_of(node)
    if node.has("output_shape") or auto_pad.startswith("same"):
        sizes = known_sizes(node)
        same = tuple(size * stride for size, stride in zip(sizes, strides, strict=True))
        wanted = (node.integers("output_shape") or same)[-3:]
        axes = zip(sizes, wanted, kernel, strides, dilations, extra, strict=True)
        begins, ends, extra = zip(
            *(padding_for(auto_pad == "same_upper", *axis) for axis in axes), strict=True
        )
        pads = (*begins, *ends)
    else:
        pads = _pads(node, kernel, strides, dilations)
    x = node.emit(ops.Transpose(perm=_LAST), node.input(0))
    if strides[0] > 1:
        open_ = node.emit(ops.Unsqueeze(axes=(2,)), x)
        between = (0,) * 8 + (strides[0] - 1, 0, 0, 0)
        filled = node.emit(ops.Pad(pads=between), open_)
        minus = node.constant_like(np.array([-1], np.int64), "depths")
        parts = [_part(node, x, 0, 1), minus, _part(node, x, 2, 5)]
        x = node.emit(ops.Reshape(), filled, _shape_of(node, parts))
        x = _depths(node, x, (0, 1 - strides[0]))
    reach = (kernel[0] - 1) * dilations[0]
    x = _depths(node, x, (reach - pads[0], reach - pads[3] + extra[0]))
    op = ops.ConvTranspose2D(
        strides=strides[1:],
        dilations=dilations[1:],
        pads=(pads[1], pads[2], pads[4], pads[5]),
        output_padding=extra[1:],
        groups=node.integer("group", 1),
    )
    terms = []
    for depth in range(kernel[0]):
        at = reach - depth * dilations[0]
        tap = _tap(node, x, at, reach - at, 1)
        made = node.emit(op, _merged(node, tap), _weights(node, 1, depth, (1, 2, 3, 0)))
        terms.append(_divided(node, made, tap))
    return _summed(node, terms, node.optional(2))


def pooled_volumes(node: OnnxNode, kind: type[ops.Op], x: str = "", **more: object) -> str:
    """Return a pooling of x, or input 0: that of height and width, then that of depth."""
    if not node.has("kernel_shape"):
        raise FormatError("attribute kernel_shape is missing")
    kernel, strides = _triple(node, "kernel_shape", 1), _triple(node, "strides", 1)
    dilations = _triple(node, "dilations", 1)
    pads = _pads(node, kernel, strides, dilations)
    common = {"ceil_mode": bool(node.integer("ceil_mode", 0)), **more}
    x = node.emit(ops.Transpose(perm=_LAST), x or node.input(0))
    flat = kind(
        kernel=kernel[1:],
        strides=strides[1:],
        dilations=dilations[1:],
        pads=(pads[1], pads[2], pads[4], pads[5]),
        **common,
    )
    volumes = _divided(node, node.emit(flat, _merged(node, x)), x)
    deep = kind(
        kernel=(kernel[0], 1),
        strides=(strides[0], 1),
        dilations=(dilations[0], 1),
        pads=(pads[0], 0, pads[3], 0),
        **common,
    )
    minus = node.constant_like(np.array([-1], np.int64), "places")
    parts = [_part(node, volumes, 0, 2), minus, _part(node, volumes, 4, 5)]
    sides = node.emit(ops.Reshape(), volumes, _shape_of(node, parts))
    made = node.emit(deep, sides)
    parts = [_part(node, made, 0, 2), _part(node, volumes, 2, 5)]
    back = node.emit(ops.Reshape(), made, _shape_of(node, parts))
    return node.emit(ops.Transpose(perm=_FIRST), back)
