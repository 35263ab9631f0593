"""Integer vectors as dimensions: what a graph computes from shapes, followed symbolically.

A value like ``Concat(Shape(x)[0:1], [-1, 64])`` has the entries ``("n", -1, 64)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linnet import dims, ops
from linnet.graph import Graph, Node
from linnet.types import Array, Dim, DType

Entries = tuple[Dim, ...]
_LONGEST = 64
_SAME = (ops.Cast, ops.Identity, ops.Reshape, ops.Squeeze, ops.Unsqueeze)
_COMPUTED: dict[type[ops.Op], Callable[[Dim, Dim], Dim | None]] = {
    ops.Add: dims.add,
    ops.Div: lambda left, right: _divided(left, right),
    ops.FloorDiv: lambda left, right: _divided(left, right),
    ops.Mul: dims.mul,
    ops.Sub: lambda left, right: dims.add(left, -right) if isinstance(right, int) else None,
}


def follow(graph: Graph) -> dict[str, Entries]:
    """Return the entries of every integer vector or scalar of a graph that can be followed."""
    known: dict[str, Entries] = {}
    for node in graph.nodes:
        note(graph, node, known)
    return known


def note(graph: Graph, node: Node, known: dict[str, Entries]) -> None:
    """Add the entries of a node's output to those known, if they follow from its inputs."""
    if len(node.outputs) != 1 or not node.outputs[0]:
        return
    type_ = graph.type_of(node.outputs[0])
    if type_.rank > 1 or type_.dtype not in (DType.INT64, DType.INT32) or type_.is_quantized:
        return
    entries = _entries(graph, node, known)
    if entries is not None and len(entries) <= _LONGEST:
        known[node.outputs[0]] = entries


def number(graph: Graph, name: str, known: dict[str, Entries]) -> Array | None:
    """Return the content of a value all of whose entries are numbers, None for others."""
    entries, type_ = known.get(name), graph.type_of(name)
    if entries is None or not type_.is_static or type_.size != len(entries):
        return None
    if not all(isinstance(entry, int) for entry in entries):
        return None
    return np.array(entries, type_.dtype.numpy).reshape(type_.static_shape)


def token(name: str, axis: int, dim: Dim) -> Dim:
    """Return a dimension; one that only the data tells is told apart by where it stands."""
    return f"{name}?{axis}" if isinstance(dim, str) and "?" in dim else dim


def _entries(graph: Graph, node: Node, known: dict[str, Entries]) -> Entries | None:
    op = node.op
    if isinstance(op, ops.Shape):
        name = node.inputs[0]
        shape = graph.type_of(name).shape
        return tuple(token(name, axis, dim) for axis, dim in enumerate(shape))[op.start : op.end]
    given = [_read(graph, name, known) for name in node.inputs if name]
    if not given or given[0] is None:
        return None
    if isinstance(op, _SAME):
        return given[0]
    if isinstance(op, ops.Gather):
        return _gathered(given[0], graph.constant(node.inputs[1]))
    if isinstance(op, ops.Slice):
        return _sliced(op, given[0])
    parts = [item for item in given if item is not None]
    if len(parts) < len(given):
        return None
    if isinstance(op, ops.Concat):
        return tuple(dim for part in parts for dim in part)
    function = _COMPUTED.get(type(op))
    return _elementwise(function, parts[0], parts[1]) if function is not None else None


def _read(graph: Graph, name: str, known: dict[str, Entries]) -> Entries | None:
    """Return a value's entries: of a constant, or followed."""
    data = graph.constant(name)
    if data is None:
        return known.get(name)
    if data.ndim > 1 or data.dtype.kind != "i" or data.size > _LONGEST:
        return None
    return tuple(int(item) for item in data.reshape(-1))


def _gathered(entries: Entries, indices: Array | None) -> Entries | None:
    if indices is None or any(not -len(entries) <= i < len(entries) for i in indices.reshape(-1)):
        return None
    return tuple(entries[int(i)] for i in indices.reshape(-1))


def _sliced(op: ops.Slice, entries: Entries) -> Entries | None:
    if op.starts is None or op.ends is None or len(op.starts) != 1:
        return None
    step = op.steps[0] if op.steps else 1
    return entries[op.starts[0] : op.ends[0] : step] if step > 0 else None


def _elementwise(
    function: Callable[[Dim, Dim], Dim | None], left: Entries, right: Entries
) -> Entries | None:
    if len(left) != len(right) and 1 not in (len(left), len(right)):
        return None
    count = max(len(left), len(right)) if left and right else 0
    made = [
        function(left[i % len(left)] if left else 0, right[i % len(right)] if right else 0)
        for i in range(count)
    ]
    found = tuple(dim for dim in made if dim is not None)
    return found if len(found) == count else None


def _divided(left: Dim, right: Dim) -> Dim | None:
    """Return left // right where no sign or zero makes truncation differ."""
    if right == 0 or (isinstance(left, int) and left < 0) or (isinstance(right, int) and right < 0):
        return None
    return dims.floor_div(left, right)
