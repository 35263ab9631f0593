"""ONNX operators that draw random numbers: each has a generator, whose counter is a state.

Bernoulli is refused, and RandomUniformLike, which it expands to: what they decide no other runtime
repeats, so that no result could be held against another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from linnet import ops
from linnet.errors import UnsupportedError
from linnet.ops import Op
from linnet.types import DType, TensorType

from .node import OnnxNode
from .proto import dtype_of
from .registry import handles


def _draw(node: OnnxNode, make: Callable[[int, int], Op], *inputs: str) -> str:
    """Emit an op of two seeds; ``seed`` begins anew, without one each operator has its stream."""
    if node.state.counters is None:
        raise UnsupportedError("random numbers in a nested graph; draw them outside of it")
    seed = int(np.float32(node.real("seed", 0.0)).view(np.int32))
    stream = 0 if node.has("seed") else 1 + len(node.state.counters)
    counter = node.graph.unique(f"{node.name}/counter")
    node.graph.add_input(counter, TensorType(DType.INT64, ()))
    made, after = (node.graph.unique(f"{node.name}/{what}") for what in ("drawn", "after"))
    node.graph.add(make(seed, stream), [*inputs, counter], outputs=[made, after])
    node.state.counters[counter] = after
    return made


def _type(node: OnnxNode, usual: DType) -> DType:
    return dtype_of(node.integer("dtype", 0), "attribute dtype") if node.has("dtype") else usual


def _cast(node: OnnxNode, x: str, to: DType) -> str:
    return x if node.graph.type_of(x).dtype is to else node.emit(ops.Cast(to=to), x)


@handles("RandomNormal", "RandomNormalLike", "RandomUniform")
def random_numbers(node: OnnxNode) -> None:
    """Numbers of TFLite's generator, scaled; repeatable: a session begins where its state says."""
    if node.kind.endswith("Like"):
        shape, usual = node.emit(ops.Shape(), node.input(0)), node.type(0).dtype
    else:
        dims = np.array(node.integers("shape") or (), np.int64)
        shape, usual = node.constant_like(dims, "shape"), DType.FLOAT32
    kind: Literal["uniform", "normal"] = "normal" if "Normal" in node.kind else "uniform"
    if kind == "normal":
        start, width = node.real("mean", 0.0), node.real("scale", 1.0)
    else:
        start = node.real("low", 0.0)
        width = node.real("high", 1.0) - start
    made = _draw(
        node,
        lambda seed, stream: ops.RandomNumbers(distribution=kind, seed=seed, stream=stream),
        shape,
    )
    for op, value, nothing in ((ops.Mul(), width, 1.0), (ops.Add(), start, 0.0)):
        if value != nothing:
            made = node.emit(op, made, node.constant_like(np.array(value, np.float32), "number"))
    node.give(_cast(node, made, _type(node, usual)))


@handles("Multinomial")
def multinomial(node: OnnxNode) -> None:
    """Categories drawn with the probabilities softmax(input)."""
    count = node.constant_like(np.array(node.integer("sample_size", 1), np.int64), "samples")
    dtype = _type(node, DType.INT32)
    logits = _cast(node, node.input(0), DType.FLOAT32)
    node.give(
        _draw(
            node,
            lambda seed, stream: ops.Multinomial(seed=seed, stream=stream, dtype=dtype),
            logits,
            count,
        )
    )
