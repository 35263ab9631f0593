"""Rules of convolutions over volumes [N,D,H,W,C], made of convolutions over images."""

from __future__ import annotations

from linnet.errors import FormatError, ShapeError, UnsupportedError
from linnet.ops import (
    NO_CLAMP,
    Add,
    Clip,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Op,
    Pad,
    Reshape,
    Slice,
    Transpose,
)
from linnet.types import TensorType

from .node import TfliteNode
from .windows import same_pads, static_sizes

Triple = tuple[int, int, int]


def _sides(type_: TensorType, what: str) -> Triple:
    sides = type_.shape[1:4]
    if type_.rank != 5 or not all(isinstance(side, int) for side in sides):
        raise ShapeError(f"{what} {type_}; expected 5 dimensions, the middle ones numbers")
    return int(sides[0]), int(sides[1]), int(sides[2])


def _triple(node: TfliteNode, names: tuple[str, str, str], default: int | None = None) -> Triple:
    found = tuple(int(node.option(name, default)) for name in names)
    if min(found) < 1:
        raise FormatError(f"{names} are {found}; expected positive numbers")
    return found[0], found[1], found[2]


def _attributes(node: TfliteNode) -> tuple[Triple, Triple, bool]:
    """Return strides, dilations and whether the padding is SAME."""
    strides = _triple(node, ("StrideD", "StrideH", "StrideW"))
    names = ("DilationDFactor", "DilationHFactor", "DilationWFactor")
    return strides, _triple(node, names, 1), node.option("Padding") == 0


def _weights(node: TfliteNode, position: int) -> tuple[str, Triple, int, int]:
    """Return the filter as float, its kernel, and its last two dimensions."""
    shape = node.type(position).static_shape
    if len(shape) != 5:
        raise FormatError(f"filter {node.type(position)}; expected 5 dimensions")
    name = node.real_weights(position, beside=0 if position == 1 and node.type(0).rank == 5 else 2)
    return name, (shape[0], shape[1], shape[2]), shape[3], shape[4]


def conv_3d(node: TfliteNode) -> None:
    """CONV_3D: x[N,D,H,W,I], filter[KD,KH,KW,I,O], bias[O].

    The depths that one window sees become channels side by side.
    """
    strides, dilations, same = _attributes(node)
    filters, kernel, inputs, outputs = _weights(node, 1)
    sides = _sides(node.type(0), "input")
    pads = [
        same_pads(size, *rest) if same else (0, 0)
        for size, *rest in zip(sides, kernel, strides, dilations, strict=True)
    ]
    taps = _depth_taps(node, sides[0], (kernel[0], strides[0], dilations[0]), pads[0])
    count = node.graph.type_of(taps[0]).shape[1]
    joined = node.step(Concat(axis=4), taps, "taps") if len(taps) > 1 else taps[0]
    images = Reshape(shape=(-1, *sides[1:], kernel[0] * inputs))
    rows = node.step(Transpose(perm=(4, 1, 2, 0, 3)), [filters], "filters")
    flat = Reshape(shape=(outputs, *kernel[1:], kernel[0] * inputs))
    conv = Conv2D(
        strides=strides[1:],
        dilations=dilations[1:],
        pads=(pads[1][0], pads[2][0], pads[1][1], pads[2][1]),
        clamp=node.clamp,
    )
    operands = [node.step(images, [joined], "images"), node.step(flat, [rows], "flat")]
    made = node.step(conv, [*operands, node.optional(2)], "convolved")
    area = static_sizes(node.graph.type_of(made), "result")
    node.emit(Reshape(shape=(-1, int(count), *area, outputs)), [made])


def _depth_taps(node: TfliteNode, depth: int, window: Triple, pads: tuple[int, int]) -> list[str]:
    """Return, for each depth of the filter, the depths of the input that it meets."""
    (kernel, stride, dilation), volume = window, node.input(0)
    if pads != (0, 0):
        around = Pad(pads=(0, pads[0], 0, 0, 0, 0, pads[1], 0, 0, 0))
        volume = node.step(around, [volume], "deep")
    span = (kernel - 1) * dilation + 1
    count = (depth + sum(pads) - span) // stride + 1
    if count < 1:
        raise ShapeError(f"the kernel spans {span} of depth {depth}")
    taps = []
    for tap in range(kernel):
        first = tap * dilation
        last = first + (count - 1) * stride + 1
        cut = Slice(starts=(first,), ends=(last,), axes=(1,), steps=(stride,))
        taps.append(node.step(cut, [volume], f"tap{tap}"))
    return taps


