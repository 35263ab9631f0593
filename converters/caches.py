"""Decoders whose keys and values come and go as inputs and outputs become ones that keep them.

Exporters write ``k = concat(past, new)`` and give k out as the present; GroupQueryAttention of ONNX
Runtime also counts the ones of a mask, to write new rows where a sequence ends. Here attention
appends to a cache of fixed capacity instead, and the model takes tokens and a position, as
`linnet.generate` feeds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from linnet import ops
from linnet.errors import LinnetError, UnsupportedError
from linnet.graph import Graph, Node
from linnet.ops.body import run_nodes
from linnet.ops.cache import STORED
from linnet.types import Array, DType, TensorType

from .passes import simplify
from .rewrite import Links, before

POSITION = "position"
_LEAST = -1e4
# Tokens at once and before, to try the model with.
_TRIALS = ((3, 2), (1, 4), (4, 0))


@dataclass(frozen=True, slots=True)
class _Kept:
    """Keys or values: the input and output that carry them, new rows, and where those begin.

    ``start`` is "" where they follow whatever was there.
    """

    past: str
    present: str
    new: str
    start: str = ""


@dataclass(frozen=True, slots=True)
class _Cache:
    """One attention and what it keeps."""

    node: Node
    key: _Kept
    value: _Kept

    @property
    def both(self) -> tuple[_Kept, _Kept]:
        """Keys and values."""
        return self.key, self.value


def keep_caches(graph: Graph, capacity: int, stored: str = "float32") -> int:
    """Let attention keep its keys and values; return how many do.

    Parameters
    ----------
    graph : Graph
        A converted decoder; changed in place. Its inputs become int64 tokens [1, L] and an int64
        position [1]; masks of ones and position ids, where it has them, are no longer asked for.
    capacity : int
        Most tokens of a text.
    stored : str
        What keys and values are stored as: "float32", "float16" or "int8".

    Raises
    ------
    UnsupportedError
        If it is none of those, the graph has no such keys and values, or its attention is not
        causal.
    """
    if stored not in STORED:
        raise UnsupportedError(f"a cache of {stored}; expected one of {STORED}")
    caches = _find(graph)
    if not caches:
        raise UnsupportedError(
            "no attention joins keys and values that are inputs with new ones, and gives them out"
        )
    kept = [part for cache in caches for part in cache.both]
    pasts = {part.past for part in kept}
    _check_causal(graph, caches, pasts)
    graph.add_input(POSITION, TensorType(DType.INT64, (1,)))
    _measure_pasts(graph, pasts)
    _know_starts(graph, {part.start for part in kept if part.start})
    for cache in caches:
        attention = cache.node.op
        assert isinstance(attention, ops.Attention)
        cache.node.op = ops.CachedAttention(
            capacity=capacity,
            scale=attention.scale,
            window=attention.window,
            softcap=attention.softcap,
            stored=stored,
        )
        cache.node.inputs = (cache.node.inputs[0], cache.key.new, cache.value.new, POSITION)
    gone = {part.present for part in kept}
    graph.outputs = [name for name in graph.outputs if name not in gone]
    _place_tokens(graph, pasts)
    graph.prune()
    _drop_inputs(graph, pasts)
    simplify(graph)
    return len(caches)


def _find(graph: Graph) -> list[_Cache]:
    links, found = Links(graph), []
    for node in graph.nodes:
        if not isinstance(node.op, ops.Attention) or node.op.heads_last:
            continue
        key, value = (_kept(graph, links, name) for name in node.inputs[1:3])
        if key is not None and value is not None:
            found.append(_Cache(node, key, value))
    return found


def _kept(graph: Graph, links: Links, present: str) -> _Kept | None:
    """Return how keys or values come about, None where it is no input joined with new rows."""
    past, new, start = present, "", ""
    scatter = links.maker(past, ops.TensorScatter)
    if scatter is not None and scatter.op in (ops.TensorScatter(axis=2), ops.TensorScatter()):
        past, new, start = scatter.inputs
    join = links.maker(past, ops.Concat)
    if join is not None and join.op in (ops.Concat(axis=2), ops.Concat(axis=-2)):
        if len(join.inputs) != 2 or new not in ("", join.inputs[1]):
            return None
        past, new = join.inputs
    if not new or past not in graph.inputs or present not in graph.outputs:
        return None
    return _Kept(past, present, new, start)


def _know_starts(graph: Graph, starts: set[str]) -> None:
    """Let what reads how many rows came before in each sequence read the position."""
    for node in graph.nodes:
        node.inputs = tuple(POSITION if name in starts else name for name in node.inputs)


def _feeds(graph: Graph, pasts: Iterable[str], length: int, start: int) -> dict[str, Array]:
    """Return inputs of a text: tokens of zero, masks of ones, positions, random keys and values."""
    rng, feeds = np.random.default_rng(0), {}
    for name in graph.inputs:
        type_ = graph.type_of(name)
        if name in pasts:
            sizes = [dim if isinstance(dim, int) else 1 for dim in type_.shape]
            shape = (1, sizes[1], start, sizes[3])
            feeds[name] = rng.standard_normal(shape).astype(type_.dtype.numpy)
        elif "mask" in name:
            feeds[name] = np.ones((1, start + length), type_.dtype.numpy)
        else:
            first = np.arange(start, start + length) if "position" in name else np.zeros(length)
            feeds[name] = first.reshape((1, length)).astype(type_.dtype.numpy)
    return feeds


def _check_causal(graph: Graph, caches: list[_Cache], pasts: set[str]) -> None:
    """Try what the masks of attention hide."""
    for cache in caches:
        mask = (*cache.node.inputs, "")[3]
        op = cache.node.op
        assert isinstance(op, ops.Attention)
        for length, start in _TRIALS:
            keys = np.arange(start + length)
            wanted = keys <= np.arange(length)[:, None] + start
            if mask:
                part = graph.copy()
                part.outputs = [mask]
                part.prune()
                readers = part.consumers()
                part.inputs = [n for n in part.inputs if readers.get(n)]
                try:
                    given = _feeds(part, pasts, length, start)
                    found = np.asarray(run_nodes(part, given)[mask])
                except (LinnetError, ValueError, TypeError) as error:
                    raise UnsupportedError(f"{cache.node}: its mask needs more: {error}") from None
                seen = found if found.dtype == np.bool_ else found > _LEAST
                seen = np.broadcast_to(seen, (*seen.shape[:-2], length, start + length))
            else:
                seen = wanted if op.causal and op.from_end else np.ones_like(wanted)
            if not (seen == wanted).all():
                raise UnsupportedError(
                    f"{cache.node} with {start} tokens before sees other keys than those up to its "
                    "own; only causal attention keeps its keys"
                )


def _measure_pasts(graph: Graph, pasts: set[str]) -> None:
    """Let what reads the length of keys that came before read the position."""
    for node in list(graph.nodes):
        if not isinstance(node.op, ops.Shape) or node.inputs[0] not in pasts:
            continue
        dims = graph.type_of(node.inputs[0]).shape
        parts = [
            POSITION if axis == 2 else _vector(graph, node.name, dim if isinstance(dim, int) else 1)
            for axis, dim in enumerate(dims)
        ][node.op.start : node.op.end]
        node.op, node.inputs = ops.Concat(axis=0), tuple(parts)


def _vector(graph: Graph, stem: str, number: int) -> str:
    return graph.add_constant(f"{stem}/size", np.array([number], np.int64))


def _place_tokens(graph: Graph, pasts: set[str]) -> None:
    """Make the ids of positions from the position and the number of tokens."""
    ids = [n for n in graph.inputs if "position" in n and n != POSITION and n not in pasts]
    readers = graph.consumers()
    tokens = _tokens(graph, pasts)
    for name in ids:
        if not readers.get(name):
            continue
        first = readers[name][0]
        length = before(graph, first, ops.Shape(start=1, end=2), [tokens])
        count = before(graph, first, ops.Squeeze(axes=(0,)), [length])
        numbers = [graph.add_constant("number", np.array(n, np.int64)) for n in (0, 1)]
        steps = before(graph, first, ops.Range(), [numbers[0], count, numbers[1]])
        at = before(graph, first, ops.Add(), [steps, POSITION])
        row = before(graph, first, ops.Unsqueeze(axes=(0,)), [at])
        for node in readers[name]:
            node.inputs = tuple(row if i == name else i for i in node.inputs)


def _tokens(graph: Graph, pasts: set[str]) -> str:
    """Return the input of tokens: the one of integers that is no mask and no position."""
    names = [
        name
        for name in graph.inputs
        if name not in pasts and "mask" not in name and "position" not in name
    ]
    if len(names) != 1:
        raise UnsupportedError(f"inputs {names}: expected tokens alone beside keys and values")
    return names[0]


def _drop_inputs(graph: Graph, pasts: set[str]) -> None:
    """Remove inputs that nothing reads any more."""
    readers = graph.consumers()
    tokens = _tokens(graph, pasts)
    for name in list(graph.inputs):
        if name in (tokens, POSITION):
            continue
        if readers.get(name):
            raise UnsupportedError(
                f"{readers[name][0]} still reads '{name}'; expected attention only"
            )
        graph.inputs.remove(name)
        del graph.values[name]
    graph.values[tokens].type = TensorType(DType.INT64, (1, graph.type_of(tokens).shape[1]))
