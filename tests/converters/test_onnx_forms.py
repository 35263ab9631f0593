"""Unusual forms of ONNX operators, held against ONNX Runtime with open and with fixed sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet.types import Array

from .onnx_builder import build, holds, node, runtime_outputs

rng = np.random.default_rng(11)


def real(*shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def stored(dtype: Any, *shape: int) -> Array:
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)


def whole(*values: int) -> Array:
    return np.array(values, np.int64)


def steps_away(model: Any, feeds: dict[str, Array], steps: int) -> None:
    """Require ONNX Runtime's stored integers within some steps."""
    found = linnet.load(linnet.convert(model)).run(feeds)
    for got, wanted in zip(found.values(), runtime_outputs(model, feeds), strict=True):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        assert np.abs(got.astype(np.int64) - wanted.astype(np.int64)).max() <= steps


def test_angles_outside_of_their_range() -> None:
    x = np.array([-2, -1, -0.5, 0, 1, 1.5, np.inf, -np.inf, np.nan], np.float32)
    for kind in ("Asin", "Acos", "Atan"):
        holds([node(kind, "x", "y")], {"x": x}, "y")


def test_shrinking_integers_by_a_fraction() -> None:
    feeds = {"x": np.array([-7, -1, 0, 1, 2, 9], np.int32)}
    holds([node("Shrink", "x", "y", bias=0.5, lambd=1.0)], feeds, "y")


@pytest.mark.parametrize("opset", [7, 10, 12, 13])
def test_mask_of_dropout(opset: int) -> None:
    x = np.array([1, np.nan, 0], np.float32)
    holds([node("Dropout", "x", "y mask")], {"x": x}, "y mask", opset=opset)


def test_backward_slice_that_starts_before_the_first_element() -> None:
    constants = {"b": whole(-9), "e": whole(-100), "a": whole(0), "s": whole(-2)}
    made = build([node("Slice", "x b e a s", "y")], {"x": (4, 3)}, "y", constants)
    feeds = {"x": real(4, 3)}
    found = linnet.load(linnet.convert(made)).run(feeds)["y"]
    np.testing.assert_array_equal(found, runtime_outputs(made, feeds)[0])


@pytest.mark.parametrize(("size", "parts"), [(6, 3), (7, 3)])
def test_equal_parts_of_an_axis_of_any_size(size: int, parts: int) -> None:
    outputs = " ".join(f"y{i}" for i in range(parts))
    split = node("Split", "x", outputs, axis=0, num_outputs=parts)
    holds([split], {"x": real(size, 4)}, outputs)


@pytest.mark.parametrize("reduction", ["none", "add", "max"])
def test_scatter_with_indices_of_any_shape(reduction: str) -> None:
    places = np.array([[2, 0, 1], [0, 1, 2]])
    feeds = {"x": real(3, 5), "i": places, "u": real(2, 3)}
    scatter = node("ScatterElements", "x i u", "y", axis=0, reduction=reduction)
    holds([scatter], feeds, "y", opset=18)


def test_unit_matrix_of_any_shape() -> None:
    holds([node("EyeLike", "x", "y", k=1, dtype=7)], {"x": real(3, 6)}, "y", opset=13)


@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_over_several_axes_of_nothing(axis: int) -> None:
    holds([node("Softmax", "x", "y", axis=axis)], {"x": real(2, 0, 3)}, "y", opset=9)


def test_resize_in_the_coordinates_of_tensorflow() -> None:
    resize = node(
        "Resize", "x r s", "y", mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="tf_half_pixel_for_nn",
    )  # fmt: skip
    constants = {"r": real(0), "s": np.array([1, 1, 1.5, 0.4], np.float32)}
    holds([resize], {"x": real(1, 2, 5, 6)}, "y", constants, opset=11)


@pytest.mark.parametrize(
    "attributes",
    [{"output_shape": [9, 8, 7]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}],
)
def test_transposed_volumes_of_a_given_size(attributes: dict[str, Any]) -> None:
    spread = node("ConvTranspose", "x w", "y", strides=[2, 2, 2], **attributes)
    made = build([spread], {"x": (1, 2, 4, 4, 3)}, "y", {"w": real(2, 3, 3, 3, 3)})
    feeds = {"x": real(1, 2, 4, 4, 3)}
    found = linnet.load(linnet.convert(made)).run(feeds)["y"]
    np.testing.assert_allclose(found, runtime_outputs(made, feeds)[0], rtol=1e-4, atol=1e-5)


