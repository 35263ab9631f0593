"""Each pass does its work on the smallest graph that needs it, and changes no output."""

from __future__ import annotations

import numpy as np
import pytest

from linnet import ops
from linnet.converters.passes import PASSES, Pass, simplify
from linnet.converters.passes.activations import fuse_activations
from linnet.converters.passes.affine import fold_affine, split_batch_normalization
from linnet.converters.passes.fold import fold_constants
from linnet.converters.passes.noop import remove_noops
from linnet.converters.passes.pads import fuse_pads
from linnet.converters.passes.reshapes import merge_views, sink_views
from linnet.converters.passes.runner import check_order
from linnet.converters.passes.share import share_constants, share_nodes
from linnet.errors import GraphError
from linnet.graph import Graph
from linnet.types import DType, Quantization
from tests.converters.passes_builder import (
    RNG,
    const,
    finish,
    graph_of,
    kinds,
    same,
    weighted,
)

# Cleanups


def test_fold_computes_what_is_constant() -> None:
    graph = graph_of((2, 3))
    total = graph.add(ops.Add(), [const(graph, 3), const(graph, 3)])
    finish(graph, graph.add(ops.Mul(), ["x0", total]))
    assert same(graph, fold_constants) == 1
    assert kinds(graph) == ["Mul"]


def test_fold_reads_the_shape_of_static_tensors() -> None:
    graph = graph_of((2, 3))
    shape = graph.add(ops.Shape(), ["x0"])
    finish(graph, graph.add(ops.Reshape(), ["x0", shape]))
    assert same(graph, fold_constants) == 1


def test_fold_leaves_dequantized_weights_stored_small() -> None:
    graph = graph_of((2, 3))
    w = graph.add(ops.Dequantize(), [const(graph, 4, 3, q=Quantization(0.1))])
    finish(graph, graph.add(ops.FullyConnected(), ["x0", w]))
    assert same(graph, fold_constants) == 0


def test_fold_leaves_large_repetitions() -> None:
    graph = graph_of((1,))
    shape = graph.add_constant("s", np.array([1000, 1000], np.int64))
    big = graph.add(ops.ConstantOfShape(), [shape])
    finish(graph, graph.add(ops.Add(), ["x0", big]))
    assert fold_constants(graph) == 0


@pytest.mark.parametrize(
    "op",
    [
        ops.Identity(),
        ops.Cast(to=DType.FLOAT32),
        ops.Reshape(shape=(2, 3)),
        ops.Transpose(perm=(0, 1)),
        ops.Pad(pads=(0, 0, 0, 0)),
        ops.Clip(),
        ops.Concat(axis=0),
    ],
)
def test_noop_goes(op: ops.Op) -> None:
    graph = graph_of((2, 3))
    inner = graph.add(ops.Exp(), ["x0"])
    finish(graph, graph.add(op, [inner], name="y"))
    assert same(graph, remove_noops) == 1
    assert kinds(graph) == ["Exp"] and graph.outputs == ["y"]


def test_noop_from_input_to_output_stays() -> None:
    graph = graph_of((2, 3))
    finish(graph, graph.add(ops.Identity(), ["x0"]))
    assert remove_noops(graph) == 0


def test_equal_constants_and_nodes_become_one() -> None:
    graph = graph_of((2, 3))
    data = RNG.standard_normal(3).astype(np.float32)
    sums = [
        graph.add(ops.Add(), ["x0", graph.add_constant("c", data.copy())], name=f"s{i}")
        for i in (0, 1)
    ]
    finish(graph, graph.add(ops.Mul(), sums))
    assert same(graph, share_constants) == 1
    assert same(graph, share_nodes) == 1
    assert kinds(graph) == ["Add", "Mul"]


def test_views_merge() -> None:
    graph = graph_of(("n", 4, 6))
    flat = graph.add(ops.Flatten(axis=1), ["x0"])
    finish(graph, graph.add(ops.Reshape(shape=(0, 2, 12)), [flat]))
    assert same(graph, merge_views) == 1
    assert kinds(graph) == ["Reshape"]


