"""Random ONNX nodes that normalize, reduce and sort."""

from __future__ import annotations

import numpy as np

from .maker import Maker, recipe


@recipe("LRN")
def local_response_normalization(m: Maker) -> None:
    x = [m.r.randint(1, 3), m.r.randint(1, 7)] + [
        m.r.randint(1, 5) for _ in range(m.r.randint(1, 3))
    ]
    m.add(m.floats(x, special=False), False)
    m.attrs["size"] = m.pick(1, 3, 5, 2)
    if m.chance(0.6):
        m.attrs.update(alpha=m.pick(0.01, 1.0), beta=m.pick(0.5, 0.75), bias=m.pick(1.0, 2.0))


@recipe("BatchNormalization")
def batch_normalization(m: Maker) -> None:
    c = m.r.randint(1, 4)
    x = [m.dim(), c] + [m.dim() for _ in range(m.r.randint(0, 3))]
    m.add(m.floats(x), False)
    for _i in range(4):
        m.small(np.abs(m.floats((c,), special=False)) + np.float32(0.1))
    if m.chance(0.5):
        m.attrs["epsilon"] = m.pick(1e-3, 1e-5, 0.1)
    if m.chance(0.3):
        m.attrs["momentum"] = 0.5
    if m.opset < 9 and m.chance(0.3):
        m.attrs["spatial"] = 1


@recipe("InstanceNormalization")
def instance_normalization(m: Maker) -> None:
    c = m.r.randint(1, 4)
    x = [m.r.randint(1, 3), c] + [m.r.randint(1, 5) for _ in range(m.r.randint(1, 3))]
    m.add(m.floats(x, special=False), False)
    for _i in range(2):
        m.small(m.floats((c,), special=False))
    if m.chance(0.5):
        m.attrs["epsilon"] = m.pick(1e-3, 0.1)


@recipe("GroupNormalization")
def group_normalization(m: Maker) -> None:
    g = m.r.randint(1, 3)
    c = g * m.r.randint(1, 3)
    x = [m.r.randint(1, 3), c] + [m.r.randint(1, 5) for _ in range(m.r.randint(1, 3))]
    m.add(m.floats(x, special=False), False)
    n = c if m.opset >= 21 else g
    for _i in range(2):
        m.small(m.floats((n,), special=False))
    m.attrs["num_groups"] = g
    if m.chance(0.5):
        m.attrs["epsilon"] = m.pick(1e-3, 0.1)


@recipe("LayerNormalization", "RMSNormalization")
def layer_normalization(m: Maker) -> None:
    s = tuple(m.r.randint(1, 6) for _ in range(m.r.randint(1, 4)))
    ax = m.axis(len(s))
    m.add(m.floats(s, special=False), False)
    part = s[ax:]
    if m.chance(0.2):
        part = m.broad(part) if m.chance(0.5) else part
    m.small(m.floats(part, special=False))
    if m.kind[0] == "L" and m.chance(0.6):
        m.small(m.floats(part, special=False))
    m.attrs["axis"] = ax
    if m.chance(0.5):
        m.attrs["epsilon"] = m.pick(1e-3, 0.1)
    if m.kind[0] == "L" and m.chance(0.3):
        m.outputs = ["y", "mean", "inv"]


@recipe("LpNormalization")
def lp_normalization(m: Maker) -> None:
    s = m.shape(1)
    m.odd = False
    m.add(m.floats(s, special=False), False)
    if m.chance(0.7):
        m.attrs.update(axis=m.axis(len(s)), p=m.pick(1, 2))


@recipe("MeanVarianceNormalization")
def mean_variance_normalization(m: Maker) -> None:
    s = [m.r.randint(1, 4) for _ in range(4)]
    m.add(m.floats(s, special=False), False)
    if m.chance(0.5):
        m.attrs["axes"] = m.pick([0, 2, 3], [2, 3], [1], [-1, -2])


@recipe("Softmax", "LogSoftmax", "Hardmax")
def softmax(m: Maker) -> None:
    s = m.shape(1)
    m.add(m.floats(s, special=m.kind != "Hardmax"), False)
    if m.chance(0.7):
        m.attrs["axis"] = m.axis(len(s)) if m.opset >= 11 else m.r.randint(0, len(s) - 1)
    elif m.opset < 13 and len(s) < 2:
        m.attrs["axis"] = 0


