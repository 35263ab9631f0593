"""ai.onnx.ml operators of classic models: scaling, linear models, features."""

from __future__ import annotations

import json

import numpy as np

from linnet import ops
from linnet.errors import FormatError
from linnet.types import DType

from .classes import ML, class_labels, floats, give_binary, give_classes, number, real, transformed
from .node import OnnxNode
from .registry import handles


@handles("Scaler", domain=ML)
def scaler(node: OnnxNode) -> None:
    """Emit (x - offset) * scale."""
    x = node.emit(ops.Sub(), real(node), node.constant_like(floats(node, "offset"), "offset"))
    node.finish(ops.Mul(), x, node.constant_like(floats(node, "scale"), "scale"))


@handles("Normalizer", domain=ML)
def normalizer(node: OnnxNode) -> None:
    """Divide rows by their greatest element, sum of magnitudes or length."""
    x, kind = real(node), node.text("norm", "MAX")
    if kind == "L2":
        total = node.emit(ops.ReduceSum(axes=(-1,)), node.emit(ops.Square(), x))
        total = node.emit(ops.Sqrt(), total)
    elif kind == "L1":
        total = node.emit(ops.ReduceSum(axes=(-1,)), node.emit(ops.Abs(), x))
    elif kind == "MAX":
        total = node.emit(ops.ReduceMax(axes=(-1,)), x)
    else:
        raise FormatError(f"norm is '{kind}'")
    zero, one = number(node, 0.0), number(node, 1.0)
    some = node.emit(ops.Where(), node.emit(ops.Equal(), total, zero), one, total)
    node.finish(ops.Div(), x, some)


def _linear(node: OnnxNode, targets: int) -> str:
    weights = floats(node, "coefficients").reshape(targets, -1)
    scores = node.emit(
        ops.FullyConnected(), real(node), node.constant_like(weights, "coefficients")
    )
    bias = floats(node, "intercepts")
    if not bias.size:
        return scores
    return node.emit(ops.Add(), scores, node.constant_like(bias, "intercepts"))


@handles("LinearRegressor", domain=ML)
def linear_regressor(node: OnnxNode) -> None:
    """Weighted sums per target."""
    node.give(transformed(node, _linear(node, node.integer("targets", 1))))


@handles("LinearClassifier", domain=ML)
def linear_classifier(node: OnnxNode) -> None:
    """Weighted sums per class."""
    labels = class_labels(node)
    rows = max(1, floats(node, "intercepts").size)
    if rows == 1 and len(labels) == 2:
        give_binary(node, _linear(node, 1), labels, False)
    else:
        give_classes(node, _linear(node, len(labels)), labels)


@handles("ArrayFeatureExtractor", domain=ML)
def array_feature_extractor(node: OnnxNode) -> None:
    """Pick columns."""
    places = node.emit(ops.Reshape(shape=(-1,)), node.input(1))
    x = node.input(0)
    if node.rank() == 1:
        x = node.emit(ops.Reshape(shape=(1, -1)), x)
    node.finish(ops.Gather(axis=-1), x, places)


@handles("Binarizer", domain=ML)
def binarizer(node: OnnxNode) -> None:
    """One above a threshold, zero elsewhere."""
    limit = node.number(node.real("threshold", 0.0))
    above = node.emit(ops.Greater(), node.input(0), limit)
    node.finish(ops.Cast(to=node.type(0).dtype), above)


@handles("FeatureVectorizer", domain=ML)
def feature_vectorizer(node: OnnxNode) -> None:
    """Join columns."""
    parts = [
        node.input(i)
        if node.type(i).dtype == DType.FLOAT32
        else node.emit(ops.Cast(to=DType.FLOAT32), node.input(i))
        for i in range(len(node.inputs))
    ]
    node.finish(ops.Concat(axis=1), *parts)


@handles("Imputer", domain=ML)
def imputer(node: OnnxNode) -> None:
    """Put other values in place of missing ones."""
    x = node.input(0)
    kind = "floats" if node.type(0).dtype.is_float else "int64s"
    values = np.array(node.attributes.get(f"imputed_value_{kind}", ()), node.type(0).dtype.numpy)
    missing = float(node.attributes.get(f"replaced_value_{kind[:-1]}", 0))
    if np.isnan(missing):
        found = node.emit(ops.Not(), node.emit(ops.Equal(), x, x))
    else:
        found = node.emit(ops.Equal(), x, node.number(missing))
    node.finish(ops.Where(), found, node.constant_like(values, "imputed"), x)


@handles("ZipMap", domain=ML)
def zip_map(node: OnnxNode) -> None:
    """Give the probabilities as they are, a column per class, instead of dictionaries."""
    node.give(node.input(0))
    columns = node.attributes.get("classlabels_strings") or node.attributes["classlabels_int64s"]
    recorded = json.loads(node.graph.metadata.get("columns", "{}"))
    recorded[node.outputs[0]] = columns
    node.graph.metadata["columns"] = json.dumps(recorded)
