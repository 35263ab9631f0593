"""ONNX convolutions."""

from __future__ import annotations

from linnet import ops
from linnet.errors import FormatError, UnsupportedError

from .node import OnnxNode
from .registry import handles
from .spatial import (
    Pads,
    Pair,
    arranged,
    auto_pad_of,
    dilations_of,
    finish_first,
    images_first,
    images_last,
    known_sizes,
    padding_for,
    pads_of,
    pair,
    spatial_rank,
    strides_of,
)
from .volumes import convolved_volumes, spread_volumes

_TO_OHWI = (0, 2, 3, 1)
_DEPTHWISE = (1, 2, 3, 0)


@handles("Conv")
def conv(node: OnnxNode) -> None:
    """Depthwise where every channel is its own group."""
    node.give(convolved(node))


def convolved(node: OnnxNode) -> str:
    """Return the convolution of a node's first three inputs."""
    if node.rank() == 5:
        return convolved_volumes(node)
    weights, bias = node.input(1), node.optional(2)
    x = images_last(node, node.input(0)) if spatial_rank(node) else ""
    op, perm = convolution(node, node.type(1).shape[1], node.type(1).shape[2:])
    w = arranged(node, weights, perm, node.rank(1))
    inputs = (x, w, bias) if bias else (x, w)
    return images_first(node, node.emit(op, *inputs), spatial_rank(node))


def convolution(
    node: OnnxNode, depth: int | str, kernel: tuple[int | str, ...]
) -> tuple[ops.Op, tuple[int, ...]]:
    """Return the convolution op of a node's attributes, and the permutation of its weights.

    Parameters
    ----------
    node : OnnxNode
    depth : int
        Input channels per group.
    kernel : tuple of int
        Spatial shape of the weights.
    """
    spatial = spatial_rank(node)
    if len(kernel) != spatial:
        raise FormatError(f"weights have {len(kernel)} spatial axes, the input has {spatial}")
    if not all(isinstance(size, int) for size in kernel):
        raise UnsupportedError(f"a kernel of size {kernel}; give the weights a known shape")
    declared = node.integers("kernel_shape")
    if declared is not None and declared != tuple(kernel):
        raise FormatError(f"kernel_shape is {declared}, the weights are {kernel}")
    groups = node.integer("group", 1)
    strides, dilations = strides_of(node, spatial), dilations_of(node, spatial)
    auto_pad = auto_pad_of(node)
    pads = (0, 0, 0, 0) if auto_pad else pads_of(node, spatial)
    if groups > 1 and depth == 1:
        depthwise = ops.DepthwiseConv2D(
            strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad
        )
        return depthwise, _DEPTHWISE
    op = ops.Conv2D(
        strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad, groups=groups
    )
    return op, _TO_OHWI


@handles("ConvTranspose")
def conv_transpose(node: OnnxNode) -> None:
    """Weights are stored input channels first; output_shape decides the padding where given."""
    if node.rank() == 5:
        node.give(spread_volumes(node))
        return
    spatial = spatial_rank(node)
    bias = node.optional(2)
    if not all(isinstance(size, int) for size in node.shape(1)[2:]):
        raise UnsupportedError(f"weights {node.type(1)}; give them a known shape")
    kernel = pair(tuple(int(d) for d in node.shape(1)[2:]), spatial, 1, 1, "weights")
    strides, dilations = strides_of(node, spatial), dilations_of(node, spatial)
    extra = pair(node.integers("output_padding"), spatial, 0, 0, "output_padding")
    auto_pad = auto_pad_of(node)
    pads = (0, 0, 0, 0) if auto_pad else pads_of(node, spatial)
    if node.has("output_shape"):
        pads, extra = _asked(node, spatial, kernel, strides, dilations, extra, auto_pad)
        auto_pad = ""
    op = ops.ConvTranspose2D(
        strides=strides,
        dilations=dilations,
        pads=pads,
        output_padding=extra,
        auto_pad=auto_pad,
        groups=node.integer("group", 1),
    )
    x = images_last(node, node.input(0))
    w = arranged(node, node.input(1), _DEPTHWISE, node.rank(1))
    inputs = (x, w, bias) if bias else (x, w)
    finish_first(node, node.emit(op, *inputs), spatial)


def _asked(
    node: OnnxNode,
    spatial: int,
    kernel: Pair,
    strides: Pair,
    dilations: Pair,
    extra: Pair,
    auto_pad: str,
) -> tuple[Pads, Pair]:
    """Return the padding that gives the output shape asked for."""
    given = node.integers("output_shape") or ()
    wanted = pair(given[-spatial:], spatial, 1, 1, "output_shape")
    sizes = pair(known_sizes(node), spatial, 1, 1, "input")
    axes = zip(sizes, wanted, kernel, strides, dilations, extra, strict=True)
    found = [padding_for(auto_pad == "same_upper", *axis) for axis in axes]
    (top, bottom, high), (left, right, wide) = found
    return (top, left, bottom, right), (high, wide)
