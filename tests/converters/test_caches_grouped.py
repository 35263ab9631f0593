"""Decoders as ONNX Runtime's model builder makes them, with GroupQueryAttention and MatMulNBits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.types import Array

from .onnx_builder import build, node, runtime_outputs

MS = "com.microsoft"
WIDTH, HEADS, FEW, DEPTH, INNER, WORDS, GROUP = 64, 4, 2, 16, 96, 40, 32
PROMPT, COUNT, CAPACITY = [3, 5, 7, 11], 12, 20
PACKED = (HEADS + 2 * FEW) * DEPTH
LAYERS = {"qkv": (WIDTH, PACKED), "o": (WIDTH, WIDTH), "gate": (WIDTH, INNER),
          "up": (WIDTH, INNER), "down": (INNER, WIDTH), "head": (WIDTH, WORDS)}  # fmt: skip


def linear(x: str, name: str, y: str) -> Any:
    depth, columns = LAYERS[name]
    return node("MatMulNBits", f"{x} {name} {name}_scale", y, MS, K=depth, N=columns, bits=4,
                block_size=GROUP)  # fmt: skip


def constants() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    angles = np.arange(CAPACITY)[:, None] * 10.0 ** -np.arange(DEPTH / 2)
    found = {
        "table": rng.standard_normal((WORDS, WIDTH)),
        "cos": np.cos(angles),
        "sin": np.sin(angles),
    } | {name: rng.uniform(0.5, 1.5, WIDTH) for name in ("norm", "norm1", "norm2")}
    made = {name: data.astype(np.float32) for name, data in found.items()}
    for name, (depth, columns) in LAYERS.items():
        groups = depth // GROUP
        made[name] = rng.integers(0, 256, (columns, groups, GROUP // 2)).astype(np.uint8)
        made[f"{name}_scale"] = rng.uniform(0.02, 0.06, columns * groups).astype(np.float32)
    return made | {"one": np.array([1], np.int64), "second": np.array(1, np.int64)}


def decoder(shared: bool) -> Any:
    """Return a model of one layer; ``shared``: its present has the past's length."""
    skip = "SkipSimplifiedLayerNormalization"
    nodes = [
        node("ReduceSum", "mask one", "valid"),
        node("Sub", "valid one", "less"),
        node("Cast", "less", "last", to=6),
        node("Shape", "mask", "sizes"),
        node("Gather", "sizes second", "size"),
        node("Cast", "size", "total", to=6),
        node("Gather", "table ids", "x"),
        node("SimplifiedLayerNormalization", "x norm", "n0", epsilon=1e-5),
        linear("n0", "qkv", "packed"),
        node("GroupQueryAttention", "packed - - past_k past_v last total cos sin", "seen k v", MS,
             num_heads=HEADS, kv_num_heads=FEW, do_rotary=1),
        linear("seen", "o", "out"),
        node(skip, "x out norm1", "n1 mean spread x1", MS, epsilon=1e-5),
        linear("n1", "gate", "a"),
        linear("n1", "up", "b"),
        node("Sigmoid", "a", "s"),
        node("Mul", "a s", "silu"),
        node("Mul", "silu b", "wide"),
        linear("wide", "down", "d"),
        node(skip, "x1 d norm2", "n2", MS, epsilon=1e-5),
        linear("n2", "head", "logits"),
    ]  # fmt: skip
    past, present = (("batch", FEW, rows, DEPTH) for rows in ("p", "p" if shared else "t"))
    inputs = {"ids": (("batch", "n"), np.int64), "mask": (("batch", "t"), np.int64),
              "past_k": past, "past_v": past}  # fmt: skip
    outputs = {"logits": ("batch", "n", WORDS), "k": present, "v": present}
    return build(nodes, inputs, outputs, constants(), opset=21)


def by_runtime(model: Any, shared: bool) -> list[int]:
    """Return greedy tokens, keys and values handed back in."""
    rows = CAPACITY if shared else 0
    k = v = np.zeros((1, FEW, rows, DEPTH), np.float32)
    ids, total, tokens = np.array([PROMPT]), 0, []
    for _ in range(COUNT):
        total += ids.shape[1]
        feeds = {"ids": ids, "mask": np.ones((1, total), np.int64), "past_k": k, "past_v": v}
        logits, k, v = runtime_outputs(model, feeds)
        tokens.append(int(logits[0, -1].argmax()))
        ids = np.array([tokens[-1:]])
    return tokens


@pytest.mark.parametrize("shared", [False, True])
def test_a_decoder_of_the_model_builder_generates_the_same_tokens(shared: bool) -> None:
    model = decoder(shared)
    graph = linnet.convert(model, cache=CAPACITY)
    assert graph.inputs == ["ids", "position"]
    kinds = [type(n.op) for n in graph.nodes]
    assert kinds.count(ops.RotaryEmbedding) == 2 and kinds.count(ops.CachedAttention) == 1
    tokens = list(linnet.generate(linnet.load(graph, threads=1), PROMPT, COUNT))
    assert tokens == by_runtime(model, shared)
