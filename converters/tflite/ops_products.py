"""Rules of convolutions and matrix products."""

from __future__ import annotations

import math

from linnet.errors import FormatError, UnsupportedError
from linnet.ops import (
    NO_CLAMP,
    BlockLinear,
    Clip,
    Conv2D,
    ConvTranspose2D,
    DepthwiseConv2D,
    DynamicLinear,
    FullyConnected,
    MatMul,
    Reshape,
)
from linnet.types import DType, Shape

from .node import TfliteNode
from .windows import padding, pair_option, static_sizes


def conv_2d(node: TfliteNode) -> None:
    """CONV_2D: x[N,H,W,C], filter[O,KH,KW,C/groups], bias[O]."""
    x, weights = node.type(0), node.type(1)
    kernel = static_sizes(weights, "filter")
    strides = pair_option(node, "StrideH", "StrideW")
    dilations = pair_option(node, "DilationHFactor", "DilationWFactor", (1, 1))
    pads, auto_pad = padding(node, x, kernel, strides, dilations)
    channels, per_group = x.shape[-1], weights.static_shape[3]
    if strides == kernel == (1, 1) and channels == per_group and _is_one_row(node):
        shape = (weights.static_shape[0], per_group)
        flat = node.step(Reshape(shape=shape), [node.input(1)], "rows")
        return _dynamic(node, [node.input(0), flat, node.optional(2)], per_tensor=True)
    if not isinstance(channels, int) or not per_group or channels % per_group:
        raise UnsupportedError(f"{channels} input channels for a filter of {weights}")
    node.emit(
        Conv2D(
            strides=strides,
            dilations=dilations,
            pads=pads,
            auto_pad=auto_pad,
            groups=channels // per_group,
            clamp=node.clamp,
        ),
        _operands(node),
    )


def depthwise_conv_2d(node: TfliteNode) -> None:
    """DEPTHWISE_CONV_2D: x[N,H,W,C], filter[1,KH,KW,C*M], bias[C*M]."""
    x, weights = node.type(0), node.type(1)
    kernel = static_sizes(weights, "filter")
    strides = pair_option(node, "StrideH", "StrideW")
    dilations = pair_option(node, "DilationHFactor", "DilationWFactor", (1, 1))
    pads, auto_pad = padding(node, x, kernel, strides, dilations)
    node.emit(
        DepthwiseConv2D(
            strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad, clamp=node.clamp
        ),
        _operands(node),
    )


def transpose_conv(node: TfliteNode) -> None:
    """TRANSPOSE_CONV: output shape, filter[O,KH,KW,I], x[N,H,W,I], bias[O]."""
    content = node.graph.constant(node.input(0))
    shape = node.output_type().shape if content is None else tuple(content.tolist())
    _transposed(node, 2, shape, 3)


def transpose_conv_bias(node: TfliteNode) -> None:
    """Convolution2DTransposeBias of MediaPipe: x[N,H,W,I], filter[O,KH,KW,I], bias[O]."""
    _transposed(node, 0, node.output_type().shape, 2)