def test_inverse_views_vanish() -> None:
    graph = graph_of(("n", 4))
    wide = graph.add(ops.Unsqueeze(axes=(1,)), [graph.add(ops.Exp(), ["x0"])])
    finish(graph, graph.add(ops.Squeeze(axes=(1,)), [wide], name="y"))
    assert same(graph, merge_views) == 1
    assert kinds(graph) == ["Exp"]


def test_clip_moves_before_a_view_to_fuse() -> None:
    graph = graph_of((2, 3))
    flat = graph.add(ops.Reshape(shape=(6,)), [graph.add(ops.Add(), ["x0", const(graph, 3)])])
    finish(graph, graph.add(ops.Clip(minimum=0.0), [flat], name="y"))
    assert same(graph, sink_views) == 1
    assert same(graph, fuse_activations) == 1
    assert kinds(graph) == ["Add", "Reshape"]


# Arithmetic


@pytest.mark.parametrize("kind", ["fc", "conv", "depthwise", "transposed"])
@pytest.mark.parametrize("op", [ops.Mul(), ops.Div(), ops.Add(), ops.Sub()])
def test_affine_folds(kind: str, op: ops.Op) -> None:
    graph = graph_of((2, 6, 6, 4))
    y = weighted(graph, kind)
    channels = int(graph.type_of(y).static_shape[-1])
    finish(graph, graph.add(op, [y, const(graph, 1, channels)], name="y"))
    assert same(graph, fold_affine, 2e-4) == 1
    assert len(graph.nodes) == 1 and graph.outputs == ["y"]


@pytest.mark.parametrize(("op", "count"), [(ops.Add(), 1), (ops.Mul(), 0)])
def test_only_terms_fold_beside_dequantized_weights(op: ops.Op, count: int) -> None:
    graph = graph_of((2, 3))
    w = graph.add(ops.Dequantize(), [const(graph, 4, 3, q=Quantization(0.1))])
    y = graph.add(ops.FullyConnected(), ["x0", w])
    finish(graph, graph.add(op, [y, const(graph, 4)]))
    assert same(graph, fold_affine) == count


def test_affine_keeps_what_another_node_reads() -> None:
    graph = graph_of((2, 4))
    y = weighted(graph, "fc")
    finish(graph, graph.add(ops.Mul(), [y, const(graph, 5)]), y)
    assert fold_affine(graph) == 0


def test_affine_leaves_other_shapes() -> None:
    graph = graph_of((2, 4))
    finish(graph, graph.add(ops.Mul(), [weighted(graph, "fc"), const(graph, 2, 1)]))
    assert fold_affine(graph) == 0


def test_batch_normalization_splits_and_folds() -> None:
    graph = graph_of((1, 5, 5, 4))
    y = weighted(graph, "conv")
    parameters = [const(graph, 5) for _ in range(3)]
    parameters.append(graph.add_constant("v", RNG.random(5).astype(np.float32) + 0.5))
    finish(graph, graph.add(ops.BatchNormalization(), [y, *parameters], name="y"))
    assert same(graph, split_batch_normalization, 1e-4) == 1
    assert kinds(graph) == ["Conv2D", "Mul", "Add"]
    assert same(graph, fold_affine, 1e-4) == 2
    assert kinds(graph) == ["Conv2D"]


@pytest.mark.parametrize(
    "op",
    [
        ops.Conv2D(),
        ops.DepthwiseConv2D(),
        ops.MaxPool2D(kernel=(3, 3)),
        ops.AveragePool2D(kernel=(3, 3)),
    ],
)
def test_pads_fuse(op: ops.Op) -> None:
    graph = graph_of((1, 6, 6, 4))
    value = -np.inf if isinstance(op, ops.MaxPool2D) else 0.0
    padded = graph.add(ops.Pad(pads=(0, 1, 2, 0, 0, 2, 1, 0), value=value), ["x0"])
    shapes = {"Conv2D": (5, 3, 3, 4), "DepthwiseConv2D": (1, 3, 3, 4)}
    shape = shapes.get(type(op).__name__)
    finish(graph, graph.add(op, [padded, const(graph, *shape)] if shape else [padded]))
    assert same(graph, fuse_pads) == 1
    assert len(graph.nodes) == 1


