"""ONNX operators on the bits of integers, integer products, and the rest of trigonometry."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.errors import FormatError
from linnet.types import DType

from .node import OnnxNode
from .proto import dtype_of
from .registry import handles

_BITWISE: dict[str, ops.Op] = {
    "BitwiseAnd": ops.And(),
    "BitwiseOr": ops.Or(),
    "BitwiseXor": ops.Xor(),
}


@handles(*_BITWISE)
def bitwise(node: OnnxNode) -> None:
    """Combine bit by bit."""
    node.finish(_BITWISE[node.kind], node.input(0), node.input(1))


@handles("BitwiseNot")
def bitwise_not(node: OnnxNode) -> None:
    """Invert every bit."""
    node.finish(ops.Not(), node.input(0))


@handles("BitShift")
def bit_shift(node: OnnxNode) -> None:
    """Shift unsigned integers."""
    direction = node.text("direction", "")
    if direction not in ("LEFT", "RIGHT"):
        raise FormatError(f"direction is '{direction}'; expected LEFT or RIGHT")
    bits, dtype = node.input(1), node.type(1).dtype
    if dtype.numpy.kind == "i":
        # A negative count is a large unsigned one: everything is shifted out.
        negative = node.emit(ops.Less(), bits, node.number(0, 1))
        bits = node.emit(ops.Where(), negative, node.number(8 * dtype.itemsize, 1), bits)
    node.finish(ops.BitShift(right=direction == "RIGHT"), node.input(0), bits)


@handles("BitCast")
def bit_cast(node: OnnxNode) -> None:
    """Read the same bytes as another type."""
    x, to = node.input(0), dtype_of(node.integer("to", 0), "attribute to")
    if node.type(0).dtype == DType.BOOL:
        x = node.emit(ops.Cast(to=DType.UINT8), x)
    node.finish(ops.Bitcast(to=to), x)


@handles("ReverseSequence")
def reverse_sequence(node: OnnxNode) -> None:
    """Turn the first elements of each sequence around."""
    op = ops.ReverseSequence(
        time_axis=node.integer("time_axis", 0), batch_axis=node.integer("batch_axis", 1)
    )
    node.finish(op, node.input(0), node.input(1))


@handles("Sinh", "Cosh")
def hyperbolic(node: OnnxNode) -> None:
    """Half the sum or difference of both exponentials."""
    x = node.input(0)
    up, down = node.emit(ops.Exp(), x), node.emit(ops.Exp(), node.emit(ops.Neg(), x))
    both = node.emit(ops.Sub() if node.kind == "Sinh" else ops.Add(), up, down)
    node.finish(ops.Mul(), both, node.number(0.5))


@handles("Asinh", "Acosh")
def inverse_hyperbolic(node: OnnxNode) -> None:
    """Emit log(|x| + sqrt(x^2 +- 1)) with the sign of x."""
    x = node.input(0)
    size = node.emit(ops.Abs(), x) if node.kind == "Asinh" else x
    one = node.number(1.0 if node.kind == "Asinh" else -1.0)
    root = node.emit(ops.Sqrt(), node.emit(ops.Add(), node.emit(ops.Square(), x), one))
    found = node.emit(ops.Log(), node.emit(ops.Add(), size, root))
    if node.kind == "Asinh":
        found = node.emit(ops.Mul(), found, node.emit(ops.Sign(), x))
    node.give(found)


@handles("Atanh")
def inverse_tangent(node: OnnxNode) -> None:
    """Half the logarithm of (1 + x) / (1 - x)."""
    x, one = node.input(0), node.number(1.0)
    above, below = node.emit(ops.Add(), one, x), node.emit(ops.Sub(), one, x)
    found = node.emit(ops.Log(), node.emit(ops.Div(), above, below))
    node.finish(ops.Mul(), found, node.number(0.5))


@handles("Atan", "Asin", "Acos")
def inverse_circular(node: OnnxNode) -> None:
    """Emit angles by atan2: of x and 1, or of x and sqrt(1 - x^2)."""
    x, one = node.input(0), node.number(1.0)
    if node.kind == "Atan":
        node.finish(ops.Atan2(), x, one)
        return
    below, above = node.emit(ops.Sub(), one, x), node.emit(ops.Add(), one, x)
    other = node.emit(ops.Sqrt(), node.emit(ops.Mul(), below, above))
    node.finish(ops.Atan2(), *((x, other) if node.kind == "Asin" else (other, x)))


@handles("LRN")
def local_response_normalization(node: OnnxNode) -> None:
    """Divide by a power of the mean square of neighboring channels."""
    size, rank = node.integer("size", 1), node.rank()
    x = node.input(0)
    perm = (0, *range(2, rank), 1)
    last = node.emit(ops.Transpose(perm=perm), x)
    before = (size - 1) // 2
    squares = node.emit(ops.Square(), last)
    pads = [0] * (2 * rank)
    pads[rank - 1], pads[-1] = before, size - 1 - before
    padded = node.emit(ops.Pad(pads=tuple(pads)), squares)
    total, last_place = "", int(np.iinfo(np.int64).max)
    for offset in range(size):
        end = offset + 1 - size if offset + 1 < size else last_place
        cut = ops.Slice(starts=(offset,), ends=(end,), axes=(rank - 1,), steps=(1,))
        part = node.emit(cut, padded)
        total = node.emit(ops.Add(), total, part) if total else part
    scaled = node.emit(ops.Mul(), total, node.number(node.real("alpha", 1e-4) / size))
    base = node.emit(ops.Add(), scaled, node.number(node.real("bias", 1.0)))
    power = node.emit(ops.Pow(), base, node.number(node.real("beta", 0.75)))
    made = node.emit(ops.Div(), last, power)
    node.finish(ops.Transpose(perm=(0, rank - 1, *range(1, rank - 1))), made)
