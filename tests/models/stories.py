"""A decoder with a cache, derived from the prefill model of stories260k."""

from __future__ import annotations

import linnet
from linnet import ops
from linnet.graph import Graph
from linnet.types import DType, TensorType

HEADS, KV_HEADS, DEPTH, LAYERS = 8, 4, 8, 5


def decoder(model, capacity: int = 256) -> Graph:
    """Return tokens [1, L], position [1] -> logits [1, L, V], the weights those of the model."""
    source = linnet.convert(model)
    layers = iter([n for n in source.nodes if isinstance(n.op, ops.FullyConnected)])
    norms = iter([n for n in source.nodes if isinstance(n.op, ops.RMSNormalization)])
    graph = Graph("stories260k_cached")
    tokens = graph.add_input("tokens", TensorType(DType.INT64, (1, "length")))
    position = graph.add_input("position", TensorType(DType.INT64, (1,)))
    emb, cos, sin = (graph.add_constant(n, source.constant(n)) for n in ("emb", "fr", "fi"))

    def linear(x):
        name = next(layers).inputs[1]
        return graph.add(ops.FullyConnected(), [x, graph.add_constant(name, source.constant(name))])

    def normalized(x):
        node = next(norms)
        scale = graph.add_constant(node.inputs[1], source.constant(node.inputs[1]))
        return graph.add(ops.RMSNormalization(axis=2, epsilon=node.op.epsilon), [x, scale])

    def heads(x, count):
        return graph.add(ops.Reshape(shape=(1, -1, count, DEPTH)), [x])

    def turned(x):
        rotary = ops.RotaryEmbedding(interleaved=True, heads_last=True)
        return graph.add(rotary, [x, cos, sin, position])

    x = graph.add(ops.Gather(), [emb, tokens])
    for _ in range(LAYERS):
        y = normalized(x)
        q, k, v = heads(linear(y), HEADS), heads(linear(y), KV_HEADS), heads(linear(y), KV_HEADS)
        op = ops.CachedAttention(capacity=capacity, heads_last=True)
        mixed = graph.add(op, [turned(q), turned(k), v, position])
        joined = graph.add(ops.Reshape(shape=(1, -1, HEADS * DEPTH)), [mixed])
        x = graph.add(ops.Add(), [x, linear(joined)])
        y = normalized(x)
        gate, up = graph.add(ops.Silu(), [linear(y)]), linear(y)
        x = graph.add(ops.Add(), [x, linear(graph.add(ops.Mul(), [gate, up]))])
    graph.outputs = [graph.add(ops.Identity(), [linear(normalized(x))], outputs=["logits"])]
    graph.validate()
    return graph
