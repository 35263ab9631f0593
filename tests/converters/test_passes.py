"""Each pass does its work on the smallest graph that needs it, and changes no output."""

from __future__ import annotations

import numpy as np
import pytest

from linnet import ops
from linnet.converters.passes import PASSES, Pass, simplify
from linnet.converters.passes.activations import fuse_activations
from linnet.converters.passes.affine import fold_affine, split_batch_normalization
from linnet.converters.passes.flattened import permute_flattened_weights
from linnet.converters.passes.fold import fold_constants
from linnet.converters.passes.noop import remove_noops
from linnet.converters.passes.pads import fuse_pads
from linnet.converters.passes.qdq import fuse_quantization
from linnet.converters.passes.reshapes import merge_views, sink_views
from linnet.converters.passes.runner import check_order
from linnet.converters.passes.share import share_constants, share_nodes
from linnet.converters.passes.transposes import flatten_transposes, sink_transposes
from linnet.errors import GraphError
from linnet.graph import Graph
from linnet.types import Array, DType, Quantization, Shape, TensorType
from tests.evaluate import execute

RNG = np.random.default_rng(7)
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def graph_of(*shapes: Shape, dtype: DType = DType.FLOAT32, q: Quantization | None = None) -> Graph:
    graph = Graph()
    for index, shape in enumerate(shapes):
        graph.add_input(f"x{index}", TensorType(dtype, shape, q))
    return graph


def const(graph: Graph, *shape: int, q: Quantization | None = None) -> str:
    if q is not None:
        return graph.add_constant("w", RNG.integers(-127, 128, shape).astype(np.int8), q)
    return graph.add_constant("c", RNG.standard_normal(shape).astype(np.float32))


def finish(graph: Graph, *outputs: str) -> Graph:
    graph.outputs = list(outputs)
    graph.validate()
    return graph


def feeds_of(graph: Graph) -> dict[str, Array]:
    feeds = {}
    for name in graph.inputs:
        type_ = graph.type_of(name)
        shape = tuple(d if isinstance(d, int) else 2 for d in type_.shape)
        if type_.dtype.is_float:
            feeds[name] = RNG.standard_normal(shape).astype(type_.dtype.numpy)
        else:
            feeds[name] = RNG.integers(-128, 128, shape).astype(type_.dtype.numpy)
    return feeds


def kinds(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph.nodes]


def same(graph: Graph, run: object, tolerance: float = 1e-5) -> int:
    """Run a pass and require the same outputs, names and order as before."""
    feeds = feeds_of(graph)
    before = execute(graph, feeds)
    changes = run(graph)  # type: ignore[operator]
    graph.prune()
    graph.validate()
    after = execute(graph, feeds)
    assert list(before) == list(after)
    for name, expected in before.items():
        got = after[name]
        assert got.dtype == expected.dtype and got.shape == expected.shape
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(got, expected)
    return int(changes)


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


def weighted(graph: Graph, kind: str) -> str:
    if kind == "fc":
        return graph.add(ops.FullyConnected(), ["x0", const(graph, 5, 4)])
    shapes = {"conv": (5, 3, 3, 4), "depthwise": (1, 3, 3, 8), "transposed": (5, 2, 2, 4)}
    made = {
        "conv": ops.Conv2D(pads=(1, 1, 1, 1)),
        "depthwise": ops.DepthwiseConv2D(strides=(2, 2)),
        "transposed": ops.ConvTranspose2D(strides=(2, 2)),
    }
    return graph.add(made[kind], ["x0", const(graph, *shapes[kind])])


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


# Quantization

Q8 = Quantization(0.05, 3)
OUT = Quantization(0.07, -5)


def stored_inputs(*shapes: Shape) -> tuple[Graph, list[str]]:
    graph = graph_of(*shapes, dtype=DType.INT8, q=Q8)
    return graph, [graph.add(ops.Dequantize(), [name]) for name in graph.inputs]


def quantized(graph: Graph, name: str, q: Quantization = OUT) -> Graph:
    return finish(graph, graph.add(ops.Quantize(), [name], name="y", quantization=q))


def within_a_step(graph: Graph, run: object) -> None:
    feeds = feeds_of(graph)
    before = execute(graph, feeds)
    assert run(graph)  # type: ignore[operator]
    graph.prune()
    graph.validate()
    after = execute(graph, feeds)
    for name in before:
        assert np.abs(after[name].astype(int) - before[name].astype(int)).max() <= 1, name


