"""ONNX poolings and image operators."""

from __future__ import annotations

import math

from linnet import ops
from linnet.errors import FormatError, UnsupportedError

from .node import OnnxNode
from .registry import handles
from .spatial import (
    auto_pad_of,
    dilations_of,
    finish_first,
    images_last,
    pads_of,
    pair,
    spatial_rank,
    strides_of,
    through_last,
)


def pool(node: OnnxNode, kind: type[ops.Op], **more: object) -> ops.Op:
    """Return a pooling op of a node's attributes."""
    spatial = spatial_rank(node)
    if not node.has("kernel_shape"):
        raise FormatError("attribute kernel_shape is missing")
    auto_pad = auto_pad_of(node)
    return kind(
        kernel=pair(node.integers("kernel_shape"), spatial, 1, 1, "kernel_shape"),
        strides=strides_of(node, spatial),
        pads=(0, 0, 0, 0) if auto_pad else pads_of(node, spatial),
        dilations=dilations_of(node, spatial),
        auto_pad=auto_pad,
        ceil_mode=bool(node.integer("ceil_mode", 0)),
        **more,
    )


@handles("MaxPool")
def max_pool(node: OnnxNode) -> None:
    """Largest of each window; the indices are not computed."""
    if node.wants(1):
        raise UnsupportedError("output Indices is used; only the pooled values are supported")
    through_last(node, pool(node, ops.MaxPool2D))


@handles("AveragePool")
def average_pool(node: OnnxNode) -> None:
    """Mean of each window."""
    counted = bool(node.integer("count_include_pad", 0))
    through_last(node, pool(node, ops.AveragePool2D, count_include_pad=counted))


@handles("GlobalAveragePool", "GlobalMaxPool")
def global_pool(node: OnnxNode) -> None:
    """Reduction over every spatial axis."""
    kind = ops.ReduceMean if node.kind == "GlobalAveragePool" else ops.ReduceMax
    node.finish(kind(axes=tuple(range(2, node.rank())), keepdims=True), node.input(0))


@handles("LpPool")
def lp_pool(node: OnnxNode) -> None:
    """Root of the sum of powers of each window: a mean over it all, times its size."""
    node.only("ceil_mode", 0)
    p, x = node.integer("p", 2), node.input(0)
    op = pool(node, ops.AveragePool2D, count_include_pad=True)
    count = math.prod(node.integers("kernel_shape") or ())
    powers = _power(node, node.emit(ops.Abs(), x), float(p))
    mean = node.emit(op, images_last(node, powers))
    total = node.emit(ops.Mul(), mean, node.number(count))
    finish_first(node, _power(node, total, 1.0 / p), spatial_rank(node))


@handles("GlobalLpPool")
def global_lp_pool(node: OnnxNode) -> None:
    """Root of the sum of powers over every spatial axis."""
    p = node.integer("p", 2)
    powers = _power(node, node.emit(ops.Abs(), node.input(0)), float(p))
    total = node.emit(ops.ReduceSum(axes=tuple(range(2, node.rank()))), powers)
    node.give(_power(node, total, 1.0 / p))


def _power(node: OnnxNode, x: str, exponent: float) -> str:
    if exponent == 1.0:
        return x
    if exponent in (2.0, 0.5):
        return node.emit(ops.Square() if exponent == 2.0 else ops.Sqrt(), x)
    return node.emit(ops.Pow(), x, node.number(exponent))


@handles("DepthToSpace")
def depth_to_space(node: OnnxNode) -> None:
    """Channels to blocks of pixels."""
    op = ops.DepthToSpace(block=node.integer("blocksize", 1), mode=node.text("mode", "DCR"))
    through_last(node, op)


@handles("SpaceToDepth")
def space_to_depth(node: OnnxNode) -> None:
    """Blocks of pixels to channels."""
    node.only("mode", "DCR")
    through_last(node, ops.SpaceToDepth(block=node.integer("blocksize", 1)))
