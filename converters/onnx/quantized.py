"""ONNX quantization: QuantizeLinear, DequantizeLinear and the tensors they speak of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from linnet import ops
from linnet.errors import LinnetError, UnsupportedError
from linnet.ops.narrow import INTEGERS
from linnet.types import Array, DType, Quantization

from .node import OnnxNode, normalized
from .proto import NARROW, dtype_of, tensor_array
from .registry import MICROSOFT, handles

_MOVES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "MaxPool", "Slice")
# Operator -> (data input, scale input) pairs of its quantized operands.
_READS = {
    "DequantizeLinear": ((0, 1),),
    "QLinearConv": ((0, 1),),
    "QLinearMatMul": ((0, 1), (3, 4)),
    "QLinearAdd": ((0, 1), (3, 4)),
    "QLinearMul": ((0, 1), (3, 4)),
    "QGemm": ((0, 1),),
    "QLinearAveragePool": ((0, 1),),
    "QLinearGlobalAveragePool": ((0, 1),),
    "QLinearSigmoid": ((0, 1),),
    "QLinearLeakyRelu": ((0, 1),),
    "QLinearSoftmax": ((0, 1),),
}


def declared_quantization(graph: onnx.GraphProto, folder: Path | None) -> dict[str, Quantization]:
    """Return how the model's integer inputs are quantized, where their readers agree."""
    integers = {i.name for i in graph.input if i.type.tensor_type.elem_type in _STORAGE}
    if not integers:
        return {}
    tensors = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            tensors[node.output[0]] = node.attribute[0].t
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = {}
    for name in integers - set(tensors):
        said = set(_said(name, readers, tensors, folder))
        if len(said) == 1:
            found[name] = said.pop()
    return found


_STORAGE = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.INT16)


def _said(
    name: str,
    readers: dict[str, list[onnx.NodeProto]],
    tensors: dict[str, onnx.TensorProto],
    folder: Path | None,
) -> Iterator[Quantization]:
    """Yield what each reader of a value, through data movement, takes its quantization to be."""
    seen, waiting = set(), [name]
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        for node in readers.get(value, ()):
            if node.op_type in _MOVES and node.input[0] == value:
                waiting.append(node.output[0])
            for data, scale in _READS.get(node.op_type, ()):
                if len(node.input) > scale and node.input[data] == value:
                    pair = [tensors.get(i) for i in node.input[scale : scale + 2]]
                    if pair and all(t is not None for t in pair):
                        try:
                            arrays = [tensor_array(t, folder) for t in pair if t is not None]
                            yield _per_tensor(*arrays)
                        except LinnetError:
                            continue


def _per_tensor(scale: Array, zero: Array | None = None) -> Quantization:
    return Quantization(scale.reshape(-1), 0 if zero is None else zero.reshape(-1))


def parameters(node: OnnxNode, scale: int, zero: int, axis: int | None = None) -> Quantization:
    """Return the constant quantization that two inputs give.

    Parameters
    ----------
    node : OnnxNode
    scale, zero : int
        Inputs; the zero point may be absent.
    axis : int, optional
        Axis of parameters that are vectors of more than one.
    """
    scales = node.known(scale, "the scale").astype(np.float32).reshape(-1)
    zeros: Array = np.zeros(1, np.int32)
    if node.optional(zero):
        zeros = node.known(zero, "the zero point").astype(np.int32).reshape(-1)
    if scales.size == 1 and zeros.size == 1:
        return Quantization(scales, zeros)
    return Quantization(scales, zeros, axis)


def stored(node: OnnxNode, index: int, q: Quantization) -> str:
    """Return an integer input as a value with the given quantization.

    Raises
    ------
    UnsupportedError
        If the value is computed with another one.
    """
    name = node.input(index)
    value = node.graph.values[name]
    if value.data is not None:
        return node.constant_like(value.data, "stored", q)
    if value.type.quantization != q:
        made = value.type.quantization or "plain integers"
        raise UnsupportedError(f"input {index} is {made} but read as {q}; keep one per tensor")
    return name


