"""ONNX quantization: QuantizeLinear, DequantizeLinear and the tensors they speak of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from linnet import ops
from linnet.errors import LinnetError, UnsupportedError
from linnet.types import Array, DType, Quantization

from .node import OnnxNode, normalized
from .proto import dtype_of, tensor_array
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
    """Constant parameters; uint8 where neither zero point nor output_dtype says otherwise."""
    node.only("block_size", 0)
    node.only("saturate", 1)
    dtype = DType.UINT8
    if node.optional(2):
        dtype = node.type(2).dtype
    elif node.integer("output_dtype", 0):
        dtype = dtype_of(node.integer("output_dtype", 0), "output_dtype")
    if dtype.is_float:
        raise UnsupportedError("quantizes to floats of 8 or 4 bits; use int8")
    x = node.input(0)
    if not node.type(0).dtype.is_float:
        x = node.emit(ops.Cast(to=DType.FLOAT32), x)
    if node.constant(1) is None:
        _quantize_by_hand(node, x, dtype)
        return
    q = parameters(node, 1, 2, _axis(node))
    node.finish(ops.Quantize(dtype=dtype), x, quantization=q)


def _axis(node: OnnxNode) -> int | None:
    if node.type(1).rank == 0 or node.type(1).shape == (1,):
        return None
    return normalized(node.integer("axis", 1), node.rank())


def _quantize_by_hand(node: OnnxNode, x: str, dtype: DType) -> None:
    """Quantize by parameters that are computed at run time, to plain integers."""
    if node.type(1).rank not in (0, 1) or node.type(1).shape not in ((), (1,)):
        raise UnsupportedError("scales per axis are computed at run time; make them constants")
    steps = node.emit(ops.Round(), node.emit(ops.Div(), x, node.input(1)))
    if node.optional(2):
        zero = node.emit(ops.Cast(to=node.type(0).dtype), node.input(2))
        steps = node.emit(ops.Add(), steps, zero)
    info = np.iinfo(dtype.numpy)
    kept = node.emit(ops.Clip(minimum=float(info.min), maximum=float(info.max)), steps)
    node.finish(ops.Cast(to=dtype), kept)


@handles("DequantizeLinear")
@handles("DequantizeLinear", domain=MICROSOFT)
def dequantize_linear(node: OnnxNode) -> None:
    """Dequantize a quantized value, or do the arithmetic where its integers are plain."""
    node.only("block_size", 0, hint="dequantize the weights before export")
    wanted = node.type(1).dtype
    scale = node.constant(1)
    zero_known = not node.optional(2) or node.constant(2) is not None
    if scale is not None and zero_known and (scale > 0).all():
        q = parameters(node, 1, 2, _axis(node))
        value = node.graph.values[node.input(0)]
        if value.data is not None or value.type.quantization == q:
            _finish_as(node, wanted, ops.Dequantize(), stored(node, 0, q))
            return
    if node.type(0).is_quantized:
        stored(node, 0, parameters(node, 1, 2, _axis(node)))
    _dequantize_by_hand(node)


def _finish_as(node: OnnxNode, wanted: DType, op: ops.Op, *inputs: str) -> None:
    if wanted == DType.FLOAT32:
        node.finish(op, *inputs)
    else:
        node.finish(ops.Cast(to=wanted), node.emit(op, *inputs))


def _dequantize_by_hand(node: OnnxNode) -> None:
    """(x - zero point) * scale in float32, for integers that nothing quantized."""
    rank, axis = node.rank(), _axis(node)

    def spread(name: str) -> str:
        if axis is None:
            return node.emit(ops.Reshape(shape=()), name) if rank == 0 else name
        shape = [1] * rank
        shape[axis] = -1
        return node.emit(ops.Reshape(shape=tuple(shape)), name)

    x = node.emit(ops.Cast(to=DType.FLOAT32), node.input(0))
    if node.optional(2):
        zero = node.emit(ops.Cast(to=DType.FLOAT32), node.input(2))
        x = node.emit(ops.Sub(), x, spread(zero))
    scale = node.input(1)
    if node.type(1).dtype != DType.FLOAT32:
        scale = node.emit(ops.Cast(to=DType.FLOAT32), scale)
    _finish_as(node, node.type(1).dtype, ops.Mul(), x, spread(scale))