def test_windows_and_pads_that_a_run_computes() -> None:
    feeds = {"n": np.array(12), "p": whole(1, 2), "a": whole(-1), "x": real(2, 3)}
    nodes = [node("HannWindow", "n", "w"), node("Pad", "x p - a", "y")]
    holds(nodes, feeds, "w y", opset=18)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("form", ["tensor", "axis", "blocks"])
def test_quantizing_by_parameters_that_a_run_computes(form: str, dtype: Any) -> None:
    shape = {"tensor": (), "axis": (6,), "blocks": (4, 3)}[form]
    more = {"tensor": {}, "axis": {"axis": 1}, "blocks": {"axis": 1, "block_size": 2}}[form]
    feeds = {
        "x": real(4, 6),
        "s": rng.uniform(0.01, 0.1, shape).astype(np.float32),
        "z": rng.integers(0, 9, shape).astype(dtype),
    }
    nodes = [
        node("QuantizeLinear", "x s z", "q", **more),
        node("DequantizeLinear", "q s z", "y", **more),
    ]
    holds(nodes, feeds, "q y", opset=21, known=(4, 6, 3, 2))


@pytest.mark.parametrize("kind", ["INT4", "UINT4"])
def test_blocks_of_four_bit_weights(kind: str) -> None:
    from onnx import TensorProto, helper

    low, high = (-8, 8) if kind == "INT4" else (0, 16)
    code = getattr(TensorProto, kind)
    weights = rng.integers(low, high, (8, 6))
    made = build(
        [
            node("DequantizeLinear", "w s z", "r", axis=0, block_size=4),
            node("MatMul", "x r", "y"),
        ],
        {"x": (3, 8)},
        "y",
        {"s": rng.uniform(0.01, 0.1, (2, 6)).astype(np.float32)},
        opset=21,
    )
    zeros = rng.integers(max(low, -2), 3, 12)
    made.ir_version = 10
    for name, dims, values in (("w", (8, 6), weights.reshape(-1)), ("z", (2, 6), zeros)):
        made.graph.initializer.append(helper.make_tensor(name, code, dims, values.tolist()))
    feeds = {"x": real(3, 8)}
    found = linnet.load(linnet.convert(made)).run(feeds)["y"]
    np.testing.assert_allclose(found, runtime_outputs(made, feeds)[0], rtol=1e-5, atol=1e-6)


