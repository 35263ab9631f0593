"""Attention as exporters and ONNX Runtime's optimizer write it: one op on heads, and its caches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import DType

from .node import OnnxNode
from .registry import MICROSOFT, handles


@dataclass(slots=True)
class Heads:
    """Queries, keys and values as [batch, heads, rows, depth], and what was kept of both."""

    q: str
    k: str
    v: str
    past: str = ""


def _reshape(node: OnnxNode, name: str, *shape: int) -> str:
    return node.emit(ops.Reshape(shape=shape), name)


def _swap(node: OnnxNode, name: str) -> str:
    """Return rows and heads exchanged."""
    return node.emit(ops.Transpose(perm=(0, 2, 1, 3)), name)


def split_heads(node: OnnxNode, name: str, heads: int) -> str:
    """Return [batch, rows, heads * depth] as [batch, heads, rows, depth]."""
    width = node.graph.type_of(name).shape[2]
    if heads < 1 or (isinstance(width, int) and width % heads):
        raise FormatError(f"{width} values of {heads} heads")
    depth = width // heads if isinstance(width, int) else -1
    return _swap(node, _reshape(node, name, 0, 0, heads, depth))


def join_heads(node: OnnxNode, name: str) -> str:
    """Return [batch, heads, rows, depth] as [batch, rows, heads * depth]."""
    _, heads, _, depth = node.graph.type_of(name).shape
    width = heads * depth if isinstance(heads, int) and isinstance(depth, int) else -1
    return _reshape(node, _swap(node, name), 0, 0, width)


def _pieces(node: OnnxNode, name: str, axis: int, sizes: tuple[int, ...]) -> list[str]:
    """Return the pieces of a value along an axis."""
    begins = np.cumsum((0, *sizes))
    return [
        node.emit(ops.Slice(starts=(int(b),), ends=(int(b) + s,), axes=(axis,), steps=(1,)), name)
        for b, s in zip(begins, sizes, strict=False)
    ]


def _kept(node: OnnxNode, heads: Heads, key: int, value: int) -> None:
    """Put the keys and values of earlier runs before the new ones."""
    if not node.optional(key):
        return
    heads.past = node.input(key)
    heads.k = node.emit(ops.Concat(axis=2), heads.past, heads.k)
    heads.v = node.emit(ops.Concat(axis=2), node.input(value), heads.v)


def _factor(node: OnnxNode) -> float | None:
    """Return the factor on products; 0 and absence mean 1 / sqrt(depth)."""
    return node.real("scale", 0.0) or None


def _length(node: OnnxNode, name: str, axis: int) -> str:
    """Return the length of an axis as one int64."""
    return node.emit(ops.Shape(start=axis, end=axis + 1), name)


def _attend(node: OnnxNode, op: ops.Op, heads: Heads, mask: str = "", lengths: str = "") -> str:
    inputs = [heads.q, heads.k, heads.v, mask, lengths]
    while not inputs[-1]:
        inputs.pop()
    return node.emit(op, *inputs)


# The standard operator


@handles("Attention")
def attention(node: OnnxNode) -> None:
    """Opset 23 on; with the scores as an output it is done in steps."""
    if node.narrow(0):
        raise UnsupportedError("attention on narrow floats in a form that ONNX does not expand")
    flat = node.rank() == 3
    names = [node.input(i) for i in range(3)]
    if flat:
        counts = [node.integer("q_num_heads", 0)] + [node.integer("kv_num_heads", 0)] * 2
        names = [split_heads(node, n, c) for n, c in zip(names, counts, strict=True)]
    heads = Heads(*names)
    rows = [node.graph.type_of(name).shape[2] for name in (heads.q, heads.k)]
    _kept(node, heads, 4, 5)
    causal, lengths = bool(node.integer("is_causal", 0)), ""
    if node.optional(6):
        lengths = node.emit(ops.Cast(to=DType.INT64), node.input(6))
    mask = _padded_mask(node, heads)
    window = _window(node, causal)
    aligned = rows[0] == rows[1] or not heads.past or not (causal or window)
    if node.wants(3) or window is None or not aligned:
        made, scores = _in_steps(node, heads, mask, lengths)
    else:
        op = ops.Attention(
            scale=_factor(node),
            causal=causal,
            from_end=bool(heads.past or lengths),
            window=window,
            softcap=node.real("softcap", 0.0),
        )
        made, scores = _attend(node, op, heads, mask, lengths), ""
    if flat:
        made = join_heads(node, made)
    node.give(made, heads.k, heads.v, scores)


def _window(node: OnnxNode, causal: bool) -> int | None:
    """Return the op's window; None where the node's is none that the op has."""
    left = node.integer("left_window_size", -1)
    right = node.integer("right_window_size", -1)
    if left < 0 and (right < 0 or causal):
        return 0
    if left >= 0 and ((causal and right != 0) or right == left):
        return left + 1
    return None


def _padded_mask(node: OnnxNode, heads: Heads) -> str:
    """Return the mask with keys that it does not speak of hidden."""
    mask = node.optional(3)
    if not mask:
        return ""
    type_ = node.graph.type_of(mask)
    last, keys = type_.shape[-1], node.graph.type_of(heads.k).shape[2]
    if last == keys or not (isinstance(last, int) and isinstance(keys, int)):
        return mask
    hides = type_.dtype == DType.BOOL
    fill = node.constant_like(np.array(False if hides else -np.inf, type_.dtype.numpy), "hidden")
    shape = node.constant_like(
        np.array([*[1] * (type_.rank - 1), keys - last], np.int64), "hidden_shape"
    )
    more = node.emit(ops.Expand(), fill, shape)
    if type_.rank > 1:
        leading = node.emit(ops.Shape(start=0, end=type_.rank - 1), mask)
        width = node.constant_like(np.array([keys - last], np.int64), "hidden_keys")
        more = node.emit(ops.Expand(), fill, node.emit(ops.Concat(axis=0), leading, width))
    return node.emit(ops.Concat(axis=type_.rank - 1), mask, more)


def _in_steps(node: OnnxNode, heads: Heads, mask: str, lengths: str) -> tuple[str, str]:
    """Return the result and the scores of the stage that the node's mode names."""
    q, k, v = heads.q, heads.k, heads.v
    dtype = node.graph.type_of(q).dtype
    counts = [node.graph.type_of(name).shape[1] for name in (q, k)]
    if counts[0] != counts[1]:
        if not all(isinstance(c, int) for c in counts):
            raise UnsupportedError(f"{counts} heads that only a run knows")
        places = np.repeat(np.arange(int(counts[1])), int(counts[0]) // int(counts[1]))
        index = node.constant_like(places.astype(np.int64), "heads")
        k, v = (node.emit(ops.Gather(axis=1), name, index) for name in (k, v))
    depth = node.graph.type_of(q).shape[3]
    factor = _factor(node) or (float(depth) ** -0.5 if isinstance(depth, int) else 0.0)
    if not factor:
        raise UnsupportedError("a depth of heads that only a run knows; give a scale")
    number = node.constant_like(np.array(factor, dtype.numpy), "scale")
    scores = node.emit(ops.MatMul(transpose_b=True), node.emit(ops.Mul(), q, number), k)
    stages = {0: scores}
    cap = node.real("softcap", 0.0)
    if cap > 0:
        limit = node.constant_like(np.array(cap, dtype.numpy), "softcap")
        scaled = node.emit(ops.Tanh(), node.emit(ops.Div(), scores, limit))
        scores = node.emit(ops.Mul(), scaled, limit)
    stages[1] = scores
    scores = _masked(node, heads, scores, mask, lengths)
    stages[2] = scores
    weights = _weights(node, scores)
    stages[3] = weights
    mode = node.integer("qk_matmul_output_mode", 0)
    if mode not in stages:
        raise FormatError(f"qk_matmul_output_mode is {mode}")
    return node.emit(ops.MatMul(), weights, v), stages[mode]


def _weights(node: OnnxNode, scores: str) -> str:
    """Return the softmax over keys, zeros where a query sees none."""
    dtype = node.graph.type_of(scores).dtype
    low = node.constant_like(np.array(-np.inf, dtype.numpy), "low")
    zero = node.constant_like(np.array(0, dtype.numpy), "nothing")
    peak = node.emit(ops.ReduceMax(axes=(3,), keepdims=True), scores)
    blind = node.emit(ops.Equal(), peak, low)
    open_ = node.emit(ops.Where(), blind, zero, scores)
    return node.emit(ops.Where(), blind, zero, node.emit(ops.Softmax(axis=-1), open_))


def _masked(node: OnnxNode, heads: Heads, scores: str, mask: str, lengths: str) -> str:
    """Return scores with the mask added and hidden keys at minus infinity."""
    dtype = node.graph.type_of(scores).dtype
    low = node.constant_like(np.array(-np.inf, dtype.numpy), "low")
    if mask and node.graph.type_of(mask).dtype == DType.BOOL:
        scores = node.emit(ops.Where(), mask, scores, low)
    elif mask:
        scores = node.emit(ops.Add(), scores, mask)
    keys = node.counted_rows(heads.k, 2)
    queries = _reshape(node, node.counted_rows(heads.q, 2), -1, 1)
    if lengths:
        count = _length(node, heads.q, 2)
        ends = _reshape(node, lengths, -1, 1, 1, 1)
        scores = node.emit(ops.Where(), node.emit(ops.Less(), keys, ends), scores, low)
        first = node.emit(ops.Sub(), ends, count)
    else:
        first = node.constant_like(np.zeros(1, np.int64), "first")
        if heads.past:
            first = _length(node, heads.past, 2)
    at = node.emit(ops.Add(), queries, first)
    if node.integer("is_causal", 0):
        seen = node.emit(ops.LessOrEqual(), keys, at)
        scores = node.emit(ops.Where(), seen, scores, low)
    for name, order in (("left_window_size", (at, keys)), ("right_window_size", (keys, at))):
        size = node.integer(name, -1)
        if size >= 0:
            limit = node.constant_like(np.array(size, np.int64), name)
            away = node.emit(ops.Sub(), *order)
            seen = node.emit(ops.LessOrEqual(), away, limit)
            scores = node.emit(ops.Where(), seen, scores, low)
    return scores


# Rotary positions


def rotated(node: OnnxNode, x: str, tables: tuple[str, str], places: str, interleaved: bool) -> str:
    """Turn pairs of each head by the angles of its rows' positions.

    Parameters
    ----------
    node : OnnxNode
    x : str
        [batch, heads, rows, depth].
    tables : tuple of str
        Cosines and sines [positions, half]; [batch, rows, half] where there are no places.
    places : str
        [batch or 1, rows] integers; "" where the tables are in order.
    interleaved : bool
        Pairs are neighbors.
    """
    if places:
        tables = tuple(node.emit(ops.Gather(axis=0), t, places) for t in tables)  # type: ignore[assignment]
    cos, sin = (node.emit(ops.Unsqueeze(axes=(1,)), t) for t in tables)
    half, depth = node.graph.type_of(cos).shape[3], node.graph.type_of(x).shape[3]
    if not isinstance(half, int) or not isinstance(depth, int) or 2 * half > depth:
        raise UnsupportedError(f"{half} angles for heads of {depth}")
    turned, rest = x, ""
    if 2 * half < depth:
        turned, rest = _pieces(node, x, 3, (2 * half, depth - 2 * half))
    if interleaved:
        cut = [ops.Slice(starts=(i,), ends=(2 * half,), axes=(3,), steps=(2,)) for i in (0, 1)]
        one, two = (node.emit(c, turned) for c in cut)
    else:
        one, two = _pieces(node, turned, 3, (half, half))
    mul, sub, add = ops.Mul(), ops.Sub(), ops.Add()
    left = node.emit(sub, node.emit(mul, one, cos), node.emit(mul, two, sin))
    right = node.emit(add, node.emit(mul, two, cos), node.emit(mul, one, sin))
    if interleaved:
        parts = [node.emit(ops.Unsqueeze(axes=(4,)), part) for part in (left, right)]
        joined = node.emit(ops.Concat(axis=4), *parts)
        shape = (0, 0, 0, 2 * half)
        turned = _reshape(node, joined, *shape)
    else:
        turned = node.emit(ops.Concat(axis=3), left, right)
    return node.emit(ops.Concat(axis=3), turned, rest) if rest else turned


@handles("RotaryEmbedding")
def rotary_embedding(node: OnnxNode) -> None:
    """Read x, cosines, sines and places; x may have its heads side by side."""
    _rotary(node, node.optional(3), 1, 2)


@handles("RotaryEmbedding", domain=MICROSOFT)
def rotary_embedding_of_runtime(node: OnnxNode) -> None:
    """Places are input 1: one number for the first row, or one for each row."""
    node.only("is_packed_batching", 0)
    node.only("scale", 1.0)
    places = node.emit(ops.Cast(to=DType.INT64), node.input(1))
    if node.graph.type_of(places).rank == 1:
        axis = 1 if node.rank() == 3 else 2
        rows = node.emit(ops.Unsqueeze(axes=(0,)), node.counted_rows(node.input(0), axis))
        places = node.emit(ops.Add(), rows, places)
    _rotary(node, places, 2, 3)


def _rotary(node: OnnxNode, places: str, cos: int, sin: int) -> None:
    x, flat = node.input(0), node.rank() == 3
    tables = [node.input(cos), node.input(sin)]
    half = node.graph.type_of(tables[0]).shape[-1]
    partial = node.integer("rotary_embedding_dim", 0)
    if partial and isinstance(half, int) and partial != 2 * half:
        tables = [_pieces(node, t, len(node.shape(cos)) - 1, (partial // 2,))[0] for t in tables]
    if flat:
        heads = node.integer("num_heads", 0)
        width = node.shape()[2]
        if not heads and isinstance(half, int) and isinstance(width, int):
            heads = width // (2 * half)
        x = split_heads(node, x, heads)
    made = rotated(node, x, (tables[0], tables[1]), places, bool(node.integer("interleaved", 0)))
    node.give(join_heads(node, made) if flat else made)


# ONNX Runtime's operators


@handles("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(node: OnnxNode) -> None:
    """Heads side by side in three values, or packed in one or two."""
    count = node.integer("num_heads", 0)
    if node.optional(8) or node.optional(9):
        raise UnsupportedError("caches of a fixed size or of beams; export with growing ones")
    heads = _biased(node, count)
    _kept(node, heads, 6, 7)
    op = ops.Attention(
        scale=_factor(node),
        causal=bool(node.integer("unidirectional", 0)),
        from_end=bool(heads.past),
    )
    mask, lengths = _padding_mask(node, 4, heads)
    if node.wants(3):
        raise UnsupportedError("output qk; only the result and the caches are made")
    made = _attend(node, op, heads, _with_bias(node, 5, mask), lengths)
    node.give(join_heads(node, made), heads.k, heads.v)


def _biased(node: OnnxNode, count: int) -> Heads:
    """Return the heads of a MultiHeadAttention's first four inputs."""
    if node.rank() == 5:
        parts = _unpacked(node, node.input(0), 3)
    elif node.optional(1) and node.rank(1) == 5:
        parts = [split_heads(node, node.input(0), count), *_unpacked(node, node.input(1), 2)]
    elif node.optional(1) and node.optional(2):
        given = [node.input(i) for i in range(3)]
        return _split_with_bias(node, given, count)
    else:
        raise UnsupportedError(f"a query {node.type(0)} without keys and values")
    if node.optional(3):
        raise UnsupportedError("a bias of packed values; add it before they are packed")
    return Heads(*parts)


def _split_with_bias(node: OnnxNode, given: list[str], count: int) -> Heads:
    if node.optional(3):
        widths = [node.graph.type_of(name).shape[2] for name in given if _is_flat(node, name)]
        if len(widths) != 3 or not all(isinstance(w, int) for w in widths):
            raise UnsupportedError("a bias of keys that are heads already")
        parts = _pieces(node, node.input(3), 0, tuple(int(w) for w in widths))
        given = [node.emit(ops.Add(), g, p) for g, p in zip(given, parts, strict=True)]
    return Heads(*(split_heads(node, g, count) if _is_flat(node, g) else g for g in given))


def _is_flat(node: OnnxNode, name: str) -> bool:
    return node.graph.type_of(name).rank == 3


def _unpacked(node: OnnxNode, name: str, parts: int) -> list[str]:
    """Return the parts of [batch, rows, heads, parts, depth] as heads."""
    found = []
    for index in range(parts):
        place = node.constant_like(np.array(index, np.int64), "part")
        found.append(_swap(node, node.emit(ops.Gather(axis=3), name, place)))
    return found


def _padding_mask(node: OnnxNode, index: int, heads: Heads) -> tuple[str, str]:
    """Return what hides keys as numbers to add, and as lengths."""
    if not node.optional(index):
        return "", ""
    rank = node.rank(index)
    if rank == 1:
        batch, size = node.graph.type_of(heads.q).shape[0], node.shape(index)[0]
        if size not in (1, batch) or heads.past:
            raise UnsupportedError(f"a mask of {node.type(index)}; use [batch, keys]")
        return "", node.emit(ops.Cast(to=DType.INT64), node.input(index))
    if rank not in (2, 3):
        raise UnsupportedError(f"a mask of {node.type(index)}; use [batch, keys]")
    dtype = node.graph.type_of(heads.q).dtype
    shown = node.emit(ops.Cast(to=DType.BOOL), node.input(index))
    spread = node.emit(ops.Unsqueeze(axes=(1, 2) if rank == 2 else (1,)), shown)
    value = np.array(node.real("mask_filter_value", -10000.0), dtype.numpy)
    hidden = node.constant_like(value, "hidden")
    zero = node.constant_like(np.array(0, dtype.numpy), "shown")
    return node.emit(ops.Where(), spread, zero, hidden), ""


def _with_bias(node: OnnxNode, index: int, mask: str) -> str:
    """Return a mask plus what input ``index`` adds to the scores."""
    bias = node.optional(index)
    if bias and mask:
        return node.emit(ops.Add(), mask, bias)
    return bias or mask


@handles("Attention", domain=MICROSOFT)
def attention_of_runtime(node: OnnxNode) -> None:
    """Multiply by the weights of queries, keys and values, then attend."""
    node.only("do_rotary", 0, hint="export before ONNX Runtime optimizes the model")
    node.only("past_present_share_buffer", 0)
    count = node.integer("num_heads", 0)
    width = node.shape(1)[1]
    sizes = node.integers("qkv_hidden_sizes") or (int(width) // 3,) * 3
    product = node.emit(ops.MatMul(), node.input(0), node.input(1))
    if node.graph.constant(node.input(1)) is not None:
        data = node.graph.constant(node.input(1))
        assert data is not None
        weights = node.constant_like(np.ascontiguousarray(data.T), "weights")
        product = node.emit(ops.FullyConnected(), node.input(0), weights)
    if node.optional(2):
        product = node.emit(ops.Add(), product, node.input(2))
    parts = _pieces(node, product, 2, tuple(sizes))
    heads = Heads(*(split_heads(node, part, count) for part in parts))
    if node.optional(4):
        _kept_together(node, heads)
    op = ops.Attention(
        scale=_factor(node),
        causal=bool(node.integer("unidirectional", 0)),
        from_end=bool(heads.past),
    )
    mask, lengths = _padding_mask(node, 3, heads)
    made = _attend(node, op, heads, _with_bias(node, 5, mask), lengths)
    present = ""
    if node.wants(1):
        both = [node.emit(ops.Unsqueeze(axes=(0,)), name) for name in (heads.k, heads.v)]
        present = node.emit(ops.Concat(axis=0), *both)
    node.give(join_heads(node, made), present)


def _kept_together(node: OnnxNode, heads: Heads) -> None:
    """Put earlier keys and values, [2, batch, heads, rows, depth], before the new ones."""
    places = [node.constant_like(np.array(i, np.int64), "part") for i in (0, 1)]
    key, value = (node.emit(ops.Gather(axis=0), node.input(4), place) for place in places)
    heads.past = key
    heads.k = node.emit(ops.Concat(axis=2), key, heads.k)
    heads.v = node.emit(ops.Concat(axis=2), value, heads.v)


@handles("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(node: OnnxNode) -> None:
    """Few heads of keys and values, positions turned, a cache that grows or has a fixed size."""
    node.only("smooth_softmax", 0, -1)
    node.only("qk_output", 0)
    for index, what in ((11, "head_sink"), (12, "k_scale"), (13, "v_scale")):
        if node.optional(index):
            raise UnsupportedError(f"input {what}; export without it")
    count, few = node.integer("num_heads", 0), node.integer("kv_num_heads", 0)
    heads = _grouped(node, count, few)
    before, ends = _first_rows(node, heads)
    if node.integer("do_rotary", 0):
        _turn(node, heads, before)
    _grow(node, heads, before)
    window = node.integer("local_window_size", -1)
    op = ops.Attention(
        scale=_factor(node),
        causal=True,
        from_end=True,
        window=max(window, 0),
        softcap=node.real("softcap", 0.0),
    )
    made = _attend(node, op, heads, node.optional(10), ends)
    node.give(join_heads(node, made), heads.k, heads.v)


def _turn(node: OnnxNode, heads: Heads, before: str) -> None:
    """Turn queries and keys by their positions: those given, or what comes after ``before``."""
    tables = node.input(7), node.input(8)
    neighbors = bool(node.integer("rotary_interleaved", 0))
    op, places = ops.RotaryEmbedding(interleaved=neighbors), node.optional(9)
    known = [node.graph.type_of(name) for name in (heads.q, *tables)]
    if not places and all(type_.dtype is DType.FLOAT32 for type_ in known):
        heads.q, heads.k = (node.emit(op, x, *tables, before) for x in (heads.q, heads.k))
        return
    if places:
        places = node.emit(ops.Cast(to=DType.INT64), places)
    else:
        rows = node.emit(ops.Unsqueeze(axes=(0,)), node.counted_rows(heads.q, 2))
        places = node.emit(ops.Add(), rows, _reshape(node, before, -1, 1))
    heads.q, heads.k = (rotated(node, x, tables, places, neighbors) for x in (heads.q, heads.k))


def _grouped(node: OnnxNode, count: int, few: int) -> Heads:
    if node.optional(1):
        given = [node.input(i) for i in range(3)]
        return Heads(
            *(split_heads(node, g, c) for g, c in zip(given, (count, few, few), strict=True))
        )
    width = node.shape()[2]
    if not isinstance(width, int) or width % max(count + 2 * few, 1):
        raise FormatError(f"a packed query {node.type(0)} of {count} and {few} heads")
    depth = width // (count + 2 * few)
    parts = _pieces(node, node.input(0), 2, (count * depth, few * depth, few * depth))
    return Heads(*(split_heads(node, p, c) for p, c in zip(parts, (count, few, few), strict=True)))


def _first_rows(node: OnnxNode, heads: Heads) -> tuple[str, str]:
    """Return how many rows came before in each sequence, and where its new ones end.

    The node counts the valid keys less one. A prompt that is padded at its end counts fewer than
    it has rows: they begin at 0.
    """
    last = node.emit(ops.Cast(to=DType.INT64), _reshape(node, node.input(5), -1))
    count = _length(node, heads.q, 2)
    one = node.constant_like(np.ones(1, np.int64), "one")
    less = node.emit(ops.Sub(), node.emit(ops.Add(), last, one), count)
    before = node.emit(ops.Maximum(), less, node.constant_like(np.zeros(1, np.int64), "zero"))
    return before, node.emit(ops.Add(), before, count)


def _grow(node: OnnxNode, heads: Heads, before: str) -> None:
    """Write new keys and values behind the earlier ones, in a cache that grows if it has to."""
    if not node.optional(3):
        return
    rows = node.shape(3)[2]
    declared = node.state.shapes.get(node.outputs[1] if node.wants(1) else "", ())
    fixed = (isinstance(rows, int) and rows > 0) or (
        isinstance(rows, str) and len(declared) == 4 and declared[2] == rows
    )
    for index, name in ((3, "k"), (4, "v")):
        past, new = node.input(index), getattr(heads, name)
        if not fixed:
            past = node.emit(ops.Concat(axis=2), past, new)
        setattr(heads, name, node.emit(ops.TensorScatter(axis=2), past, new, before))


@handles("TensorScatter")
def tensor_scatter(node: OnnxNode) -> None:
    """Rows written into a cache from each sequence's place on."""
    rank = node.rank()
    op = ops.TensorScatter(
        axis=node.axis(-2, rank), circular=node.text("mode", "linear") == "circular"
    )
    places = node.optional(2)
    if not places:
        batch = _length(node, node.input(0), 0)
        zero = node.constant_like(np.array(0, np.int64), "zero")
        places = node.emit(ops.Expand(), zero, batch)
    node.finish(op, node.input(0), node.input(1), node.emit(ops.Cast(to=DType.INT64), places))
