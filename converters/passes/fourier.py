"""Fourier transforms of short real rows: products with constant matrices, which kernels serve.

The cosines of a row need sums of elements as far from both ends, the sines their differences, so
each matrix has a quarter of the elements that a plain transform would multiply with.
"""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, before, made_up
from linnet.graph import Graph, Node
from linnet.types import DType

# Beyond it, a fast transform in a host step takes less time than the products, and less memory.
_LONGEST = 1024
_VIEWS = (ops.Reshape, ops.Squeeze, ops.Unsqueeze, ops.Identity)


def multiply_spectra(graph: Graph) -> int:
    """Replace transforms of real rows, and what is read of complex ones; return how many."""
    links, count = Links(graph), 0
    for node in list(graph.nodes):
        if isinstance(node.op, (ops.ComplexAbs, ops.Real, ops.Imag)):
            count += _read_part(graph, links, node)
        elif isinstance(node.op, ops.DFT):
            count += _transform(graph, node, node.op)
    return count


def _parts(graph: Graph, node: Node, x: str, length: int) -> tuple[str, str]:
    """Return cosines and sines [..., length // 2 + 1] of x [..., length], put before a node."""
    half = length // 2
    places = np.arange(half + 1)
    mirror = graph.add_constant(f"{node.name}/mirror", (length - places) % length)
    axis = graph.type_of(x).rank - 1
    cut = ops.Slice(starts=(0,), ends=(half + 1,), axes=(axis,), steps=(1,))
    left = before(graph, node, cut, [x])
    right = before(graph, node, ops.Gather(axis=axis), [x, mirror])
    angles = np.outer(places, places) % length * (2 * np.pi / length)
    # What has no counterpart is counted twice in the sums.
    alone = np.where((places == 0) | (2 * places == length), 0.5, 1.0)
    found = []
    for op, matrix in ((ops.Add(), np.cos(angles) * alone), (ops.Sub(), -np.sin(angles))):
        sums = before(graph, node, op, [left, right])
        weights = graph.add_constant(f"{node.name}/waves", matrix.astype(np.float32))
        found.append(before(graph, node, ops.FullyConnected(), [sums, weights]))
    return found[0], found[1]


def _read_part(graph: Graph, links: Links, node: Node) -> bool:
    """Compute absolute values, real or imaginary parts of a transform by products."""
    source = links.maker(node.inputs[0])
    while source is not None and isinstance(source.op, _VIEWS):
        source = links.maker(source.inputs[0])
    if source is None or not isinstance(source.op, ops.RFFT2D):
        return False
    type_, length = graph.type_of(source.inputs[0]), source.op.lengths[1]
    wanted = graph.type_of(node.outputs[0]).shape
    open_ = [dim for dim in wanted if not isinstance(dim, int)]
    if source.op.lengths[0] != 1 or type_.shape[-2:] != (1, length) or length > _LONGEST:
        return False
    if len(open_) > 1 or any(made_up(dim) for dim in open_) or 0 in wanted:
        return False
    cosines, sines = _parts(graph, node, source.inputs[0], length)
    if isinstance(node.op, ops.ComplexAbs):
        squares = [before(graph, node, ops.Square(), [part]) for part in (cosines, sines)]
        sums = before(graph, node, ops.Add(), squares)
        made = before(graph, node, ops.Sqrt(), [sums])
    else:
        made = cosines if isinstance(node.op, ops.Real) else sines
    node.op = ops.Reshape(shape=tuple(dim if isinstance(dim, int) else -1 for dim in wanted))
    node.inputs = (made,)
    return True


def _transform(graph: Graph, node: Node, op: ops.DFT) -> bool:
    """Compute the first half of the transform of real rows [..., length, 1]."""
    type_ = graph.type_of(node.inputs[0])
    length = type_.shape[-2] if type_.rank > 1 else 0
    if not isinstance(length, int) or not 1 < length <= _LONGEST or type_.shape[-1] != 1:
        return False
    rows = op.axis % type_.rank == type_.rank - 2 and op.length in (0, length)
    if not rows or not op.onesided or op.inverse or type_.dtype is not DType.FLOAT32:
        return False
    last = type_.rank - 1
    x = before(graph, node, ops.Squeeze(axes=(last,)), node.inputs[:1])
    parts = [
        before(graph, node, ops.Unsqueeze(axes=(last,)), [part])
        for part in _parts(graph, node, x, length)
    ]
    node.op, node.inputs = ops.Concat(axis=last), (parts[0], parts[1])
    return True
