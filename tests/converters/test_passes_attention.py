"""Attention and rotary embedding as exporters write them, and what only looks like them."""

from __future__ import annotations

import numpy as np
import pytest

from linnet import ops
from linnet.converters.passes import simplify
from linnet.converters.passes.leftovers import leftovers
from linnet.converters.passes.noop import is_noop
from tests.converters.test_passes_composites import RNG, Writer, becomes

SHAPE = (2, 3, 5, 4)


def guarded(w: Writer, fill: float) -> str:
    """Return attention whose softmax becomes a number where it is none."""
    scores = w(ops.MatMul(transpose_b=True), "x0", "x1")
    softmax = w(ops.Softmax(axis=3), scores)
    odd = w(ops.Not(), w(ops.Equal(), softmax, softmax))
    return w(ops.MatMul(), w(ops.Where(), odd, w.number(fill), softmax), "x2")


def test_a_guard_against_rows_without_keys_is_part_of_attention() -> None:
    w = Writer(SHAPE, SHAPE, SHAPE)
    becomes(w, guarded(w, 0.0), "Attention", run=simplify)


def test_another_guard_stays() -> None:
    w = Writer(SHAPE, SHAPE, SHAPE)
    graph = becomes(
        w, guarded(w, 1.0), "MatMul", "Softmax", "Equal", "Not", "Where", "MatMul", run=simplify
    )
    assert leftovers(graph) == [
        f"{graph.nodes[1].name}: no attention: something else reads the probabilities, or they "
        "are an output"
    ]


def test_a_mask_of_zero_and_minus_infinity_is_its_condition() -> None:
    w = Writer(SHAPE, SHAPE, SHAPE, (5, 5))
    seen = w(ops.Greater(), "x3", w.number(-0.5))
    mask = w(ops.Where(), seen, w.number(0.0), w.number(-np.inf))
    scores = w(ops.Add(), w(ops.MatMul(transpose_b=True), "x0", "x1"), mask)
    y = w(ops.MatMul(), w(ops.Softmax(axis=3), scores), "x2")
    w.graph.outputs = [y]
    simplify(w.graph)
    assert [type(n.op).__name__ for n in w.graph.nodes] == ["Greater", "Attention"]


def test_repeated_heads_are_grouped() -> None:
    w = Writer((2, 6, 5, 4), SHAPE, SHAPE)

    def repeated(x: str) -> str:
        target = w.graph.add_constant("t", np.array([2, 3, 2, 5, 4]))
        wide = w(ops.Expand(), w(ops.Unsqueeze(axes=(2,)), x), target)
        return w(ops.Reshape(shape=(2, 6, 5, 4)), wide)

    scores = w(ops.MatMul(transpose_b=True), "x0", repeated("x1"))
    y = w(ops.MatMul(), w(ops.Softmax(axis=3), scores), repeated("x2"))
    becomes(w, y, "Attention", run=simplify)


def rotated(w: Writer, cos: str, sin: str, split: bool) -> str:
    """Return x cos + (-x[2:], x[:2]) sin."""
    if split:
        w.graph.add(ops.Split(axis=3, sizes=(2, 2)), ["x0"], outputs=["low", "high"])
        low, high = "low", "high"
    else:
        low = w(ops.Slice(starts=(0,), ends=(2,), axes=(3,)), "x0")
        high = w(ops.Slice(starts=(2,), ends=(2**63 - 1,), axes=(3,)), "x0")
    turned = w(ops.Concat(axis=3), w(ops.Neg(), high), low)
    return w(ops.Add(), w(ops.Mul(), "x0", cos), w(ops.Mul(), turned, sin))


@pytest.mark.parametrize("split", [False, True])
def test_rotary_embedding_by_halves(split: bool) -> None:
    w = Writer(SHAPE)
    angle = RNG.standard_normal((1, 1, 5, 2)).astype(np.float32)
    twice = np.concatenate([angle, angle], axis=3)
    cos, sin = (w.graph.add_constant(n, f(twice)) for n, f in (("c", np.cos), ("s", np.sin)))
    becomes(w, rotated(w, cos, sin, split), "RotaryEmbedding", run=simplify)


@pytest.mark.parametrize("shape", [(5, 1, 4), (1, 5, 1, 4)])
def test_rotary_embedding_of_rows_before_heads(shape: tuple[int, ...]) -> None:
    w = Writer((2, 5, 3, 4))
    angle = RNG.standard_normal((5, 2)).astype(np.float32)
    twice = np.concatenate([angle, angle], axis=1).reshape(shape)
    cos, sin = (w.graph.add_constant(n, f(twice)) for n, f in (("c", np.cos), ("s", np.sin)))
    graph = becomes(w, rotated(w, cos, sin, False), "RotaryEmbedding", run=simplify)
    assert graph.nodes[0].op == ops.RotaryEmbedding(heads_last=True)


def test_angles_that_differ_between_halves_stay() -> None:
    w = Writer(SHAPE)
    y = rotated(w, w.random(1, 1, 5, 4), w.random(1, 1, 5, 4), split=False)
    w.graph.outputs = [y]
    simplify(w.graph)
    assert not any(isinstance(n.op, ops.RotaryEmbedding) for n in w.graph.nodes)
    (line,) = leftovers(w.graph)
    assert "no rotary embedding" in line


@pytest.mark.parametrize(
    ("op", "axes", "said"),
    [
        (ops.Sqrt(), (1,), "no normalization: the mean over axes [1]"),
        (ops.Sqrt(), (2,), ""),
        (ops.Erf(), (), "no Gelu"),
    ],
)
def test_what_only_looks_like_a_pattern_is_named(
    op: ops.Op, axes: tuple[int, ...], said: str
) -> None:
    w = Writer((2, 3, 4))
    if axes:
        inner = w(ops.ReduceMean(axes=axes), w(ops.Square(), "x0"))
        y = w(ops.Div(), "x0", w(op, w(ops.Add(), inner, w.number(1e-5))))
    else:
        y = w(ops.Mul(), "x0", w(ops.Add(), w(op, "x0"), w.number(1.0)))
    w.graph.outputs = [y]
    simplify(w.graph)
    assert [said in line for line in leftovers(w.graph)] == [True] * bool(said)


@pytest.mark.parametrize(
    ("shape", "same"),
    [((0, -1, 0, 0), True), ((2, 3, -1, 4), True), ((0, 0, 4, -1), False), ((3, 2, 5, 4), False)],
)
def test_reshapes_that_keep_the_shape(shape: tuple[int, ...], same: bool) -> None:
    w = Writer((2, 3, "n", 4) if same else (2, 3, 5, 4))
    w(ops.Reshape(shape=shape), "x0")
    assert is_noop(w.graph, w.graph.nodes[0]) == same
