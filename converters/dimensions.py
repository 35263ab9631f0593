"""Integer vectors as dimensions: what a graph computes from shapes, followed symbolically.

A value like ``Concat(Shape(x)[0:1], [-1, 64])`` has the entries ``("n", -1, 64)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linnet import dims, ops
from linnet.converters.rewrite import made_up
from linnet.graph import Graph, Node
from linnet.types import Array, Dim, DType

Entries = tuple[Dim, ...]
_LONGEST = 64
_FOLLOWED = (DType.INT64, DType.INT32, DType.BOOL)
_SAME = (ops.Cast, ops.Identity, ops.Reshape, ops.Squeeze, ops.Unsqueeze)
# Outputs in the shape of the first input, in that of it but for the last dimension, of a broadcast.
_ALIKE: tuple[type[ops.Op], ...] = (
    ops.Cast,
    ops.Clip,
    ops.Gelu,
    ops.LayerNormalization,
    ops.RMSNormalization,
    ops.RotaryEmbedding,
    ops.Silu,
    ops.Swish,
    ops.Softmax,
    ops.Tanh,
)
_LAYERS = (ops.FullyConnected, ops.DynamicLinear, ops.BlockLinear)
_PAIRS = (ops.Add, ops.Div, ops.Mul, ops.Sub)
_COMPUTED: dict[type[ops.Op], Callable[[Dim, Dim], Dim | None]] = {
    ops.Add: dims.add,
    ops.Div: lambda left, right: _divided(left, right),
    ops.Equal: lambda left, right: _equal(left, right),
    ops.FloorDiv: lambda left, right: _divided(left, right),
    ops.Mul: dims.mul,
    ops.Sub: lambda left, right: dims.add(left, -right) if isinstance(right, int) else None,
}


class Known(dict[str, Entries]):
    """The entries of integer vectors by name, and the shapes of tensors.

    A dimension that only the data tells is a token of where it first stood: values that have it
    from the same source share the token.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[str, Entries] = {}

    def shape(self, graph: Graph, name: str) -> Entries:
        """Return a value's shape with tokens."""
        declared = graph.type_of(name).shape
        kept = self.shapes.get(name, ())
        if len(kept) != len(declared):
            return tuple(token(name, axis, dim) for axis, dim in enumerate(declared))
        pairs = zip(declared, kept, strict=True)
        return tuple(old if made_up(dim) else dim for dim, old in pairs)


def follow(graph: Graph) -> Known:
    """Return the entries of every integer vector or scalar of a graph that can be followed."""
    known = Known()
    for node in graph.nodes:
        note(graph, node, known)
    return known


def note(graph: Graph, node: Node, known: Known) -> None:
    """Add the entries of a node's output to those known, if they follow from its inputs."""
    if len(node.outputs) != 1 or not node.outputs[0]:
        return
    shape = _carried(graph, node, known)
    if shape is not None:
        known.shapes[node.outputs[0]] = shape
    type_ = graph.type_of(node.outputs[0])
    if type_.rank > 1 or type_.dtype not in _FOLLOWED or type_.is_quantized:
        return
    entries = _entries(graph, node, known)
    if entries is not None and len(entries) <= _LONGEST:
        known[node.outputs[0]] = entries


def number(graph: Graph, name: str, known: Known) -> Array | None:
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


def _carried(graph: Graph, node: Node, known: Known) -> Entries | None:
    """Return an output's shape where its open dimensions are those of inputs, else None."""
    declared = graph.type_of(node.outputs[0]).shape
    if not any(made_up(dim) for dim in declared):
        return None
    op = node.op
    shapes = [known.shape(graph, name) for name in node.inputs if name]
    made: Entries | None = None
    if isinstance(op, _ALIKE):
        made = shapes[0]
    elif isinstance(op, _LAYERS):
        made = (*shapes[0][:-1], declared[-1])
    elif isinstance(op, ops.Transpose):
        made = tuple(shapes[0][axis] for axis in op.perm)
    elif isinstance(op, ops.Attention):
        made = (*shapes[0][:3], shapes[2][3])
    elif isinstance(op, ops.MatMul) and op == ops.MatMul() and shapes[0][:-2] == shapes[1][:-2]:
        made = (*shapes[0][:-1], shapes[1][-1])
    elif isinstance(op, _PAIRS):
        made = _joined(shapes)
    elif isinstance(op, ops.Reshape) and op.shape is not None and not op.allow_zero:
        own = tuple(token(node.outputs[0], axis, dim) for axis, dim in enumerate(declared))
        copied = enumerate(zip(op.shape, own, strict=False))
        made = tuple(shapes[0][axis] if dim == 0 else other for axis, (dim, other) in copied)
    return made if made is not None and len(made) == len(declared) else None


def _joined(shapes: list[Entries]) -> Entries | None:
    """Return the broadcast of shapes that are equal but for leading dimensions of one."""
    longest = max(shapes, key=len)
    for shape in shapes:
        tail = longest[len(longest) - len(shape) :]
        if any(dim not in (1, whole) for dim, whole in zip(shape, tail, strict=True)):
            return None
    return longest


def _entries(graph: Graph, node: Node, known: Known) -> Entries | None:
    op = node.op
    if isinstance(op, ops.Shape):
        return known.shape(graph, node.inputs[0])[op.start : op.end]
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
    if isinstance(op, ops.Where) and len({len(part) for part in parts}) == 1:
        return tuple(x if seen else y for seen, x, y in zip(*parts, strict=True))
    function = _COMPUTED.get(type(op))
    return _elementwise(function, parts[0], parts[1]) if function is not None else None


def _read(graph: Graph, name: str, known: Known) -> Entries | None:
    """Return a value's entries: of a constant, or followed."""
    data = graph.constant(name)
    if data is None:
        return known.get(name)
    if data.ndim > 1 or data.dtype.kind not in "ib" or data.size > _LONGEST:
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


def _equal(left: Dim, right: Dim) -> Dim | None:
    """Return 1 or 0 where it is known whether dimensions are equal: none is below zero."""
    if isinstance(left, int) and isinstance(right, int):
        return int(left == right)
    negative = any(isinstance(dim, int) and dim < 0 for dim in (left, right))
    return 1 if left == right else 0 if negative else None
