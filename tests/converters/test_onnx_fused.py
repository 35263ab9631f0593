"""What ONNX Runtime's optimizer emits, and volumes, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet.types import Array

from .onnx_builder import build, holds, node, runtime_outputs

MS = "com.microsoft"
RNG = np.random.default_rng(1)


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def test_fused_products() -> None:
    nodes = [
        node("FusedMatMul", "a b", "y", MS, transA=1, transB=1, alpha=0.5),
        node("FusedGemm", "y c d", "z", MS, transB=1, alpha=2.0, beta=0.5, activation="LeakyRelu",
             activation_alpha=0.1),
    ]  # fmt: skip
    holds(nodes, {"a": floats(6, 5), "b": floats(8, 6)}, "y z", {"c": floats(4, 8), "d": floats(4)})


def test_batches_of_products_turned() -> None:
    nodes = [node("FusedMatMul", "a b", "y", MS, transBatchA=1, transA=1)]
    holds(nodes, {"a": floats(6, 3, 5), "b": floats(3, 6, 2)}, "y")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("Tanh", [0.0]), ("LeakyRelu", [0.2]), ("Clip", [-0.3, 0.6]), ("HardSigmoid", [0.3, 0.4])],
)
def test_fused_convolution(name: str, parameters: list[float]) -> None:
    nodes = [
        node("FusedConv", "x w b z", "y", MS, pads=[1, 1, 1, 1], activation=name,
             activation_params=parameters)
    ]  # fmt: skip
    feeds = {"x": floats(1, 4, 7, 6), "z": floats(1, 8, 7, 6)}
    holds(nodes, feeds, "y", {"w": floats(8, 4, 3, 3), "b": floats(8)})


def test_integer_product_to_float() -> None:
    nodes = [node("MatMulIntegerToFloat", "a b s t za zb bias", "y", MS)]
    feeds = {"a": RNG.integers(0, 256, (3, 700)).astype(np.uint8)}
    constants = {
        "b": RNG.integers(-128, 128, (700, 4)).astype(np.int8),
        "s": np.array(0.02, np.float32), "t": floats(4) ** 2,
        "za": np.array(120, np.uint8), "zb": np.array([1, -2, 3, 0], np.int8), "bias": floats(4),
    }  # fmt: skip
    holds(nodes, feeds, "y", constants)


def test_embedding_and_skips() -> None:
    nodes = [
        node("EmbedLayerNormalization", "ids seg words places kinds g b mask", "e lengths sum", MS),
        node("SkipLayerNormalization", "e skip g b bias", "y - - s", MS),
        node("SkipSimplifiedLayerNormalization", "y skip g", "z", MS),
        node("BiasGelu", "z bias", "u", MS), node("FastGelu", "z bias", "v", MS),
        node("QuickGelu", "z", "w", MS, alpha=1.5),
    ]  # fmt: skip
    nodes[0].output[2] = "total"
    nodes[1].output[:] = ["y", "", "", "s"]
    feeds = {
        "ids": RNG.integers(0, 9, (2, 5)).astype(np.int32),
        "seg": RNG.integers(0, 2, (2, 5)).astype(np.int32),
        "mask": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32),
        "skip": floats(2, 5, 32),
    }  # fmt: skip
    constants = {"words": floats(9, 32), "places": floats(6, 32), "kinds": floats(2, 32),
                 "g": floats(32), "b": floats(32), "bias": floats(32)}  # fmt: skip
    holds(nodes, feeds, "e lengths total y s z u v w", constants)


VOLUME = {"x": floats(1, 4, 5, 6, 7)}


@pytest.mark.parametrize(
    "attributes",
    [{}, {"strides": [2, 1, 2], "pads": [1, 0, 1, 1, 2, 0]}, {"dilations": [2, 1, 1], "group": 2},
     {"auto_pad": "SAME_LOWER", "strides": [2, 2, 1]}],
)  # fmt: skip
def test_convolutions_of_volumes(attributes: dict[str, Any]) -> None:
    w = floats(6, 4 // attributes.get("group", 1), 2, 3, 3)
    known = (4, 5, 6, 7) if "auto_pad" in attributes else (4,)
    nodes = [node("Conv", "x w b", "y", **attributes)]
    holds(nodes, VOLUME, "y", {"w": w, "b": floats(6)}, known=known)


@pytest.mark.parametrize(
    "attributes",
    [{}, {"strides": [2, 2, 1], "pads": [1, 0, 1, 0, 1, 0], "output_padding": [1, 1, 0]},
     {"dilations": [2, 1, 2], "group": 2, "strides": [3, 1, 1]}],
)  # fmt: skip
def test_transposed_convolutions_of_volumes(attributes: dict[str, Any]) -> None:
    nodes = [node("ConvTranspose", "x w b", "y", **attributes)]
    outputs = 3 * attributes.get("group", 1)
    holds(nodes, VOLUME, "y", {"w": floats(4, 3, 2, 3, 2), "b": floats(outputs)}, known=(4,))


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool", "LpPool"])
def test_poolings_of_volumes(kind: str) -> None:
    more = {"ceil_mode": 1} if kind != "LpPool" else {}
    nodes = [
        node(kind, "x", "y", kernel_shape=[2, 3, 2], strides=[2, 1, 2], pads=[1, 1, 0, 0, 1, 1],
             **more)
    ]  # fmt: skip
    holds(nodes, VOLUME, "y", known=(4,))


def test_short_time_spectrum_of_a_signal_of_any_length() -> None:
    nodes = [node("STFT", "x step window", "y", onesided=1)]
    constants = {"step": np.array(5, np.int64), "window": np.hanning(16).astype(np.float32)}
    holds(nodes, {"x": floats(2, 67, 1)}, "y", constants, known=(1, 2))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_by_scales_and_sizes_that_a_run_knows(mode: str) -> None:
    feeds = {"x": floats(1, 2, 5, 6), "s": np.array([1, 1, 1.7, 0.6], np.float32)}
    holds([node("Resize", "x - s", "y", mode=mode)], feeds, "y", known=(1, 2, 4))
    feeds = {"x": floats(1, 2, 5, 6), "s": np.array([1, 2, 8, 3], np.int64)}
    holds([node("Resize", "x - - s", "y", mode=mode)], feeds, "y", known=(1, 2, 4))


@pytest.mark.parametrize(
    "equation",
    ["ij,jk->ik", "bij,bkj->bik", "bhqd,bhkd->bhqk", "i,j->ij", "ij->j", "ii->i", "bii->b", "ij,ij",
     "...ij,...jk->...ik", "bij,jk,bkl->bil", "ijkl->lkji", "abc,cb->a", "iji,j->i", "ij,kj->",
     "bct,bcs,bs->tc", "n...,n->...", "abcd,acde->abe", "ab,cd->abcd"],
)  # fmt: skip
def test_einsum(equation: str) -> None:
    sizes = {c: 2 + i % 4 for i, c in enumerate("abcdeijklnqhst")}
    feeds: dict[str, Array] = {}
    for index, term in enumerate(equation.split("->")[0].split(",")):
        shape = []
        for part in term.replace("...", "#"):
            shape += [2, 3] if part == "#" else [sizes[part]]
        feeds[f"x{index}"] = floats(*shape)
    nodes = [node("Einsum", " ".join(feeds), "y", equation=equation)]
    model = build(nodes, {n: a.shape for n, a in feeds.items()}, "y")
    found = linnet.load(linnet.convert(model)).run(feeds)["y"]
    wanted = runtime_outputs(model, feeds)[0]
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    holds(nodes, feeds, "y", known=())


@pytest.mark.parametrize("channels", [3, 130, 1000])
def test_integer_convolution_is_exact(channels: int) -> None:
    feeds = {"x": np.full((1, channels, 4, 5), 255, np.uint8)}
    feeds["x"][0, ::7] = RNG.integers(0, 256, feeds["x"][0, ::7].shape)
    constants = {
        "w": RNG.integers(0, 256, (2, channels, 3, 3)).astype(np.uint8),
        "zx": np.array(0, np.uint8), "zw": np.array(1, np.uint8),
    }  # fmt: skip
    constants["w"][0] = 255
    holds([node("ConvInteger", "x w zx zw", "y")], feeds, "y", constants, known=(1, channels, 4, 5))


@pytest.mark.parametrize("per_gate", [False, True])
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_dynamic_quantize_lstm(per_gate: bool, kind: Any) -> None:
    """The same as a float LSTM of the weights' real values; ONNX Runtime rounds activations too."""
    hidden, width = 8, 6
    gates = 4 * hidden
    low = 0 if kind is np.uint8 else -127
    sizes = (2, gates) if per_gate else (2,)
    feeds = {"x": floats(5, 3, width)}
    whole = {n: RNG.integers(low, low + 255, (2, rows, gates)).astype(kind)
             for n, rows in (("w", width), ("r", hidden))}  # fmt: skip
    scales = {n: (RNG.random(sizes) * 0.002 + 0.001).astype(np.float32) for n in ("ws", "rs")}
    zeros = {n: np.full(sizes, low + 127, kind) for n in ("wz", "rz")}
    constants = {**whole, **scales, **zeros, "b": floats(2, 2 * gates), "h": floats(2, 3, hidden)}
    outputs = "y last cell"
    model = build([node("DynamicQuantizeLSTM", "x w r b - h - - ws wz rs rz", outputs, MS,
                        hidden_size=hidden, direction="bidirectional")],
                  {"x": (5, 3, width)}, outputs, constants)  # fmt: skip
    found = linnet.load(linnet.convert(model)).run(feeds)
    by_row = (2, 1, -1)
    real = {n: (whole[n].astype(np.float32) - zeros[f"{n}z"].astype(np.float32).reshape(by_row))
            * scales[f"{n}s"].reshape(by_row) for n in ("w", "r")}  # fmt: skip
    turned = {n: a.transpose(0, 2, 1).copy() for n, a in real.items()}
    plain = build([node("LSTM", "x w r b - h", outputs, hidden_size=hidden,
                        direction="bidirectional")],
                  {"x": (5, 3, width)}, outputs,
                  {**turned, "b": constants["b"], "h": constants["h"]})  # fmt: skip
    for name, wanted in zip(outputs.split(), runtime_outputs(plain, feeds), strict=True):
        np.testing.assert_allclose(found[name], wanted, atol=1e-5)
    for name, wanted in zip(outputs.split(), runtime_outputs(model, feeds), strict=True):
        np.testing.assert_allclose(found[name], wanted, atol=0.02)