def _transposed(node: TfliteNode, image: int, shape: Shape, bias: int) -> None:
    """Spread input ``image`` over an output of the given shape; the filter is input 1."""
    x, weights = node.type(image), node.type(1)
    kernel, strides = static_sizes(weights, "filter"), pair_option(node, "StrideH", "StrideW")
    mode = node.option("Padding")
    if mode not in (0, 1):
        raise FormatError(f"padding is number {mode}; expected 0 (SAME) or 1 (VALID)")
    before, after, extra = [], [], []
    for size, out, span, stride in zip(
        static_sizes(x, "input"), _output_sizes(shape), kernel, strides, strict=True
    ):
        overlap = (-(-out // stride) - 1) * stride + span - out
        before.append(max(overlap, 0) // 2 if mode == 0 else 0)
        cut = (size - 1) * stride + span - before[-1] - out
        after.append(max(cut, 0))
        extra.append(max(-cut, 0))
    node.emit(
        ConvTranspose2D(
            strides=strides,
            pads=(before[0], before[1], after[0], after[1]),
            output_padding=(extra[0], extra[1]),
            clamp=node.clamp,
        ),
        [node.input(image), node.real_weights(1, beside=image), node.optional(bias)],
    )


def _output_sizes(shape: Shape) -> tuple[int, int]:
    if len(shape) != 4:
        raise FormatError(f"its output has shape {shape}; expected 4 dimensions")
    height, width = shape[1:3]
    if not isinstance(height, int) or not isinstance(width, int):
        raise UnsupportedError(f"output sizes {height} x {width} computed at run time")
    return height, width


def fully_connected(node: TfliteNode) -> None:
    """FULLY_CONNECTED: x[...,K], weights[O,K], bias[O]; leading axes merge unless kept."""
    if node.option("WeightsFormat", 0):
        raise UnsupportedError("weights in the shuffled format; only the default [O, K] is known")
    x, weights = node.input(0), node.type(1)
    if weights.rank != 2:
        raise FormatError(f"weights are {weights}; expected two dimensions")
    keeps = bool(node.option("KeepNumDims", False))
    depth = weights.static_shape[1]
    if (not keeps and node.type(0).rank != 2) or node.type(0).shape[-1:] != (depth,):
        x = node.step(Reshape(shape=(-1, depth)), [x], "rows")
    if _is_hybrid(node):
        return _dynamic(node, [x, node.input(1), node.optional(2)])
    blocks = node.importer.blocks(node.operator.inputs[1]) if node.clamp == NO_CLAMP else None
    if blocks is not None and node.type(0).dtype is DType.FLOAT32:
        return node.emit(BlockLinear(whole=True), [x, *blocks, "", node.optional(2)])
    node.emit(FullyConnected(clamp=node.clamp), [x, node.real_weights(1), node.optional(2)])


_HYBRID_ACTIVATIONS = {NO_CLAMP: "", (0.0, math.inf): "relu", (0.0, 6.0): "relu6"}


def _dynamic(node: TfliteNode, operands: list[str], per_tensor: bool = False) -> None:
    activation = _HYBRID_ACTIVATIONS.get(node.clamp)
    if activation is not None:
        return node.emit(DynamicLinear(activation=activation, per_tensor=per_tensor), operands)
    sums = node.step(DynamicLinear(per_tensor=per_tensor), operands, "sums")
    return node.emit(Clip(minimum=node.clamp[0], maximum=node.clamp[1]), [sums])


def _is_hybrid(node: TfliteNode) -> bool:
    """Whether TFLite quantizes the input as it comes: float beside constant int8 weights."""
    weights = node.graph.known_type(node.input(1))
    known = weights.value is not None and weights.dtype is DType.INT8
    return known and weights.quantization is not None and node.type(0).dtype is DType.FLOAT32


def _is_one_row(node: TfliteNode) -> bool:
    """Whether a hybrid convolution has one image, which TFLite quantizes as one row.

    Weights of a single scale are left out: TFLite quantizes beside them without a zero point.
    """
    quantization = node.type(1).quantization
    per_channel = quantization is not None and quantization.axis == 0
    return _is_hybrid(node) and per_channel and node.type(0).shape[0] == 1


def batch_matmul(node: TfliteNode) -> None:
    """BATCH_MATMUL: product of the last two axes, optionally transposed ("adjoint")."""
    node.emit(
        MatMul(
            transpose_a=bool(node.option("AdjX", False)),
            transpose_b=bool(node.option("AdjY", False)),
        ),
        [node.input(0), node.real_weights(1)],
    )


def _operands(node: TfliteNode) -> list[str]:
    return [node.input(0), node.real_weights(1), node.optional(2)]


CONVERTERS = {
    "BATCH_MATMUL": batch_matmul,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "TRANSPOSE_CONV": transpose_conv,
}
CUSTOM = {"Convolution2DTransposeBias": transpose_conv_bias}