@pytest.mark.parametrize(
    ("op", "count"),
    [
        (ops.Add(), 2), (ops.Sub(), 2), (ops.Mul(), 2), (ops.Add(clamp=(0.0, 2.0)), 2),
        (ops.MatMul(transpose_b=True), 2), (ops.Concat(axis=1), 2),
        (ops.Clip(minimum=0.0), 1), (ops.Sigmoid(), 1), (ops.HardSwish(), 1),
        (ops.Softmax(axis=-1), 1), (ops.ReduceMean(axes=(1, 2), keepdims=False), 1),
        (ops.AveragePool2D(kernel=(2, 2)), 1), (ops.Transpose(perm=TO_FIRST), 1),
        (ops.Reshape(shape=(2, -1)), 1), (ops.Pad(pads=(0, 1, 1, 0, 0, 1, 1, 0)), 1),
        (ops.Slice(starts=(1,), ends=(3,), axes=(1,)), 1), (ops.MaxPool2D(kernel=(2, 2)), 1),
        (ops.Resize(scales=(2.0, 2.0)), 1), (ops.ReduceMax(axes=(1,)), 1),
    ],
)  # fmt: skip
def test_qdq_around_an_operator_makes_it_quantized(op: ops.Op, count: int) -> None:
    graph, reals = stored_inputs(*[(2, 4, 4, 3)] * count)
    within_a_step(quantized(graph, graph.add(op, reals)), fuse_quantization)
    assert "Dequantize" not in kinds(graph)
    assert all(graph.type_of(n.inputs[0]).is_quantized for n in graph.nodes)


@pytest.mark.parametrize("bias", ["", "stored", "stored otherwise", "float"])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "fc"])
def test_qdq_around_weights_and_bias(kind: str, bias: str) -> None:
    graph, (x,) = stored_inputs((2, 4, 4, 3))
    axis = 3 if kind == "depthwise" else 0
    shape = {"conv": (6, 3, 3, 3), "depthwise": (1, 3, 3, 6), "fc": (6, 3)}[kind]
    scales = (RNG.random(6) * 0.1 + 0.01).astype(np.float32)
    w = graph.add(ops.Dequantize(), [const(graph, *shape, q=Quantization(scales, 0, axis))])
    op = {"conv": ops.Conv2D(), "depthwise": ops.DepthwiseConv2D(), "fc": ops.FullyConnected()}[
        kind
    ]
    inputs = [x, w]
    if bias == "float":
        inputs.append(const(graph, 6))
    elif bias:
        factor = Q8.scale[0] if bias == "stored" else np.float32(0.01)
        q = Quantization(scales * factor, 0, 0)
        data = RNG.integers(-300, 300, 6).astype(np.int32)
        inputs.append(graph.add(ops.Dequantize(), [graph.add_constant("b", data, q)]))
    y = graph.add(ops.Clip(minimum=0.0), [graph.add(op, inputs)])
    quantized(graph, y, Quantization(0.2, -100))
    assert fuse_activations(graph) == 1
    within_a_step(graph, fuse_quantization)
    assert len(graph.nodes) == 1


def test_qdq_pair_with_other_parameters_is_a_requantization() -> None:
    graph, (x,) = stored_inputs((2, 3))
    assert same(quantized(graph, x), fuse_quantization) == 1
    assert kinds(graph) == ["Quantize"]


def test_a_float_reader_keeps_the_operator_in_float() -> None:
    graph, (x,) = stored_inputs((2, 3))
    y = graph.add(ops.Sigmoid(), [x])
    quantized(graph, y)
    finish(graph, "y", y)
    assert same(graph, fuse_quantization) == 0


def test_uint8_becomes_int8() -> None:
    graph = graph_of((2, 3), dtype=DType.UINT8, q=Quantization(0.1, 128))
    y = graph.add(ops.Sigmoid(), [graph.add(ops.Dequantize(), ["x0"])])
    y = graph.add(ops.Quantize(dtype=DType.UINT8), [y], name="y", quantization=Quantization(0.01))
    finish(graph, y)
    feeds = {"x0": RNG.integers(0, 256, (2, 3)).astype(np.uint8)}
    before = execute(graph, feeds)
    simplify(graph)
    after = execute(graph, feeds)
    assert after["y"].dtype == np.uint8
    np.testing.assert_array_equal(after["y"], before["y"])
    assert kinds(graph) == ["Quantize", "Sigmoid", "Quantize"]


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
