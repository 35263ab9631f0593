"""Transposes move, merge and vanish without changing outputs."""

from __future__ import annotations

import numpy as np
import pytest

from linnet import ops
from linnet.converters.passes import simplify
from linnet.converters.passes.flattened import permute_flattened_weights
from linnet.converters.passes.noop import remove_noops
from linnet.converters.passes.shuffled import order_shuffled_channels
from linnet.converters.passes.transposes import flatten_transposes, sink_transposes
from linnet.graph import Graph
from linnet.types import DType, Quantization
from tests.converters.passes_builder import (
    RNG,
    TO_FIRST,
    TO_LAST,
    const,
    feeds_of,
    finish,
    graph_of,
    kinds,
    same,
)
from tests.evaluate import execute

# Transposes


def nhwc(graph: Graph, x: str) -> str:
    return graph.add(ops.Transpose(perm=TO_LAST), [x])


def nchw(graph: Graph, x: str) -> str:
    return graph.add(ops.Transpose(perm=TO_FIRST), [x])


@pytest.mark.parametrize(
    "op",
    [
        ops.Exp(),
        ops.Clip(minimum=0.0),
        ops.ReduceMean(axes=(1,), keepdims=True),
        ops.ReduceMax(axes=(2, 3), keepdims=True),
        ops.Softmax(axis=1),
        ops.Pad(pads=(0, 1, 2, 3, 0, 4, 5, 6)),
        ops.Slice(starts=(1,), ends=(3,), axes=(2,), steps=(1,)),
        ops.Reverse(axes=(3,)),
        ops.CumSum(axis=2),
        ops.Concat(axis=1),
    ],
)
def test_transposes_cancel_through(op: ops.Op) -> None:
    graph = graph_of((2, 5, 6, 4))
    x = nchw(graph, graph.add(ops.Sin(), ["x0"]))
    y = graph.add(op, [x, x] if isinstance(op, ops.Concat) else [x])
    finish(graph, graph.add(ops.Cos(), [nhwc(graph, y)], name="y"))
    assert same(graph, sink_transposes) > 0
    remove_noops(graph)
    assert "Transpose" not in kinds(graph)


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1), (2, 4, 5, 6), (6,), (), (1, 1, 1, 1)])
def test_transposes_cancel_through_arithmetic_with_constants(shape: tuple[int, ...]) -> None:
    graph = graph_of((2, 5, 6, 4))
    x = nchw(graph, graph.add(ops.Sin(), ["x0"]))
    finish(graph, nhwc(graph, graph.add(ops.Mul(), [x, const(graph, *shape)])))
    assert same(graph, sink_transposes) > 0
    simplify(graph, ())
    assert "Transpose" not in kinds(graph)


def test_transposes_cancel_around_a_residual_block() -> None:
    graph = graph_of((1, 6, 6, 4))
    x = nchw(graph, graph.add(ops.Sin(), ["x0"]))
    inner = nhwc(graph, graph.add(ops.Clip(minimum=0.0), [x]))
    branch = nchw(
        graph, graph.add(ops.Conv2D(pads=(1, 1, 1, 1)), [inner, const(graph, 4, 3, 3, 4)])
    )
    total = graph.add(ops.Add(), [branch, x])
    finish(graph, nhwc(graph, total))
    feeds = feeds_of(graph)
    before = execute(graph, feeds)
    simplify(graph)
    after = execute(graph, feeds)
    assert "Transpose" not in kinds(graph)
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-5, atol=1e-6)


def test_transposes_cancel_where_the_other_operand_is_transposed_anyway() -> None:
    graph = graph_of((1, 4, 6, 6))
    x = "x0"
    for _ in range(3):
        y = graph.add(ops.Conv2D(pads=(1, 1, 1, 1)), [nhwc(graph, x), const(graph, 4, 3, 3, 4)])
        x = graph.add(ops.Add(), [nchw(graph, y), x])
    finish(graph, x)
    assert same(graph, sink_transposes) > 0
    simplify(graph, ())
    assert kinds(graph).count("Transpose") == 2


def test_transposes_cancel_around_a_gate() -> None:
    graph = graph_of((1, 6, 6, 4))
    x = nchw(graph, graph.add(ops.Sin(), ["x0"]))
    gated = graph.add(ops.Mul(), [x, graph.add(ops.Sigmoid(), [x])])
    finish(graph, nhwc(graph, gated))
    assert same(graph, sink_transposes) > 0
    simplify(graph, ())
    assert kinds(graph) == ["Sin", "Sigmoid", "Mul"]


