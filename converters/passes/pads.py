"""Fusion of padding into the convolution or pooling behind it."""

from __future__ import annotations

import math

import msgspec

from linnet import ops
from linnet.converters.rewrite import Links
from linnet.graph import Graph, Node
from linnet.ops import Op
from linnet.types import TensorType

Pads = tuple[int, int, int, int]


def fuse_pads(graph: Graph) -> int:
    """Let windowed operators pad by themselves; return how many pads went."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        kinds = (ops.Conv2D, ops.DepthwiseConv2D, ops.MaxPool2D, ops.AveragePool2D)
        if not isinstance(node.op, kinds):
            continue
        pad = links.maker(node.inputs[0], ops.Pad)
        if pad is None:
            continue
        fused = _fused(links, node, pad)
        if fused is None:
            continue
        node.op = fused
        node.inputs = (pad.inputs[0], *node.inputs[1:])
        links.refresh()
        changes += 1
    return changes


def _fused(links: Links, node: Node, pad: Node) -> Op | None:
    """Return the windowed op with the padding of the op before it, None where they differ."""
    op, padding = node.op, pad.op
    assert isinstance(padding, ops.Pad)
    counts = padding.counts()
    if padding.mode != "constant" or min(padding.pads) < 0 or any(counts[0]) or any(counts[3]):
        return None
    if op.auto_pad not in ("", "valid"):  # type: ignore[attr-defined]
        return None
    added: Pads = (counts[1][0], counts[2][0], counts[1][1], counts[2][1])
    own: Pads = (0, 0, 0, 0) if op.auto_pad else op.pads  # type: ignore[attr-defined]
    total = tuple(a + b for a, b in zip(added, own, strict=True))
    x = links.graph.type_of(pad.inputs[0])
    if isinstance(op, ops.MaxPool2D):
        fits = _never_wins(links, pad, padding.value, x) and _small(op, total)
        return msgspec.structs.replace(op, pads=total, auto_pad="") if fits else None
    if padding.value != 0.0:
        return None
    if isinstance(op, ops.AveragePool2D):
        if op.ceil_mode or (any(own) and not op.count_include_pad):
            return None
        return msgspec.structs.replace(op, pads=total, auto_pad="", count_include_pad=True)
    return msgspec.structs.replace(op, pads=total, auto_pad="")


def _small(op: ops.MaxPool2D, pads: tuple[int, ...]) -> bool:
    """Whether every window holds an element of the image."""
    reach = [(k - 1) * d + 1 for k, d in zip(op.kernel, op.dilations, strict=True)]
    return not op.ceil_mode and all(p < reach[i % 2] for i, p in enumerate(pads))


def _never_wins(links: Links, pad: Node, value: float, x: TensorType) -> bool:
    """Whether the padding is no greater than any element."""
    if value == -math.inf:
        return True
    if x.quantization is not None:
        low = -128 if x.dtype.value == "int8" else 0
        floor = (low - float(x.quantization.zero_point.max())) * float(x.quantization.scale.min())
        return x.quantization.per_tensor and value <= floor
    maker = links.maker(pad.inputs[0])
    if maker is None:
        return False
    if isinstance(maker.op, ops.Clip):
        return value <= maker.op.minimum
    clamp = getattr(maker.op, "clamp", None)
    return clamp is not None and value <= clamp[0]
