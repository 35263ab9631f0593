"""ONNX operators of two or more inputs with broadcasting."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import DType

from .node import OnnxNode
from .registry import handles

PAIRS: dict[str, ops.Op] = {
    "Add": ops.Add(),
    "And": ops.And(),
    "Div": ops.Div(),
    "Equal": ops.Equal(),
    "Greater": ops.Greater(),
    "GreaterOrEqual": ops.GreaterOrEqual(),
    "Less": ops.Less(),
    "LessOrEqual": ops.LessOrEqual(),
    "Mul": ops.Mul(),
    "Or": ops.Or(),
    "Sub": ops.Sub(),
    "Xor": ops.Xor(),
}
CHAINS: dict[str, ops.Op] = {
    "Max": ops.Maximum(),
    "Mean": ops.Add(),
    "Min": ops.Minimum(),
    "Sum": ops.Add(),
}


@handles(*PAIRS)
def pair(node: OnnxNode) -> None:
    """Operators of two inputs without attributes."""
    if node.is_text(0) and node.constant(0) is None and node.constant(1) is None:
        raise UnsupportedError("compares texts that are both unknown; compare outside the model")
    node.finish(PAIRS[node.kind], node.input(0), node.input(1))


@handles(*CHAINS)
def chain(node: OnnxNode) -> None:
    """Operators of any number of inputs, two at a time."""
    result = node.input(0)
    for index in range(1, len(node.inputs)):
        result = node.emit(CHAINS[node.kind], result, node.input(index))
    if node.kind == "Mean" and len(node.inputs) > 1:
        node.finish(ops.Div(), result, node.number(len(node.inputs)))
    else:
        node.give(result)


@handles("Pow")
def power(node: OnnxNode) -> None:
    """Cast the exponent to the type of the base; a constant 2 is a square."""
    x, y = node.input(0), node.input(1)
    exponent = node.constant(1)
    if exponent is not None and exponent.size == 1 and node.type(1).rank <= node.rank():
        value = float(exponent.reshape(()))
        if value == 2.0:
            node.finish(ops.Square(), x)
            return
        if value == 0.5 and node.type(0).dtype.is_float:
            node.finish(ops.Sqrt(), x)
            return
    if node.type(0).dtype != node.type(1).dtype:
        wide = node.type(1).dtype.is_float and not node.type(0).dtype.is_float
        if wide:
            base = node.emit(ops.Cast(to=node.type(1).dtype), x)
            node.finish(ops.Cast(to=node.type(0).dtype), node.emit(ops.Pow(), base, y))
            return
        y = node.emit(ops.Cast(to=node.type(0).dtype), y)
    node.finish(ops.Pow(), x, y)


@handles("Mod")
def modulo(node: OnnxNode) -> None:
    """Remainder with the sign of the divisor, or of the dividend where fmod is set."""
    node.finish(ops.Mod(fmod=bool(node.integer("fmod", 0))), node.input(0), node.input(1))


@handles("Where")
def where(node: OnnxNode) -> None:
    """Choose between two inputs by a third."""
    node.finish(ops.Where(), node.input(0), node.input(1), node.input(2))


@handles("Trilu")
def trilu(node: OnnxNode) -> None:
    """Keep a triangle of the last two axes."""
    rank = node.rank()
    if rank < 2:
        raise FormatError(f"input {node.type(0)}; expected matrices")
    rows, columns = (node.counted(0, axis) for axis in (rank - 2, rank - 1))
    upper = bool(node.integer("upper", 1))
    distance = node.emit(ops.Sub(), columns, node.emit(ops.Unsqueeze(axes=(1,)), rows))
    offset = node.optional(1) or node.constant_like(np.array(0, np.int64), "offset")
    compare = ops.GreaterOrEqual() if upper else ops.LessOrEqual()
    keep = node.emit(compare, distance, offset)
    if node.type(0).dtype == DType.BOOL:
        node.finish(ops.And(), keep, node.input(0))
    else:
        node.finish(ops.Where(), keep, node.input(0), node.number(0))
