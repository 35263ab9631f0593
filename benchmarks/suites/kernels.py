"""Typical layers as a share of the measured peaks: ``linnet bench --suite kernels``.

Every case is a graph of one node, run by a session as a model's node is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    LayerNormalization,
    MaxPool2D,
    Op,
    Softmax,
    Tanh,
    Transpose,
)
from linnet.profile import profile_session
from linnet.types import Array, DType, Quantization, TensorType

from ..machine.peak import Peaks
from ..profile.analysis import analyze

Share = Callable[[float], None]


@dataclass(frozen=True)
class Layer:
    """One node to time.

    Parameters
    ----------
    name : str
    op : Op
    shape : tuple of int
        Of the input.
    weights : tuple of int
        Empty where there are none; then a second input of the first one's shape, if the op needs
        two.
    axis : int
        Of the weights' scales.
    """

    name: str
    op: Op
    shape: tuple[int, ...]
    weights: tuple[int, ...] = ()
    axis: int = 0


def _conv(name: str, size: int, c: int, o: int, k: int = 1, stride: int = 1) -> Layer:
    pads = (k // 2, k // 2, k // 2, k // 2)
    op = Conv2D(strides=(stride, stride), pads=pads, clamp=(0.0, 6.0))
    return Layer(name, op, (1, size, size, c), (o, k, k, c))


def _depthwise(name: str, size: int, c: int, k: int = 3, stride: int = 1) -> Layer:
    pads = (k // 2, k // 2, k // 2, k // 2)
    op = DepthwiseConv2D(strides=(stride, stride), pads=pads, clamp=(0.0, 6.0))
    return Layer(name, op, (1, size, size, c), (1, k, k, c), 3)


LAYERS = (
    _conv("1x1, early", 56, 24, 144),
    _conv("1x1, middle", 14, 96, 576),
    _conv("1x1, late", 7, 320, 1280),
    _conv("3x3, first of a network", 112, 3, 32, 3, 2),
    _conv("3x3, middle", 28, 64, 64, 3),
    _depthwise("depthwise 3x3, early", 112, 32),
    _depthwise("depthwise 3x3, middle", 28, 192),
    _depthwise("depthwise 3x3, stride 2", 56, 144, 3, 2),
    _depthwise("depthwise 5x5, late", 14, 576, 5),
    Layer("fully connected, one row", FullyConnected(), (1, 1024), (1000, 1024)),
    Layer("fully connected, 64 rows", FullyConnected(), (64, 384), (1536, 384)),
    Layer("add", Add(), (1, 56, 56, 64)),
    Layer("average pool", AveragePool2D(kernel=(7, 7)), (1, 7, 7, 1280)),
    Layer("max pool 2x2", MaxPool2D(kernel=(2, 2), strides=(2, 2)), (1, 56, 56, 64)),
    Layer("softmax", Softmax(), (64, 1000)),
    Layer("tanh", Tanh(), (1, 56, 56, 64)),
    Layer("layer norm", LayerNormalization(), (128, 384), (384,)),
    Layer("transpose", Transpose(perm=(0, 3, 1, 2)), (1, 56, 56, 64)),
)
FLOAT_ONLY = {"layer norm"}


def layer_graph(layer: Layer, int8: bool) -> tuple[Graph, dict[str, Array]]:
    """Return a layer as a model, quantized to int8 or float, and inputs for it."""
    rng = np.random.default_rng(0)
    graph = Graph(layer.name)
    dtype = DType.INT8 if int8 else DType.FLOAT32
    scale = Quantization(np.float32(0.05), np.int32(3)) if int8 else None
    feeds: dict[str, Array] = {}
    inputs = []
    for name in ("x", "y") if isinstance(layer.op, Add) else ("x",):
        inputs.append(graph.add_input(name, TensorType(dtype, layer.shape, quantization=scale)))
        feeds[name] = _data(rng, layer.shape, int8)
    if layer.weights:
        inputs += _weights(graph, layer, int8, rng)
    out = scale
    if int8 and isinstance(layer.op, Softmax):
        out = Quantization(np.float32(1 / 256), np.int32(-128))
    graph.outputs = [graph.add(layer.op, inputs, name=layer.name, quantization=out)]
    return graph, feeds


def _weights(graph: Graph, layer: Layer, int8: bool, rng: np.random.Generator) -> list[str]:
    count = layer.weights[layer.axis]
    array = _data(rng, layer.weights, int8)
    if not int8:
        bias = np.zeros(count, np.float32)
        return [graph.add_constant("w", array), graph.add_constant("b", bias)]
    scales = np.full(count, 0.01, np.float32)
    zero = np.zeros(count, np.int32)
    stored = Quantization(scales, zero, layer.axis)
    bias = np.zeros(count, np.int32)
    sums = Quantization(scales * np.float32(0.05), zero, 0)
    return [
        graph.add_constant("w", array, quantization=stored),
        graph.add_constant("b", bias, quantization=sums),
    ]


def _data(rng: np.random.Generator, shape: tuple[int, ...], int8: bool) -> Array:
    if int8:
        return rng.integers(-127, 128, shape, np.int8)
    return rng.standard_normal(shape, np.float32)


def time_layers(
    peaks: Peaks, runs: int = 30, share: Share = lambda done: None
) -> list[dict[str, Any]]:
    """Return a row per layer and type: time, speed, and the share of the roofline.

    Parameters
    ----------
    peaks : Peaks
        Their instruction set and threads are used.
    runs : int
    share : callable
        Told the share done, 0 to 1.
    """
    cases = [(layer, int8) for int8 in (True, False) for layer in LAYERS]
    cases = [(layer, int8) for layer, int8 in cases if not (int8 and layer.name in FLOAT_ONLY)]
    rows = []
    for index, (layer, int8) in enumerate(cases):
        graph, feeds = layer_graph(layer, int8)
        session = linnet.load(graph, threads=peaks.threads, isa=peaks.isa)
        node = analyze(profile_session(session, feeds, runs, traced=0), peaks).nodes[0]
        shape = "x".join(map(str, layer.shape[1:] if len(layer.shape) > 2 else layer.shape))
        rows.append({**node, "type": "int8" if int8 else "float32", "shape": shape})
        share((index + 1) / len(cases))
    return rows
