"""Random ONNX nodes on images and volumes."""

from __future__ import annotations

import numpy as np

from .maker import Maker, recipe


def spatial(m: Maker, kernel: list[int], dilated: bool = True) -> None:
    """Draw the attributes of windows; automatic padding comes without dilation."""
    if m.chance(0.6):
        m.attrs["strides"] = [m.r.randint(1, 3) for _ in kernel]
    drawn = m.r.random()
    if 0.35 <= drawn < 0.7:
        m.attrs["auto_pad"] = m.pick("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
    elif dilated and m.chance(0.35):
        m.attrs["dilations"] = [m.r.randint(1, 2) for _ in kernel]
    if drawn < 0.35:
        m.attrs["pads"] = [m.r.randint(0, size - 1) for size in (*kernel, *kernel)]


def image(m: Maker, channels: int, kernel: list[int]) -> list[int]:
    """Return the shape of images that a dilated kernel fits into."""
    return [m.r.randint(1, 3), channels, *(m.r.randint(2 * size - 1, 9) for size in kernel)]


@recipe("Conv", "ConvTranspose")
def conv(m: Maker) -> None:
    n = m.pick(1, 2, 2, 2, 3)
    m.odd = m.odd and m.chance(0.3)
    g = m.pick(1, 1, 1, 2, 3)
    ci = g * m.r.randint(1, 3)
    co = g * m.r.randint(1, 3)
    if m.chance(0.2):
        g = ci
        co = ci * m.pick(1, 2)
    k = [m.r.randint(1, 4) for _ in range(n)]
    x = image(m, ci, k)
    m.add(m.floats(x, special=False), False)
    w = [co, ci // g, *k] if m.kind == "Conv" else [ci, co // g, *k]
    m.add(m.floats(w, special=False), m.chance(0.85))
    if m.chance(0.5):
        m.add(m.floats((co,), special=False), m.chance(0.85))
    spatial(m, k)
    if g != 1 or m.chance(0.3):
        m.attrs["group"] = g
    if m.chance(0.6):
        m.attrs["kernel_shape"] = k
    if m.kind == "ConvTranspose":
        st = m.attrs.get("strides", [1] * n)
        if any(step > size for step, size in zip(st, k, strict=True)):
            m.attrs.pop("auto_pad", "")
        if m.chance(0.3):
            m.attrs["output_padding"] = [m.r.randint(0, max(s - 1, 0)) for s in st]
        elif m.chance(0.2):
            m.attrs["output_shape"] = [
                max(1, (d - 1) * s + kk - m.r.randint(0, 2))
                for d, s, kk in zip(x[2:], st, k, strict=False)
            ]
            m.attrs.pop("pads", 0)


@recipe("MaxPool", "AveragePool", "LpPool")
def pool(m: Maker) -> None:
    n = m.pick(1, 2, 2, 2, 3)
    k = [m.r.randint(1, 4) for _ in range(n)]
    x = image(m, m.r.randint(1, 4), k)
    dt = np.float32
    if m.kind == "MaxPool" and m.opset >= 12:
        dt = m.pick(np.float32, np.float32, np.uint8, np.int8)
    if m.kind == "MaxPool" and m.odd:
        m.odd = m.chance(0.5)
    m.add(m.floats(x, special=m.kind == "MaxPool") if dt == np.float32 else m.data(x, dt), False)
    m.attrs["kernel_shape"] = k
    dil = (
        (m.kind == "MaxPool" and m.opset >= 10)
        or (m.kind == "AveragePool" and m.opset >= 19)
        or (m.kind == "LpPool" and m.opset >= 18)
    )
    spatial(m, k, dil)
    if m.chance(0.4) and ((m.opset >= 10 and m.kind != "LpPool") or m.opset >= 18):
        m.attrs["ceil_mode"] = 1
    if m.kind == "AveragePool" and m.chance(0.5):
        m.attrs["count_include_pad"] = m.pick(0, 1)
    if m.kind == "LpPool" and m.chance(0.5):
        m.attrs["p"] = m.pick(1, 2, 3)
    if m.kind == "MaxPool" and m.opset >= 8 and m.chance(0.3):
        m.outputs = ["y", "i"]
        if m.chance(0.3):
            m.attrs["storage_order"] = 1


@recipe("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(m: Maker) -> None:
    x = [m.r.randint(1, 3), m.r.randint(1, 4)] + [
        m.r.randint(1, 6) for _ in range(m.r.randint(1, 3))
    ]
    m.add(m.floats(x), False)
    if m.kind == "GlobalLpPool" and m.chance(0.5):
        m.attrs["p"] = m.pick(1, 2, 3)


@recipe("DepthToSpace")
def depth_to_space(m: Maker) -> None:
    b = m.pick(1, 2, 3)
    m.add(
        m.data(
            [m.r.randint(1, 2), b * b * m.r.randint(1, 3), m.r.randint(1, 3), m.r.randint(1, 3)]
        ),
        False,
    )
    m.attrs["blocksize"] = b
    if m.opset >= 11 and m.chance(0.6):
        m.attrs["mode"] = m.pick("DCR", "CRD")


@recipe("SpaceToDepth")
def space_to_depth(m: Maker) -> None:
    b = m.pick(1, 2, 3)
    m.add(
        m.data(
            [m.r.randint(1, 2), m.r.randint(1, 3), b * m.r.randint(1, 3), b * m.r.randint(1, 3)]
        ),
        False,
    )
    m.attrs["blocksize"] = b


@recipe("Resize", "Upsample")
def resize(m: Maker) -> None:
    n = m.pick(2, 2, 2, 1, 3)
    r = n + 2
    x = [m.r.randint(1, 2), m.r.randint(1, 3)] + [m.r.randint(1, 6) for _ in range(n)]
    if m.chance(0.1):
        x = x[2:]
        r = n
    m.add(m.floats(x, special=False), False)
    sc = [1.0] * (r - n) + [m.pick(0.5, 2.0, 1.5, 3.0, 1.0, 0.75, 0.4) for _ in range(n)]
    mode = (
        m.pick("nearest", "linear", "nearest", "linear", "cubic")
        if m.opset >= 11
        else m.pick("nearest", "linear")
    )
    m.attrs["mode"] = mode
    if m.kind == "Upsample":
        sc = [max(1.0, s) for s in sc]
        if m.opset < 9:
            m.attrs["scales"] = sc
        else:
            m.small(np.array(sc, np.float32))
        return
    if m.opset == 10:
        m.small(np.array(sc, np.float32))
        return
    ct = m.pick(
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "half_pixel",
        "tf_half_pixel_for_nn" if m.opset < 13 else "half_pixel",
    )
    if m.opset >= 19 and m.chance(0.2):
        ct = "half_pixel_symmetric"
    if m.chance(0.8):
        m.attrs["coordinate_transformation_mode"] = ct
    if mode == "nearest" and m.chance(0.7):
        m.attrs["nearest_mode"] = m.pick("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        if m.chance(0.5):
            m.attrs["cubic_coeff_a"] = m.pick(-0.5, -0.75)
        if m.chance(0.4):
            m.attrs["exclude_outside"] = 1
    if m.opset >= 18 and m.chance(0.3) and mode in ("linear", "cubic"):
        m.attrs["antialias"] = 1
    axes = None
    if m.opset >= 18 and m.chance(0.3) and r > n:
        axes = list(range(r - n, r))
        m.attrs["axes"] = [a - r if m.chance(0.3) else a for a in axes]
    if m.opset >= 13:
        m.skip()
    else:
        m.add(np.zeros((0,), np.float32), True)
    if m.chance(0.5):
        m.small(np.array(sc if axes is None else [sc[a] for a in axes], np.float32))
    else:
        sz = [max(1, int(d * s)) for d, s in zip(x, sc, strict=False)]
        if m.opset >= 13:
            m.skip()
        else:
            m.add(np.zeros((0,), np.float32), True)
        if m.opset >= 18 and m.chance(0.2):
            m.attrs["keep_aspect_ratio_policy"] = m.pick("not_larger", "not_smaller")
            axes = list(range(r - n, r))
            m.attrs["axes"] = axes
        m.small(np.array(sz if axes is None else [sz[a] for a in axes], np.int64))


@recipe("GridSample")
def grid_sample(m: Maker) -> None:
    m.odd = False
    x = [m.r.randint(1, 2), m.r.randint(1, 3), m.r.randint(1, 5), m.r.randint(1, 5)]
    m.add(m.floats(x), False)
    m.add(
        (m.np.random((x[0], m.r.randint(1, 4), m.r.randint(1, 4), 2)) * 2.6 - 1.3).astype(
            np.float32
        ),
        False,
    )
    o = m.opset < 20
    if m.chance(0.8):
        m.attrs["mode"] = (
            m.pick("bilinear", "nearest", "bicubic") if o else m.pick("linear", "nearest", "cubic")
        )
    if m.chance(0.7):
        m.attrs["padding_mode"] = m.pick("zeros", "border", "reflection")
    if m.chance(0.5):
        m.attrs["align_corners"] = m.pick(0, 1)


@recipe("MaxRoiPool")
def max_roi_pool(m: Maker) -> None:
    m.odd = False
    x = [m.r.randint(1, 2), m.r.randint(1, 3), m.r.randint(3, 8), m.r.randint(3, 8)]
    n = m.r.randint(1, 4)
    m.add(m.floats(x), False)
    corners = m.np.random((n, 2)) * 4
    ends = corners + m.np.random((n, 2)) * 6 - 1
    m.add(np.concatenate([m.np.integers(0, x[0], (n, 1)), corners, ends], 1).astype("f"), False)
    m.attrs["pooled_shape"] = [m.r.randint(1, 3), m.r.randint(1, 3)]
    if m.chance(0.6):
        m.attrs["spatial_scale"] = m.pick(0.5, 1.0, 2.0)


@recipe("RoiAlign")
def roi_align(m: Maker) -> None:
    m.odd = False
    x = [m.r.randint(1, 2), m.r.randint(1, 3), m.r.randint(3, 8), m.r.randint(3, 8)]
    n = m.r.randint(1, 4)
    m.add(m.floats(x), False)
    a = m.np.random((n, 2)) * 4
    m.add(np.concatenate([a, a + m.np.random((n, 2)) * 6 + 0.5], 1).astype(np.float32), False)
    m.add(m.ints((n,), 0, x[0]), False)
    m.attrs.update(output_height=m.r.randint(1, 3), output_width=m.r.randint(1, 3))
    if m.chance(0.6):
        m.attrs["sampling_ratio"] = m.pick(0, 1, 2, 3)
    if m.chance(0.6):
        m.attrs["spatial_scale"] = m.pick(1.0, 0.5, 0.25)
    if m.chance(0.5):
        m.attrs["mode"] = m.pick("avg", "max")
    if m.opset >= 16 and m.chance(0.6):
        m.attrs["coordinate_transformation_mode"] = m.pick("half_pixel", "output_half_pixel")


@recipe("MaxUnpool")
def max_unpool(m: Maker) -> None:
    m.odd = False
    s = [m.r.randint(1, 2), m.r.randint(1, 2), m.r.randint(1, 3), m.r.randint(1, 3)]
    k = [2, 2]
    out = [*s[:2], s[2] * 2, s[3] * 2]
    base = (
        m.ints(s, 0, 2)
        + 2 * np.arange(s[3])
        + (np.arange(s[2]) * 2 * out[3])[:, None]
        + (np.arange(s[0] * s[1]) * out[2] * out[3]).reshape(s[0], s[1], 1, 1)
    )
    m.add(m.floats(s), False)
    m.add(base.astype(np.int64), False)
    m.attrs.update(kernel_shape=k, strides=[2, 2])
    if m.chance(0.4):
        m.small(np.array(out, np.int64), 0.6)


@recipe("Col2Im")
def columns_to_image(m: Maker) -> None:
    m.odd = False
    b = [m.r.randint(1, 2), m.r.randint(1, 3)]
    im = [m.r.randint(3, 6), m.r.randint(3, 6)]
    st = [m.r.randint(1, 2) for _ in b]
    dl = [1, 1]
    p = [m.r.randint(0, 1) for _ in range(4)]
    L = 1
    for i in range(2):
        L *= (im[i] + p[i] + p[i + 2] - dl[i] * (b[i] - 1) - 1) // st[i] + 1
    m.add(m.floats((m.r.randint(1, 2), b[0] * b[1] * m.r.randint(1, 2), L)), False)
    m.small(np.array(im, np.int64), 0.8)
    m.small(np.array(b, np.int64), 0.8)
    m.attrs.update(strides=st, pads=p)
