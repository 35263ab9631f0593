"""Rules of elementwise operators, and of the steps between real and stored numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linnet.errors import UnsupportedError
from linnet.ops import (
    Abs,
    Add,
    And,
    Atan2,
    Cast,
    Ceil,
    Clip,
    Cos,
    Dequantize,
    Div,
    Elu,
    Equal,
    Exp,
    Floor,
    FloorDiv,
    Gelu,
    Greater,
    GreaterOrEqual,
    HardSwish,
    Identity,
    LeakyRelu,
    Less,
    LessOrEqual,
    Log,
    Maximum,
    Minimum,
    Mod,
    Mul,
    Neg,
    Not,
    Op,
    Or,
    Pow,
    PRelu,
    Quantize,
    Round,
    Rsqrt,
    Sigmoid,
    Sign,
    Sin,
    Sqrt,
    Square,
    SquaredDifference,
    Sub,
    Tanh,
    Unsqueeze,
    Where,
    Xor,
)
from linnet.types import DType

from .node import TfliteNode
from .tables import line_table, tanh_table, with_table

Converter = Callable[[TfliteNode], None]


def simple(op: Op) -> Converter:
    """Return a rule for an operator without options: one op on all inputs."""

    def convert(node: TfliteNode) -> None:
        count = max(node.input_count, op.arity[0])
        node.emit(op, [node.input(i) for i in range(count)])

    return convert


def _clamped(kind: type[Add] | type[Sub] | type[Mul] | type[Div]) -> Converter:
    def convert(node: TfliteNode) -> None:
        node.emit(kind(clamp=node.clamp), [node.input(0), node.input(1)])

    return convert


def leaky_relu(node: TfliteNode) -> None:
    """LEAKY_RELU: x, or alpha * x below zero."""
    node.emit(LeakyRelu(alpha=float(node.option("Alpha"))), [node.input(0)])


def gelu(node: TfliteNode) -> None:
    """GELU: by the error function, or by tanh where approximate."""
    node.emit(Gelu(approximate=bool(node.option("Approximate", False))), [node.input(0)])


def not_equal(node: TfliteNode) -> None:
    """NOT_EQUAL: the negation of equality."""
    node.emit(Not(), [node.step(Equal(), [node.input(0), node.input(1)], "equal")])


def add_n(node: TfliteNode) -> None:
    """ADD_N: the sum of any number of tensors."""
    first, others = node.input(0), node.inputs()[1:]
    for other in others[:-1]:
        first = node.step(Add(), [first, other], "sum")
    node.emit(*((Add(), [first, others[-1]]) if others else (Identity(), [first])))


def select(node: TfliteNode) -> None:
    """SELECT: like SELECT_V2, but a vector of conditions runs along the first axis."""
    condition, rank = node.input(0), node.type(1).rank
    if node.type(0).rank == 1 and rank > 1:
        condition = node.step(Unsqueeze(axes=tuple(range(1, rank))), [condition], "condition")
    node.emit(Where(), [condition, node.input(1), node.input(2)])


def cast(node: TfliteNode) -> None:
    """CAST: plain numbers of one element type to another."""
    node.emit(Cast(to=node.output_type().dtype), [node.input(0)])


def quantize(node: TfliteNode) -> None:
    """QUANTIZE: real or differently quantized numbers to the output's scale and zero point."""
    wanted = node.output_type()
    if not wanted.is_quantized:
        raise UnsupportedError(f"the output {wanted} has no scale")
    node.emit(Quantize(dtype=wanted.dtype), [node.input(0)])


def dequantize(node: TfliteNode) -> None:
    """DEQUANTIZE: stored numbers to float32; float16 constants become float32 constants."""
    x = node.type(0)
    if x.dtype is not DType.FLOAT16:
        node.emit(Dequantize(), [node.input(0)])
    elif x.value is not None:
        node.emit_constant(x.value.astype(np.float32))
    else:
        node.emit(Cast(to=DType.FLOAT32), [node.input(0)])


