"""Rotary position embedding, written as products with cosines and sines, becomes one operator."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, before, new_constant
from linnet.graph import Graph, Node
from linnet.ops import Op
from linnet.types import Array, Shape

from .families import VIEWS

_END = np.iinfo(np.int32).max
_HEADS = ops.Transpose(perm=(0, 2, 1, 3))


def fuse_rotary(graph: Graph) -> int:
    """Replace x cos + rotated(x) sin on heads by one operator; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        if node.op == ops.Add() and _fuse(graph, links, node):
            graph.prune()
            links.refresh()
            changes += 1
    return changes


class _Turned(NamedTuple):
    """A product of x, its pairs turned by a quarter, with sines."""

    x: str
    sine: str
    interleaved: bool


def _fuse(graph: Graph, links: Links, node: Node) -> bool:
    type_ = graph.type_of(node.outputs[0])
    if type_.rank != 4 or not type_.dtype.is_float:
        return False
    makers = [links.maker(name, ops.Mul) for name in node.inputs]
    for plain, turned in (makers, makers[::-1]):
        if plain is None or turned is None or plain.op != ops.Mul() or turned.op != ops.Mul():
            continue
        found = _turned(graph, links, turned)
        if found is None or found.x not in plain.inputs:
            continue
        cosine = plain.inputs[1 - plain.inputs.index(found.x)]
        half = graph.type_of(found.x).shape[3]
        assert isinstance(half, int)
        heads_last = _heads_last(graph.type_of(cosine).shape)
        tables = [
            _table(graph, links, node, name, half // 2, found.interleaved)
            for name in (cosine, found.sine)
            if _heads_last(graph.type_of(name).shape) == heads_last
        ]
        if len(tables) == 2 and None not in tables:
            op = ops.RotaryEmbedding(interleaved=found.interleaved, heads_last=heads_last)
            whole, heads = _whole(graph, links, node, found.x, heads_last)
            _replace(graph, whole, op, heads, [name for name in tables if name is not None])
            return True
    return False


def _heads_last(shape: Shape) -> bool:
    """Whether a table of angles goes with rows before heads, [1, L, 1, D] or [L, 1, D]."""
    return len(shape) in (3, 4) and shape[-2] == 1 and shape[-3] != 1


class _Heads(NamedTuple):
    """Heads to turn, and whether a transpose exchanged rows and heads before they were."""

    name: str
    moved: bool


def _heads(links: Links, name: str, heads_last: bool) -> _Heads:
    maker = links.maker(name, ops.Transpose)
    if heads_last or maker is None or maker.op != _HEADS:
        return _Heads(name, False)
    return _Heads(maker.inputs[0], True)


def _whole(graph: Graph, links: Links, node: Node, x: str, heads_last: bool) -> tuple[Node, _Heads]:
    """Return the join of turned and other numbers of heads, and the heads, where x is a part."""
    turned, readers = _heads(links, x, heads_last), links.readers[node.outputs[0]]
    part = _part(graph, links, turned.name)
    joined = readers[0] if len(readers) == 1 and node.outputs[0] not in links.kept else None
    if part is None or part[1] != 0 or joined is None or not _last(graph, joined):
        return node, turned
    if len(joined.inputs) != 2 or joined.inputs[0] != node.outputs[0]:
        return node, turned
    other = _heads(links, joined.inputs[1], heads_last)
    depth = graph.type_of(part[0]).shape[3]
    fits = other.moved == turned.moved and _part(graph, links, other.name) == (*part[::2], depth)
    return (joined, _Heads(part[0], turned.moved)) if fits else (node, turned)


def _replace(
    graph: Graph, node: Node, op: ops.RotaryEmbedding, heads: _Heads, tables: list[str]
) -> None:
    """Let a node become the operator, before a transpose where its heads come from one."""
    start = new_constant(graph, node.outputs[0], np.zeros(1, np.int64))
    inputs = [heads.name, *tables, start]
    if not heads.moved:
        node.op, node.inputs = op, tuple(inputs)
        return
    inner = before(graph, node, msgspec.structs.replace(op, heads_last=True), inputs)
    node.op, node.inputs = _HEADS, (inner,)


def _turned(graph: Graph, links: Links, node: Node) -> _Turned | None:
    """Match a product with (-x[half:], x[:half]), or with neighbors exchanged like that."""
    for index in (0, 1):
        name, sine = node.inputs[index], node.inputs[1 - index]
        joined = links.maker(name, ops.Concat)
        pairs = links.maker(name, ops.Reshape)
        if joined is not None:
            found = _exchanged(graph, links, joined)
            if found:
                return _Turned(found, sine, False)
        elif pairs is not None:
            joined = links.maker(pairs.inputs[0], ops.Concat)
            same = joined is not None and graph.type_of(name).rank == 4
            found = _neighbors(graph, links, joined) if joined is not None and same else ""
            if found and graph.type_of(found).shape[3] == graph.type_of(name).shape[3]:
                return _Turned(found, sine, True)
    return None


def _exchanged(graph: Graph, links: Links, joined: Node) -> str:
    """Return x where a join is that of -x[half:] and x[:half], "" for others."""
    if len(joined.inputs) != 2 or not _last(graph, joined):
        return ""
    negated, first = links.maker(joined.inputs[0], ops.Neg), joined.inputs[1]
    low = _part(graph, links, first)
    high = _part(graph, links, negated.inputs[0]) if negated is not None else None
    if low is None or high is None or low[0] != high[0]:
        return ""
    depth = graph.type_of(low[0]).shape[3]
    fits = isinstance(depth, int) and low[1:] == (0, depth // 2) and high[1:] == (depth // 2, depth)
    return low[0] if fits else ""


def _neighbors(graph: Graph, links: Links, joined: Node) -> str:
    """Return x where a join stacks -x[1::2] and x[0::2] as pairs, "" for others."""
    if len(joined.inputs) != 2 or not _last(graph, joined):
        return ""
    stacked = [links.maker(name, *VIEWS) for name in joined.inputs]
    if any(s is None or graph.type_of(s.outputs[0]).shape[-1:] != (1,) for s in stacked):
        return ""
    odd, even = (s.inputs[0] for s in stacked if s is not None)
    negated = links.maker(odd, ops.Neg)
    halves = [links.maker(name, ops.Slice) for name in (negated.inputs[0] if negated else "", even)]
    parts = [(h.inputs[0], _bounds(graph, h)) for h in halves if h is not None]
    if len(parts) < 2 or parts[0][0] != parts[1][0]:
        return ""
    depth = graph.type_of(parts[0][0]).shape[-1]
    starts = [b[0] for _, b in parts if b is not None and b[2] == 2 and b[1] >= depth - 1]  # type: ignore[operator]
    return parts[0][0] if starts == [1, 0] else ""


def _last(graph: Graph, node: Node) -> bool:
    """Whether a join is along the last axis."""
    rank = graph.type_of(node.outputs[0]).rank
    return node.op in (ops.Concat(axis=rank - 1), ops.Concat(axis=-1))


def _part(graph: Graph, links: Links, name: str) -> tuple[str, int, int] | None:
    """Return x, begin and end where a value is a part of the last axis."""
    split = links.maker(name, ops.Split)
    if split is not None and isinstance(split.op, ops.Split):
        sizes = [graph.type_of(output).shape[-1] for output in split.outputs]
        if split.op.axis % 4 != 3 or not all(isinstance(size, int) for size in sizes):
            return None
        begin = sum(int(size) for size in sizes[: split.outputs.index(name)])
        return split.inputs[0], begin, begin + int(graph.type_of(name).shape[-1])
    cut = links.maker(name, ops.Slice)
    if cut is None or not isinstance(cut.op, ops.Slice):
        return None
    depth, bounds = graph.type_of(cut.inputs[0]).shape[-1], _bounds(graph, cut)
    if bounds is None or bounds[2] != 1 or not isinstance(depth, int):
        return None
    begin, end, _ = slice(bounds[0], min(bounds[1], _END)).indices(depth)
    return cut.inputs[0], begin, end


def _bounds(graph: Graph, node: Node) -> tuple[int, int, int] | None:
    """Return begin, end and step of a slice of the last of four axes alone."""
    op = node.op
    assert isinstance(op, ops.Slice)
    known = [op.starts, op.ends, op.axes, op.steps]
    for index, name in enumerate(node.inputs[1:]):
        data = graph.constant(name) if name else None
        if data is not None:
            known[index] = tuple(int(item) for item in data.reshape(-1))
    starts, ends, axes, steps = known
    if starts is None or ends is None or len(starts) != 1 or axes not in ((3,), (-1,)):
        return None
    return starts[0], ends[0], 1 if steps is None else steps[0]


def _table(
    graph: Graph, links: Links, node: Node, name: str, half: int, interleaved: bool
) -> str | None:
    """Return a table [positions, half] of cosines or sines that has every one of them twice."""
    shape = graph.type_of(name).shape
    rows = shape[-3] if _heads_last(shape) else shape[-2] if len(shape) > 1 else 1
    others = [dim for dim in shape[:-1] if dim != 1]
    if shape[-1] != 2 * half or len(others) > 1 or others not in ([], [rows]):
        return None
    data = graph.constant(name)
    while data is None:
        maker = links.maker(name, *VIEWS)
        if maker is None or graph.type_of(maker.inputs[0]).shape[-1] != 2 * half:
            break
        name = maker.inputs[0]
        data = graph.constant(name)
    if data is not None:
        first = _first_of_two(data.reshape(-1, 2 * half), interleaved)
        return None if first is None else new_constant(graph, name, first)
    found = _halved(graph, links, node, name, half, interleaved)
    return before(graph, node, ops.Reshape(shape=(-1, half)), [found]) if found else None


def _first_of_two(table: Array, interleaved: bool) -> Array | None:
    """Return every angle once where a table has it twice, one beside the other or by halves."""
    half = table.shape[1] // 2
    first, second = (
        (table[:, 0::2], table[:, 1::2]) if interleaved else (table[:, :half], table[:, half:])
    )
    return first.copy() if np.array_equal(first, second) else None


def _halved(
    graph: Graph, links: Links, node: Node, name: str, half: int, interleaved: bool
) -> str | None:
    """Return the angles once of a function of them twice, or of rows of a known table."""
    maker = links.maker(name, ops.Cos, ops.Sin, ops.Gather)
    if maker is None:
        return _once(graph, links, name, half) if interleaved else None
    op: Op = maker.op
    if isinstance(op, ops.Gather):
        table = graph.constant(maker.inputs[0])
        if table is None or table.ndim != 2 or op != ops.Gather():
            return None
        first = _first_of_two(table, interleaved)
        if first is None:
            return None
        rows = new_constant(graph, maker.inputs[0], first)
        return before(graph, node, op, [rows, maker.inputs[1]])
    if interleaved:
        angles = _once(graph, links, maker.inputs[0], half)
        return before(graph, node, op, [angles]) if angles else None
    joined = links.maker(maker.inputs[0], ops.Concat)
    if joined is None or not _last(graph, joined) or len(joined.inputs) != 2:
        return None
    if joined.inputs[0] != joined.inputs[1]:
        return None
    return before(graph, node, op, [joined.inputs[0]])


def _once(graph: Graph, links: Links, name: str, half: int) -> str | None:
    """Return [.., half] of a value that repeats each of its numbers, by way of [.., half, 2]."""
    flat = links.maker(name, ops.Reshape)
    wide = links.maker(flat.inputs[0], ops.Expand) if flat is not None else None
    single = links.maker(wide.inputs[0], *VIEWS) if wide is not None else None
    if single is None or wide is None:
        return None
    if graph.type_of(wide.outputs[0]).shape[-2:] != (half, 2):
        return None
    if graph.type_of(single.outputs[0]).shape[-2:] != (half, 1):
        return None
    source = single.inputs[0]
    return source if graph.type_of(source).shape[-1] == half else None
