"""The ONNX importer against ONNX Runtime: older operator forms, constant weights, quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from linnet import ops
from linnet.converters import check, convert
from linnet.converters.importer import import_model
from linnet.types import Array
from tests.converters.onnx_builder import agrees, build, node, random_feeds, runtime_outputs
from tests.evaluate import execute

RNG = np.random.default_rng(3)


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def int8(*shape: int) -> Array:
    return RNG.integers(-127, 128, shape).astype(np.int8)


def whole(*values: int) -> Array:
    return np.array(values, np.int64)


def floats(*values: float) -> Array:
    return np.array(values, np.float32)


def both(model: Any, steps: int = 0, tolerance: float = 1e-5) -> None:
    """Check the graph as imported, and as simplified."""
    agrees(model, import_model(model), steps, tolerance)
    agrees(model, convert(model), steps, tolerance)


IMAGE = (2, 4, 7, 6)
OLD_FORMS: dict[str, tuple[int, Any, dict[str, Array]]] = {
    "Squeeze-11": (11, node("Squeeze", "x", "y", axes=[0, -2]), {}),
    "Squeeze-all": (13, node("Squeeze", "x", "y"), {}),
    "Unsqueeze-11": (11, node("Unsqueeze", "x", "y", axes=[0, 5]), {}),
    "Slice-9": (9, node("Slice", "x", "y", starts=[1, -3], ends=[9, 1000], axes=[2, 3]), {}),
    "Slice-9-axes": (9, node("Slice", "x", "y", starts=[0, 1], ends=[1, 3]), {}),
    "Clip-7": (7, node("Clip", "x", "y", min=-0.5, max=0.25), {}),
    "Clip-10-one": (10, node("Clip", "x", "y", max=0.25), {}),
    "Pad-10": (10, node("Pad", "x", "y", pads=[0, 0, 1, 2, 0, 0, 3, 4], value=1.5), {}),
    "Pad-10-reflect": (
        10, node("Pad", "x", "y", mode="reflect", pads=[0, 0, 1, 2, 0, 0, 3, 4]), {}),
    "Pad-18-axes": (
        18, node("Pad", "x p v a", "y"), {"p": whole(1, 2), "v": floats(2.0), "a": whole(-1)}),
    "Upsample-7": (7, node("Upsample", "x", "y", mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]), {}),
    "Upsample-9": (9, node("Upsample", "x s", "y", mode="linear"), {"s": floats(1, 1, 2, 2)}),
    "Resize-10": (10, node("Resize", "x s", "y", mode="nearest"), {"s": floats(1, 1, 2, 0.5)}),
    "Resize-13-sizes": (
        13, node("Resize", "x - - s", "y", mode="linear"), {"s": whole(2, 4, 9, 3)}),
    "Split-11": (11, node("Split", "x", "y z", axis=1, split=[1, 3]), {}),
    "Split-11-equal": (11, node("Split", "x", "y z", axis=-1), {}),
    "Split-18": (18, node("Split", "x", "y z", axis=2, num_outputs=2), {}),
    "ReduceSum-11": (11, node("ReduceSum", "x", "y", axes=[1, -1], keepdims=0), {}),
    "ReduceSum-13": (13, node("ReduceSum", "x a", "y"), {"a": whole(2)}),
    "ReduceMean-17-all": (17, node("ReduceMean", "x", "y"), {}),
    "ReduceSum-noop": (13, node("ReduceSum", "x", "y", noop_with_empty_axes=1), {}),
    "ReduceL2-11": (11, node("ReduceL2", "x", "y", axes=[1]), {}),
    "ReduceLogSumExp-11": (11, node("ReduceLogSumExp", "x", "y", axes=[3], keepdims=0), {}),
    "Softmax-11": (11, node("Softmax", "x", "y"), {}),
    "Softmax-11-axis": (11, node("Softmax", "x", "y", axis=2), {}),
    "LogSoftmax-11": (11, node("LogSoftmax", "x", "y", axis=3), {}),
    "Softmax-13": (13, node("Softmax", "x", "y", axis=1), {}),
    "TopK-9": (9, node("TopK", "x", "y z", axis=3, k=2), {}),
    "TopK-11": (11, node("TopK", "x k", "y z", axis=1, largest=0), {"k": whole(3)}),
    "Dropout-7": (7, node("Dropout", "x", "y", ratio=0.3), {}),
    "Dropout-13-mask": (13, node("Dropout", "x", "y z"), {}),
    "BatchNormalization-7": (
        7, node("BatchNormalization", "x s b m v", "y", epsilon=1e-3),
        {"s": real(4), "b": real(4), "m": real(4), "v": np.abs(real(4)) + 0.5}),
    "InstanceNormalization": (
        9, node("InstanceNormalization", "x s b", "y"), {"s": real(4), "b": real(4)}),
    "GroupNormalization-21": (
        21, node("GroupNormalization", "x s b", "y", num_groups=2), {"s": real(4), "b": real(4)}),
    "LayerNormalization": (
        17, node("LayerNormalization", "x s b", "y", axis=2), {"s": real(7, 6), "b": real(7, 6)}),
    "Gather-negative": (11, node("Gather", "x i", "y", axis=1), {"i": whole(-1, 0, 2)}),
    "Gather-scalar": (11, node("Gather", "x i", "y", axis=-1), {"i": np.array(3, np.int64)}),
    "ArgMax-last": (12, node("ArgMax", "x", "y", axis=2, select_last_index=1), {}),
    "Flatten-negative": (11, node("Flatten", "x", "y", axis=-2), {}),
    "DepthToSpace-CRD": (13, node("DepthToSpace", "x", "y", blocksize=2, mode="CRD"), {}),
    "GlobalAveragePool": (7, node("GlobalAveragePool", "x", "y"), {}),
    "MaxPool-ceil": (
        12, node("MaxPool", "x", "y", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1), {}),
    "MaxPool-same": (
        8, node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
        {}),
    "AveragePool-pad": (
        11, node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1, 0, 1, 2]), {}),
    "AveragePool-include": (
        11, node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1, 0, 1, 2],
                 count_include_pad=1), {}),
    "Trilu": (14, node("Trilu", "x k", "y", upper=0), {"k": np.array(1, np.int64)}),
    "Pow-square": (13, node("Pow", "x e", "y"), {"e": np.array(2, np.int64)}),
    "PRelu": (9, node("PRelu", "x s", "y"), {"s": real(4, 1, 1)}),
    "Trilu-computed": (14, node("Trilu", "x k", "y"), {"k": np.array(-1, np.int64)}),
    "ScatterND": (
        16, node("ScatterND", "x i u", "y", reduction="add"),
        {"i": whole(0, 1, 1, 2).reshape(2, 2), "u": real(2, 7, 6)}),
    "ScatterElements": (
        16, node("ScatterElements", "x i u", "y", axis=-1),
        {"i": whole(5, 0, -1).reshape(1, 1, 1, 3), "u": real(1, 1, 1, 3)}),
    "LpPool": (18, node("LpPool", "x", "y", kernel_shape=[2, 3], pads=[1, 0, 0, 1], p=3), {}),
    "GlobalLpPool": (9, node("GlobalLpPool", "x", "y", p=2), {}),
    "LayerNormalization-stats": (
        17, node("LayerNormalization", "x s", "y m d", axis=-1), {"s": real(6)}),
    "Einsum-two": (12, node("Einsum", "x w", "y", equation="nchw,kc->nkhw"), {"w": real(5, 4)}),
    "Einsum-inner": (12, node("Einsum", "x w", "y", equation="abcd,cde"), {"w": real(7, 6, 3)}),
    "Einsum-dots": (12, node("Einsum", "x w", "y", equation="...ij,...jk->...ik"),
                    {"w": real(2, 4, 6, 3)}),
    "Einsum-sum": (12, node("Einsum", "x", "y", equation="abcd->ca"), {}),
    "Einsum-outer": (12, node("Einsum", "x w", "y", equation="abcd,e->eabcd"), {"w": real(3)}),
    "CumSum": (14, node("CumSum", "x a", "y", reverse=1), {"a": np.array(2, np.int32)}),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD_FORMS)
def test_operator_forms_of_every_age(name: str) -> None:
    opset, made, constants = OLD_FORMS[name]
    shape = (1, 4, 1, 6) if name.startswith("Squeeze") else IMAGE
    both(build([made], {"x": shape}, " ".join(made.output), constants, opset))


CONVOLUTIONS = {
    "plain": ("Conv", (5, 4, 3, 3), {"pads": [1, 0, 2, 1]}),
    "strided": ("Conv", (5, 4, 2, 3), {"strides": [2, 1], "dilations": [1, 2]}),
    "same": ("Conv", (5, 4, 3, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "valid": ("Conv", (5, 4, 3, 2), {"auto_pad": "VALID"}),
    "groups": ("Conv", (6, 2, 3, 3), {"group": 2}),
    "depthwise": ("Conv", (4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    "depthwise multiplied": ("Conv", (8, 1, 3, 3), {"group": 4, "strides": [2, 2]}),
    "transposed": ("ConvTranspose", (4, 5, 3, 3), {"strides": [2, 2], "pads": [1, 0, 0, 1]}),
    "transposed groups": ("ConvTranspose", (4, 3, 2, 2), {"strides": [2, 2], "group": 2}),
    "transposed asked": (
        "ConvTranspose", (4, 5, 3, 3), {"strides": [2, 2], "output_shape": [14, 12]}),
    "transposed extra": (
        "ConvTranspose", (4, 5, 3, 3), {"strides": [3, 2], "output_padding": [1, 1]}),
}  # fmt: skip


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_of_constant_weights(name: str, bias: bool) -> None:
    kind, shape, attributes = CONVOLUTIONS[name]
    group = attributes.get("group", 1)
    outputs = shape[0] if kind == "Conv" else shape[1] * group
    constants = {"w": real(*shape)} | ({"b": real(outputs)} if bias else {})
    made = node(kind, "x w b" if bias else "x w", "y", **attributes)
    both(build([made], {"x": IMAGE}, "y", constants), tolerance=1e-4)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose", "MaxPool", "AveragePool"])
def test_sequences_are_images_of_unit_height(kind: str) -> None:
    constants = {"w": real(4, 4, 3)} if kind.startswith("Conv") else {}
    attributes = {"kernel_shape": [3], "pads": [1, 0], "strides": [2]}
    made = node(kind, "x w" if constants else "x", "y", **attributes)
    both(build([made], {"x": (2, 4, 9)}, "y", constants), tolerance=1e-4)


@pytest.mark.parametrize(
    ("attributes", "shapes"),
    [
        ({}, ((3, 4), (4, 5), (5,))),
        ({"transB": 1, "alpha": 0.5, "beta": 2.0}, ((3, 4), (5, 4), (1, 5))),
        ({"transA": 1}, ((4, 3), (4, 5), ())),
        ({"beta": 0.5}, ((3, 4), (4, 5), (3, 1))),
        ({}, ((5, 4), (4, 5), (5, 1))),
        ({}, ((3, 4), (4, 5), (3, 5))),
        ({}, ((3, 4), (4, 5), None)),
    ],
)
@pytest.mark.parametrize("constant", [True, False])
def test_gemm(attributes: dict[str, Any], shapes: Any, constant: bool) -> None:
    a, b, c = shapes
    inputs, constants = {"a": a}, {}
    (constants if constant else inputs)["b"] = real(*b) if constant else b
    if c is not None:
        constants["c"] = real(*c)
    made = node("Gemm", "a b c" if c is not None else "a b", "y", **attributes)
    model = build([made], inputs, "y", constants)
    both(model, tolerance=1e-4)
    if constant:
        assert any(isinstance(n.op, ops.FullyConnected) for n in import_model(model).nodes)


@pytest.mark.parametrize("shapes", [((2, 3, 4), (4, 5)), ((4,), (4, 5)), ((2, 3, 4), (2, 4, 5))])
def test_matmul_of_constants(shapes: Any) -> None:
    model = build([node("MatMul", "a b", "y")], {"a": shapes[0]}, "y", {"b": real(*shapes[1])})
    both(model, tolerance=1e-4)
    kind = ops.FullyConnected if len(shapes[1]) == 2 else ops.MatMul
    assert isinstance(import_model(model).nodes[-1].op, kind)


# Quantization

SCALES = {"xs": floats(0.05)[0], "xz": np.int8(3), "ys": floats(0.1)[0], "yz": np.int8(-4)}
WEIGHTS = {
    "Conv": ((6, 4, 3, 3), 0, {}),
    "depthwise": ((4, 1, 3, 3), 0, {"group": 4}),
    "ConvTranspose": ((4, 6, 3, 3), 1, {"strides": [2, 2]}),
    "MatMul": ((6, 5), 1, {}),
    "Gemm": ((6, 5), 1, {}),
    "Gemm transposed": ((5, 6), 0, {"transB": 1}),
}


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("name", WEIGHTS)
def test_qdq_layers_become_integer_layers(name: str, per_channel: bool, relu: bool) -> None:
    shape, axis, attributes = WEIGHTS[name]
    kind = "Conv" if name == "depthwise" else name.split()[0]
    count = shape[axis]
    scales = (RNG.random(count) * 0.02 + 0.005).astype(np.float32)
    scale = scales if per_channel else scales[0]
    constants = dict(SCALES, w=int8(*shape), ws=scale, wz=np.zeros(np.shape(scale), np.int8))
    constants |= {"b": RNG.integers(-500, 500, count).astype(np.int32), "bs": scale * SCALES["xs"]}
    along = {"axis": axis} if per_channel else {}
    with_bias = kind != "MatMul"
    nodes = [
        node("DequantizeLinear", "x xs xz", "xd"),
        node("DequantizeLinear", "w ws wz", "wd", **along),
        node("DequantizeLinear", "b bs", "bd", **({"axis": 0} if per_channel else {})),
        node(kind, "xd wd bd" if with_bias else "xd wd", "c", **attributes),
        node("Relu", "c", "r"),
        node("QuantizeLinear", "r ys yz" if relu else "c ys yz", "y"),
    ]
    input_shape = (3, 6) if len(shape) == 2 else IMAGE
    model = build(nodes, {"x": (input_shape, np.int8)}, "y", constants)
    agrees(model, import_model(model), steps=1)
    graph = convert(model)
    agrees(model, graph, steps=1)
    left = [type(n.op).__name__ for n in graph.nodes if not isinstance(n.op, ops.Transpose)]
    assert len(left) == 1, left


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_qoperators(dtype: Any) -> None:
    zero = 128 if dtype == np.uint8 else 0
    w = RNG.integers(0, 255, (6, 4, 3, 3)).astype(np.uint8) if zero else int8(6, 4, 3, 3)
    m = RNG.integers(0, 255, (6, 5)).astype(np.uint8) if zero else int8(6, 5)
    constants = {
        "xs": floats(0.05)[0], "xz": dtype(zero + 3), "cs": floats(0.6)[0], "cz": dtype(zero - 4),
        "w": w, "ws": floats(0.02)[0], "wz": dtype(zero), "m": m, "s": whole(-1, 6),
        "b": RNG.integers(-500, 500, 6).astype(np.int32), "as": floats(1.1)[0],
        "ys": floats(0.7)[0],
    }  # fmt: skip
    nodes = [
        node("QLinearConv", "x xs xz w ws wz cs cz b", "c", pads=[1, 1, 1, 1]),
        node("QLinearAdd", "c cs cz c cs cz as cz", "a", "com.microsoft"),
        node("QLinearConcat", "as cz c cs cz a as cz", "k", "com.microsoft", axis=1),
        node("QLinearSigmoid", "k as cz xs xz", "g", "com.microsoft"),
        node("QLinearGlobalAveragePool", "g xs xz xs xz", "p", "com.microsoft"),
        node("Reshape", "p s", "f"),
        node("QLinearMatMul", "f xs xz m ws wz ys cz", "y"),
    ]
    model = build(nodes, {"x": (IMAGE, dtype)}, "y", constants)
    agrees(model, import_model(model), steps=2)
    agrees(model, convert(model), steps=2)


def test_quantized_input_is_declared_through_data_movement() -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[0, 2, 1]),
        node("DequantizeLinear", "t xs xz", "y"),
    ]
    constants = {key: SCALES[key] for key in ("xs", "xz")}
    graph = import_model(build(nodes, {"x": ((2, 3, 4), np.int8)}, "y", constants))
    q = graph.type_of("x").quantization
    assert q is not None and q.scale[0] == SCALES["xs"] and q.zero_point[0] == 3


def test_readers_that_disagree_leave_plain_integers() -> None:
    nodes = [
        node("DequantizeLinear", "x xs xz", "y"),
        node("DequantizeLinear", "x ys xz", "z"),
    ]
    model = build(nodes, {"x": ((2, 3), np.int8)}, "y z", SCALES)
    assert import_model(model).type_of("x").quantization is None
    both(model)


DYNAMIC = {"w": int8(6, 5), "wz": np.int8(0), "ws": floats(0.01)}
DYNAMIC_NODES = [
    node("DynamicQuantizeLinear", "x", "q s z"),
    node("MatMulInteger", "q w z wz", "i"),
    node("Cast", "i", "f", to=1),
    node("Mul", "s ws", "k"),
    node("Mul", "f k", "y"),
]


def test_dynamic_quantization_that_is_read_is_arithmetic() -> None:
    both(build(DYNAMIC_NODES, {"x": (3, 6)}, "y f q z", DYNAMIC), steps=1, tolerance=1e-4)


@pytest.mark.parametrize("scales", [(0.01,), (0.01, 0.02, 0.03, 0.005, 0.04)])
def test_dynamic_products_are_one_layer(scales: tuple[float, ...]) -> None:
    model = build(DYNAMIC_NODES, {"x": (3, 6)}, "y", dict(DYNAMIC, ws=floats(*scales)))
    graph = convert(model)
    assert [n.op for n in graph.nodes] == [ops.DynamicLinear(per_tensor=True)]
    feeds = random_feeds(graph)
    (wanted,) = runtime_outputs(model, feeds)
    assert np.abs(execute(graph, feeds)["y"] - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_dynamic_convolutions_are_convolutions_of_dequantized_weights() -> None:
    nodes = [n for n in DYNAMIC_NODES if n.op_type != "MatMulInteger"]
    nodes.insert(1, node("ConvInteger", "q w z wz", "i", pads=[1, 1, 1, 1]))
    model = build(nodes, {"x": IMAGE}, "y", dict(DYNAMIC, w=int8(5, 4, 3, 3)))
    graph = convert(model)
    assert any(isinstance(n.op, ops.Conv2D) for n in graph.nodes)
    feeds = random_feeds(graph)
    (wanted,) = runtime_outputs(model, feeds)
    assert np.abs(execute(graph, feeds)["y"] - wanted).max() < 0.02 * np.abs(wanted).max()


# Computed shapes


def test_resize_to_the_size_of_another_tensor() -> None:
    nodes = [
        node("Shape", "x", "xs"),
        node("Shape", "z", "zs"),
        node("Slice", "xs zero two", "front"),
        node("Slice", "zs two four", "back"),
        node("Concat", "front back", "sizes", axis=0),
        node("Resize", "x - - sizes", "y", mode="nearest", nearest_mode="floor"),
    ]
    constants = {"zero": whole(0), "two": whole(2), "four": whole(4)}
    inputs = {"x": ("n", 3, "h", "w"), "z": (1, 2, "hh", 7)}
    both(build(nodes, inputs, "y", constants))


def test_resize_of_channels_to_computed_sizes_is_resampling() -> None:
    model = build([node("Shape", "z", "s"), node("Resize", "x - - s", "y")],
                  {"x": (1, 3, 4, 4), "z": (1, "c", "hh", "ww")}, "y")  # fmt: skip
    assert check(model) == []
    agrees(model, import_model(model))


@pytest.mark.parametrize("batch", ["n", None])
def test_computed_reshapes_become_fixed_ones(batch: str | None) -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Gather", "s one", "c", axis=0),
        node("Mul", "c three", "c3"),
        node("Unsqueeze", "n axes", "n1"),
        node("Unsqueeze", "c3 axes", "c1"),
        node("Concat", "n1 minus c1", "target", axis=0),
        node("Reshape", "x target", "y"),
    ]
    constants = {
        "zero": np.array(0, np.int64), "one": np.array(1, np.int64),
        "three": np.array(3, np.int64), "axes": whole(0), "minus": whole(-1),
    }  # fmt: skip
    model = build(nodes, {"x": (batch, 2, 9)}, "y", constants)
    both(model)
    (made,) = convert(model).nodes
    assert made.op == ops.Reshape(shape=(0, -1, 6))


@pytest.mark.parametrize("target", [(0, 2, -1), (3, 2, 84)])
def test_instances_of_reshaped_channels_are_groups(target: tuple[int, ...]) -> None:
    nodes = [
        node("Reshape", "x target", "r"),
        node("InstanceNormalization", "r one zero", "i", epsilon=1e-3),
        node("Shape", "x", "shape"),
        node("Reshape", "i shape", "j"),
        node("Mul", "j s", "m"),
        node("Add", "m b", "y"),
    ]
    constants = {
        "target": whole(*target), "one": floats(1.5, 0.5), "zero": floats(0.25, -1.0),
        "s": real(4, 1, 1), "b": real(4, 1, 1),
    }  # fmt: skip
    model = build(nodes, {"x": (3, 4, 7, 6)}, "y", constants)
    both(model)
    made = [n.op for n in convert(model).nodes]
    assert ops.GroupNormalization(groups=2, epsilon=np.float32(1e-3).item()) in made
    assert {type(op) for op in made} == {ops.GroupNormalization, ops.Transpose}


def test_shapes_that_only_the_data_tells_stay_computed() -> None:
    nodes = [node("Reshape", "x a", "r"), node("Shape", "r", "s"), node("Expand", "z s", "y")]
    inputs = {"x": (2, 3), "a": ((2,), np.int64), "z": (1, 1)}
    graph = convert(build(nodes, inputs, "y"))
    feeds = {"x": real(2, 3), "a": whole(3, 2), "z": real(1, 1)}
    assert execute(graph, feeds)["y"].shape == (3, 2)
