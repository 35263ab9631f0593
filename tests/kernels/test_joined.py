"""Elementwise steps that go on with pieces of what the step before makes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from harness import levels

from linnet import ops
from linnet.binding import Binder, Frame
from linnet.buffers import assign_buffers
from linnet.fusion import fuse_bytes
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.planner import plan_memory
from linnet.specialize import specialize
from linnet.types import DType, Quantization, TensorType

# op, shape of x, shape of the weights
FLOATS = {
    "product": (ops.Conv2D(), (2, 9, 13, 13), (21, 1, 1, 13)),
    "many rows": (ops.Conv2D(), (1, 90, 70, 3), (37, 1, 1, 3)),
    "one row": (ops.FullyConnected(), (1, 40), (200, 40)),
    "rows": (ops.FullyConnected(), (50, 40), (33, 40)),
    "windows": (ops.Conv2D(pads=(1, 1, 1, 1)), (2, 12, 9, 5), (21, 3, 3, 5)),
    "inside": (ops.Conv2D(strides=(2, 2)), (2, 15, 11, 5), (50, 3, 3, 5)),
    "few outputs": (ops.Conv2D(), (1, 12, 9, 20), (3, 3, 3, 20)),
    "groups": (ops.Conv2D(groups=3), (1, 12, 9, 12), (63, 3, 3, 4)),
    "few pixels": (ops.Conv2D(groups=2), (1, 3, 3, 8), (140, 3, 3, 4)),
    "winograd": (ops.Conv2D(auto_pad="same_upper"), (2, 13, 10, 16), (27, 3, 3, 16)),
    "depthwise": (ops.DepthwiseConv2D(auto_pad="same_upper"), (2, 17, 14, 19), (1, 3, 3, 19)),
    "depthwise 2": (
        ops.DepthwiseConv2D(auto_pad="same_upper", strides=(2, 2)),
        (1, 17, 14, 19),
        (1, 5, 5, 19),
    ),
    "depthwise apart": (ops.DepthwiseConv2D(dilations=(2, 3)), (1, 17, 14, 19), (1, 3, 3, 19)),
}
BYTES = {
    "product": (ops.Conv2D(), (2, 9, 13, 13), (21, 1, 1, 13)),
    "one row": (ops.FullyConnected(), (1, 40), (200, 40)),
    "windows": (ops.Conv2D(auto_pad="same_upper"), (2, 12, 9, 3), (21, 3, 3, 3)),
    "band": (ops.Conv2D(auto_pad="same_upper"), (2, 12, 9, 16), (21, 3, 3, 16)),
    "groups": (ops.Conv2D(groups=2), (1, 12, 9, 8), (42, 3, 3, 4)),
}


class Made:
    """A graph bound with every step split among the threads."""

    def __init__(self, graph: Graph, isa: str = "", threads: int = 1) -> None:
        types = {name: graph.type_of(name) for name in graph.inputs}
        concrete = fuse_bytes(specialize(graph, types), graph.outputs)
        buffers = assign_buffers(concrete, graph.inputs, graph.outputs)
        memory = plan_memory(buffers.requests())
        self.program = _core.Program(memory.arena_bytes, isa, threads)
        self.program.force_threads(threads)
        self.binder = Binder(
            Frame(self.program, {}, None), concrete, buffers, memory, self.program.arena
        )
        self.spans = [self.binder.bind(i, item) for i, item in enumerate(concrete.nodes)]

    @property
    def joined(self) -> list[str]:
        return [span.item.node.op.title for span in self.spans if span.joined]

    def run(self, feeds: dict[str, np.ndarray], output: str) -> np.ndarray:
        for name, array in feeds.items():
            ctypes.memmove(self.binder.buffer(name).pointer, array.ctypes.data, array.nbytes)
        assert self.program.run() == -1
        found = self.binder.buffer(output)
        data = ctypes.string_at(found.pointer, found.type.nbytes)
        return np.frombuffer(data, found.type.dtype.numpy).reshape(found.type.shape)


def graph_of(
    case: tuple[ops.Op, tuple[int, ...], tuple[int, ...]], quantized: bool
) -> tuple[Graph, dict[str, np.ndarray]]:
    """Return a graph that makes c of x, an input r of c's shape, and both inputs' content."""
    op, x, w = case
    rng = np.random.default_rng(7)
    graph = Graph("joined")

    def scale(value: float, zero: int = 0) -> Quantization | None:
        return Quantization(value, zero) if quantized else None

    def random(shape: tuple[int, ...]) -> np.ndarray:
        if quantized:
            return rng.integers(-128, 128, shape).astype(np.int8)
        return rng.normal(size=shape).astype(np.float32)

    dtype = DType.INT8 if quantized else DType.FLOAT32
    graph.add_input("x", TensorType(dtype, x, scale(0.05, 3)))
    graph.add_constant("w", random(w), scale(0.02))
    graph.add(op, ["x", "w"], outputs=["c"], quantization=scale(0.3, -4))
    shape = graph.type_of("c").static_shape
    graph.add_input("r", TensorType(dtype, shape, scale(0.2, 9)))
    return graph, {"x": random(x), "r": random(shape)}


def same_bytes(graph: Graph, feeds: dict[str, np.ndarray], joined: list[str]) -> None:
    """Require what the steps give one after the other, which an output in between makes them."""
    assert Made(graph).joined == joined
    inner = [node.outputs[0] for node in graph.nodes]
    for isa, threads in levels():
        graph.outputs = ["y"]
        found = Made(graph, isa, threads).run(feeds, "y")
        graph.outputs = inner
        apart = Made(graph, isa, threads)
        assert not apart.joined
        assert found.tobytes() == apart.run(feeds, "y").tobytes(), f"{isa} {threads} threads"


@pytest.mark.parametrize("name", FLOATS)
def test_floats_go_on_with_a_function(name):
    graph, feeds = graph_of(FLOATS[name], quantized=False)
    graph.add(ops.Silu(), ["c"], outputs=["s"])
    graph.add(ops.LeakyRelu(alpha=0.3), ["s"], outputs=["y"])
    graph.outputs = ["y"]
    same_bytes(graph, feeds, ["Silu", "LeakyRelu"])


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("clamp", [ops.NO_CLAMP, (0.0, float("inf"))])
def test_bytes_go_on_with_a_table_and_a_sum(name, clamp):
    graph, feeds = graph_of(BYTES[name], quantized=True)
    graph.add(ops.HardSwish(), ["c"], outputs=["h"], quantization=Quantization(0.2, -9))
    add = ops.Add(clamp=clamp)
    graph.add(add, ["r", "h"], outputs=["y"], quantization=Quantization(0.25, 1))
    graph.outputs = ["y"]
    same_bytes(graph, feeds, ["HardSwish", "Add"])


def test_a_third_step_runs_alone():
    graph, _ = graph_of(FLOATS["product"], quantized=False)
    for number, op in enumerate((ops.Silu(), ops.Tanh(), ops.Sigmoid())):
        graph.add(op, [f"{number}" if number else "c"], outputs=[f"{number + 1}"])
    graph.outputs = ["3"]
    assert Made(graph).joined == ["Silu", "Tanh"]


def test_two_readers_or_an_output_keep_steps_apart():
    graph, _ = graph_of(FLOATS["product"], quantized=False)
    graph.add(ops.Silu(), ["c"], outputs=["s"])
    graph.add(ops.Tanh(), ["c"], outputs=["t"])
    graph.outputs = ["s", "t"]
    assert not Made(graph).joined
    graph, _ = graph_of(FLOATS["product"], quantized=False)
    graph.add(ops.Silu(), ["c"], outputs=["s"])
    graph.outputs = ["s", "c"]
    assert not Made(graph).joined


def test_steps_between_keep_steps_apart():
    graph, _ = graph_of(FLOATS["product"], quantized=False)
    graph.add(ops.Tanh(), ["r"], outputs=["t"])
    graph.add(ops.Silu(), ["c"], outputs=["s"])
    graph.outputs = ["s", "t"]
    assert not Made(graph).joined


def test_several_outputs_a_channel_are_finished_first():
    case = ops.DepthwiseConv2D(), (1, 9, 8, 5), (1, 3, 3, 15)
    graph, _ = graph_of(case, quantized=False)
    graph.add(ops.Silu(), ["c"], outputs=["y"])
    graph.outputs = ["y"]
    assert not Made(graph).joined
