"""ai.onnx.ml support vector machines: kernel functions, one score per pair of classes, votes."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from linnet import ops
from linnet.errors import FormatError
from linnet.types import Array, DType

from .classes import (
    ML,
    best,
    both_scores,
    chosen,
    class_labels,
    floats,
    give_scored,
    number,
    real,
    transformed,
)
from .node import OnnxNode
from .registry import handles


@handles("SVMRegressor", domain=ML)
def support_vector_regressor(node: OnnxNode) -> None:
    """Weighted sums of a kernel function of rows and support vectors, plus rho."""
    scores = _weighted(node, floats(node, "coefficients").reshape(1, -1), floats(node, "rho")[:1])
    if node.integer("one_class", 0):
        above = node.emit(ops.Greater(), scores, number(node, 0.0))
        scores = node.emit(ops.Where(), above, number(node, 1.0), number(node, -1.0))
    node.give(transformed(node, scores))


@handles("SVMClassifier", domain=ML)
def support_vector_classifier(node: OnnxNode) -> None:
    """Scores of pairs of classes, each of which votes; probabilities where the model has some."""
    labels, sizes = class_labels(node), node.integers("vectors_per_class") or ()
    if not sum(sizes):
        _linear(node, labels)
        return
    if len(sizes) != len(labels) or len(labels) < 2:
        raise FormatError(f"{len(sizes)} groups of support vectors for {len(labels)} classes")
    pairs = list(combinations(range(len(sizes)), 2))
    scores = _weighted(node, _pair_weights(node, sizes), floats(node, "rho")[: len(pairs)])
    above = node.emit(ops.Greater(), scores, number(node, 0.0))
    if len(pairs) == 1:
        label = chosen(node, node.emit(ops.Reshape(shape=(-1,)), above), labels[::-1])
    else:
        label = best(node, _votes(node, above, pairs), labels)
    if floats(node, "prob_a").size:
        scores = transformed(node, _probabilities(node, scores, pairs))
    elif len(pairs) == 1:
        softmax = node.text("post_transform", "NONE").startswith("SOFTMAX")
        scores = both_scores(node, scores, softmax)
    else:
        scores = transformed(node, scores)
    give_scored(node, label, scores)


def _linear(node: OnnxNode, labels: Array) -> None:
    """One score per class; of two, the second counts where any is high, as ONNX Runtime has it."""
    weights = floats(node, "coefficients").reshape(len(labels), -1)
    scores = _weighted(node, weights, floats(node, "rho")[:1])
    label = best(node, scores, labels)
    if len(labels) == 2:
        most = node.emit(ops.ReduceMax(axes=(1,), keepdims=False), scores)
        positive = bool((weights >= 0).all())
        above = ops.GreaterOrEqual() if positive else ops.Greater()
        high = node.emit(above, most, number(node, 0.5 if positive else 0.0))
        second = node.constant_like(np.array(labels[1], np.int64), "label")
        label = node.emit(ops.Where(), high, second, label)
    give_scored(node, label, transformed(node, scores))


def _weighted(node: OnnxNode, weights: Array, rho: Array) -> str:
    """Return weighted sums of the kernel function of rows and support vectors, plus rho."""
    x, vectors = real(node), floats(node, "support_vectors")
    kind = node.text("kernel_type", "LINEAR")
    if vectors.size:
        vectors = vectors.reshape(weights.shape[1], -1)
        if kind == "LINEAR":
            weights = (weights.astype(np.float64) @ vectors).astype(np.float32)
        else:
            x = _alike(node, kind, x, node.constant_like(vectors, "vectors"))
    sums = node.emit(ops.FullyConnected(), x, node.constant_like(weights, "coefficients"))
    return node.emit(ops.Add(), sums, node.constant_like(rho, "rho"))


def _alike(node: OnnxNode, kind: str, x: str, vectors: str) -> str:
    """Return the kernel function of each row and each support vector."""
    gamma, start, degree = (
        node.constant_like(np.array(v, np.float32), "parameter")
        for v in (*floats(node, "kernel_params").tolist(), 0.0, 0.0, 0.0)[:3]
    )
    if kind == "RBF":
        row = node.emit(ops.Unsqueeze(axes=(1,)), x)
        away = node.emit(ops.SquaredDifference(), row, vectors)
        total = node.emit(ops.ReduceSum(axes=(2,), keepdims=False), away)
        return node.emit(ops.Exp(), node.emit(ops.Neg(), node.emit(ops.Mul(), total, gamma)))
    products = node.emit(ops.FullyConnected(), x, vectors)
    scaled = node.emit(ops.Add(), node.emit(ops.Mul(), products, gamma), start)
    if kind == "POLY":
        return node.emit(ops.Pow(), scaled, degree)
    if kind == "SIGMOID":
        return node.emit(ops.Tanh(), scaled)
    raise FormatError(f"kernel_type is '{kind}'")


def _pair_weights(node: OnnxNode, sizes: tuple[int, ...]) -> Array:
    """Return the weights of all support vectors for each pair of classes, zero for the others'."""
    given = floats(node, "coefficients").reshape(len(sizes) - 1, -1)
    bounds = np.cumsum([0, *sizes])
    rows = []
    for i, j in combinations(range(len(sizes)), 2):
        row = np.zeros(given.shape[1], np.float32)
        row[bounds[i] : bounds[i + 1]] = given[j - 1, bounds[i] : bounds[i + 1]]
        row[bounds[j] : bounds[j + 1]] = given[i, bounds[j] : bounds[j + 1]]
        rows.append(row)
    return np.stack(rows)


def _votes(node: OnnxNode, above: str, pairs: list[tuple[int, int]]) -> str:
    """Return the votes of each class: a pair votes for its first where its score is above 0."""
    count = pairs[-1][1] + 1
    weights, always = np.zeros((count, len(pairs)), np.float32), np.zeros(count, np.float32)
    for index, (i, j) in enumerate(pairs):
        weights[i, index], weights[j, index] = 1, -1
        always[j] += 1
    first = node.emit(ops.Cast(to=DType.FLOAT32), above)
    turned = node.emit(ops.FullyConnected(), first, node.constant_like(weights, "votes"))
    return node.emit(ops.Add(), turned, node.constant_like(always, "always"))


def _probabilities(node: OnnxNode, scores: str, pairs: list[tuple[int, int]]) -> str:
    """Return the classes' probabilities from those that the scores make for each pair."""
    slope, start = (floats(node, name)[: len(pairs)] for name in ("prob_a", "prob_b"))
    line = node.emit(ops.Mul(), scores, node.constant_like(-slope, "slope"))
    line = node.emit(ops.Sub(), line, node.constant_like(start, "start"))
    return node.emit(ops.PairwiseCoupling(), node.emit(ops.Sigmoid(), line))
