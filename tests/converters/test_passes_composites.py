"""Patterns of several operators become the one that they mean, with the same outputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from linnet import ops
from linnet.converters.passes import simplify
from linnet.converters.passes.attention import fuse_attention
from linnet.converters.passes.composites import fuse_composites
from linnet.graph import Graph
from linnet.types import DType, TensorType
from tests.evaluate import execute

RNG = np.random.default_rng(11)


class Writer:
    """A graph of one or more float inputs, written operator by operator."""

    def __init__(self, *shapes: tuple[int | str, ...]) -> None:
        self.graph = Graph()
        for index, shape in enumerate(shapes):
            self.graph.add_input(f"x{index}", TensorType(DType.FLOAT32, shape))

    def number(self, value: float, *shape: int) -> str:
        return self.graph.add_constant("k", np.full(shape, value, np.float32))

    def random(self, *shape: int) -> str:
        return self.graph.add_constant("w", RNG.standard_normal(shape).astype(np.float32))

    def __call__(self, op: ops.Op, *inputs: str) -> str:
        return self.graph.add(op, inputs)


def becomes(
    writer: Writer, output: str, *kinds: str, run: Callable[[Graph], object] = fuse_composites
) -> Graph:
    graph = writer.graph
    graph.outputs = [output]
    feeds = {}
    for name in graph.inputs:
        shape = tuple(d if isinstance(d, int) else 3 for d in graph.type_of(name).shape)
        feeds[name] = RNG.standard_normal(shape).astype(np.float32)
    before = execute(graph, feeds)
    run(graph)
    graph.prune()
    graph.validate()
    after = execute(graph, feeds)
    np.testing.assert_allclose(after[output], before[output], rtol=2e-4, atol=2e-4)
    assert [type(node.op).__name__ for node in graph.nodes] == list(kinds)
    return graph


def test_silu() -> None:
    w = Writer(("n", 5))
    becomes(w, w(ops.Mul(), w(ops.Sigmoid(), "x0"), "x0"), "Silu")


@pytest.mark.parametrize("alpha", [1.702, -0.5])
def test_swish(alpha: float) -> None:
    w = Writer(("n", 5))
    gate = w(ops.Sigmoid(), w(ops.Mul(), w.number(alpha), "x0"))
    graph = becomes(w, w(ops.Mul(), "x0", gate), "Swish")
    assert graph.nodes[0].op == ops.Swish(alpha=float(np.float32(alpha)))


def test_a_sigmoid_of_two_values_stays() -> None:
    w = Writer((3, 5), (3, 5))
    gate = w(ops.Sigmoid(), w(ops.Mul(), "x1", "x0"))
    becomes(w, w(ops.Mul(), "x0", gate), "Mul", "Sigmoid", "Mul")


def test_hard_swish_of_a_hard_sigmoid() -> None:
    w = Writer((2, 5))
    becomes(w, w(ops.Mul(), "x0", w(ops.HardSigmoid(alpha=1 / 6), "x0")), "HardSwish")


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_hard_swish_of_a_clip(fused: bool, late: bool) -> None:
    w = Writer((2, 5))
    if fused:
        gate = w(ops.Add(clamp=(0.0, 6.0)), "x0", w.number(3.0))
    else:
        gate = w(ops.Clip(minimum=0.0, maximum=6.0), w(ops.Add(), "x0", w.number(3.0)))
    if late:
        y = w(ops.Div(), w(ops.Mul(), "x0", gate), w.number(6.0))
    else:
        y = w(ops.Mul(), "x0", w(ops.Mul(), gate, w.number(1 / 6)))
    becomes(w, y, "HardSwish")


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_gelu(order: int, shape: tuple[int, ...]) -> None:
    w = Writer((2, 5))
    inner = w(ops.Div(), "x0", w.number(math.sqrt(2), *shape))
    gate = w(ops.Add(), w(ops.Erf(), inner), w.number(1.0, *shape))
    half = w.number(0.5, *shape)
    if order == 0:
        y = w(ops.Mul(), w(ops.Mul(), "x0", gate), half)
    elif order == 1:
        y = w(ops.Mul(), w(ops.Mul(), half, "x0"), gate)
    else:
        y = w(ops.Mul(), "x0", w(ops.Mul(), gate, half))
    becomes(w, y, "Gelu")


@pytest.mark.parametrize("power", [True, False])
def test_gelu_by_tanh(power: bool) -> None:
    w = Writer((2, 5))
    cube = (
        w(ops.Pow(), "x0", w.number(3.0)) if power else w(ops.Mul(), w(ops.Mul(), "x0", "x0"), "x0")
    )
    inner = w(ops.Add(), "x0", w(ops.Mul(), cube, w.number(0.044715)))
    tanh = w(ops.Tanh(), w(ops.Mul(), inner, w.number(math.sqrt(2 / math.pi))))
    gate = w(ops.Add(), tanh, w.number(1.0))
    becomes(w, w(ops.Mul(), w(ops.Mul(), "x0", w.number(0.5)), gate), "Gelu")


@pytest.mark.parametrize("power", [True, False])
def test_gelu_by_tanh_with_x_apart(power: bool) -> None:
    w = Writer((2, 5))
    square = w(ops.Pow(), "x0", w.number(2.0)) if power else w(ops.Mul(), "x0", "x0")
    sum_ = w(ops.Add(), w.number(1.0), w(ops.Mul(), w.number(0.044715), square))
    inner = w(ops.Mul(), w(ops.Mul(), "x0", w.number(0.79788456)), sum_)
    gate = w(ops.Add(), w.number(1.0), w(ops.Tanh(), inner))
    becomes(w, w(ops.Mul(), w(ops.Mul(), "x0", w.number(0.5)), gate), "Gelu")


@pytest.mark.parametrize(("constant", "factor"), [(2.0, 0.044715), (1.0, 0.05)])
def test_other_cubics_are_no_gelu(constant: float, factor: float) -> None:
    w = Writer((2, 5))
    term = w(ops.Mul(), w(ops.Mul(), "x0", "x0"), w.number(factor))
    inner = w(
        ops.Mul(), w(ops.Mul(), "x0", w.number(0.79788456)), w(ops.Add(), term, w.number(constant))
    )
    gate = w(ops.Add(), w(ops.Tanh(), inner), w.number(1.0))
    y = w(ops.Mul(), w(ops.Mul(), "x0", w.number(0.5)), gate)
    w.graph.outputs = [y]
    simplify(w.graph)
    assert not any(isinstance(node.op, ops.Gelu) for node in w.graph.nodes)


def test_other_factors_are_no_gelu() -> None:
    w = Writer((2, 5))
    gate = w(ops.Add(), w(ops.Erf(), w(ops.Div(), "x0", w.number(1.5))), w.number(1.0))
    y = w(ops.Mul(), w(ops.Mul(), "x0", gate), w.number(0.5))
    becomes(w, y, "Div", "Erf", "Add", "Mul", "Mul")


@pytest.mark.parametrize("affine", [0, 1, 2])
@pytest.mark.parametrize("square", ["square", "product"])
@pytest.mark.parametrize("axes", [(-1,), (1, 2)])
def test_layer_normalization(axes: tuple[int, ...], square: str, affine: int) -> None:
    w = Writer(("n", 4, 6))
    centered = w(ops.Sub(), "x0", w(ops.ReduceMean(axes=axes), "x0"))
    squares = w(ops.Square(), centered) if square == "square" else w(ops.Mul(), centered, centered)
    variance = w(ops.Add(), w(ops.ReduceMean(axes=axes), squares), w.number(1e-3))
    y = w(ops.Div(), centered, w(ops.Sqrt(), variance))
    if affine:
        y = w(ops.Mul(), w.random(6), y)
    if affine == 2:
        y = w(ops.Add(), y, w.random(1, 1, 6))
    graph = becomes(w, y, "LayerNormalization")
    assert len(graph.nodes[0].inputs) == 1 + affine


@pytest.mark.parametrize("form", ["quotient", "rsqrt", "reciprocal", "inverse", "power"])
def test_rms_normalization(form: str) -> None:
    w = Writer((2, 6))
    mean = w(ops.ReduceMean(axes=(1,)), w(ops.Square(), "x0"))
    mean = w(ops.Add(), mean, w.number(1e-3))
    if form == "quotient":
        y = w(ops.Div(), "x0", w(ops.Sqrt(), mean))
    else:
        below = {
            "rsqrt": lambda: w(ops.Rsqrt(), mean),
            "reciprocal": lambda: w(ops.Reciprocal(), w(ops.Sqrt(), mean)),
            "inverse": lambda: w(ops.Div(), w.number(1.0), w(ops.Sqrt(), mean)),
            "power": lambda: w(ops.Pow(), mean, w.number(-0.5)),
        }[form]()
        y = w(ops.Mul(), "x0", below)
    becomes(w, w(ops.Mul(), w.random(6), y), "RMSNormalization")


def test_normalization_over_a_leading_axis_stays() -> None:
    w = Writer((2, 6))
    mean = w(ops.ReduceMean(axes=(0,)), w(ops.Square(), "x0"))
    y = w(ops.Div(), "x0", w(ops.Sqrt(), w(ops.Add(), mean, w.number(1e-3))))
    becomes(w, y, "Square", "ReduceMean", "Add", "Sqrt", "Div")


def test_normalization_without_kept_axes_stays() -> None:
    w = Writer((6, 6))
    mean = w(ops.ReduceMean(axes=(1,), keepdims=False), w(ops.Square(), "x0"))
    y = w(ops.Div(), "x0", w(ops.Sqrt(), w(ops.Add(), mean, w.number(1e-3))))
    becomes(w, y, "Square", "ReduceMean", "Add", "Sqrt", "Div")


# Attention

HEADS = (("b", 2, 5, 4), ("b", 2, 7, 4), ("b", 2, 7, 3))


@pytest.mark.parametrize("mask", [None, (5, 7), (1, 1, 1, 7)])
@pytest.mark.parametrize("scale", [None, "product", "quotient", "query"])
@pytest.mark.parametrize("transposed", [True, False])
def test_attention(transposed: bool, scale: str | None, mask: tuple[int, ...] | None) -> None:
    w = Writer(*HEADS)
    query, key = "x0", "x1"
    if scale == "query":
        query = w(ops.Mul(), query, w.number(0.3))
    if not transposed:
        key = w(ops.Transpose(perm=(0, 1, 3, 2)), key)
    scores = w(ops.MatMul(transpose_b=transposed), query, key)
    if scale == "product":
        scores = w(ops.Mul(), scores, w.number(0.5))
    elif scale == "quotient":
        scores = w(ops.Div(), scores, w.number(2.0))
    if mask is not None:
        scores = w(ops.Add(), scores, w.random(*mask))
    y = w(ops.MatMul(), w(ops.Softmax(axis=-1), scores), "x2")
    graph = becomes(w, y, "Attention", run=lambda g: simplify(g))
    wanted = {None: 1.0, "product": 0.5, "quotient": 0.5, "query": 0.3}[scale]
    assert math.isclose(graph.nodes[0].op.scale, wanted, rel_tol=1e-6)


def test_attention_of_probabilities_that_are_an_output_stays() -> None:
    w = Writer(*HEADS)
    probabilities = w(ops.Softmax(axis=-1), w(ops.MatMul(transpose_b=True), "x0", "x1"))
    y = w(ops.MatMul(), probabilities, "x2")
    w.graph.outputs = [y, probabilities]
    assert fuse_attention(w.graph) == 0


def test_attention_over_broadcast_heads_stays() -> None:
    w = Writer((2, 2, 5, 4), (1, 2, 7, 4), (2, 2, 7, 3))
    probabilities = w(ops.Softmax(axis=-1), w(ops.MatMul(transpose_b=True), "x0", "x1"))
    y = w(ops.MatMul(), probabilities, "x2")
    becomes(w, y, "MatMul", "Softmax", "MatMul", run=fuse_attention)