@handles("QuantizeLinear")
@handles("QuantizeLinear", domain=MICROSOFT)
def quantize_linear(node: OnnxNode) -> None:
    """Quantize to the type of the zero point, or of output_dtype; uint8 where neither is given."""
    code = node.narrow(2) or node.integer("output_dtype", 0)
    dtype = node.type(2).dtype if node.optional(2) else DType.UINT8
    if code and not node.optional(2):
        dtype = dtype_of(code, "output_dtype")
    form = NARROW[code][0] if code in NARROW else ""
    x = node.input(0)
    if node.type(0).dtype != DType.FLOAT32:
        x = node.emit(ops.Cast(to=DType.FLOAT32), x)
    if form or not _is_known(node):
        _quantize_by_hand(node, x, dtype, form)
        return
    q = parameters(node, 1, 2, _axis(node))
    node.finish(ops.Quantize(dtype=dtype), x, quantization=q)


def _is_known(node: OnnxNode) -> bool:
    """Whether the parameters are constants that a quantization can have."""
    scale = node.constant(1)
    zero_known = not node.optional(2) or node.constant(2) is not None
    whole = not node.integer("block_size", 0)
    return whole and zero_known and scale is not None and bool((scale > 0).all())


def _axis(node: OnnxNode) -> int | None:
    if node.type(1).rank == 0 or node.type(1).shape == (1,):
        return None
    return normalized(node.integer("axis", 1), node.rank())


def _parameter(node: OnnxNode, index: int) -> str:
    """Return a scale or a zero point in float32, of a shape that broadcasts to the first input."""
    name, rank, axis = node.input(index), node.rank(), _axis(node)
    if node.type(index).dtype != DType.FLOAT32:
        name = node.emit(ops.Cast(to=DType.FLOAT32), name)
    block = node.integer("block_size", 0)
    if block and axis is not None:
        size = node.constant_like(np.array(block, np.int64), "block")
        blocks = node.emit(ops.FloorDiv(), node.counted(0, axis), size)
        return node.emit(ops.Gather(axis=axis), name, blocks)
    if axis is None:
        return node.emit(ops.Reshape(shape=()), name)
    return node.emit(ops.Reshape(shape=tuple(-1 if i == axis else 1 for i in range(rank))), name)


def _quantize_by_hand(node: OnnxNode, x: str, dtype: DType, form: str) -> None:
    """Quantize to plain numbers: parameters of blocks, or that a run computes, or narrow types."""
    steps = node.emit(ops.Div(), x, _parameter(node, 1))
    if "float" in form:
        saturate = form == "float4e2m1" or bool(node.integer("saturate", 1))
        node.finish(ops.Narrow(format=form, saturate=saturate), steps)
        return
    steps = node.emit(ops.Round(), steps)
    if node.optional(2):
        steps = node.emit(ops.Add(), steps, _parameter(node, 2))
    info = np.iinfo(dtype.numpy)
    low, high = INTEGERS.get(form, (int(info.min), int(info.max)))
    kept = node.emit(ops.Clip(minimum=float(low), maximum=float(high)), steps)
    node.finish(ops.Cast(to=dtype), kept)


@handles("DequantizeLinear")
@handles("DequantizeLinear", domain=MICROSOFT)
def dequantize_linear(node: OnnxNode) -> None:
    """Dequantize a quantized value, or do the arithmetic where its integers are plain."""
    if _is_known(node) and node.type(0).dtype.is_integer:
        q = parameters(node, 1, 2, _axis(node))
        value = node.graph.values[node.input(0)]
        if value.data is not None or value.type.quantization == q:
            _finish_as(node, node.type(1).dtype, ops.Dequantize(), stored(node, 0, q))
            return
        if node.type(0).is_quantized:
            stored(node, 0, q)
    elif node.type(0).is_quantized:
        raise UnsupportedError("integers of one quantization read as another that a run computes")
    _dequantize_by_hand(node)


def _finish_as(node: OnnxNode, wanted: DType, op: ops.Op, *inputs: str) -> None:
    if wanted == DType.FLOAT32:
        node.finish(op, *inputs)
    else:
        node.finish(ops.Cast(to=wanted), node.emit(op, *inputs))


def _dequantize_by_hand(node: OnnxNode) -> None:
    """(x - zero point) * scale in float32, for integers that nothing quantized."""
    x = node.emit(ops.Cast(to=DType.FLOAT32), node.input(0))
    if node.optional(2):
        x = node.emit(ops.Sub(), x, _parameter(node, 2))
    _finish_as(node, node.type(1).dtype, ops.Mul(), x, _parameter(node, 1))
