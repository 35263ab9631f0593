"""Random ONNX nodes element by element."""

from __future__ import annotations

import numpy as np
from onnx import helper

from .maker import Maker, recipe


@recipe(
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "HardSigmoid",
    "HardSwish",
    "IsNaN",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
    "Identity",
    "Celu",
    "Swish",
)
def unary(m: Maker) -> None:
    dt = np.float32
    if m.kind in ("Abs", "Neg", "Sign", "Identity"):
        dt = m.pick(np.float32, np.int32, np.int64, np.float64, np.int8)
    if m.kind == "Relu" and m.opset >= 14:
        dt = m.pick(np.float32, np.int32, np.float64)
    m.add(m.data(m.shape(), dt), m.chance(0.05))
    if m.kind in ("Elu", "LeakyRelu", "ThresholdedRelu", "Celu", "HardSigmoid") and m.chance(0.6):
        m.attrs["alpha"] = (
            m.pick(0.1, 0.5, 1.0, 2.0, -0.3) if m.kind != "Celu" else m.pick(0.5, 2.0, 1.0)
        )
    if m.kind == "HardSigmoid" and m.chance(0.5):
        m.attrs["beta"] = m.pick(0.1, 0.5, 0.7)
    if m.kind == "Selu" and m.chance(0.5):
        m.attrs.update(alpha=1.3, gamma=0.7)


@recipe("Gelu")
def gelu(m: Maker) -> None:
    m.add(m.data(m.shape()), False)
    if m.chance(0.5):
        m.attrs["approximate"] = m.pick("none", "tanh")


@recipe("Shrink")
def shrink(m: Maker) -> None:
    m.add(m.data(m.shape(), m.pick(np.float32, np.float32, np.int32)), False)
    if m.chance(0.7):
        m.attrs.update(bias=m.pick(0.0, 0.5, 1.0), lambd=m.pick(0.2, 0.5, 1.0))


@recipe("IsInf")
def is_infinite(m: Maker) -> None:
    m.odd = True
    m.add(m.data(m.shape()), False)
    if m.chance(0.5):
        m.attrs.update(detect_negative=m.pick(0, 1), detect_positive=m.pick(0, 1))


@recipe("Not")
def logical_not(m: Maker) -> None:
    m.add(m.data(m.shape(), bool), False)


@recipe("BitwiseNot")
def bitwise_not(m: Maker) -> None:
    m.add(m.data(m.shape(), m.pick(np.uint8, np.int32, np.int64, np.int8, np.uint16)), False)


@recipe("Clip")
def clip(m: Maker) -> None:
    dt = (
        np.float32
        if m.opset < 12
        else m.pick(np.float32, np.int8, np.uint8, np.int64, np.int32, np.float32)
    )
    m.add(m.data(m.shape(), dt), False)
    lo, hi = (
        m.pick((-1, 1), (0, 6), (-0.5, 0.25), (1, -1))
        if dt == np.float32
        else m.pick((2, 10), (0, 6))
    )
    if m.opset < 11:
        if m.chance(0.8):
            m.attrs["min"] = float(lo)
        if m.chance(0.8):
            m.attrs["max"] = float(hi)
    else:
        m.small(np.array(lo, dt)) if m.chance(0.8) else m.skip()
        if m.chance(0.8):
            m.small(np.array(hi, dt))


