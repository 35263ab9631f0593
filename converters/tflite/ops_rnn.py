"""Rules of recurrent operators with one gate."""

from __future__ import annotations

import numpy as np

from linnet.errors import FormatError, UnsupportedError
from linnet.ops import SVDF, Concat, Identity, SequenceRNN, Squeeze, Unsqueeze

from .node import TfliteNode

_ACTIVATIONS = {0: "", 1: "relu", 2: "relu_n1_to_1", 3: "relu6", 4: "tanh"}
_AUXILIARY = 9


def activation_name(node: TfliteNode) -> str:
    """Return the fused activation by the name that recurrent ops give it.

    Raises
    ------
    UnsupportedError
        If they have none such.
    """
    number = int(node.option("FusedActivationFunction", 0))
    if number not in _ACTIVATIONS:
        raise UnsupportedError(f"fused activation number {number}; expected {_ACTIVATIONS}")
    return _ACTIVATIONS[number]


def dynamic_mode(node: TfliteNode, weights: int) -> str:
    """Return how rows of activations are quantized before the weights of an input."""
    if not node.type(0).dtype.is_float or not node.type(weights).is_quantized:
        return ""
    return "asymmetric" if node.option("AsymmetricQuantizeInputs", False) else "symmetric"


def sources(node: TfliteNode, place: int, weights: int) -> tuple[str, str]:
    """Return what the two directions read: x; the auxiliary input behind; or both, joined.

    Parameters
    ----------
    node : TfliteNode
    place : int
        The auxiliary input, which the second direction reads where it has no weights of its own.
    weights : int
        Weights of the auxiliary input.
    """
    x = node.input(0)
    if not node.has(place):
        return x, x
    if not node.has(weights):
        return x, node.input(place)
    joined = node.step(Concat(axis=2), [x, node.input(place)], "joined")
    return joined, joined


def beside(node: TfliteNode, weights: str, auxiliary: str) -> str:
    """Return weights for an input and an auxiliary one beside it.

    Raises
    ------
    UnsupportedError
        If they are not constants in floats.
    """
    parts = [node.graph.constant(name) for name in (weights, auxiliary)]
    if any(part is None or part.dtype.kind != "f" for part in parts):
        raise UnsupportedError("int8 weights of an auxiliary input; only floats are known")
    whole = np.concatenate([part for part in parts if part is not None], axis=1)
    return node.array(whole, "joined weights")


def _direction(
    node: TfliteNode, x: str, first: int, reverse: bool = False, auxiliary: int = -1
) -> str:
    """Add the layer whose weights are inputs ``first`` and on; return its sequence."""
    for position in (first, first + 1):
        node.constant(position, "weights")
    op = SequenceRNN(
        activation=activation_name(node),
        time_major=bool(node.option("TimeMajor", False)),
        reverse=reverse,
        dynamic=dynamic_mode(node, first),
    )
    type_, declared = node.graph.known_type(x), node.importer.declared
    if type_.rank != 3 or not type_.dtype.is_float:
        raise UnsupportedError(f"sequence {type_}; expected float [batch, time, inputs]")
    place = node.operator.inputs[first + 3] if node.has(first + 3) else -1
    if place < 0:
        raise FormatError(f"{node.operator.kind} node {node.operator.index} has no state")
    shape = (type_.shape[1 if op.time_major else 0], *declared(place).shape[1:])
    operands = [node.input(i) for i in range(first, first + 3)]
    if node.has(auxiliary):
        operands[0] = beside(node, operands[0], node.input(auxiliary))
    suffix = "backward" if reverse else "forward"
    y, h = node.steps(op, [x, *operands, node.state(first + 3, shape)], suffix)
    node.keep(first + 3, h)
    return y


def rnn(node: TfliteNode) -> None:
    """RNN: one step, x[batch, inputs], weights, recurrent weights, bias, state."""
    x = node.step(Unsqueeze(axes=(1,)), [node.input(0)], "steps")
    node.emit(Squeeze(axes=(1,)), [_direction(node, x, 1)])


def unidirectional_sequence_rnn(node: TfliteNode) -> None:
    """UNIDIRECTIONAL_SEQUENCE_RNN: as RNN, over [batch, time, inputs] or time first."""
    node.emit(Identity(), [_direction(node, node.input(0), 1)])


def bidirectional_sequence_rnn(node: TfliteNode) -> None:
    """BIDIRECTIONAL_SEQUENCE_RNN: one sequence from each end, side by side or apart."""
    ahead, behind = sources(node, _AUXILIARY, _AUXILIARY + 1)
    forward = _direction(node, ahead, 1, auxiliary=_AUXILIARY + 1)
    backward = _direction(node, behind, 5, reverse=True, auxiliary=_AUXILIARY + 2)
    emit_directions(node, [forward, backward])


def emit_directions(node: TfliteNode, made: list[str]) -> None:
    """Make both directions' sequences the outputs, side by side where options say so."""
    if node.option("MergeOutputs", False):
        return node.emit(Concat(axis=2), made)
    for position, y in enumerate(made):
        node.emit_one(position, Identity(), [y])


def svdf(node: TfliteNode) -> None:
    """SVDF: x, feature filters, time filters, bias, state; float, hybrid or int8."""
    if not node.has(4):
        raise FormatError(f"SVDF node {node.operator.index} has no state")
    for position in (1, 2):
        node.constant(position, "weights")
    op = SVDF(
        rank=int(node.option("Rank", 1)),
        activation=activation_name(node),
        dynamic=dynamic_mode(node, 1),
    )
    declared = node.importer.declared(node.operator.inputs[4])
    if node.type(0).rank != 2 or declared.rank != 2:
        raise FormatError(f"SVDF of {node.type(0)} with the state {declared}; expected matrices")
    filters, memory = node.type(2).static_shape if node.type(2).rank == 2 else (0, 0)
    if declared.shape[1] != filters * memory:
        raise FormatError(f"state {declared} of filters {node.type(2)}")
    state = node.state(4, (node.type(0).shape[0], memory, filters))
    inputs = [node.input(0), node.input(1), node.input(2), node.optional(3), state]
    (kept,) = node.emit_first(op, inputs)
    node.keep(4, kept)


CONVERTERS = {
    "BIDIRECTIONAL_SEQUENCE_RNN": bidirectional_sequence_rnn,
    "RNN": rnn,
    "SVDF": svdf,
    "UNIDIRECTIONAL_SEQUENCE_RNN": unidirectional_sequence_rnn,
}
