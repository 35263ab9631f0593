"""Make the golden file of the current format revision, and what it must load as.

Run once for a revision; afterwards its files stay as they are, for ever::

    PYTHONPATH=build/tree python tests/golden/make_golden.py
"""

from __future__ import annotations

import json
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
    Exp,
    FullyConnected,
    If,
    Less,
    Loop,
    MaxPool2D,
    Mul,
    Neg,
    Op,
    Quantize,
    ReduceMax,
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


def body(name: str, op: Op) -> Graph:
    """Return a graph of one node."""
    graph = Graph(name)
    graph.add_input("x", TensorType(DType.FLOAT32, ("batch", 3)))
    graph.outputs = [graph.add(op, ["x"], name="y")]
    return graph


def repeated() -> Graph:
    """Return the body of a loop, with a branch of its own."""
    graph = Graph("repeated")
    graph.add_input("number", TensorType(DType.INT64, ()))
    graph.add_input("go", TensorType(DType.BOOL, ()))
    graph.add_input("x", TensorType(DType.FLOAT32, ("batch", 3)))
    half = graph.add_constant("half", np.float32(0.5))
    branches = If(then_branch=body("down", Neg()), else_branch=body("up", Exp()))
    turned = graph.add(branches, ["go", "x"], name="turned")
    graph.outputs = ["go", graph.add(Mul(), [turned, half], name="next"), turned]
    return graph


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
    go = graph.add(Less(), [graph.add(ReduceMax(axes=(0, 1)), [logits]), "scalar"], name="go")
    branches = If(then_branch=body("then", Neg()), else_branch=body("else", Exp()))
    graph.outputs.append(graph.add(branches, [go, logits], name="chosen"))
    three = graph.add_constant("three", np.array(3, np.int64))
    loop = Loop(body=repeated(), carried=1)
    graph.add(loop, [three, "", logits], name="loop", outputs=["last", "every"])
    graph.outputs += ["last", "every"]
    first = graph.add_constant("count.first", np.array([3], np.int64))
    graph.add_input("count", TensorType(DType.INT64, (1,)))
    graph.add_input("trace", TensorType(DType.FLOAT32, ("batch", 3)))
    graph.outputs.append(graph.add(Add(), ["count", first], name="count.next"))
    graph.outputs.append(graph.add(Add(), ["trace", logits], name="trace.next"))
    w = numbers(12 * 8, -127, 127).astype(np.int8).reshape(12, 8)
    w = graph.add_constant("panels.w", w, Quantization(0.0625))
    q = Quantization(1.5, 5)
    graph.outputs.append(graph.add(FullyConnected(), ["mean", w], name="panels", quantization=q))
    graph.states += [State("count", "count.next", first), State("trace", "trace.next")]
    graph.validate()
    return graph


def feeds() -> dict[str, Array]:
    """Return one input for each graph input."""
    image = numbers(2 * 6 * 6 * 2, -128, 127).reshape(2, 6, 6, 2)
    return {
        "image": (image / 64).astype(np.float32),
        "extra": np.array([120, 128, 140], np.uint8),
        "count": np.array([3], np.int64),
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
                "op": _attributes(node.op),
            }
            for node in graph.nodes
        ],
    }


def _attributes(op: Op) -> dict[str, Any]:
    """Return an op's name and fields; nested graphs as they are described themselves."""
    found: dict[str, Any] = {"type": type(op).__name__}
    for field in msgspec.structs.fields(op):
        given = getattr(op, field.name)
        nested = isinstance(given, Graph)
        plain = describe(given) if nested else json.loads(json.dumps(msgspec.to_builtins(given)))
        found[field.encode_name] = plain
    return found


def main() -> None:
    """Write revisionN.linnet, and revisionN.json with its content and its results."""
    from linnet.reference import evaluate

    graph, given = build(), feeds()
    results = evaluate(graph, given)
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