def test_zero_padding_before_max_pooling_fuses_only_behind_a_relu() -> None:
    for relu, fused in ((True, 1), (False, 0)):
        graph = graph_of((1, 6, 6, 4))
        x = graph.add(ops.Clip(minimum=0.0 if relu else -1.0), ["x0"])
        padded = graph.add(ops.Pad(pads=(0, 1, 1, 0, 0, 1, 1, 0)), [x])
        finish(graph, graph.add(ops.MaxPool2D(kernel=(3, 3)), [padded]))
        assert same(graph, fuse_pads) == fused


@pytest.mark.parametrize("pad", [ops.Pad(pads=(0, 1, 1, 0, 0, 1, 1, 0), value=1.0),
                                 ops.Pad(pads=(0, 1, 1, 0, 0, 1, 1, 0), mode="edge"),
                                 ops.Pad(pads=(0, 0, 0, 1, 0, 0, 0, 0)),
                                 ops.Pad(pads=(0, -1, 0, 0, 0, 0, 0, 0))])  # fmt: skip
def test_other_pads_stay(pad: ops.Pad) -> None:
    graph = graph_of((1, 6, 6, 3))
    padded = graph.add(pad, ["x0"])
    channels = int(graph.type_of(padded).static_shape[3])
    finish(graph, graph.add(ops.Conv2D(), [padded, const(graph, 2, 3, 3, channels)]))
    assert fuse_pads(graph) == 0


def test_activations_fuse_and_join() -> None:
    graph = graph_of((2, 4))
    y = graph.add(ops.Clip(minimum=0.0), [weighted(graph, "fc")])
    finish(graph, graph.add(ops.Clip(maximum=1.0), [y], name="y"))
    assert same(graph, fuse_activations) == 2
    (node,) = graph.nodes
    assert isinstance(node.op, ops.FullyConnected) and node.op.clamp == (0.0, 1.0)


def test_activation_of_a_value_that_is_read_twice_stays() -> None:
    graph = graph_of((2, 4))
    y = weighted(graph, "fc")
    clipped = graph.add(ops.Clip(minimum=0.0), [y])
    finish(graph, graph.add(ops.Add(), [y, clipped]))
    assert fuse_activations(graph) == 0


def test_quantized_activation_fuses_where_the_scale_stays() -> None:
    for scale, fused in ((0.1, 1), (0.2, 0)):
        q = Quantization(0.1, 3)
        graph = graph_of((2, 4), (2, 4), dtype=DType.INT8, q=q)
        y = graph.add(ops.Add(), ["x0", "x1"], quantization=q)
        z = graph.add(ops.Clip(minimum=0.0), [y], quantization=Quantization(scale, 3))
        finish(graph, z)
        assert same(graph, fuse_activations) == fused


# Runner


def test_passes_are_in_their_declared_order() -> None:
    check_order(PASSES)
    with pytest.raises(GraphError, match="'b' must come after a"):
        check_order([Pass("b", lambda g: 0, after=("a",)), Pass("a", lambda g: 0)])


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    graph = graph_of((2, 3))
    finish(graph, graph.add(ops.Exp(), ["x0"], name="y"))

    def breaks(graph: Graph) -> int:
        graph.nodes[0].inputs = ("nothing",)
        return 1

    with pytest.raises(GraphError, match="after pass 'bad'"):
        simplify(graph, [Pass("bad", breaks)])


def test_simplify_counts_what_each_pass_did() -> None:
    graph = graph_of((1, 6, 6, 4))
    y = graph.add(ops.Clip(minimum=0.0), [weighted(graph, "conv")])
    made = simplify(finish(graph, y))
    assert made["activations"] == 1 and made["qdq"] == 0
