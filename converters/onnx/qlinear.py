"""ONNX operators on quantized tensors with scales as inputs (QOperator form)."""

from __future__ import annotations

import math

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import Array, DType, Quantization

from .conv import convolution
from .node import OnnxNode
from .pooling import pool
from .quantized import parameters, stored
from .registry import MICROSOFT, handles
from .spatial import arranged, finish_first, images_last, spatial_rank

_OFFSET = {DType.UINT8: 128, DType.INT8: 0, DType.UINT16: 1 << 15, DType.INT16: 0}


def emit_stored(node: OnnxNode, op: ops.Op, q: Quantization, wanted: DType, *inputs: str) -> str:
    """Emit an op with a quantized result, in the storage type that the model wants."""
    made = node.graph.type_of(inputs[0]).dtype
    if made == wanted:
        return node.emit(op, *inputs, quantization=q)
    shifted = Quantization(q.scale, q.zero_point + _OFFSET[made] - _OFFSET[wanted], q.axis)
    inner = node.emit(op, *inputs, quantization=shifted)
    return node.emit(ops.Quantize(dtype=wanted), inner, quantization=q)


def finish_stored(node: OnnxNode, op: ops.Op, scale: int, zero: int, *inputs: str) -> None:
    """Make the node's output, quantized as two of its inputs say."""
    wanted = node.type(zero).dtype if node.optional(zero) else node.graph.type_of(inputs[0]).dtype
    made = emit_stored(node, op, parameters(node, scale, zero), wanted, *inputs)
    node.give(made)


def operand(node: OnnxNode, index: int) -> str:
    """Return operand ``index``, whose scale and zero point are the next two inputs."""
    return stored(node, index, parameters(node, index + 1, index + 2))


@handles("QLinearConv")
def qlinear_conv(node: OnnxNode) -> None:
    """Weights may have one scale per output channel; the bias is int32 in the product's scale."""
    spatial = spatial_rank(node)
    x = images_last(node, operand(node, 0))
    weights = stored(node, 3, parameters(node, 4, 5, 0))
    op, perm = convolution(node, node.type(3).shape[1], node.type(3).shape[2:])
    inputs = [x, arranged(node, weights, perm, node.rank(3))]
    if node.optional(8):
        inputs.append(node.input(8))
    wanted = node.type(7).dtype
    made = emit_stored(node, op, parameters(node, 6, 7), wanted, *inputs)
    finish_first(node, made, spatial)


@handles("QLinearMatMul")
def qlinear_matmul(node: OnnxNode) -> None:
    """FullyConnected where the second operand is a constant matrix."""
    a = operand(node, 0)
    b = stored(node, 3, parameters(node, 4, 5, node.rank(3) - 1))
    if node.constant(3) is not None and node.rank(3) == 2:
        w = arranged(node, b, (1, 0), 2)
        finish_stored(node, ops.FullyConnected(), 6, 7, a, w)
    else:
        finish_stored(node, ops.MatMul(), 6, 7, a, b)


@handles("QGemm", domain=MICROSOFT)
def qgemm(node: OnnxNode) -> None:
    """Quantized Gemm with constant weights and an int32 bias; alpha scales both."""
    node.known(3, "B")
    right = bool(node.integer("transB", 0))
    q, alpha = parameters(node, 4, 5, 0 if right else 1), node.real("alpha", 1.0)
    if alpha <= 0:
        raise UnsupportedError(f"alpha={alpha:g}; only above 0")
    scale = np.asarray(q.scale, np.float32) * np.float32(alpha)
    w = stored(node, 3, Quantization(scale, q.zero_point, q.axis))
    a = operand(node, 0)
    if node.integer("transA", 0):
        a = node.emit(ops.Transpose(perm=(1, 0)), a)
    inputs = [a, w if right else arranged(node, w, (1, 0), 2)]
    if node.optional(6):
        bias = node.known(6, "C")
        outputs = int(node.graph.type_of(inputs[1]).static_shape[0])
        if bias.size not in (1, outputs):
            raise UnsupportedError(f"C {bias.shape}; only a bias, of shape ({outputs},)")
        wide: Array = np.ascontiguousarray(np.broadcast_to(bias.reshape(-1), (outputs,)))
        inputs.append(node.constant_like(wide, "bias"))
    finish_stored(node, ops.FullyConnected(), 7, 8, *inputs)


