"""Make the golden file of the current format revision, and what it must load as.

Run once for a revision; afterwards its files stay as they are, for ever::

    PYTHONPATH=build/tree python tests/golden/make_golden.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from linnet.format import REVISION, encode
from linnet.graph import Graph, State
from linnet.ops import (
    Add,
    Cast,
    Clip,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    MaxPool2D,
    Quantize,
    ReduceMean,
    Reshape,
    Softmax,
    Split,
    Transpose,
)
from linnet.types import Array, DType, Quantization, TensorType

FOLDER = Path(__file__).parent


def numbers(count: int, low: int, high: int) -> Array:
    """Return whole numbers in [low, high] from a formula that no library can change."""
    state, found = 12345, []
    for _ in range(count):
        state = (1103515245 * state + 12345) % (1 << 31)
        found.append(low + (state >> 8) % (high - low + 1))
    return np.array(found)


def build() -> Graph:
    """Return a graph with an int8 branch, a float branch, states and every kind of record."""
    graph = Graph("golden", metadata={"licence": "Apache-2.0", "labels": "nein\nja\nvielleicht é"})
    image = graph.add_input("image", TensorType(DType.FLOAT32, ("batch", 6, 6, 2)))
    extra = graph.add_input("extra", TensorType(DType.UINT8, (3,), Quantization(0.25, 128)))
    y = graph.add(Quantize(), [image], name="quantize", quantization=Quantization(1 / 64, -7))

    w = numbers(4 * 3 * 3 * 2, -127, 127).astype(np.int8).reshape(4, 3, 3, 2)
    w = graph.add_constant("conv.w", w, Quantization([0.5, 0.25, 0.125, 1.5], axis=0))
    b = graph.add_constant("conv.b", numbers(4, -900, 900).astype(np.int32))
    conv = Conv2D(strides=(2, 1), pads=(1, 1, 1, 1), clamp=(0.0, float("inf")))
    y = graph.add(conv, [y, w, b], name="conv", quantization=Quantization(0.75, -128))
    w = numbers(1 * 3 * 3 * 8, -50, 50).astype(np.int8).reshape(1, 3, 3, 8)
    w = graph.add_constant(
        "depthwise.w", w, Quantization(np.arange(1, 9) / 256, np.arange(-4, 4), axis=3)
    )
    deep = DepthwiseConv2D(auto_pad="same_upper", clamp=(-6.0, 6.0))
    y = graph.add(deep, [y, w, ""], name="depthwise", quantization=Quantization(0.05, 3))
    y = graph.add(MaxPool2D(kernel=(3, 2), strides=(1, 2)), [y], name="pool")
    mean = ReduceMean(axes=(1, 2), keepdims=False)
    y = graph.add(mean, [y], name="mean", quantization=Quantization(0.04, 1))
    w = numbers(3 * 8, -9, 9).astype(np.int8).reshape(3, 8)
    w = graph.add_constant("fc.w", w, Quantization(0.0625, 2))
    y = graph.add(FullyConnected(), [y, w], name="fc", quantization=Quantization(0.125, -11))
    logits = graph.add(Dequantize(), [y], name="logits")

    extra = graph.add(Dequantize(), [extra], name="offsets")
    y = graph.add(Add(clamp=(-20.0, 20.0)), [logits, extra], name="sum")
    classes = graph.add(Softmax(beta=0.5), [y], name="classes")

    graph.add(Transpose(perm=(0, 3, 1, 2)), [image], name="planes")
    graph.add(Split(axis=1, sizes=(1, 1)), ["planes"], name="halves", outputs=["left", ""])
    shape = graph.add_constant("shape", np.array([-1, 36], np.int64))
    flat = graph.add(Reshape(), ["left", shape], name="flat")
    scale = graph.add_constant("scalar", np.float32(0.5))
    flat = graph.add(Add(), [flat, scale], name="shifted")
    flat = graph.add(Clip(minimum=-0.0, maximum=float("inf")), [flat], name="positive")
    flat = graph.add(Concat(axis=1), [flat, flat], name="twice")
    half = graph.add(Cast(to=DType.FLOAT16), [flat], name="half")
    for dtype in (DType.BOOL, DType.COMPLEX64, DType.FLOAT64, DType.UINT16, DType.INT16):
        name = f"constant.{dtype.value}"
        graph.outputs.append(graph.add_constant(name, np.arange(2).astype(dtype.numpy)))
    graph.outputs.append(graph.add_constant("empty", np.zeros((0, 3), np.uint64)))
    graph.outputs += ["fc", classes, half]
    first = graph.add_constant("count.first", np.array([3], np.int64))
    graph.add_input("count", TensorType(DType.INT64, (1,)))
    graph.add_input("trace", TensorType(DType.FLOAT32, ("batch", 3)))
    graph.outputs.append(graph.add(Add(), ["count", first], name="count.next"))
    graph.outputs.append(graph.add(Add(), ["trace", logits], name="trace.next"))
    graph.states += [State("count", "count.next", first), State("trace", "trace.next")]
    graph.validate()
    return graph


def feeds() -> dict[str, Array]:
    """Return one input for each graph input."""
    image = numbers(2 * 6 * 6 * 2, -128, 127).reshape(2, 6, 6, 2)
    return {
        "image": (image / 64).astype(np.float32),
        "extra": np.array([120, 128, 140], np.uint8),
        "count": np.array([3]),
        "trace": np.zeros((2, 3), np.float32),
    }


def describe(graph: Graph) -> dict[str, Any]:
    """Return everything that a graph holds as plain objects for JSON."""
    values = {}
    for name, value in sorted(graph.values.items()):
        q = value.type.quantization
        values[name] = {
            "type": str(value.type),
            "quantization": q and [q.scale.tolist(), q.zero_point.tolist(), q.axis],
            "content": None if value.data is None else value.data.tobytes().hex(),
        }
    return {
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "metadata": graph.metadata,
        "states": [[state.input, state.output, state.initial] for state in graph.states],
        "values": values,
        "nodes": [
            {
                "name": node.name,
                "inputs": list(node.inputs),
                "outputs": list(node.outputs),
                "op": json.loads(json.dumps(msgspec.to_builtins(node.op))),
            }
            for node in graph.nodes
        ],
    }


def main() -> None:
    """Write revisionN.linnet, and revisionN.json with its content and its results."""
    sys.path.insert(0, str(FOLDER.parent))
    from evaluate import execute

    graph, given = build(), feeds()
    results = execute(graph, given)
    (FOLDER / f"revision{REVISION}.linnet").write_bytes(encode(graph))
    content = {
        "graph": describe(graph),
        "feeds": {name: [str(array.dtype), array.tolist()] for name, array in given.items()},
        "results": {
            name: [str(array.dtype), list(array.shape), array.tobytes().hex()]
            for name, array in results.items()
        },
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (FOLDER / f"revision{REVISION}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
