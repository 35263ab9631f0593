"""Random ONNX nodes that move elements, and shapes."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from .maker import Maker, recipe


@recipe("Reshape")
def reshape(m: Maker) -> None:
    s = m.shape(0)
    m.add(m.data(s, m.pick(np.float32, np.int64, bool)), False)
    n = int(np.prod(s))
    t = list(s)
    c = m.r.random()
    if c < 0.3:
        t = [-1] if n else list(s)
    elif c < 0.6 and len(s) >= 2:
        t = [s[0], -1] if n else list(s)
    elif c < 0.7 and len(s) >= 2:
        t = [0, -1] if n else [0, *list(s[1:])]
    elif c < 0.8:
        t = [1, *s, 1]
    else:
        t = list(reversed(s))
    if m.opset >= 14 and m.chance(0.3) and not (-1 in t and 0 in t):
        m.attrs["allowzero"] = m.pick(0, 1) if 0 not in t else 1
    m.small(np.array(t, np.int64))


@recipe("Flatten")
def flatten(m: Maker) -> None:
    s = m.shape(1 if m.opset < 9 else 0)
    m.add(m.data(s), False)
    r = len(s)
    if m.chance(0.7):
        m.attrs["axis"] = m.r.randint(-r if m.opset >= 11 else 0, r)
    elif r == 0:
        m.attrs["axis"] = 0


@recipe("Squeeze")
def squeeze(m: Maker) -> None:
    s = [1 if m.chance(0.5) else m.dim() for _ in range(m.r.randint(0, 4))]
    m.add(m.data(s), False)
    ones = [i for i, d in enumerate(s) if d == 1]
    if m.chance(0.3):
        if m.dynamic:
            m.dynamic = False
        return
    axes = m.r.sample(ones, m.r.randint(0, len(ones)))
    if not axes:
        axes = ones
    if not axes:
        m.dynamic = False
        return
    axes = [a - len(s) if m.opset >= 11 and m.chance(0.5) else a for a in axes]
    if m.opset >= 13:
        m.small(np.array(axes, np.int64))
    else:
        m.attrs["axes"] = axes


@recipe("Unsqueeze")
def unsqueeze(m: Maker) -> None:
    s = m.shape(0, 3)
    m.add(m.data(s), False)
    n = m.r.randint(1, 3)
    r = len(s) + n
    axes = m.r.sample(range(r), n)
    axes = [a - r if m.opset >= 11 and m.chance(0.5) else a for a in axes]
    if m.opset >= 13:
        m.small(np.array(axes, np.int64))
    else:
        m.attrs["axes"] = axes


@recipe("Transpose")
def transpose(m: Maker) -> None:
    s = m.shape(0, 5)
    m.add(m.data(s, m.pick(np.float32, np.int64, np.uint8)), False)
    if s and m.chance(0.8):
        m.attrs["perm"] = m.r.sample(range(len(s)), len(s))


@recipe("Concat")
def concat(m: Maker) -> None:
    s = list(m.shape(1))
    ax = m.axis(len(s)) if m.opset >= 11 else m.r.randrange(len(s))
    dt = m.pick(np.float32, np.int64, np.uint8)
    for _i in range(m.r.randint(1, 4)):
        t = list(s)
        t[ax] = m.dim()
        m.add(m.data(t, dt))
    if not m.feeds:
        n0 = next(iter(m.constants))
        m.feeds[n0] = m.constants.pop(n0)
    m.attrs["axis"] = ax


@recipe("Split")
def split(m: Maker) -> None:
    s = list(m.shape(1))
    ax = m.axis(len(s)) if m.opset >= 11 else m.r.randrange(len(s))
    n = m.r.randint(1, 4)
    if m.chance(0.5):
        sizes = [m.r.randint(0 if m.odd else 1, 3) for _ in range(n)]
        s[ax] = sum(sizes)
        m.add(m.data(s), False)
        if m.opset >= 13:
            m.small(np.array(sizes, np.int64))
        else:
            m.attrs["split"] = sizes
    else:
        s[ax] = n * m.r.randint(1, 3)
        if m.opset >= 18:
            m.attrs["num_outputs"] = n
            if m.chance(0.3) and n > 1:
                s[ax] = s[ax] - 1 if (s[ax] - 1) > -(-s[ax] // n) * (n - 1) else s[ax]
        m.add(m.data(s), False)
    m.outputs = [f"y{i}" for i in range(n)]
    m.attrs["axis"] = ax


@recipe("Slice")
def cut(m: Maker) -> None:
    s = m.shape(1)
    r = len(s)
    n = m.r.randint(1, r)
    axes = m.r.sample(range(r), n)
    BIG = m.pick(2**31 - 1, 2**63 - 1)
    st, en, sp = [], [], []
    for a in axes:
        b = m.r.randint(-s[a] - 2, s[a] + 2)
        e = m.r.choice([m.r.randint(-s[a] - 2, s[a] + 2), BIG])
        k = 1
        if m.opset >= 10 and m.chance(0.4):
            k = m.pick(1, 2, 3, -1, -2)
            if k < 0 and e == BIG:
                e = -BIG
        st.append(b)
        en.append(e)
        sp.append(k)
    neg = m.opset >= 10
    axes = [a - r if neg and m.chance(0.4) else a for a in axes]
    m.add(m.data(s, m.pick(np.float32, np.int64)), False)
    if m.opset < 10:
        m.attrs.update(starts=st, ends=en)
        if sorted(axes) != list(range(n)) or axes != sorted(axes) or m.chance(0.7):
            m.attrs["axes"] = axes
    else:
        it = np.int64 if BIG > 2**32 else m.pick(np.int64, np.int32)
        p = 0.85 if m.chance(0.7) else 0
        m.small(np.array(st, it), p)
        m.small(np.array(en, it), p)
        m.small(np.array(axes, it), 0.9 if p else 0.5)
        if any(k != 1 for k in sp) or m.chance(0.5):
            m.small(np.array(sp, it), 0.9 if p else 0.5)


@recipe("Pad")
def pad(m: Maker) -> None:
    s = m.shape(1)
    r = len(s)
    mode = m.pick("constant", "constant", "reflect", "edge")
    if m.opset >= 19 and m.chance(0.2):
        mode = "wrap"
    pads = []
    for _ in range(2):
        for d in s:
            pads.append(
                m.r.randint(0, 3)
                if mode in ("constant",)
                else (
                    m.r.randint(0, max(d - 1, 0))
                    if mode in ("reflect", "wrap")
                    else (m.r.randint(0, 3) if d else 0)
                )
            )
    if m.chance(0.2) and mode in ("constant", "edge", "reflect"):
        i = m.r.randrange(r)
        if s[i] > 1:
            pads[i] = -1
    dt = np.float32 if m.opset < 13 else m.pick(np.float32, np.float32, np.int32, np.int64)
    m.add(m.data(s, dt), False)
    if mode != "constant" or m.chance(0.3):
        m.attrs["mode"] = mode
    if m.opset < 11:
        m.attrs["pads"] = pads
        if m.chance(0.5):
            m.attrs["value"] = m.pick(0.0, 1.5, -2.0)
        return
    axes = None
    if m.opset >= 18 and m.chance(0.4):
        axes = m.r.sample(range(r), m.r.randint(1, r))
        pads = [pads[a] for a in axes] + [pads[a + r] for a in axes]
        axes = [a - r if m.chance(0.4) else a for a in axes]
    m.small(np.array(pads, np.int64))
    if m.chance(0.5):
        m.small(np.array(m.pick(0, 2, -3), dt))
    elif axes:
        m.skip()
    if axes:
        m.small(np.array(axes, m.pick(np.int32, np.int64)))


@recipe("Gather")
def gather(m: Maker) -> None:
    s = list(m.shape(1))
    ax = m.axis(len(s))
    s[ax] = max(1, s[ax])
    neg = m.opset >= 11
    m.add(m.data(s, m.pick(np.float32, np.int64)))
    m.add(
        m.ints(m.shape(0, 2), -s[ax] if neg else 0, s[ax], m.pick(np.int32, np.int64)),
        m.inputs[0] in m.feeds and m.chance(0.3),
    )
    if ax != 0 or m.chance(0.5):
        m.attrs["axis"] = ax


@recipe("GatherElements")
def gather_elements(m: Maker) -> None:
    s = [m.r.randint(1, 4) for _ in range(m.r.randint(1, 3))]
    ax = m.axis(len(s))
    t = [m.r.randint(1, d) for d in s]
    t[ax] = m.r.randint(1, 5)
    m.add(m.data(s, m.pick(np.float32, np.int64)), False)
    m.add(m.ints(t, -s[ax], s[ax], m.pick(np.int32, np.int64)))
    if ax != 0 or m.chance(0.5):
        m.attrs["axis"] = ax


@recipe("GatherND")
def gather_nd(m: Maker) -> None:
    s = [m.r.randint(1, 4) for _ in range(m.r.randint(1, 4))]
    b = m.r.randint(0, len(s) - 1) if m.opset >= 12 and m.chance(0.4) else 0
    k = m.r.randint(1, len(s) - b)
    lead = list(s[:b]) + [m.r.randint(1, 3) for _ in range(m.r.randint(0, 2))]
    idx = np.stack([m.ints(lead, -s[b + i], s[b + i]) for i in range(k)], -1)
    m.add(m.data(s), False)
    m.add(idx)
    if b:
        m.attrs["batch_dims"] = b


@recipe("Scatter", "ScatterElements")
def scatter_elements(m: Maker) -> None:
    s = [m.r.randint(1, 4) for _ in range(m.r.randint(1, 3))]
    ax = m.axis(len(s)) if m.opset >= 11 else m.r.randrange(len(s))
    red = "none"
    if m.kind == "ScatterElements" and m.opset >= 16 and m.chance(0.6):
        red = m.pick("add", "mul") if m.opset < 18 else m.pick("add", "mul", "max", "min")
    t = [m.r.randint(1, d) for d in s]
    if red == "none":
        full = np.argsort(m.np.random(s), axis=ax)
        sl = tuple(slice(0, d) for d in t)
        idx = full[sl]
    # unique along axis for every line
    else:
        idx = m.ints(t, 0, s[ax])
    if m.opset >= 11:
        idx = np.where(m.np.random(idx.shape) < 0.3, idx - s[ax], idx)
    dt = m.pick(np.float32, np.int64, np.int32) if red == "none" else np.float32
    m.add(m.data(s, dt), m.chance(0.2))
    m.add(idx.astype(m.pick(np.int32, np.int64)))
    m.add(m.data(t, dt), False)
    if ax != 0 or m.chance(0.5):
        m.attrs["axis"] = ax
    if red != "none":
        m.attrs["reduction"] = red


@recipe("ScatterND")
def scatter_nd(m: Maker) -> None:
    s = [m.r.randint(1, 4) for _ in range(m.r.randint(1, 3))]
    k = m.r.randint(1, len(s))
    red = "none"
    if m.opset >= 16 and m.chance(0.6):
        red = m.pick("add", "mul") if m.opset < 18 else m.pick("add", "mul", "max", "min")
    total = int(np.prod(s[:k]))
    n = m.r.randint(1, min(4, total)) if red == "none" else m.r.randint(1, 5)
    flat = m.np.permutation(total)[:n] if red == "none" else m.ints((n,), 0, total)
    idx = np.stack(np.unravel_index(flat, s[:k]), -1).astype(np.int64)
    if m.chance(0.3):
        idx = idx - np.where(m.np.random(idx.shape) < 0.3, np.array(s[:k]), 0)
    lead = [n]
    if m.chance(0.2):
        idx = idx.reshape([1, n, k])
        lead = [1, n]
    m.add(m.data(s), m.chance(0.2))
    m.add(idx)
    m.add(m.data(lead + s[k:]), False)
    if red != "none":
        m.attrs["reduction"] = red


@recipe("Tile")
def tile(m: Maker) -> None:
    s = m.shape(1)
    m.add(m.data(s, m.pick(np.float32, np.int64)), False)
    m.small(m.ints((len(s),), 0 if m.odd else 1, 4))


@recipe("Expand")
def expand(m: Maker) -> None:
    s = m.shape(0)
    b = m.broad(s)
    m.add(m.data(b, m.pick(np.float32, np.int64, bool)), m.chance(0.1))
    t = list(s)
    if len(b) == len(s) and m.chance(0.4):
        t = [1 if bb == tt and m.chance(0.5) else tt for bb, tt in zip(b, t, strict=False)]
    m.small(np.array(t, np.int64))


@recipe("OneHot")
def one_hot(m: Maker) -> None:
    s = m.shape(0, 3)
    d = m.r.randint(1, 5)
    ax = m.axis(len(s) + 1)
    m.add(m.ints(s, -d - 1, d + 1, m.pick(np.int64, np.int32, np.float32)), False)
    m.small(np.array(m.pick(d, [d]), m.pick(np.int64, np.int32, np.float32)))
    m.small(np.array(m.pick([0, 1], [2, -1]), m.pick(np.float32, np.int64, np.int32)))
    if m.chance(0.7):
        m.attrs["axis"] = ax


@recipe("EyeLike")
def eye_like(m: Maker) -> None:
    m.add(m.data([m.r.randint(1, 5), m.r.randint(1, 5)], m.pick(np.float32, np.int64)), False)
    if m.chance(0.5):
        m.attrs["k"] = m.r.randint(-3, 3)
    if m.chance(0.4):
        m.attrs["dtype"] = m.pick(1, 7, 6)


@recipe("Trilu")
def trilu(m: Maker) -> None:
    s = [*list(m.shape(0, 2)), m.dim(), m.dim()]
    m.add(m.data(s, m.pick(np.float32, np.int64)), False)
    if m.chance(0.7):
        m.small(np.array(m.r.randint(-4, 4), np.int64))
    if m.chance(0.6):
        m.attrs["upper"] = m.pick(0, 1)


@recipe("Range")
def counted(m: Maker) -> None:
    dt = m.pick(np.int64, np.int32, np.float32, np.float64)
    a = m.r.randint(-5, 5)
    b = m.r.randint(-5, 9)
    d = m.pick(1, 2, 3, -1, -2)
    c = m.chance(0.5)
    if dt in (np.float32,):
        d = d * 0.5
    m.add(np.array(a, dt), c and m.chance(0.8))
    m.add(np.array(b, dt), False)
    m.add(np.array(d, dt), c)


@recipe("ConstantOfShape")
def constant_of_shape(m: Maker) -> None:
    m.add(np.array(m.shape(0), np.int64), m.chance(0.5))
    if m.chance(0.7):
        m.attrs["value"] = numpy_helper.from_array(
            np.array([m.pick(1, 2, 0)], m.pick(np.float32, np.int64, bool, np.uint8))
        )


@recipe("Shape")
def shape(m: Maker) -> None:
    m.add(m.data(m.shape(0)), False)
    if m.opset >= 15 and m.chance(0.6):
        if m.chance(0.7):
            m.attrs["start"] = m.r.randint(-5, 5)
        if m.chance(0.7):
            m.attrs["end"] = m.r.randint(-5, 5)


@recipe("Size")
def size(m: Maker) -> None:
    m.add(m.data(m.shape(0)), False)


@recipe("NonZero")
def non_zero(m: Maker) -> None:
    m.add(m.ints(m.shape(1), 0, 2, m.pick(np.float32, np.int64, bool)), False)


@recipe("Compress")
def compress(m: Maker) -> None:
    s = m.shape(1)
    s = [max(1, d) for d in s]
    m.add(m.data(s), False)
    if m.chance(0.7):
        ax = m.axis(len(s)) if m.opset >= 11 else m.r.randrange(len(s))
        m.attrs["axis"] = ax
        n = s[ax]
    else:
        n = int(np.prod(s))
    m.small(m.data((m.r.randint(1, n),), bool), 0.4)


@recipe("Unique")
def unique(m: Maker) -> None:
    s = [m.r.randint(1, 4) for _ in range(m.r.randint(1, 3))]
    m.add(m.ints(s, 0, 3, m.pick(np.float32, np.int64)), False)
    if m.chance(0.5):
        m.attrs["axis"] = m.axis(len(s))
    if m.chance(0.5):
        m.attrs["sorted"] = m.pick(0, 1)
    m.outputs = ["y", "i", "v", "c"][: m.r.randint(1, 4)]


@recipe("ReverseSequence")
def reverse_sequence(m: Maker) -> None:
    t = m.r.randint(1, 5)
    b = m.r.randint(1, 4)
    ba = m.pick(0, 1)
    s = [0, 0]
    s[ba] = b
    s[1 - ba] = t
    s += list(m.shape(0, 2))
    m.add(m.data(s), False)
    m.small(m.ints((b,), 1, t + 1), 0.4)
    m.attrs.update(batch_axis=ba, time_axis=1 - ba)


@recipe("NonMaxSuppression")
def non_max_suppression(m: Maker) -> None:
    n = m.r.randint(1, 8)
    b = m.r.randint(1, 2)
    c = m.r.randint(1, 3)
    m.odd = False
    cen = m.np.random((b, n, 2))
    wh = m.np.random((b, n, 2)) * 0.6 + 0.05
    cp = m.pick(0, 1)
    boxes = (
        np.concatenate([cen - wh / 2, cen + wh / 2], -1)
        if not cp
        else np.concatenate([cen, wh], -1)
    )
    if not cp and m.chance(0.3):
        boxes = boxes[..., [2, 3, 0, 1]]
    m.add(boxes.astype(np.float32), False)
    m.add(m.np.random((b, c, n)).astype(np.float32), False)
    k = m.r.randint(0, 5)
    if k >= 1:
        m.small(np.array(m.pick([5], 3, [0], [1]), np.int64))
    if k >= 2:
        m.small(np.array(m.pick([0.5], 0.3, [0.0]), np.float32))
    if k >= 3:
        m.small(np.array(m.pick([0.5], 0.2), np.float32))
    if m.chance(0.5) or cp:
        m.attrs["center_point_box"] = cp
