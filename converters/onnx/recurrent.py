"""ONNX recurrent layers: one product for all inputs, then a walk for each direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError

from .node import OnnxNode
from .registry import MICROSOFT, handles

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
# Default alpha and beta by activation, as the operator specification has them.
_ALPHAS = {
    "leakyrelu": 0.01, "elu": 1.0, "hardsigmoid": 0.2, "affine": 1.0, "thresholdedrelu": 1.0,
    "scaledtanh": 1.0,
}  # fmt: skip
_BETAS = {"hardsigmoid": 0.5, "scaledtanh": 1.0}


@handles("LSTM", "GRU", "RNN")
def recurrent(node: OnnxNode) -> None:
    """Project the inputs of each direction, walk, and join the directions."""
    direction = node.text("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise FormatError(f"direction is '{direction}'")
    batch_first = bool(node.integer("layout", 0))
    x = node.input(0)
    if batch_first:
        x = node.emit(ops.Transpose(perm=(1, 0, 2)), x)
    count = 2 if direction == "bidirectional" else 1
    made = [
        _direction(node, x, index, direction == "reverse" or index == 1, batch_first)
        for index in range(count)
    ]
    join = ops.Concat(axis=1 if not batch_first else 2), ops.Concat(axis=1 if batch_first else 0)
    results = []
    for place in range(len(made[0])):
        parts = []
        for outputs in made:
            if place == 0:
                part = node.emit(ops.Unsqueeze(axes=(1,)), outputs[0])
                if batch_first:
                    part = node.emit(ops.Transpose(perm=(2, 0, 1, 3)), part)
            else:
                part = node.emit(ops.Unsqueeze(axes=(1 if batch_first else 0,)), outputs[place])
            parts.append(part)
        results.append(parts[0] if count == 1 else node.emit(join[min(place, 1)], *parts))
    node.give(*results)


@handles("DynamicQuantizeLSTM", domain=MICROSOFT)
def dynamic_quantize_lstm(node: OnnxNode) -> None:
    """LSTM of int8 weights [directions, inputs, gates] as floats; activations are not rounded."""
    weights = []
    for place, scale in ((1, 8), (2, 10)):
        integers = node.known(place, "weights")
        directions, _, gates = integers.shape
        each, zero = node.known(scale, "a scale"), node.known(scale + 1, "a zero point")
        by_row = [part.reshape(directions, 1, -1).astype(np.float32) for part in (each, zero)]
        if by_row[0].shape[2] not in (1, gates):
            raise FormatError(f"{each.size} scales of {directions} times {gates} gates")
        real = (integers.astype(np.float32) - by_row[1]) * by_row[0]
        weights.append(node.constant_like(real.transpose(0, 2, 1).copy(), f"weights{place}"))
    inputs = (node.input(0), *weights, *(node.optional(i) for i in range(3, 8)))
    attributes = node.attributes
    recurrent(OnnxNode(node.state, "LSTM", "", node.name, 14, attributes, inputs, node.outputs))


def _direction(
    node: OnnxNode, x: str, index: int, backward: bool, batch_first: bool
) -> tuple[str, ...]:
    """Emit one direction; return its outputs."""
    gates = _GATES[node.kind]
    weights = [_slice(node, node.input(place), index) for place in (1, 2)]
    hidden = node.graph.type_of(weights[1]).shape[1]
    if not isinstance(hidden, int):
        hidden = node.integer("hidden_size", 0)
    if hidden < 1:
        raise UnsupportedError("recurrent weights of unknown size; give the attribute hidden_size")
    bias, recurrent_bias = "", ""
    if node.optional(3):
        both = _slice(node, node.input(3), index)
        bias = _part(node, both, 0, gates * hidden)
        recurrent_bias = _part(node, both, gates * hidden, 2 * gates * hidden)
        if node.kind != "GRU":
            bias = node.emit(ops.Add(), bias, recurrent_bias)
    projected = node.emit(ops.FullyConnected(), x, weights[0], *([bias] if bias else []))
    inputs = [projected, weights[1], _state(node, 5, index, batch_first)]
    if node.kind == "LSTM":
        inputs.append(_state(node, 6, index, batch_first))
    inputs.append(node.optional(4))
    if node.kind == "GRU":
        inputs.append(recurrent_bias)
    if node.kind == "LSTM" and node.optional(7):
        inputs.append(_slice(node, node.input(7), index))
    while inputs and not inputs[-1]:
        inputs.pop()
    op = _op(node, index, backward)
    names = [node.graph.unique(f"{node.name}/{index}:{i}") for i in range(op.outputs)]
    node.graph.add(op, inputs, name=f"{node.name}/{index}", outputs=names)
    return tuple(names)


def _slice(node: OnnxNode, name: str, index: int, axis: int = 0) -> str:
    """Return one direction's part of a tensor."""
    place = node.constant_like(np.array(index, np.int64), "direction")
    return node.emit(ops.Gather(axis=axis), name, place)


def _part(node: OnnxNode, name: str, begin: int, end: int) -> str:
    return node.emit(ops.Slice(starts=(begin,), ends=(end,), axes=(0,), steps=(1,)), name)


def _state(node: OnnxNode, place: int, index: int, batch_first: bool) -> str:
    if not node.optional(place):
        return ""
    return _slice(node, node.input(place), index, 1 if batch_first else 0)


def _op(node: OnnxNode, index: int, backward: bool) -> ops.Op:
    defaults = _DEFAULTS[node.kind]
    given = node.attributes.get("activations", ())
    chosen = given[index * len(defaults) :][: len(defaults)] or defaults
    if not isinstance(chosen, tuple) or len(chosen) != len(defaults):
        raise FormatError(f"attribute activations is {given}")
    names = tuple(str(name).lower() for name in chosen)
    before = [str(n).lower() for n in given[: index * len(defaults)]]
    alphas = _numbers(node, "activation_alpha", names, before, _ALPHAS)
    betas = _numbers(node, "activation_beta", names, before, _BETAS)
    plain = names == tuple(name.lower() for name in defaults)
    common: dict[str, Any] = {
        "backward": backward,
        "clip": node.real("clip", 0.0),
        "activations": () if plain else names,
        "alphas": () if plain else alphas,
        "betas": () if plain else betas,
    }
    if node.kind == "LSTM":
        return ops.LSTM(coupled=bool(node.integer("input_forget", 0)), **common)
    if node.kind == "GRU":
        return ops.GRU(reset_after=bool(node.integer("linear_before_reset", 0)), **common)
    return ops.RNN(**common)


def _numbers(
    node: OnnxNode,
    attribute: str,
    names: Sequence[str],
    before: Sequence[str],
    defaults: dict[str, float],
) -> tuple[float, ...]:
    """Return each activation's parameter: given in order for those that have one, else default."""
    given = list(node.attributes.get(attribute, ()))
    given = given[sum(name in defaults for name in before) :]
    found = []
    for name in names:
        taken = given.pop(0) if name in defaults and given else defaults.get(name, 0.0)
        found.append(float(taken))
    return tuple(found)