@recipe(
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceSumSquare",
)
def reduce(m: Maker) -> None:
    s = m.shape(0)
    dt = np.float32
    if m.kind in (
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceL1",
        "ReduceSumSquare",
        "ReduceMean",
    ):
        dt = m.pick(np.float32, np.float32, np.int32, np.int64)
    if m.kind in ("ReduceMax", "ReduceMin") and m.opset >= 12:
        dt = m.pick(dt, np.int8, np.uint8)
    if m.kind in ("ReduceMax", "ReduceMin") and m.opset >= 20:
        dt = m.pick(dt, bool)
    v = m.data(s, dt)
    if m.kind == "ReduceLogSum":
        v = np.abs(v) + np.float32(0.1)
    if m.kind == "ReduceProd" and dt != np.float32:
        v = np.clip(v, -2, 2).astype(dt)
    m.add(v, False)
    axes = None
    if s and m.chance(0.75):
        axes = m.r.sample(
            range(len(s)), m.r.randint(0 if m.opset >= 13 and m.chance(0.3) else 1, len(s))
        )
        axes = [a - len(s) if m.opset >= 11 and m.chance(0.4) else a for a in axes]
    new = m.opset >= (13 if m.kind == "ReduceSum" else 18)
    if new:
        if axes is not None:
            m.small(np.array(axes, np.int64))
        if m.chance(0.3):
            m.attrs["noop_with_empty_axes"] = m.pick(0, 1)
    elif axes:
        m.attrs["axes"] = axes
    if m.chance(0.6):
        m.attrs["keepdims"] = m.pick(0, 1)


@recipe("ArgMax", "ArgMin")
def arg_extreme(m: Maker) -> None:
    s = m.shape(1)
    s = tuple(max(d, 1) for d in s)
    dt = (
        m.pick(np.float32, np.float32, np.int32)
        if m.opset < 13
        else m.pick(np.float32, np.int32, np.uint8, np.int8)
    )
    v = m.data(s, dt) if dt != np.float32 else np.round(m.floats(s, special=False) * 2)
    m.add(v, False)
    if m.chance(0.8):
        m.attrs["axis"] = m.axis(len(s)) if m.opset >= 11 else m.r.randrange(len(s))
    if m.chance(0.5):
        m.attrs["keepdims"] = m.pick(0, 1)
    if m.opset >= 12 and m.chance(0.4):
        m.attrs["select_last_index"] = m.pick(0, 1)


@recipe("CumSum", "CumProd")
def running(m: Maker) -> None:
    s = m.shape(1)
    m.add(m.data(s, m.pick(np.float32, np.int32, np.int64)), False)
    m.small(np.array(m.axis(len(s)), m.pick(np.int32, np.int64)))
    if m.chance(0.5):
        m.attrs.update(exclusive=m.pick(0, 1), reverse=m.pick(0, 1))


@recipe("TopK")
def top_k(m: Maker) -> None:
    s = [m.r.randint(1, 6) for _ in range(m.r.randint(1, 3))]
    ax = m.axis(len(s)) if m.opset >= 11 else m.r.randrange(len(s))
    k = m.r.randint(1, s[ax])
    m.odd = False
    dt = np.float32 if m.opset < 11 else m.pick(np.float32, np.int64, np.int32)
    v = (
        m.np.permutation(int(np.prod(s))).reshape(s).astype(dt)
        if m.chance(0.6)
        else m.ints(s, 0, 4, dt)
    )
    m.add(v, False)
    m.outputs = ["y", "i"]
    if m.opset < 10:
        m.attrs["k"] = k
    else:
        m.small(np.array([k], np.int64))
    if m.chance(0.7) or ax not in (-1, len(s) - 1):
        m.attrs["axis"] = ax
    if m.opset >= 11 and m.chance(0.5):
        m.attrs["largest"] = m.pick(0, 1)
    if m.opset >= 11 and m.chance(0.3):
        m.attrs["sorted"] = 1
