"""Random ONNX nodes of products, quantization, recurrence and spectra."""

from __future__ import annotations

import numpy as np

from .images import image, spatial
from .maker import Maker, recipe


@recipe("MatMul")
def matmul(m: Maker) -> None:
    k = m.dim(1, 6)
    lead = m.shape(0, 2)
    a = [*list(m.broad(lead)), m.dim(), k]
    b = [*list(m.broad(lead)), k, m.dim()]
    if m.chance(0.15):
        a = [k]
    if m.chance(0.15):
        b = [k]
    dt = m.pick(np.float32, np.float32, np.float32, np.int32, np.float64)
    m.add(m.data(a, dt), m.chance(0.1))
    m.add(m.data(b, dt), m.chance(0.5) and m.inputs[0] in m.feeds)


@recipe("Gemm")
def gemm(m: Maker) -> None:
    M, K, N = m.dim(), m.dim(1, 6), m.dim()
    ta, tb = m.pick(0, 1), m.pick(0, 1)
    dt = m.pick(np.float32, np.float32, np.float64)
    m.add(m.data([K, M] if ta else [M, K], dt), False)
    m.add(m.data([N, K] if tb else [K, N], dt), m.chance(0.6))
    if m.opset < 11 or m.chance(0.7):
        m.small(m.data(m.pick((M, N), (N,), (1, N), (M, 1), (1,), (1, 1), ()), dt), 0.7)
    if ta or m.chance(0.3):
        m.attrs["transA"] = ta
    if tb or m.chance(0.3):
        m.attrs["transB"] = tb
    if m.chance(0.4):
        m.attrs["alpha"] = m.pick(0.5, 2.0, 0.0)
    if m.chance(0.4):
        m.attrs["beta"] = m.pick(0.5, 2.0, 0.0)


@recipe("Einsum")
def einsum(m: Maker) -> None:
    dims = {c: m.r.randint(1, 4) for c in "abcdijk"}
    n = m.r.randint(1, 3)
    terms = []
    ell = m.chance(0.25)
    ls = m.shape(1, 2) if ell else ()
    for _ in range(n):
        t = "".join(m.r.sample("abcdijk", m.r.randint(1, 3)))
        if m.chance(0.1):
            t = t + t[0]
        terms.append(t)
    used = sorted(set("".join(terms)))
    out = None
    if m.chance(0.8):
        out = "".join(m.r.sample(used, m.r.randint(0, min(len(used), 4))))
    eq = ",".join(("..." + t if ell else t) for t in terms) + (
        ("->" + ("..." if ell else "") + out) if out is not None else ""
    )
    if m.chance(0.3):
        eq = eq.replace(",", ", ").replace("->", " -> ")
    m.attrs["equation"] = eq
    for t in terms:
        m.add(
            m.floats(tuple(m.broad(ls) if 0 else ls) + tuple(dims[c] for c in t), special=False),
            m.chance(0.15) and bool(m.feeds),
        )


@recipe("MatMulInteger")
def matmul_integer(m: Maker) -> None:
    k = m.r.randint(1, 6)
    lead = m.shape(0, 2)
    a = [*list(lead), m.r.randint(1, 4), k]
    b = ([] if m.chance(0.5) else list(lead)) + [k, m.r.randint(1, 4)]
    da, db = m.pick(np.uint8, np.int8), m.pick(np.uint8, np.int8)
    m.add(m.ints(a, np.iinfo(da).min, np.iinfo(da).max + 1, da), False)
    m.add(m.ints(b, np.iinfo(db).min, np.iinfo(db).max + 1, db))
    if m.chance(0.7):
        m.small(m.ints((), 0, 100, da))
        if m.chance(0.6):
            m.small(m.ints(() if m.chance(0.5) else (b[-1],), 0, 100, db))