def conv_3d_transpose(node: TfliteNode) -> None:
    """CONV_3D_TRANSPOSE: output shape, filter[KD,KH,KW,O,I], x[N,D,H,W,I], bias[O].

    One image convolution per depth of the filter; their results are added where they belong.
    """
    strides, dilations, same = _attributes(node)
    if dilations[1:] != (1, 1):
        raise UnsupportedError(f"dilations {dilations}; only depth may be dilated")
    filters, kernel, outputs, inputs = _weights(node, 1)
    sides, shape = _sides(node.type(2), "input"), node.integers(0, "output shape")
    if len(shape) != 5 or min(shape) < 1:
        raise FormatError(f"output shape {shape}; expected 5 positive numbers")
    conv = _image_conv(sides[1:], shape[2:4], kernel[1:], strides[1:], same)
    images = node.step(Reshape(shape=(-1, *sides[1:], inputs)), [node.input(2)], "images")
    front = same_pads(shape[1], kernel[0], strides[0], dilations[0])[0] if same else 0
    total = ""
    for tap in range(kernel[0]):
        part = node.step(Slice(starts=(tap,), ends=(tap + 1,), axes=(0,)), [filters], f"part{tap}")
        flat = Reshape(shape=(kernel[1], kernel[2], outputs, inputs))
        turned = node.step(flat, [part], f"flat{tap}")
        turned = node.step(Transpose(perm=(2, 0, 1, 3)), [turned], f"turned{tap}")
        made = node.step(conv, [images, turned, ""], f"made{tap}")
        steps = _placing(sides[0], shape, outputs, strides[0], tap * dilations[0] - front)
        for number, op in enumerate(steps):
            made = node.step(op, [made], f"place{tap}_{number}")
        total = node.step(Add(), [total, made], f"sum{tap}") if total else made
    closing: list[tuple[Op, list[str]]] = [(Reshape(shape=(-1, *shape[1:])), [])]
    if node.has(3):
        closing.append((Add(clamp=node.clamp), [node.input(3)]))
    elif node.clamp != NO_CLAMP:
        closing.append((Clip(minimum=node.clamp[0], maximum=node.clamp[1]), []))
    for op, others in closing[:-1]:
        total = node.step(op, [total, *others], "volume")
    node.emit(closing[-1][0], [total, *closing[-1][1]])


def _image_conv(
    sides: tuple[int, ...],
    out: tuple[int, ...],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    same: bool,
) -> ConvTranspose2D:
    """Return the convolution of one depth, padded so that it makes images of the size wanted."""
    before, after, extra = [], [], []
    for size, wanted, span, stride in zip(sides, out, kernel, strides, strict=True):
        before.append(same_pads(wanted, span, stride)[0] if same else 0)
        cut = (size - 1) * stride + span - before[-1] - wanted
        after.append(max(cut, 0))
        extra.append(max(-cut, 0))
    return ConvTranspose2D(
        strides=strides,
        pads=(before[0], before[1], after[0], after[1]),
        output_padding=(extra[0], extra[1]),
    )


def _placing(depth: int, shape: tuple[int, ...], outputs: int, stride: int, first: int) -> list[Op]:
    """Return the steps from images [N*D, ...] to [N, deep, area], image d at first + d * stride."""
    deep, area = shape[1], shape[2] * shape[3] * outputs
    steps: list[Op] = []
    if stride > 1:
        steps.append(Reshape(shape=(-1, depth, 1, area)))
        steps.append(Pad(pads=(0, 0, 0, 0, 0, 0, stride - 1, 0)))
    steps.append(Reshape(shape=(-1, depth * stride, area)))
    low, high = max(-first, 0), min((depth - 1) * stride + 1, deep - first)
    if high <= low:
        raise ShapeError(f"a filter that begins at depth {first} lies outside of the output")
    if (low, high) != (0, depth * stride):
        steps.append(Slice(starts=(low,), ends=(high,), axes=(1,)))
    around = (first + low, deep - first - high)
    if around != (0, 0):
        steps.append(Pad(pads=(0, around[0], 0, 0, around[1], 0)))
    return steps


CONVERTERS = {"CONV_3D": conv_3d, "CONV_3D_TRANSPOSE": conv_3d_transpose}