def test_transposes_cancel_through_a_channel_shuffle() -> None:
    graph = graph_of((1, 5, 6, 8))
    x = nchw(graph, graph.add(ops.Sin(), ["x0"]))
    split = graph.add(ops.Reshape(shape=(1, 2, 4, 5, 6)), [x])
    swapped = graph.add(ops.Transpose(perm=(0, 2, 1, 3, 4)), [split])
    joined = graph.add(ops.Reshape(shape=(1, 8, 5, 6)), [swapped])
    finish(graph, nhwc(graph, joined))
    assert same(graph, sink_transposes) > 0
    simplify(graph, ())
    assert kinds(graph).count("Transpose") == 1


def test_transposes_stay_where_a_move_would_add_some() -> None:
    graph = graph_of((2, 5, 6, 4))
    x = nchw(graph, "x0")
    outputs = [graph.add(ops.Exp(), [x]), graph.add(ops.Reshape(shape=(2, -1)), [x])]
    finish(graph, *outputs)
    same(graph, sink_transposes)
    assert kinds(graph).count("Transpose") == 1


def test_swap_of_the_last_axes_becomes_the_product_s_own() -> None:
    graph = graph_of((2, 5, 4), (2, 6, 4))
    finish(graph, graph.add(ops.MatMul(), ["x0", graph.add(ops.Transpose(perm=(0, 2, 1)), ["x1"])]))
    assert same(graph, sink_transposes) == 1
    assert graph.nodes[-1].op == ops.MatMul(transpose_b=True)


def test_unit_transposes_become_reshapes() -> None:
    graph = graph_of(("n", 1, 6, 4))
    finish(graph, graph.add(ops.Transpose(perm=(0, 2, 1, 3)), ["x0"]))
    assert same(graph, flatten_transposes) == 1
    assert kinds(graph) == ["Reshape"]


def test_symbolic_dimensions_are_no_units() -> None:
    graph = graph_of(("n", "m", 4))
    finish(graph, graph.add(ops.Transpose(perm=(1, 0, 2)), ["x0"]))
    assert flatten_transposes(graph) == 0


def test_flattened_weights_take_the_order() -> None:
    for batch in (1, "n"):
        graph = graph_of((batch, 3, 2, 4))
        flat = graph.add(ops.Flatten(), [nchw(graph, graph.add(ops.Sin(), ["x0"]))])
        y = graph.add(ops.Clip(minimum=-0.5), [flat])
        finish(graph, graph.add(ops.FullyConnected(), [y, const(graph, 5, 24)]))
        assert same(graph, permute_flattened_weights) == 1
        assert "Transpose" not in kinds(graph)


# Pixel shuffles


@pytest.mark.parametrize("block", [2, 3])
def test_channels_before_a_pixel_shuffle_take_its_order(block: int) -> None:
    graph = graph_of((2, 4, 5, 6))
    outputs = 5 * block**2
    conv = graph.add(ops.Conv2D(), ["x0", const(graph, outputs, 3, 3, 6), const(graph, outputs)])
    y = graph.add(ops.Tanh(), [conv])
    finish(graph, graph.add(ops.DepthToSpace(block=block, mode="CRD"), [y]))
    assert same(graph, order_shuffled_channels) == 1
    assert graph.nodes[-1].op == ops.DepthToSpace(block=block)


def test_scales_of_channels_before_a_pixel_shuffle_move_along() -> None:
    x_q, y_q = Quantization(0.02, 3), Quantization(0.3, -4)
    w_q = Quantization(RNG.uniform(0.01, 0.04, 12), np.zeros(12), 0)
    graph = graph_of((1, 4, 5, 7), dtype=DType.INT8, q=x_q)
    conv = graph.add(ops.Conv2D(), ["x0", const(graph, 12, 1, 1, 7, q=w_q)], quantization=y_q)
    finish(graph, graph.add(ops.DepthToSpace(block=2, mode="CRD"), [conv], quantization=y_q))
    assert same(graph, order_shuffled_channels) == 1


def test_channels_that_others_read_too_keep_their_order() -> None:
    graph = graph_of((1, 4, 5, 6))
    conv = graph.add(ops.Conv2D(), ["x0", const(graph, 8, 1, 1, 6)])
    shuffled = graph.add(ops.DepthToSpace(block=2, mode="CRD"), [conv])
    finish(graph, shuffled, graph.add(ops.Exp(), [conv]))
    assert order_shuffled_channels(graph) == 0