def fake_quant(node: TfliteNode) -> None:
    """FAKE_QUANT: real numbers rounded to the steps of a quantization whose zero is a step."""
    low, high = float(node.option("Min", 0.0)), float(node.option("Max", 0.0))
    bits = int(node.option("NumBits", 8))
    if node.option("NarrowRange", False):
        raise UnsupportedError("narrow_range; TFLite has it for weights alone")
    if not (low <= 0 <= high and low < high and 2 <= bits <= 16):
        raise UnsupportedError(f"range {low} to {high} of {bits} bits; expected one around zero")
    most = float(2**bits - 1)
    scale = np.float32((high - low) / most)
    zero = np.float32(min(max(np.floor(0.5 - low / scale), 0.0), most))
    bottom, top = np.float32(-zero * scale), np.float32((most - zero) * scale)
    one = np.float32(1)
    x = node.step(Clip(minimum=float(bottom), maximum=float(top)), [node.input(0)], "clipped")
    for kind, number in ((Sub, bottom), (Mul, one / scale), (Add, np.float32(0.5))):
        x = node.step(kind(), [x, node.scalar(float(number), DType.FLOAT32)], kind.__name__.lower())
    x = node.step(Floor(), [x], "floor")
    x = node.step(Mul(), [x, node.scalar(float(scale), DType.FLOAT32)], "steps")
    node.emit(Add(), [x, node.scalar(float(bottom), DType.FLOAT32)])


CONVERTERS: dict[str, Converter] = {
    "ABS": simple(Abs()),
    "ADD": _clamped(Add),
    "ADD_N": add_n,
    "ATAN2": simple(Atan2()),
    "BITWISE_XOR": simple(Xor()),
    "CAST": cast,
    "CEIL": simple(Ceil()),
    "COS": simple(Cos()),
    "DENSIFY": simple(Identity()),
    "DEQUANTIZE": dequantize,
    "DIV": _clamped(Div),
    "ELU": simple(Elu()),
    "EQUAL": simple(Equal()),
    "EXP": with_table(Exp(), line_table(np.exp)),
    "FAKE_QUANT": fake_quant,
    "FLOOR": simple(Floor()),
    "FLOOR_DIV": simple(FloorDiv()),
    "FLOOR_MOD": simple(Mod()),
    "GELU": gelu,
    "GREATER": simple(Greater()),
    "GREATER_EQUAL": simple(GreaterOrEqual()),
    "HARD_SWISH": simple(HardSwish()),
    "LEAKY_RELU": leaky_relu,
    "LESS": simple(Less()),
    "LESS_EQUAL": simple(LessOrEqual()),
    "LOG": simple(Log()),
    "LOGICAL_AND": simple(And()),
    "LOGICAL_NOT": simple(Not()),
    "LOGICAL_OR": simple(Or()),
    "LOGISTIC": simple(Sigmoid()),
    "MAXIMUM": simple(Maximum()),
    "MINIMUM": simple(Minimum()),
    "MUL": _clamped(Mul),
    "NEG": simple(Neg()),
    "NOT_EQUAL": not_equal,
    "POW": simple(Pow()),
    "PRELU": simple(PRelu()),
    "QUANTIZE": quantize,
    "RELU": simple(Clip(minimum=0.0)),
    "RELU6": simple(Clip(minimum=0.0, maximum=6.0)),
    "RELU_0_TO_1": simple(Clip(minimum=0.0, maximum=1.0)),
    "RELU_N1_TO_1": simple(Clip(minimum=-1.0, maximum=1.0)),
    "ROUND": simple(Round()),
    "RSQRT": with_table(Rsqrt(), line_table(lambda x: 1 / np.sqrt(x))),
    "SELECT": select,
    "SELECT_V2": simple(Where()),
    "SIGN": simple(Sign()),
    "SIN": simple(Sin()),
    "SQRT": simple(Sqrt()),
    "SQUARE": simple(Square()),
    "SQUARED_DIFFERENCE": simple(SquaredDifference()),
    "SUB": _clamped(Sub),
    "TANH": with_table(Tanh(), tanh_table),
}
