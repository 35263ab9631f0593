"""ONNX operators of one input, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import DType

from .node import OnnxNode
from .proto import NARROW, dtype_of
from .registry import MICROSOFT, handles

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)

SIMPLE: dict[str, ops.Op] = {
    "Abs": ops.Abs(),
    "Ceil": ops.Ceil(),
    "Cos": ops.Cos(),
    "Erf": ops.Erf(),
    "Exp": ops.Exp(),
    "Floor": ops.Floor(),
    "HardSwish": ops.HardSwish(),
    "Log": ops.Log(),
    "Neg": ops.Neg(),
    "Not": ops.Not(),
    "Reciprocal": ops.Reciprocal(),
    "Relu": ops.Clip(minimum=0.0),
    "Round": ops.Round(),
    "Sigmoid": ops.Sigmoid(),
    "Sign": ops.Sign(),
    "Sin": ops.Sin(),
    "Softplus": ops.Softplus(),
    "Sqrt": ops.Sqrt(),
    "Tanh": ops.Tanh(),
}


@handles(*SIMPLE)
def simple(node: OnnxNode) -> None:
    """Operators without attributes."""
    node.finish(SIMPLE[node.kind], node.input(0))


@handles("LeakyRelu")
def leaky_relu(node: OnnxNode) -> None:
    """Slope alpha below zero."""
    node.finish(ops.LeakyRelu(alpha=node.real("alpha", 0.01)), node.input(0))


@handles("Elu")
def elu(node: OnnxNode) -> None:
    """Exponential below zero."""
    node.finish(ops.Elu(alpha=node.real("alpha", 1.0)), node.input(0))


@handles("HardSigmoid")
def hard_sigmoid(node: OnnxNode) -> None:
    """Piecewise linear sigmoid."""
    op = ops.HardSigmoid(alpha=node.real("alpha", 0.2), beta=node.real("beta", 0.5))
    node.finish(op, node.input(0))


@handles("Gelu")
@handles("Gelu", "FastGelu", domain=MICROSOFT)
def gelu(node: OnnxNode) -> None:
    """Exact or tanh form; FastGelu adds a bias first."""
    x = node.input(0)
    if node.optional(1):
        x = node.emit(ops.Add(), x, node.input(1))
    tanh = node.kind == "FastGelu" or node.text("approximate", "none") == "tanh"
    node.finish(ops.Gelu(approximate=tanh), x)


@handles("BiasGelu", domain=MICROSOFT)
def bias_gelu(node: OnnxNode) -> None:
    """Exact Gelu of a sum."""
    node.finish(ops.Gelu(), node.emit(ops.Add(), node.input(0), node.input(1)))


@handles("Swish")
@handles("QuickGelu", domain=MICROSOFT)
def swish(node: OnnxNode) -> None:
    """Product of x and sigmoid(alpha * x)."""
    x = node.input(0)
    alpha = node.real("alpha", 1.0 if node.kind == "Swish" else 1.702)
    node.finish(ops.Silu() if alpha == 1.0 else ops.Swish(alpha=alpha), x)


@handles("Mish")
def mish(node: OnnxNode) -> None:
    """Emit x * tanh(softplus(x))."""
    x = node.input(0)
    node.finish(ops.Mul(), x, node.emit(ops.Tanh(), node.emit(ops.Softplus(), x)))


@handles("Softsign")
def softsign(node: OnnxNode) -> None:
    """Emit x / (1 + |x|)."""
    x = node.input(0)
    below = node.emit(ops.Add(), node.emit(ops.Abs(), x), node.number(1.0))
    node.finish(ops.Div(), x, below)


@handles("Selu")
def selu(node: OnnxNode) -> None:
    """Emit gamma * elu(x, alpha)."""
    alpha, gamma = node.real("alpha", _SELU[0]), node.real("gamma", _SELU[1])
    bent = node.emit(ops.Elu(alpha=alpha), node.input(0))
    node.finish(ops.Mul(), bent, node.number(gamma))


@handles("Celu")
def celu(node: OnnxNode) -> None:
    """Emit alpha * elu(x / alpha)."""
    alpha = node.number(node.real("alpha", 1.0))
    bent = node.emit(ops.Elu(), node.emit(ops.Div(), node.input(0), alpha))
    node.finish(ops.Mul(), bent, alpha)


@handles("Tan")
def tan(node: OnnxNode) -> None:
    """Emit sin(x) / cos(x)."""
    x = node.input(0)
    node.finish(ops.Div(), node.emit(ops.Sin(), x), node.emit(ops.Cos(), x))


@handles("ThresholdedRelu")
def thresholded_relu(node: OnnxNode) -> None:
    """X where it exceeds alpha, else 0."""
    x = node.input(0)
    above = node.emit(ops.Greater(), x, node.number(node.real("alpha", 1.0)))
    node.finish(ops.Where(), above, x, node.number(0.0))


@handles("Shrink")
def shrink(node: OnnxNode) -> None:
    """X moved toward zero by bias outside [-lambd, lambd], zero inside."""
    x, dtype = node.input(0), node.type(0).dtype
    if not dtype.is_float:
        x = node.emit(ops.Cast(to=DType.FLOAT32), x)
    real = node.graph.type_of(x).dtype.numpy
    edge, bias = node.real("lambd", 0.5), node.real("bias", 0.0)
    high, low, step, zero = (
        node.constant_like(np.array(value, real), "number") for value in (edge, -edge, bias, 0.0)
    )
    lowered, raised = node.emit(ops.Sub(), x, step), node.emit(ops.Add(), x, step)
    rest = node.emit(ops.Where(), node.emit(ops.Less(), x, low), raised, zero)
    made = node.emit(ops.Where(), node.emit(ops.Greater(), x, high), lowered, rest)
    node.give(made if dtype.is_float else node.emit(ops.Cast(to=dtype), made))


@handles("IsNaN")
def is_nan(node: OnnxNode) -> None:
    """Whether x differs from itself."""
    x = node.input(0)
    node.finish(ops.Not(), node.emit(ops.Equal(), x, x))


@handles("IsInf")
def is_inf(node: OnnxNode) -> None:
    """Whether x is infinite, of the signs asked for."""
    x = node.input(0)
    signs = [
        s for s in (-1, 1) if node.integer("detect_negative" if s < 0 else "detect_positive", 1)
    ]
    if len(signs) == 2:
        node.finish(ops.Equal(), node.emit(ops.Abs(), x), node.number(math.inf))
    elif signs:
        node.finish(ops.Equal(), x, node.number(signs[0] * math.inf))
    else:
        raise UnsupportedError("detect_negative=0 and detect_positive=0 detect nothing; remove it")


@handles("Clip")
def clip(node: OnnxNode) -> None:
    """Bounds are attributes up to opset 10, then inputs, which may be computed."""
    x = node.input(0)
    if node.version < 11:
        low, high = node.real("min", -math.inf), node.real("max", math.inf)
        node.finish(ops.Clip(minimum=low, maximum=high), x)
        return
    bounds = [node.optional(1), node.optional(2)]
    known = [node.graph.constant(b) for b in bounds]
    if all(value is not None or not b for value, b in zip(known, bounds, strict=True)):
        low, high = (
            float(value.reshape(())) if value is not None else end
            for value, end in zip(known, (-math.inf, math.inf), strict=True)
        )
        node.finish(ops.Clip(minimum=low, maximum=high), x)
        return
    if bounds[0]:
        x = node.emit(ops.Maximum(), x, bounds[0])
    if bounds[1]:
        x = node.emit(ops.Minimum(), x, bounds[1])
    node.give(x)


@handles("Cast")
def cast(node: OnnxNode) -> None:
    """Convert to the element type named by ``to``."""
    if not node.has("to"):
        raise FormatError("attribute to is missing")
    code = node.integer("to", 0)
    if node.is_text(0) and code == onnx.TensorProto.STRING:
        node.give(node.input(0))
        return
    if node.is_text(0):
        raise UnsupportedError("reads numbers from texts; make what it computes outside the model")
    _cast(node, dtype_of(code, "attribute to"), code)


@handles("CastLike")
def cast_like(node: OnnxNode) -> None:
    """Convert to the element type of the second input."""
    _cast(node, node.type(1).dtype, node.narrow(1))


def _cast(node: OnnxNode, to: DType, code: int) -> None:
    x = node.input(0)
    form = NARROW[code][0] if code in NARROW and node.narrow(0) != code else ""
    if "int" in form:
        # Integers keep their low bits, so negative numbers must not be cut off before.
        x = node.emit(ops.Cast(to=DType.INT32), x) if node.type(0).dtype != DType.INT32 else x
        x = node.emit(ops.Cast(to=to), node.emit(ops.Narrow(format=form), x))
    elif node.type(0).dtype != to:
        x = node.emit(ops.Cast(to=to), x)
    if "float" in form:
        eight = form.startswith("float8")
        saturate = form == "float4e2m1" or (eight and bool(node.integer("saturate", 1)))
        mode = node.text("round_mode", "up")
        if mode not in ("up", "down", "nearest"):
            raise FormatError(f"round_mode is '{mode}'")
        rounding: Any = mode if form == "float8e8m0" else "nearest"
        x = node.emit(ops.Narrow(format=form, saturate=saturate, rounding=rounding), x)
    node.give(x)


@handles("PRelu")
def prelu(node: OnnxNode) -> None:
    """Slope given by the second input, which broadcasts to the first.

    Old models have one slope for each channel in a vector, which does not broadcast as it is.
    """
    slope, shape = node.input(1), node.shape()
    if node.rank(1) == 1 and len(shape) > 2:
        count, last = node.shape(1)[0], shape[-1]
        if count == shape[1] and isinstance(last, int) and count not in (1, last):
            slope = node.emit(ops.Reshape(shape=(-1, *[1] * (len(shape) - 2))), slope)
    node.finish(ops.PRelu(), node.input(0), slope)


@handles("Dropout")
def dropout(node: OnnxNode) -> None:
    """Nothing happens at inference; the mask is true everywhere, false before opset 12."""
    x = node.input(0)
    if node.optional(2) and bool(np.any(node.known(2, "training_mode"))):
        raise UnsupportedError("training_mode is true; export the model for inference")
    mask = ""
    if node.wants(1):
        kept = ops.ConstantOfShape(
            fill=float(node.version >= 12),
            dtype=DType.BOOL if node.version >= 10 else node.type(0).dtype,
        )
        mask = node.emit(kept, node.emit(ops.Shape(), x))
    node.give(x, mask)


@handles("Identity")
def identity(node: OnnxNode) -> None:
    """Pass the input on."""
    node.give(node.input(0))