PARAMETERS = {
    "xs": np.array(0.043, np.float32),
    "xz": np.array(7, np.uint8),
    "ws": np.array(0.0171, np.float32),
    "wz": np.array(1, np.int8),
    "ys": np.array(0.31, np.float32),
    "yz": np.array(90, np.uint8),
}
QUANTIZED: dict[str, tuple[str, dict[str, Any], dict[str, Array]]] = {
    "QLinearConv": (
        "x xs xz w ws wz ys yz b",
        {"pads": [1, 1, 1, 1], "group": 2},
        {"x": stored(np.uint8, 2, 4, 6, 5), "w": stored(np.int8, 6, 2, 3, 3),
         "b": rng.integers(-200, 200, 6).astype(np.int32)},
    ),
    "QLinearMatMul": (
        "x xs xz w ws wz ys yz", {},
        {"x": stored(np.uint8, 2, 3, 5), "w": stored(np.int8, 5, 4)},
    ),
    "com.microsoft:QGemm": (
        "x xs xz w ws wz b ys yz", {"transB": 1},
        {"x": stored(np.uint8, 3, 5), "w": stored(np.int8, 4, 5),
         "b": rng.integers(-200, 200, 4).astype(np.int32)},
    ),
    "com.microsoft:QLinearMul": (
        "x xs xz v ws xz ys yz", {},
        {"x": stored(np.uint8, 3, 5), "v": stored(np.uint8, 5)},
    ),
    "com.microsoft:QLinearSigmoid": ("x xs xz ys yz", {}, {"x": stored(np.uint8, 3, 5)}),
    "com.microsoft:QLinearAveragePool": (
        "x xs xz ys yz", {"kernel_shape": [3, 3]}, {"x": stored(np.uint8, 1, 2, 6, 6)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", QUANTIZED)
def test_quantized_operators_whose_parameters_a_run_computes(kind: str) -> None:
    inputs, attributes, feeds = QUANTIZED[kind]
    domain, _, name = kind.rpartition(":")
    feeds = feeds | {n: a for n, a in PARAMETERS.items() if n in inputs.split()}
    # ONNX Runtime wants what tells the result's type as constants.
    fixed = {n: feeds.pop(n) for n in ("ys", "yz", "xz", "wz", "w", "b") if n in feeds}
    made = build(
        [node(name, inputs, "y", domain=domain, **attributes)],
        {n: (a.shape, a.dtype) for n, a in feeds.items()}, "y", fixed,
    )  # fmt: skip
    steps_away(made, feeds, 1)


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize(
    ("attributes", "bias"),
    [
        ({"alpha": 0.5}, (4,)),
        ({"transA": 1}, (1, 4)),
        ({"transA": 1, "transB": 1, "alpha": 3.0}, ()),
        ({"alpha": 2.0}, (3, 1)),
        ({"transB": 1}, (3, 4)),
    ],
)
def test_quantized_gemm(attributes: dict[str, Any], bias: tuple[int, ...], computed: bool) -> None:
    x = stored(np.uint8, *((5, 3) if "transA" in attributes else (3, 5)))
    w = stored(np.int8, *((4, 5) if "transB" in attributes else (5, 4)))
    made_bias = {"b": rng.integers(-200, 200, bias).astype(np.int32)}
    fixed = dict(PARAMETERS) | {"w": w} | made_bias
    feeds = {"x": x} | ({"xs": fixed.pop("xs")} if computed else {})
    product = node("QGemm", "x xs xz w ws wz b ys yz", "y", "com.microsoft", **attributes)
    made = build([product], {n: (a.shape, a.dtype) for n, a in feeds.items()}, "y", fixed)
    steps_away(made, feeds, 1)


def test_quantized_gemm_with_a_float_result() -> None:
    fixed = dict(PARAMETERS) | {"w": stored(np.int8, 5, 4)}
    product = node("QGemm", "x xs xz w ws wz", "y", "com.microsoft")
    made = build([product], {"x": ((3, 5), np.uint8)}, "y", fixed)
    feeds = {"x": stored(np.uint8, 3, 5)}
    found = linnet.load(linnet.convert(made)).run(feeds)["y"]
    np.testing.assert_allclose(found, runtime_outputs(made, feeds)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["QLinearConv", "QLinearAveragePool"])
def test_quantized_images_with_channels_last(kind: str) -> None:
    feeds = {"x": stored(np.uint8, 2, 6, 5, 4)}
    fixed = dict(PARAMETERS) | {"w": stored(np.int8, 6, 4, 3, 3)}
    inputs = "x xs xz w ws wz ys yz" if kind == "QLinearConv" else "x xs xz ys yz"
    last = node(
        kind, inputs, "y", domain="com.microsoft", channels_last=1, kernel_shape=[3, 3],
        pads=[1, 0, 1, 2],
    )  # fmt: skip
    fixed = {n: a for n, a in fixed.items() if n in inputs.split()}
    steps_away(build([last], {"x": ((2, 6, 5, 4), np.uint8)}, "y", fixed), feeds, 1)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("zeros", ["absent", "packed", "real"])
def test_weights_of_other_bits(bits: int, zeros: str) -> None:
    depth, outputs, size = 40, 6, 16
    groups = -(-depth // size)
    fixed = {
        "B": stored(np.uint8, outputs, groups, size * bits // 8),
        "S": rng.uniform(0.01, 0.1, outputs * groups).astype(np.float32),
    }
    if zeros == "packed":
        fixed["Z"] = stored(np.uint8, outputs * -(-groups * bits // 8))
    elif zeros == "real":
        fixed["Z"] = rng.uniform(0, 8, outputs * groups).astype(np.float32)
    if bits == 8 and zeros == "real":
        pytest.skip("ONNX Runtime has no such form to compare with")
    product = node(
        "MatMulNBits", f"x {' '.join(fixed)}", "y", domain="com.microsoft", K=depth, N=outputs,
        bits=bits, block_size=size,
    )  # fmt: skip
    made = build([product], {"x": (3, depth)}, "y", fixed)
    feeds = {"x": real(3, depth)}
    found = linnet.load(linnet.convert(made)).run(feeds)["y"]
    wanted = runtime_outputs(made, feeds)[0]
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()