@recipe(
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "PRelu",
    "Mod",
    "Min",
    "Max",
    "Mean",
    "Sum",
    "Equal",
    "Greater",
    "Less",
    "GreaterOrEqual",
    "LessOrEqual",
    "And",
    "Or",
    "Xor",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "BitShift",
)
def binary(m: Maker) -> None:
    k = m.kind
    dts = [np.float32, np.float32, np.int32, np.int64, np.float64]
    if m.opset >= 14 and k in ("Add", "Sub", "Mul", "Div"):
        dts += [np.int8, np.uint8, np.int16]
    if k in ("PRelu", "Mean", "Sum"):
        dts = [np.float32]
    if k == "Min" or k == "Max":
        dts = [np.float32, np.int32, np.int64] if m.opset >= 12 else [np.float32]
    if k in ("And", "Or", "Xor"):
        dts = [bool]
    if k.startswith("Bit"):
        dts = [np.uint8, np.uint32, np.uint64] + ([np.int32, np.int64] if k != "BitShift" else [])
    if k == "Pow":
        dts = [np.float32, np.float32] + ([np.int32, np.int64] if m.opset >= 12 else [])
    if k == "Mod":
        dts = [np.float32, np.int32, np.int64, np.int8, np.uint8]
    if k == "Equal":
        dts += [bool]
    dt = m.r.choice(dts)
    shape = m.shape()
    n = 2 if k not in ("Min", "Max", "Mean", "Sum") else m.r.randint(1, 4)
    a, b = shape, m.broad(shape)
    if k != "PRelu" and m.chance(0.5):
        a, b = b, a
    shapes = [a, b] + [m.broad(shape) for _ in range(2)]
    for i in range(n):
        v = m.data(shapes[i], dt)
        if k in ("Div", "Mod") and i == 1 and np.dtype(dt).kind in "iu":
            v = np.where(v == 0, 3, v).astype(dt)
        if k == "Pow" and i == 0 and dt == np.float32:
            v = np.abs(v) + np.float32(0.1)
        if k == "Pow" and i == 1:
            if m.opset >= 12 and m.chance(0.4):
                dt = m.pick(np.float32, np.int32, np.int64)
            v = m.ints(shapes[i], 0, 4, dt) if np.dtype(dt).kind == "i" else m.data(shapes[i], dt)
            if m.chance(0.3):
                v = np.full(shapes[i], 2, dt)
        if k == "BitShift" and i == 1:
            v = m.ints(shapes[i], 0, 7, dt)
        m.add(v)
    if not m.feeds:
        n0 = next(iter(m.constants))
        m.feeds[n0] = m.constants.pop(n0)
    if k == "BitShift":
        m.attrs["direction"] = m.pick("LEFT", "RIGHT")
    if k == "Mod" and (dt == np.float32 or m.chance(0.3)):
        m.attrs["fmod"] = 1


@recipe("Where")
def where(m: Maker) -> None:
    s = m.shape()
    dt = m.pick(np.float32, np.int64, np.uint8, np.float32, np.int32)
    m.add(m.data(m.broad(s), bool), m.chance(0.2))
    m.add(m.data(m.broad(s), dt))
    m.add(m.data(s, dt), False)


@recipe("Cast")
def cast(m: Maker) -> None:
    dts = [
        np.float32,
        np.int32,
        np.int64,
        np.uint8,
        np.int8,
        np.bool_,
        np.float64,
        np.float16,
        np.int16,
        np.uint16,
    ]
    a = m.r.choice(dts)
    b = m.r.choice(dts)
    m.odd = False
    v = m.data(m.shape(), a)
    if np.dtype(a).kind == "f" and np.dtype(b).kind == "u":
        v = np.abs(v)
    m.add(v, False)
    m.attrs["to"] = helper.np_dtype_to_tensor_dtype(np.dtype(b))


@recipe("CastLike")
def cast_like(m: Maker) -> None:
    m.odd = False
    m.add(m.data(m.shape()), False)
    m.add(m.data(m.shape(), m.pick(np.int32, np.float64, np.int64)))


@recipe("Dropout")
def dropout(m: Maker) -> None:
    m.add(m.data(m.shape()), False)
    if m.opset < 12:
        if m.chance(0.5):
            m.attrs["ratio"] = 0.3
    elif m.chance(0.5):
        m.small(np.array(0.3, np.float32))
    if m.chance(0.3):
        m.outputs = ["y", "m"]
