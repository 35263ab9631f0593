"""Passes change no output of random graphs of layers, layouts and quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet import ops
from linnet.converters.passes import simplify
from linnet.graph import Graph
from linnet.types import DType, Quantization, TensorType
from tests.evaluate import execute

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
UNARY = (ops.Clip(minimum=0.0), ops.Sigmoid(), ops.Abs(), ops.Tanh(), ops.Clip(maximum=0.5))


class Grower:
    """Grows a graph from one image, channels first, by drawn steps; all values stay images."""

    def __init__(self, data: st.DataObject, quantized: bool) -> None:
        self.draw = data.draw
        self.quantized = quantized
        self.rng = np.random.default_rng(self.draw(st.integers(0, 1 << 16)))
        self.graph = Graph()
        batch: Any = self.draw(st.sampled_from([1, 2, "n"]))
        self.graph.add_input("x", TensorType(DType.FLOAT32, (batch, 4, 5, 6)))
        self.values = [self.qdq("x")]

    def qdq(self, name: str) -> str:
        """Quantize and dequantize a value where the graph is a quantized one."""
        if not self.quantized:
            return name
        scale = self.draw(st.sampled_from([0.02, 0.05]))
        q = Quantization(scale, self.draw(st.integers(-20, 20)))
        return self.graph.add(
            ops.Dequantize(), [self.graph.add(ops.Quantize(), [name], quantization=q)]
        )

    def shape(self, name: str) -> tuple[Any, ...]:
        return self.graph.type_of(name).shape

    def array(self, *shape: int) -> np.ndarray:
        return (self.rng.standard_normal(shape) * 0.3).astype(np.float32)

    def constant(self, *shape: int) -> str:
        return self.graph.add_constant("c", self.array(*shape))

    def weights(self, *shape: int) -> str:
        if not self.quantized:
            return self.constant(*shape)
        stored = self.rng.integers(-127, 128, shape).astype(np.int8)
        q = Quantization(np.full(shape[0], 0.004, np.float32), 0, 0)
        return self.graph.add(ops.Dequantize(), [self.graph.add_constant("w", stored, q)])

    def last(self, op: ops.Op, name: str, *others: str) -> str:
        """Apply an op on channels-last images."""
        x = self.graph.add(ops.Transpose(perm=TO_LAST), [name])
        y = self.graph.add(op, [x, *others])
        return self.graph.add(ops.Transpose(perm=TO_FIRST), [y])

    def step(self) -> None:
        x = self.draw(st.sampled_from(self.values))
        kind = self.draw(st.sampled_from(sorted(STEPS)))
        self.values.append(self.qdq(STEPS[kind](self, x)))

    def finish(self) -> Graph:
        count = min(len(self.values), self.draw(st.integers(1, 2)))
        outputs = list(dict.fromkeys(v for v in self.values[-count:] if v != "x"))
        self.graph.outputs = outputs or [self.graph.add(ops.Abs(), ["x"])]
        self.graph.prune()
        self.graph.validate()
        return self.graph


def conv(g: Grower, x: str) -> str:
    channels = g.shape(x)[1]
    return g.last(ops.Conv2D(pads=(1, 1, 1, 1)), x, g.weights(3, 3, 3, channels))


def scale(g: Grower, x: str) -> str:
    kind = g.draw(st.sampled_from([ops.Mul(), ops.Add(), ops.Sub(), ops.Div()]))
    shape = g.draw(st.sampled_from([(), (1,), (g.shape(x)[1], 1, 1), (1, g.shape(x)[1], 1, 1)]))
    data = np.abs(g.array(*shape)) + np.float32(0.5)
    return g.graph.add(kind, [x, g.graph.add_constant("c", data)])


def combine(g: Grower, x: str) -> str:
    alike = [v for v in g.values if g.shape(v) == g.shape(x)]
    kind = g.draw(st.sampled_from([ops.Add(), ops.Mul(), ops.Maximum()]))
    return g.graph.add(kind, [x, g.draw(st.sampled_from(alike))])


def join(g: Grower, x: str) -> str:
    alike = [
        v for v in g.values if g.shape(v)[2:] == g.shape(x)[2:] and g.shape(v)[0] == g.shape(x)[0]
    ]
    return g.graph.add(ops.Concat(axis=1), [x, g.draw(st.sampled_from(alike))])


def shuffle(g: Grower, x: str) -> str:
    batch, channels, height, width = g.shape(x)
    if channels % 2:
        return g.graph.add(ops.Abs(), [x])
    lead = batch if isinstance(batch, int) else -1
    split = g.graph.add(ops.Reshape(shape=(lead, 2, channels // 2, height, width)), [x])
    swapped = g.graph.add(ops.Transpose(perm=(0, 2, 1, 3, 4)), [split])
    return g.graph.add(ops.Reshape(shape=(lead, channels, height, width)), [swapped])


def pool(g: Grower, x: str) -> str:
    kinds = [ops.MaxPool2D(kernel=(3, 3), pads=(1, 1, 1, 1)),
             ops.AveragePool2D(kernel=(3, 3), pads=(1, 1, 1, 1))]  # fmt: skip
    return g.last(g.draw(st.sampled_from(kinds)), x)


def gate(g: Grower, x: str) -> str:
    mean = g.graph.add(ops.ReduceMean(axes=(2, 3), keepdims=True), [x])
    return g.graph.add(ops.Mul(), [x, g.graph.add(ops.Sigmoid(), [mean])])


STEPS: dict[str, Any] = {
    "unary": lambda g, x: g.graph.add(g.draw(st.sampled_from(UNARY)), [x]),
    "conv": conv,
    "scale": scale,
    "combine": combine,
    "join": join,
    "shuffle": shuffle,
    "pool": pool,
    "gate": gate,
    "swap": lambda g, x: g.graph.add(
        ops.Transpose(perm=(0, 1, 3, 2)), [g.graph.add(ops.Transpose(perm=(0, 1, 3, 2)), [x])]
    ),
    "pad": lambda g, x: g.graph.add(
        ops.Slice(starts=(1, 0), ends=(6, 6), axes=(2, 3)),
        [g.graph.add(ops.Pad(pads=(0, 0, 1, 0, 0, 0, 0, 2)), [x])],
    ),
    "softmax": lambda g, x: g.graph.add(ops.Softmax(axis=1), [x]),
}


def outputs_before_and_after(data: st.DataObject, quantized: bool) -> Any:
    grower = Grower(data, quantized)
    for _ in range(data.draw(st.integers(1, 7))):
        grower.step()
    graph = grower.finish()
    shape = tuple(d if isinstance(d, int) else 2 for d in graph.type_of("x").shape)
    feeds = {"x": grower.rng.standard_normal(shape).astype(np.float32)} if graph.inputs else {}
    before = execute(graph, feeds)
    simplify(graph)
    return before, execute(graph, feeds), graph


@settings(max_examples=120)
@given(st.data())
def test_float_graphs_keep_their_outputs(data: st.DataObject) -> None:
    before, after, _ = outputs_before_and_after(data, quantized=False)
    assert list(before) == list(after)
    for name in before:
        assert before[name].shape == after[name].shape
        np.testing.assert_allclose(after[name], before[name], rtol=1e-3, atol=1e-4)


@settings(max_examples=120)
@given(st.data())
def test_quantized_graphs_keep_their_outputs_within_steps(data: st.DataObject) -> None:
    before, after, _ = outputs_before_and_after(data, quantized=True)
    assert list(before) == list(after)
    for name in before:
        # A rounding that falls the other way moves a value one step, and later layers pass it on.
        assert np.abs(after[name] - before[name]).max(initial=0) <= 0.5
        assert np.abs(after[name] - before[name]).mean() <= 0.02
