"""What the ai.onnx.ml classifiers and regressors share: labels, and what becomes of scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.errors import FormatError
from linnet.types import Array, DType

from .node import OnnxNode

ML = "ai.onnx.ml"
# The approximation of the inverse error function that ONNX Runtime takes, by S. Winitzki.
_WINITZKI = 0.147
# What ONNX Runtime's SOFTMAX_ZERO takes for zero.
_ZERO = 1e-7


def floats(node: OnnxNode, name: str) -> Array:
    """Return a list of real numbers, empty where it is absent."""
    return np.array(node.attributes.get(name, ()), np.float32)


def numbers(node: OnnxNode, name: str, dtype: Any, count: int | None = None) -> Array:
    """Return an attribute of numbers, also where it is given as a tensor."""
    found = node.attributes.get(f"{name}_as_tensor", node.attributes.get(name))
    if found is None:
        if count is None:
            raise FormatError(f"attribute {name} is missing")
        return np.zeros(count, dtype)
    array = np.asarray(found).astype(dtype).reshape(-1)
    if count is not None and array.size != count:
        raise FormatError(f"attribute {name} has {array.size} entries; expected {count}")
    return array


def real(node: OnnxNode) -> str:
    """Return input 0 as float32."""
    x = node.input(0)
    return x if node.type(0).dtype == DType.FLOAT32 else node.emit(ops.Cast(to=DType.FLOAT32), x)


def number(node: OnnxNode, value: float) -> str:
    """Return a float32 constant."""
    return node.constant_like(np.array(value, np.float32), "number")


def shifted(node: OnnxNode, scores: str, targets: int) -> str:
    """Return scores plus base_values, where there are any."""
    if not (node.has("base_values") or node.has("base_values_as_tensor")):
        return scores
    base = numbers(node, "base_values", np.float32)
    if base.size not in (1, targets):
        base = base[-targets:]
    return node.emit(ops.Add(), scores, node.constant_like(base, "base"))


def transformed(node: OnnxNode, scores: str) -> str:
    """Return scores after the node's post_transform."""
    kind = node.text("post_transform", "NONE")
    if kind == "NONE":
        return scores
    if kind == "LOGISTIC":
        return node.emit(ops.Sigmoid(), scores)
    if kind == "SOFTMAX":
        return node.emit(ops.Softmax(axis=-1), scores)
    if kind == "SOFTMAX_ZERO":
        return _softmax_zero(node, scores)
    if kind == "PROBIT":
        return _probit(node, scores)
    raise FormatError(f"post_transform is '{kind}'")


def _softmax_zero(node: OnnxNode, scores: str) -> str:
    """Return the softmax of what is not zero; zeros stay."""
    most = node.emit(ops.ReduceMax(axes=(-1,)), scores)
    some = node.emit(ops.Greater(), node.emit(ops.Abs(), scores), number(node, _ZERO))
    powers = node.emit(ops.Exp(), node.emit(ops.Sub(), scores, most))
    powers = node.emit(ops.Where(), some, powers, number(node, 0.0))
    total = node.emit(ops.ReduceSum(axes=(-1,)), powers)
    return node.emit(ops.Div(), powers, total)


def _probit(node: OnnxNode, scores: str) -> str:
    """Return sqrt(2) times the inverse error function of 2 * score - 1."""
    one, two = number(node, 1.0), number(node, 2.0)
    x = node.emit(ops.Sub(), node.emit(ops.Mul(), scores, two), one)
    sides = (node.emit(op, one, x) for op in (ops.Sub(), ops.Add()))
    below = node.emit(ops.Mul(), *sides)
    log = node.emit(ops.Log(), below)
    half = node.emit(ops.Mul(), log, number(node, 0.5))
    v = node.emit(ops.Add(), half, number(node, 2 / (np.pi * _WINITZKI)))
    scaled = node.emit(ops.Mul(), log, number(node, 1 / _WINITZKI))
    root = node.emit(ops.Sqrt(), node.emit(ops.Sub(), node.emit(ops.Square(), v), scaled))
    # root - v, without the difference of near numbers.
    apart = node.emit(ops.Div(), node.emit(ops.Neg(), scaled), node.emit(ops.Add(), root, v))
    size = node.emit(ops.Sqrt(), apart)
    side = node.emit(ops.Mul(), node.emit(ops.Sign(), x), size)
    return node.emit(ops.Mul(), side, number(node, 2.0**0.5))


def class_labels(node: OnnxNode) -> Array:
    """Return the labels as integers; texts as their numbers."""
    for name in ("classlabels_int64s", "classlabels_ints"):
        if node.attributes.get(name):
            return np.array(node.attributes[name], np.int64)
    return node.state.texts.numbers(node.attributes.get("classlabels_strings", ()))


def give_scored(node: OnnxNode, label: str, scores: str) -> None:
    """Give a classifier's outputs."""
    node.give(label, scores)
    if node.attributes.get("classlabels_strings") and node.wants(0):
        node.hold_texts()


def give_binary(node: OnnxNode, score: str, labels: Array, positive: bool) -> None:
    """Make label and both classes' scores of the second class's score."""
    limit = number(node, 0.5 if positive else 0.0)
    above = node.emit(ops.Reshape(shape=(-1,)), node.emit(ops.Greater(), score, limit))
    give_scored(node, chosen(node, above, labels), both_scores(node, score, positive))


def chosen(node: OnnxNode, second: str, labels: Array) -> str:
    """Return the second label where a condition holds, else the first."""
    yes, no = (node.constant_like(np.array(labels[i], np.int64), "label") for i in (1, 0))
    return node.emit(ops.Where(), second, yes, no)


def both_scores(node: OnnxNode, score: str, positive: bool) -> str:
    """Return the scores of both classes, of the second class's one."""
    if positive:
        both = [node.emit(ops.Sub(), number(node, 1.0), score), score]
    else:
        both = [node.emit(ops.Neg(), score), score]
        if node.text("post_transform", "NONE") == "LOGISTIC":
            both = [node.emit(ops.Sigmoid(), s) for s in both]
    return node.emit(ops.Concat(axis=1), *both)


def give_two(node: OnnxNode, scores: str, labels: Array) -> None:
    """Make the label of two classes, the second where its score is positive, as ONNX Runtime."""
    cut = ops.Slice(starts=(1,), ends=(2,), axes=(1,), steps=(1,))
    second = node.emit(ops.Reshape(shape=(-1,)), node.emit(cut, scores))
    above = node.emit(ops.Greater(), second, number(node, 0.0))
    give_scored(node, chosen(node, above, labels), transformed(node, scores))


def give_classes(node: OnnxNode, scores: str, labels: Array, met: str = "") -> None:
    """Make the label of the best class (of those that leaves met had weights for), all scores."""
    shown = scores
    if met:
        none = node.emit(ops.Equal(), met, number(node, 0.0))
        shown = node.emit(ops.Where(), none, number(node, -np.inf), scores)
    give_scored(node, best(node, shown, labels), transformed(node, scores))


def best(node: OnnxNode, scores: str, labels: Array) -> str:
    """Return the label of the greatest score of each row, the first of equal ones."""
    place = node.emit(ops.ArgMax(axis=1, keepdims=False), scores)
    return node.emit(ops.Gather(axis=0), node.constant_like(labels, "labels"), place)
