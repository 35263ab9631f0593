"""Image resizing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from linnet.errors import QuantizationError, ShapeError, UnsupportedError
from linnet.ops import Resize
from linnet.ops.resize import COORDINATES, ROUNDINGS
from linnet.types import DType, NodeTypes, Quantization, TensorType


def apply(op: Resize, array: np.ndarray) -> np.ndarray:
    types = TensorType.of(array)
    outputs = op.infer(types)
    (result,) = op.reference(NodeTypes((types,), outputs), array)
    assert TensorType.of(result) == outputs[0]
    return result


def line(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    ("coordinates", "rounding", "expected"),
    [
        ("half_pixel", "round_prefer_floor", [0, 2]),
        ("half_pixel", "round_prefer_ceil", [1, 3]),
        ("half_pixel", "floor", [0, 2]),
        ("half_pixel", "ceil", [1, 3]),
        ("asymmetric", "floor", [0, 2]),
        ("align_corners", "round_prefer_ceil", [0, 3]),
    ],
)
def test_nearest_by_hand(coordinates: str, rounding: str, expected: list[int]) -> None:
    op = Resize(coordinates=coordinates, nearest=rounding, size=(1, 2))
    assert apply(op, line(0, 1, 2, 3)).ravel().tolist() == expected


def test_linear_by_hand() -> None:
    up = Resize(mode="linear", size=(1, 4))
    assert apply(up, line(0, 8)).ravel().tolist() == [0, 2, 6, 8]
    corners = Resize(mode="linear", coordinates="align_corners", size=(1, 3))
    assert apply(corners, line(0, 8)).ravel().tolist() == [0, 4, 8]
    plain = Resize(mode="linear", coordinates="asymmetric", size=(1, 4))
    assert apply(plain, line(0, 8)).ravel().tolist() == [0, 4, 8, 8]


def test_arithmetics_round_positions_differently() -> None:
    ramp = line(*range(26))
    nearest = {"coordinates": "half_pixel", "nearest": "round_prefer_ceil", "size": (1, 11)}
    # The middle one of 11 looks exactly at the border of 12 and 13 of 26: 5.5 * 26 / 11 = 13.
    assert apply(Resize(**nearest), ramp)[0, 0, 5, 0] == 13
    assert apply(Resize(**nearest, arithmetic="multiply"), ramp)[0, 0, 5, 0] == 12


def test_fixed_positions_are_whole_steps() -> None:
    op = Resize(mode="linear", coordinates="asymmetric", size=(1, 3), arithmetic="fixed")
    assert (op.positions(2, 3, 1) * 1024).tolist() == [0, 683, 1366]
    half = Resize(mode="linear", size=(1, 3), arithmetic="fixed")
    assert (half.positions(2, 3, 1) * 1024).tolist() == [341 - 512, 1024 - 512, 1707 - 512]
    corners = Resize(mode="linear", coordinates="align_corners", size=(1, 4), arithmetic="fixed")
    assert (corners.positions(3, 4, 1) * 1024).tolist() == [0, 683, 1366, 2049]
    with pytest.raises(UnsupportedError, match="expected a size"):
        Resize(scales=(2.0, 2.0), arithmetic="fixed").infer(TensorType.of(line(0)))


def test_linear_rounds_stored_integers_half_to_even() -> None:
    x = np.array([0, 1, 2, 3], np.int8).reshape(1, 1, -1, 1)
    halves = Resize(mode="linear", coordinates="align_corners", size=(1, 7))
    assert apply(halves, x).ravel().tolist() == [0, 0, 1, 2, 2, 2, 3]


def test_quantization_is_kept() -> None:
    q = Quantization(0.5, -7)
    x = TensorType(DType.INT8, ("n", 4, "w", 3), q)
    (result,) = Resize(mode="linear", scales=(2.0, 1.5)).infer(x)
    assert result == TensorType(DType.INT8, ("n", 8, "floor(w*1.5)", 3), q)
    with pytest.raises(QuantizationError, match="cannot follow"):
        Resize(size=(1, 1)).infer(x.with_(quantization=Quantization([1.0] * 4, 0, axis=1)))


def test_resize_refuses() -> None:
    x = TensorType(DType.FLOAT32, (1, 4, 4, 3))
    with pytest.raises(UnsupportedError, match="mode 'cubic'"):
        Resize(mode="cubic", size=(8, 8)).infer(x)
    with pytest.raises(ShapeError, match="neither size nor scales"):
        Resize().infer(x)
    with pytest.raises(ShapeError, match="rank 4"):
        Resize(size=(8, 8)).infer(TensorType(DType.FLOAT32, (4, 4, 3)))
    with pytest.raises(UnsupportedError, match="linear Resize of int64"):
        Resize(mode="linear", size=(8, 8)).infer(x.with_(dtype=DType.INT64))


CASES = [
    ((5, 7), {"size": (10, 14)}),
    ((5, 7), {"size": (3, 5)}),
    ((6, 9), {"size": (2, 3)}),
    ((4, 4), {"size": (1, 1)}),
    ((1, 1), {"size": (3, 2)}),
    ((5, 6), {"scales": (0.6, 1.5)}),
    ((9, 9), {"scales": (1 / 3, 2 / 3)}),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_onnx_runtime_gives_the_same(case: int) -> None:
    ort = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    (height, width), given = CASES[case]
    x = np.random.default_rng(case).standard_normal((2, 3, height, width)).astype(np.float32)
    modes = [("nearest", rounding) for rounding in ROUNDINGS] + [("linear", "floor")]
    for (mode, rounding), coordinates in itertools.product(modes, COORDINATES):
        op = Resize(mode=mode, coordinates=coordinates, nearest=rounding, **given)
        mine = apply(op, np.ascontiguousarray(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
        peer = _onnx_resize(onnx, ort, x, mode, coordinates, rounding, given)
        np.testing.assert_allclose(mine, peer, rtol=1e-5, atol=2e-6, err_msg=str(op))


def _onnx_resize(onnx, ort, x, mode, coordinates, rounding, given):
    inputs = ["x", "", "", "size"] if "size" in given else ["x", "", "scales"]
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = rounding
    node = onnx.helper.make_node("Resize", inputs, ["y"], **attributes)
    size = np.array([*x.shape[:2], *given.get("size", (0, 0))], np.int64)
    scales = np.array([1, 1, *given.get("scales", (1, 1))], np.float32)
    extent = ("size", size) if "size" in given else ("scales", scales)
    graph = onnx.helper.make_graph(
        [node],
        "resize",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(extent[1], extent[0])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def test_size_may_be_an_input():
    x = TensorType(DType.FLOAT32, (1, 4, 4, 2))
    size = TensorType.of(np.array([2, 6], np.int64))
    assert Resize().infer(x, size)[0].shape == (1, 2, 6, 2)
    assert Resize().infer(x, size.with_(value=None))[0].shape == (1, "?1", "?2", 2)
    with pytest.raises(ShapeError, match="a height and a width"):
        Resize().infer(x, TensorType.of(np.array([2, 6, 7], np.int64)))
