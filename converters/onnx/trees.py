"""ai.onnx.ml tree ensembles: nodes renumbered into one table, scores and labels by graph ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.errors import UnsupportedError
from linnet.types import Array, DType

from .classes import (
    ML,
    class_labels,
    give_binary,
    give_classes,
    give_two,
    numbers,
    shifted,
    transformed,
)
from .node import OnnxNode
from .registry import handles

_MODES = {
    "LEAF": 0, "BRANCH_LEQ": 1, "BRANCH_LT": 2, "BRANCH_GTE": 3, "BRANCH_GT": 4, "BRANCH_EQ": 5,
    "BRANCH_NEQ": 6,
}  # fmt: skip


def _emit_trees(node: OnnxNode, targets: int, places: Array, weights: Array, prefix: str) -> str:
    """Emit the ensemble of the older operators; ``places`` are (tree, node, target) of weights."""
    trees, ids = numbers(node, "nodes_treeids", np.int64), numbers(node, "nodes_nodeids", np.int64)
    count = trees.size
    number = {(int(t), int(i)): k for k, (t, i) in enumerate(zip(trees, ids, strict=True))}
    modes = np.array([_MODES[m] for m in node.attributes["nodes_modes"]], np.int64)

    def child(name: str) -> Array:
        found = numbers(node, name, np.int64, count)
        return np.array(
            [
                number[int(t), int(f)] if m else k
                for k, (t, f, m) in enumerate(zip(trees, found, modes, strict=True))
            ],
            np.int64,
        )

    left, right = child("nodes_truenodeids"), child("nodes_falsenodeids")
    table = np.zeros((count, targets), np.float32)
    known = set()
    for (tree, leaf, target), weight in zip(places, weights, strict=True):
        place = number[int(tree), int(leaf)], int(target)
        # ONNX Runtime takes the first weight of a leaf where there is one target, else their sum.
        if targets > 1 or place not in known:
            table[place] += weight
        known.add(place)
    inner = np.concatenate([left[modes > 0], right[modes > 0]])
    roots = np.setdiff1d(np.arange(count), inner)
    aggregate: Any = node.text("aggregate_function", "SUM").lower()
    if aggregate in ("min", "max") and targets > 1:
        raise UnsupportedError(f"aggregate_function={aggregate.upper()} of {targets} targets")
    return _emit(
        node, aggregate, modes, numbers(node, "nodes_featureids", np.int64, count),
        numbers(node, "nodes_values", np.float32, count), left, right,
        numbers(node, "nodes_missing_value_tracks_true", np.int64, count) > 0, table, roots,
    )  # fmt: skip


def _emit(node: OnnxNode, aggregate: Any, *tables: Array) -> str:
    x = node.input(0)
    if not node.type(0).dtype.is_float:
        x = node.emit(ops.Cast(to=DType.FLOAT32), x)
    if node.rank() == 1:
        x = node.emit(ops.Reshape(shape=(1, -1)), x)
    names = [node.constant_like(table, f"trees{i}") for i, table in enumerate(tables)]
    return node.emit(ops.TreeEnsemble(aggregate=aggregate), x, *names)


@handles("TreeEnsembleRegressor", domain=ML)
def regressor(node: OnnxNode) -> None:
    """Sum leaves per target."""
    weights = numbers(node, "target_weights", np.float32)
    names = ("target_treeids", "target_nodeids", "target_ids")
    places = np.stack([numbers(node, n, np.int64, weights.size) for n in names], 1)
    targets = node.integer("n_targets", int(places[:, 2].max(initial=0)) + 1)
    scores = shifted(node, _emit_trees(node, targets, places, weights, "target"), targets)
    node.give(transformed(node, scores))


@handles("TreeEnsembleClassifier", domain=ML)
def classifier(node: OnnxNode) -> None:
    """Sum leaves per class; two classes may share one score."""
    weights = numbers(node, "class_weights", np.float32)
    names = ("class_treeids", "class_nodeids", "class_ids")
    places = np.stack([numbers(node, n, np.int64, weights.size) for n in names], 1)
    labels = class_labels(node)
    used = np.unique(places[:, 2])
    if len(labels) == 2 and used.size == 1:
        places[:, 2] = 0
        score = shifted(node, _emit_trees(node, 1, places, weights, "class"), 1)
        give_binary(node, score, labels, bool((weights >= 0).all()))
        return
    count = len(labels)
    scores = shifted(node, _emit_trees(node, count, places, weights, "class"), count)
    if count == 2:
        if not _every_class_is_met(node, places, 2):
            raise UnsupportedError("leaves with weights of one class of two; give both a weight")
        give_two(node, scores, labels)
        return
    found = ""
    if not _every_class_is_met(node, places, count):
        ones = np.ones(weights.size, np.float32)
        found = _emit_trees(node, count, places, ones, "met")
    give_classes(node, scores, labels, found)


def _every_class_is_met(node: OnnxNode, places: Array, count: int) -> bool:
    """Whether each class has a tree all of whose leaves have a weight for it."""
    trees = numbers(node, "nodes_treeids", np.int64)
    leaves = np.array([mode == "LEAF" for mode in node.attributes["nodes_modes"]])
    sizes = {int(t): int(np.sum(trees[leaves] == t)) for t in np.unique(trees)}
    for target in range(count):
        own = np.unique(places[places[:, 2] == target][:, :2], axis=0)
        full = (int(np.sum(own[:, 0] == t)) == size for t, size in sizes.items())
        if not any(full):
            return False
    return True


@handles("TreeEnsemble", domain=ML)
def ensemble(node: OnnxNode) -> None:
    """Import the form of version 5: inner nodes and leaves in two tables."""
    features = numbers(node, "nodes_featureids", np.int64)
    count = features.size
    codes = np.asarray(node.attributes["nodes_modes"]).astype(np.int64).reshape(-1) + 1
    if codes.size != count or codes.max(initial=1) > 6:
        raise UnsupportedError("set membership (BRANCH_MEMBER) in trees; use comparisons")
    leaf_targets = numbers(node, "leaf_targetids", np.int64)
    weights = np.asarray(node.attributes["leaf_weights"]).reshape(-1)
    leaves, targets = leaf_targets.size, node.integer("n_targets", 1)
    table = np.zeros((count + leaves, targets), weights.dtype)
    table[count + np.arange(leaves), leaf_targets] = weights

    def child(name: str) -> Array:
        ids = numbers(node, f"nodes_{name}nodeids", np.int64, count)
        leafs: Array = numbers(node, f"nodes_{name}leafs", np.int64, count) > 0
        return np.asarray(ids + count * leafs)

    def padded(array: Array) -> Array:
        return np.concatenate([array, np.zeros(leaves, array.dtype)])

    splits = np.asarray(node.attributes["nodes_splits"]).reshape(-1)
    tracks = numbers(node, "nodes_missing_value_tracks_true", np.int64, count) > 0
    aggregate: Any = ("average", "sum", "min", "max")[node.integer("aggregate_function", 1)]
    scores = _emit(
        node, aggregate, padded(codes), padded(features), padded(splits), padded(child("true")),
        padded(child("false")), padded(tracks), table, numbers(node, "tree_roots", np.int64),
    )  # fmt: skip
    kinds = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
    node.attributes["post_transform"] = kinds[node.integer("post_transform", 0)]
    node.give(transformed(node, scores))
