"""Between ONNX's channels-first images and linnet's channels-last ones.

Images of rank 3 (one spatial axis) get a unit height. The transposes are left to the passes, which
cancel them.
"""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import Quantization

from .node import Declared, OnnxNode

TO_LAST = (0, 2, 3, 1)
TO_FIRST = (0, 3, 1, 2)
Pair = tuple[int, int]
Pads = tuple[int, int, int, int]


def spatial_rank(node: OnnxNode, index: int = 0) -> int:
    """Return the number of spatial axes, which must be one or two.

    Raises
    ------
    UnsupportedError
        For other ranks.
    """
    rank = node.rank(index)
    if rank not in (3, 4):
        raise UnsupportedError(
            f"input of rank {rank}; only images (rank 4) and sequences (rank 3) are supported"
        )
    return rank - 2


def images_last(node: OnnxNode, name: str) -> str:
    """Return an image or a sequence as a channels-last image."""
    if node.graph.type_of(name).rank == 3:
        name = node.emit(ops.Unsqueeze(axes=(2,)), name)
    return node.emit(ops.Transpose(perm=TO_LAST), name)


def finish_first(node: OnnxNode, made: str, spatial: int) -> None:
    """Make the node's output from a channels-last image."""
    node.give(images_first(node, made, spatial))


def images_first(node: OnnxNode, made: str, spatial: int) -> str:
    """Return an image or a sequence, of which there is a channels-last image."""
    first = node.emit(ops.Transpose(perm=TO_FIRST), made)
    return first if spatial == 2 else node.emit(ops.Squeeze(axes=(2,)), first)


def through_last(node: OnnxNode, op: ops.Op, *others: str, quantization: Declared = None) -> None:
    """Apply an op on channels-last images to the node's first input."""
    spatial = spatial_rank(node)
    x = images_last(node, node.input(0))
    finish_first(node, node.emit(op, x, *others, quantization=quantization), spatial)


def pair(values: tuple[int, ...] | None, spatial: int, default: int, unit: int, what: str) -> Pair:
    """Return one number per image axis; ``unit`` stands for the height of a sequence."""
    given = values if values is not None else (default,) * spatial
    if len(given) != spatial:
        raise FormatError(f"{what} has {len(given)} entries for {spatial} spatial axes")
    return (given[0], given[1]) if spatial == 2 else (unit, given[0])


def strides_of(node: OnnxNode, spatial: int) -> Pair:
    """Return the strides."""
    return pair(node.integers("strides"), spatial, 1, 1, "strides")


def dilations_of(node: OnnxNode, spatial: int) -> Pair:
    """Return the dilations."""
    return pair(node.integers("dilations"), spatial, 1, 1, "dilations")


def pads_of(node: OnnxNode, spatial: int) -> Pads:
    """Return explicit padding as top, left, bottom, right."""
    pads = node.integers("pads", (0,) * (2 * spatial)) or (0,) * (2 * spatial)
    if len(pads) != 2 * spatial:
        raise FormatError(f"pads has {len(pads)} entries for {spatial} spatial axes")
    return (pads[0], pads[1], pads[2], pads[3]) if spatial == 2 else (0, pads[0], 0, pads[1])


def known_sizes(node: OnnxNode) -> tuple[int, ...]:
    """Return the spatial sizes of the first input, which must be numbers.

    Raises
    ------
    UnsupportedError
        If only a run knows one.
    """
    sizes = node.shape()[2:]
    if not all(isinstance(size, int) for size in sizes):
        raise UnsupportedError(f"output_shape or auto_pad of {node.type(0)}; use pads")
    return tuple(int(size) for size in sizes)


def padding_for(
    upper: bool, size: int, wanted: int, kernel: int, stride: int, dilation: int, extra: int
) -> tuple[int, int, int]:
    """Return the pads and the output padding with which a transposed convolution gets a size."""
    total = stride * (size - 1) + (kernel - 1) * dilation + 1 + extra - wanted
    less = max(total, 0) // 2
    more = max(total, 0) - less
    begin, end = (less, more) if upper else (more, less)
    return begin, end, extra + max(-total, 0)


def auto_pad_of(node: OnnxNode) -> str:
    """Return the name of automatic padding, "" where pads are explicit."""
    names = {"NOTSET": "", "VALID": "valid", "SAME_UPPER": "same_upper", "SAME_LOWER": "same_lower"}
    given = node.text("auto_pad", "NOTSET")
    if given not in names:
        raise FormatError(f"auto_pad is '{given}', which ONNX does not define")
    return names[given]


def arranged(node: OnnxNode, name: str, perm: tuple[int, ...], rank: int) -> str:
    """Return weights with their axes permuted: constants for good, computed ones at run time.

    Weights of rank 3, of a sequence's convolution, get a unit height first. Constants that are
    dequantized stay quantized constants under a new Dequantize.
    """
    graph = node.graph
    maker = next((n for n in reversed(graph.nodes) if name in n.outputs), None)
    if graph.constant(name) is None and maker is not None and isinstance(maker.op, ops.Dequantize):
        stored = maker.inputs[0]
        if graph.constant(stored) is not None:
            return node.emit(ops.Dequantize(), _permuted(node, stored, perm, rank))
    if graph.constant(name) is not None:
        return _permuted(node, name, perm, rank)
    if rank == 3:
        name = node.emit(ops.Unsqueeze(axes=(2,)), name)
    return node.emit(ops.Transpose(perm=perm), name)


def _permuted(node: OnnxNode, name: str, perm: tuple[int, ...], rank: int) -> str:
    value = node.graph.values[name]
    data, q = value.data, value.type.quantization
    assert data is not None
    axis = None if q is None else q.axis
    if rank == 3:
        data = data[:, :, None]
        axis = axis + 1 if axis is not None and axis > 1 else axis
    if q is not None and axis is not None:
        q = Quantization(q.scale, q.zero_point, perm.index(axis))
    return node.constant_like(np.ascontiguousarray(data.transpose(perm)), "weights", q)


def constant_like_weights(node: OnnxNode, name: str) -> bool:
    """Whether a value is a constant, or a constant that is dequantized."""
    if node.graph.constant(name) is not None:
        return True
    maker = next((n for n in reversed(node.graph.nodes) if name in n.outputs), None)
    return (
        maker is not None
        and isinstance(maker.op, ops.Dequantize)
        and node.graph.constant(maker.inputs[0]) is not None
    )