@recipe("ConvInteger")
def conv_integer(m: Maker) -> None:
    n = m.pick(1, 2, 2)
    g = m.pick(1, 1, 2)
    ci = g * m.r.randint(1, 3)
    co = g * m.r.randint(1, 3)
    k = [m.r.randint(1, 3) for _ in range(n)]
    x = image(m, ci, k)
    da, db = np.uint8, m.pick(np.uint8, np.int8)
    m.add(m.ints(x, 0, 256, da), False)
    m.add(m.ints([co, ci // g, *k], np.iinfo(db).min, np.iinfo(db).max + 1, db), m.chance(0.8))
    if m.chance(0.7):
        m.small(m.ints((), 0, 100, da))
        if m.chance(0.6):
            m.small(m.ints((), 0, 100, db))
    spatial(m, k)
    if g > 1:
        m.attrs["group"] = g


@recipe("QuantizeLinear")
def quantize_linear(m: Maker) -> None:
    s = [m.r.randint(1, 5) for _ in range(m.r.randint(1, 4))]
    m.odd = False
    ax = None
    if m.opset >= 13 and m.chance(0.4):
        ax = m.axis(len(s))
    n = () if ax is None else (s[ax],)
    dts = [np.uint8, np.int8] + ([np.uint16, np.int16] if m.opset >= 21 else [])
    dt = m.r.choice(dts)
    m.add(m.floats(s, special=False) * 10, False)
    m.small((np.abs(m.floats(n, special=False)) * 0.1 + 0.05).astype(np.float32), 0.8)
    if m.chance(0.8):
        m.small(m.ints(n, 0, 20, dt), 0.8)
    if ax is not None:
        m.attrs["axis"] = ax
    if m.opset >= 21 and ax is None and m.chance(0.3) and len(s) > 0:
        a = m.r.randrange(len(s))
        bs = m.r.randint(1, s[a])
        t = list(s)
        t[a] = -(-s[a] // bs)
        m.feeds = {"x0": m.feeds["x0"]}
        m.constants = {}
        m.inputs = ["x0"]
        m.small((np.abs(m.floats(t, special=False)) * 0.1 + 0.05).astype(np.float32), 0.8)
        if m.chance(0.8):
            m.small(m.ints(t, 0, 20, dt), 0.8)
        m.attrs.update(axis=a, block_size=bs)


@recipe("DequantizeLinear")
def dequantize_linear(m: Maker) -> None:
    s = [m.r.randint(1, 5) for _ in range(m.r.randint(1, 4))]
    m.odd = False
    ax = None
    if m.opset >= 13 and m.chance(0.4):
        ax = m.axis(len(s))
    n = () if ax is None else (s[ax],)
    dts = [np.uint8, np.int8, np.int32] + ([np.uint16, np.int16] if m.opset >= 21 else [])
    dt = m.r.choice(dts)
    lo = 0 if np.dtype(dt).kind == "u" else -100
    x = m.ints(s, lo, 101, dt)
    m.add(x, False)
    t = n
    if m.opset >= 21 and ax is None and m.chance(0.4):
        a = m.r.randrange(len(s))
        bs = m.r.randint(1, s[a])
        t = list(s)
        t[a] = -(-s[a] // bs)
        m.attrs.update(axis=a, block_size=bs)
    m.small((np.abs(m.floats(t, special=False)) * 0.1 + 0.05).astype(np.float32), 0.8)
    if m.chance(0.8):
        m.small(m.ints(t, 0, 20, dt) if dt != np.int32 else np.zeros(t, np.int32), 0.8)
    if ax is not None:
        m.attrs["axis"] = ax


@recipe("DynamicQuantizeLinear")
def dynamic_quantize_linear(m: Maker) -> None:
    m.odd = False
    m.add(m.floats([m.r.randint(1, 5) for _ in range(m.r.randint(1, 3))], special=False), False)
    m.outputs = ["y", "s", "z"]


@recipe("RNN", "LSTM", "GRU")
def recurrent(m: Maker) -> None:
    m.odd = False
    t, b, i, h = m.r.randint(1, 4), m.r.randint(1, 3), m.r.randint(1, 4), m.r.randint(1, 4)
    g = {"RNN": 1, "LSTM": 4, "GRU": 3}[m.kind]
    d = m.pick("forward", "reverse", "bidirectional")
    ways = 2 if d == "bidirectional" else 1
    lay = 1 if m.opset >= 14 and m.chance(0.15) else 0

    def f(*s):
        return m.floats(s, special=False) * np.float32(0.5)

    m.add(f(*((b, t, i) if lay else (t, b, i))), False)
    m.small(f(ways, g * h, i))
    m.small(f(ways, g * h, h))
    m.attrs.update(hidden_size=h, direction=d)
    if lay:
        m.attrs["layout"] = 1
    if m.chance(0.6):
        m.small(f(ways, 2 * g * h))
    else:
        m.skip()
    if m.chance(0.4):
        m.small(m.ints((b,), 1, t + 1, np.int32), 0.3)
    else:
        m.skip()
    hs = (b, ways, h) if lay else (ways, b, h)
    if m.chance(0.5):
        m.small(f(*hs), 0.3)
    else:
        m.skip()
    if m.kind == "LSTM":
        if m.chance(0.5):
            m.small(f(*hs), 0.3)
        else:
            m.skip()
        if m.chance(0.3):
            m.small(f(ways, 3 * h))
        if m.chance(0.1):
            m.attrs["input_forget"] = 1
    if m.kind == "GRU" and m.chance(0.5):
        m.attrs["linear_before_reset"] = m.pick(0, 1)
    if m.chance(0.15):
        m.attrs["clip"] = 0.4
    if m.chance(0.25):
        base = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[
            m.kind
        ]
        m.attrs["activations"] = [
            m.pick("Relu", "Tanh", "Sigmoid", "HardSigmoid", "Softsign", "Softplus", "Elu")
            for _ in base
        ] * ways
    n = 3 if m.kind == "LSTM" else 2
    m.outputs = ["y", "h", "c"][:n]
    if m.chance(0.3):
        m.outputs[0] = ""
    while m.inputs and m.inputs[-1] == "":
        m.inputs.pop()


@recipe("Det")
def determinant(m: Maker) -> None:
    m.odd = False
    n = m.r.randint(1, 4)
    m.add(m.floats([*list(m.shape(0, 2)), n, n], special=False), False)


@recipe("QLinearConv")
def qlinear_conv(m: Maker) -> None:
    m.odd = False
    n = m.pick(1, 2, 2)
    g = m.pick(1, 1, 2)
    ci = g * m.r.randint(1, 3)
    co = g * m.r.randint(1, 3)
    k = [m.r.randint(1, 3) for _ in range(n)]
    x = image(m, ci, k)
    da = m.pick(np.uint8, np.int8)
    db = da if da == np.int8 else m.pick(np.uint8, np.int8)
    pa = 0.9
    m.add(m.data(x, da), False)
    m.small(np.array(0.05, np.float32), pa)
    m.small(np.array(3, da), pa)
    per = m.chance(0.4)
    m.add(m.data([co, ci // g, *k], db), m.chance(0.9))
    m.small(
        (np.abs(m.floats((co,) if per else (), special=False)) * 0.02 + 0.01).astype(np.float32), pa
    )
    m.small(np.zeros((co,) if per else (), db) if per else np.array(m.pick(0, 2), db), pa)
    m.small(np.array(0.1, np.float32), pa)
    m.small(np.array(5, da), pa)
    if m.chance(0.6):
        m.small(m.ints((co,), -100, 100, np.int32), pa)
    spatial(m, k)
    if g > 1:
        m.attrs["group"] = g


@recipe("QLinearMatMul")
def qlinear_matmul(m: Maker) -> None:
    m.odd = False
    k = m.r.randint(1, 6)
    lead = m.shape(0, 2)
    a = [*list(lead), m.r.randint(1, 4), k]
    b = ([] if m.chance(0.5) else list(lead)) + [k, m.r.randint(1, 4)]
    da = m.pick(np.uint8, np.int8)
    db = da if da == np.int8 else m.pick(np.uint8, np.int8)
    pa = 0.8
    m.add(m.data(a, da), False)
    m.small(np.array(0.05, np.float32), pa)
    m.small(np.array(3, da), pa)
    m.add(m.data(b, db))
    m.small(np.array(0.05, np.float32), pa)
    m.small(np.array(3, db), pa)
    m.small(np.array(0.1, np.float32), pa)
    m.small(np.array(5, da), pa)


@recipe("com.microsoft:QLinearAdd", "com.microsoft:QLinearMul")
def qlinear_pair(m: Maker) -> None:
    m.odd = False
    s = m.shape(1)
    da = m.pick(np.uint8, np.int8)
    for sh in (s, m.broad(s)):
        m.add(m.data(sh, da), False if not m.feeds else None)
        m.small(np.array(0.05, np.float32))
        m.small(np.array(3, da))
    m.small(np.array(0.1, np.float32))
    m.small(np.array(5, da))


@recipe("STFT")
def stft(m: Maker) -> None:
    m.odd = False
    n = m.r.randint(8, 20)
    f = m.pick(4, 5, 8)
    m.add(m.floats((m.r.randint(1, 2), n, 1)), False)
    m.small(np.array(m.pick(1, 2, 3), np.int64), 0.9)
    if m.chance(0.6):
        m.small(np.abs(m.floats((f,))))
    else:
        m.skip()
    m.small(np.array(f, np.int64), 0.9)
    if m.chance(0.5):
        m.attrs["onesided"] = m.pick(0, 1)


@recipe("DFT")
def dft(m: Maker) -> None:
    m.odd = False
    n = m.r.randint(2, 7)
    c = m.pick(1, 2)
    s = [m.r.randint(1, 2), n, m.r.randint(1, 3), c]
    m.add(m.floats(s), False)
    inv = m.pick(0, 1) if c == 2 else 0
    one = m.pick(0, 1) if not inv else 0
    if m.chance(0.4):
        m.small(np.array(m.r.randint(2, 8), np.int64), 0.9)
    else:
        m.skip()
    ax = m.pick(1, 2, -2, -3)
    if m.opset >= 20:
        if m.chance(0.8):
            m.small(np.array(ax, np.int64), 0.9)
    elif m.chance(0.8):
        m.attrs["axis"] = m.pick(1, 2)
    if m.chance(0.5):
        m.attrs["inverse"] = inv
    if m.chance(0.5) and not (inv or (c == 2 and 1)):
        m.attrs["onesided"] = one
    while m.inputs[-1] == "":
        m.inputs.pop()
