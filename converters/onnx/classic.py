"""ai.onnx.ml operators of classic models: scaling, linear models, features."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import Array, DType

from .node import OnnxNode
from .registry import handles
from .trees import ML, class_labels, give_binary, give_classes, transformed

_MOST_KEYS = 256


def _floats(node: OnnxNode, name: str) -> Array:
    return np.array(node.attributes.get(name, ()), np.float32)


def _real(node: OnnxNode) -> str:
    x = node.input(0)
    return x if node.type(0).dtype == DType.FLOAT32 else node.emit(ops.Cast(to=DType.FLOAT32), x)


@handles("Scaler", domain=ML)
def scaler(node: OnnxNode) -> None:
    """Emit (x - offset) * scale."""
    x = node.emit(ops.Sub(), _real(node), node.constant_like(_floats(node, "offset"), "offset"))
    node.finish(ops.Mul(), x, node.constant_like(_floats(node, "scale"), "scale"))


@handles("Normalizer", domain=ML)
def normalizer(node: OnnxNode) -> None:
    """Divide rows by their greatest element, sum of magnitudes or length."""
    x, kind = _real(node), node.text("norm", "MAX")
    if kind == "L2":
        total = node.emit(ops.ReduceSum(axes=(-1,)), node.emit(ops.Square(), x))
        total = node.emit(ops.Sqrt(), total)
    elif kind == "L1":
        total = node.emit(ops.ReduceSum(axes=(-1,)), node.emit(ops.Abs(), x))
    elif kind == "MAX":
        total = node.emit(ops.ReduceMax(axes=(-1,)), x)
    else:
        raise FormatError(f"norm is '{kind}'")
    zero, one = (node.constant_like(np.array(v, np.float32), "number") for v in (0, 1))
    some = node.emit(ops.Where(), node.emit(ops.Equal(), total, zero), one, total)
    node.finish(ops.Div(), x, some)


def _linear(node: OnnxNode, targets: int) -> str:
    weights = _floats(node, "coefficients").reshape(targets, -1)
    scores = node.emit(
        ops.FullyConnected(), _real(node), node.constant_like(weights, "coefficients")
    )
    bias = _floats(node, "intercepts")
    if not bias.size:
        return scores
    return node.emit(ops.Add(), scores, node.constant_like(bias, "intercepts"))


@handles("LinearRegressor", domain=ML)
def linear_regressor(node: OnnxNode) -> None:
    """Weighted sums per target."""
    node.give(transformed(node, _linear(node, node.integer("targets", 1))))


@handles("SVMRegressor", domain=ML)
def support_vector_regressor(node: OnnxNode) -> None:
    """Weighted sums of a kernel function of rows and support vectors, plus rho."""
    count, x = node.integer("n_supports", 0), _real(node)
    weights = _floats(node, "coefficients").reshape(1, -1)
    if count:
        vectors = _floats(node, "support_vectors").reshape(count, -1)
        x = _alike(node, x, node.constant_like(vectors, "vectors"))
    scores = node.emit(ops.FullyConnected(), x, node.constant_like(weights, "coefficients"))
    rho = node.constant_like(_floats(node, "rho")[:1], "rho")
    scores = node.emit(ops.Add(), scores, rho)
    if node.integer("one_class", 0):
        zero, one, minus = (node.constant_like(np.array(v, np.float32), "side") for v in (0, 1, -1))
        scores = node.emit(ops.Where(), node.emit(ops.Greater(), scores, zero), one, minus)
    node.give(transformed(node, scores))


def _alike(node: OnnxNode, x: str, vectors: str) -> str:
    """Return the kernel function of each row and each support vector."""
    kind = node.text("kernel_type", "LINEAR")
    gamma, start, degree = (
        node.constant_like(np.array(v, np.float32), "parameter")
        for v in (*_floats(node, "kernel_params").tolist(), 0.0, 0.0, 0.0)[:3]
    )
    if kind == "RBF":
        row = node.emit(ops.Unsqueeze(axes=(1,)), x)
        away = node.emit(ops.SquaredDifference(), row, vectors)
        total = node.emit(ops.ReduceSum(axes=(2,), keepdims=False), away)
        return node.emit(ops.Exp(), node.emit(ops.Neg(), node.emit(ops.Mul(), total, gamma)))
    products = node.emit(ops.FullyConnected(), x, vectors)
    if kind == "LINEAR":
        return products
    scaled = node.emit(ops.Add(), node.emit(ops.Mul(), products, gamma), start)
    if kind == "POLY":
        return node.emit(ops.Pow(), scaled, degree)
    if kind == "SIGMOID":
        return node.emit(ops.Tanh(), scaled)
    raise FormatError(f"kernel_type is '{kind}'")


@handles("LinearClassifier", domain=ML)
def linear_classifier(node: OnnxNode) -> None:
    """Weighted sums per class."""
    labels = class_labels(node)
    rows = max(1, _floats(node, "intercepts").size)
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


@handles("OneHotEncoder", domain=ML)
def one_hot_encoder(node: OnnxNode) -> None:
    """One where an element is a category, along a new last axis."""
    if not node.attributes.get("cats_int64s"):
        raise UnsupportedError("categories are texts; encode them as integers")
    categories = np.array(node.attributes["cats_int64s"]).astype(node.type(0).dtype.numpy)
    x = node.emit(ops.Unsqueeze(axes=(node.rank(),)), node.input(0))
    same = node.emit(ops.Equal(), x, node.constant_like(categories, "categories"))
    node.finish(ops.Cast(to=DType.FLOAT32), same)


@handles("LabelEncoder", domain=ML)
def label_encoder(node: OnnxNode) -> None:
    """Numbers for numbers, by comparing with every key."""
    kinds = {"int64s": np.int64, "floats": np.float32}

    def table(name: str) -> Array:
        tensor = node.attributes.get(f"{name}_tensor")
        if isinstance(tensor, np.ndarray):
            return tensor.reshape(-1)
        for kind, dtype in kinds.items():
            if node.attributes.get(f"{name}_{kind}"):
                return np.array(node.attributes[f"{name}_{kind}"], dtype)
        raise UnsupportedError(f"{name} are texts; encode labels as integers")

    keys, values = table("keys"), table("values")
    if keys.size != values.size or keys.size > _MOST_KEYS:
        raise UnsupportedError(f"{keys.size} keys and {values.size} values; at most {_MOST_KEYS}")
    default = node.attributes.get("default_tensor")
    if not isinstance(default, np.ndarray):
        name = "default_int64" if values.dtype == np.int64 else "default_float"
        default = np.array(node.attributes.get(name, -1 if values.dtype == np.int64 else 0.0))
    result = node.constant_like(default.reshape(()).astype(values.dtype), "default")
    x = node.input(0)
    for key, value in zip(keys, values, strict=True):
        same = node.emit(ops.Equal(), x, node.constant_like(np.array(key), "key"))
        result = node.emit(ops.Where(), same, node.constant_like(np.array(value), "value"), result)
    node.give(result)


@handles("ZipMap", domain=ML)
def zip_map(node: OnnxNode) -> None:
    """Give the probabilities as they are, a column per class, instead of dictionaries."""
    node.give(node.input(0))