@handles("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def qlinear_pair(node: OnnxNode) -> None:
    """Sum or product."""
    op = ops.Add() if node.kind == "QLinearAdd" else ops.Mul()
    finish_stored(node, op, 6, 7, operand(node, 0), operand(node, 3))


@handles("QLinearConcat", domain=MICROSOFT)
def qlinear_concat(node: OnnxNode) -> None:
    """Requantize inputs to the output's parameters first."""
    q, dtype = parameters(node, 0, 1), node.type(1).dtype
    if len(node.inputs) % 3 != 2:
        raise FormatError(f"{len(node.inputs)} inputs; expected two and three per operand")
    names = []
    for index in range(2, len(node.inputs), 3):
        name = operand(node, index)
        if parameters(node, index + 1, index + 2) != q or node.type(index).dtype != dtype:
            name = node.emit(ops.Quantize(dtype=dtype), name, quantization=q)
        names.append(name)
    node.finish(ops.Concat(axis=node.axis(0, node.rank(2))), *names)


@handles("QLinearSoftmax", domain=MICROSOFT)
def qlinear_softmax(node: OnnxNode) -> None:
    """Along one axis; the older form, over all axes from one on, for the last axis only."""
    rank = node.rank()
    axis = node.axis(-1, rank)
    if node.integer("opset", 13) < 13 and axis != rank - 1:
        raise UnsupportedError(f"the form before opset 13 along axis {axis}; only the last axis")
    finish_stored(node, ops.Softmax(axis=axis), 3, 4, operand(node, 0))


@handles("QLinearSigmoid", "QLinearLeakyRelu", domain=MICROSOFT)
def qlinear_unary(node: OnnxNode) -> None:
    """Activations."""
    slope = node.real("alpha", 0.01)
    op = ops.Sigmoid() if node.kind == "QLinearSigmoid" else ops.LeakyRelu(alpha=slope)
    finish_stored(node, op, 3, 4, operand(node, 0))


@handles("QLinearAveragePool", "QLinearGlobalAveragePool", domain=MICROSOFT)
def qlinear_pool(node: OnnxNode) -> None:
    """Means of windows, or of whole images."""
    x = operand(node, 0)
    if node.kind == "QLinearGlobalAveragePool":
        op: ops.Op = ops.ReduceMean(axes=tuple(range(2, node.rank())), keepdims=True)
        finish_stored(node, op, 3, 4, x)
        return
    counted = bool(node.integer("count_include_pad", 0))
    op = pool(node, ops.AveragePool2D, count_include_pad=counted)
    wanted = node.type(4).dtype if node.optional(4) else node.graph.type_of(x).dtype
    made = emit_stored(node, op, parameters(node, 3, 4), wanted, images_last(node, x))
    finish_first(node, made, spatial_rank(node))


@handles("MatMulInteger")
def matmul_integer(node: OnnxNode) -> None:
    """Product of integers less their zero points, in int32."""
    centered = [_centered(node, 0, 2, -2), _centered(node, 1, 3, -1)]
    node.finish(ops.MatMul(), *centered)


def _centered(node: OnnxNode, index: int, zero: int, axis: int) -> str:
    wide = node.emit(ops.Cast(to=DType.INT32), node.input(index))
    if not node.optional(zero):
        return wide
    point = node.emit(ops.Cast(to=DType.INT32), node.input(zero))
    if node.rank(zero) == 1 and node.type(zero).shape != (1,) and axis == -2:
        point = node.emit(ops.Unsqueeze(axes=(1,)), point)
    return node.emit(ops.Sub(), wide, point)


@handles("DynamicQuantizeLinear")
def dynamic_quantize_linear(node: OnnxNode) -> None:
    """Scale and zero point from the range of the data, computed in float operators."""
    x, zero = node.input(0), node.number(0.0)
    axes = tuple(range(node.rank()))
    high = node.emit(ops.Maximum(), node.emit(ops.ReduceMax(axes=axes, keepdims=False), x), zero)
    low = node.emit(ops.Minimum(), node.emit(ops.ReduceMin(axes=axes, keepdims=False), x), zero)
    width = node.emit(ops.Sub(), high, low)
    scale = node.emit(ops.Div(), width, node.number(255.0))
    bounds = ops.Clip(minimum=0.0, maximum=255.0)
    shift = node.emit(ops.Div(), node.emit(ops.Sub(), zero, low), scale)
    point = node.emit(bounds, node.emit(ops.Round(), shift))
    steps = node.emit(ops.Round(), node.emit(ops.Div(), x, scale))
    kept = node.emit(bounds, node.emit(ops.Add(), steps, point))
    to_byte = ops.Cast(to=DType.UINT8)
    node.give(node.emit(to_byte, kept), scale, node.emit(to_byte, point))


# Whole numbers up to this are exact in float32.
_EXACT = 1 << 24


@handles("ConvInteger")
def conv_integer(node: OnnxNode) -> None:
    """Convolve integers less their zero points, exactly.

    The products are float32; weights come in parts of so few bits that
    every sum is exact; the parts join in int32.
    """
    spatial = spatial_rank(node)

    def centered(index: int, zero: int) -> str:
        x = node.emit(ops.Cast(to=DType.FLOAT32), node.input(index))
        if not node.optional(zero):
            return x
        offset = node.emit(ops.Cast(to=DType.FLOAT32), node.input(zero))
        if node.type(zero).rank == 1 and node.type(zero).shape != (1,):
            offset = node.emit(ops.Reshape(shape=(-1, *[1] * (spatial + 1))), offset)
        return node.emit(ops.Sub(), x, offset)

    x = images_last(node, centered(0, 2))
    op, perm = convolution(node, node.type(1).shape[1], node.type(1).shape[2:])
    depth = math.prod(node.type(1).static_shape[1:])
    bits = max((_EXACT // max(255 * depth, 1)).bit_length() - 1, 1)
    total = ""
    for place, part in enumerate(_parts(node, centered(1, 3), bits)):
        made = node.emit(op, x, arranged(node, part, perm, node.rank(1)))
        whole = node.emit(ops.Cast(to=DType.INT32), node.emit(ops.Round(), made))
        if place:
            unit = node.constant_like(np.array(1 << bits * place, np.int32), "unit")
            whole = node.emit(ops.Add(), total, node.emit(ops.Mul(), whole, unit))
        total = whole
    finish_first(node, total, spatial)


def _parts(node: OnnxNode, weights: str, bits: int) -> list[str]:
    """Return whole numbers of at most 255 as parts of some bits, the last one with the sign."""
    if bits >= 8:
        return [weights]
    parts = []
    unit = node.constant_like(np.array(1 << bits, np.float32), "unit")
    for _ in range(-(-8 // bits) - 1):
        high = node.emit(ops.Floor(), node.emit(ops.Div(), weights, unit))
        parts.append(node.emit(ops.Sub(), weights, node.emit(ops.Mul(), high, unit)))
        weights = high
    return [*parts, weights]
