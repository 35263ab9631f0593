"""ai.onnx.ml operators that look categories up: numbers or texts, which are numbers here."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.converters import lookup
from linnet.errors import FormatError
from linnet.types import Array, DType

from .classes import ML
from .node import OnnxNode
from .registry import handles

_UNUSED = "_Unused"


@handles("OneHotEncoder", domain=ML)
def one_hot_encoder(node: OnnxNode) -> None:
    """One where an element is a category, along a new last axis."""
    if node.is_text(0):
        categories = node.state.texts.numbers(node.attributes.get("cats_strings", ()))
    else:
        categories = np.array(node.attributes.get("cats_int64s", ()), node.type(0).dtype.numpy)
    node.finish(ops.Cast(to=DType.FLOAT32), _same(node, categories))


@handles("LabelEncoder", domain=ML)
def label_encoder(node: OnnxNode) -> None:
    """Give the value of the first equal key, or the default."""
    if node.has("classes_strings"):
        _between(node, node.attributes["classes_strings"], None)
        return
    keys, _ = _table(node, "keys")
    values, kind = _table(node, "values")
    default = node.attributes.get("default_tensor")
    if not isinstance(default, np.ndarray):
        name, usual = {"O": ("string", _UNUSED), "i": ("int64", -1), "f": ("float", -0.0)}[kind]
        default = np.array(node.attributes.get(f"default_{name}", usual), np.object_)
    _look_up(node, keys, values, default.reshape(()), kind == "O")


@handles("CategoryMapper", domain=ML)
def category_mapper(node: OnnxNode) -> None:
    """Texts to integers, or integers to texts."""
    _between(node, node.attributes.get("cats_strings", ()), node.attributes.get("cats_int64s", ()))


def _between(node: OnnxNode, texts: Any, integers: Any) -> None:
    """Map texts to integers, their places where none are given, or back, by the input's type."""
    numbered = node.state.texts.numbers(texts)
    counted = np.arange(len(texts)) if integers is None else np.array(integers, np.int64)
    if node.is_text(0):
        _look_up(node, numbered, counted, np.array(node.integer("default_int64", -1)), False)
    else:
        default = np.array(node.text("default_string", _UNUSED), np.object_)
        _look_up(node, counted, numbered, default, True)


def _table(node: OnnxNode, name: str) -> tuple[Array, str]:
    """Return keys or values, texts as numbers, and what they are: "O" for texts, "i" or "f"."""
    found = node.attributes.get(f"{name}_tensor")
    for suffix, dtype in (("strings", np.object_), ("int64s", np.int64), ("floats", np.float32)):
        if not isinstance(found, np.ndarray) and node.attributes.get(f"{name}_{suffix}"):
            found = np.array(node.attributes[f"{name}_{suffix}"], dtype)
    if not isinstance(found, np.ndarray):
        raise FormatError(f"attribute {name} is missing")
    flat = found.reshape(-1)
    if flat.dtype == np.object_:
        return node.state.texts.array(flat), "O"
    return flat, "f" if flat.dtype.kind == "f" else "i"


def _same(node: OnnxNode, keys: Array) -> str:
    """Return which key each element equals, along a new last axis; NaN equals NaN."""
    same = lookup.match(node.emit, _constant(node), node.input(0), node.rank(), keys)
    if keys.dtype.kind != "f" or not np.isnan(keys).any():
        return same
    x = node.emit(ops.Unsqueeze(axes=(node.rank(),)), node.input(0))
    lost = node.emit(ops.Not(), node.emit(ops.Equal(), x, x))
    both = node.emit(ops.And(), lost, node.constant_like(np.isnan(keys), "lost"))
    return node.emit(ops.Or(), same, both)


def _constant(node: OnnxNode) -> lookup.Constant:
    return lambda array: node.constant_like(array, "entries")


def _look_up(node: OnnxNode, keys: Array, values: Array, default: Array, textual: bool) -> None:
    """Give the value of the first key that an element equals, the default where there is none."""
    if keys.size != values.size or not keys.size:
        raise FormatError(f"{keys.size} keys and {values.size} values")
    other = np.array(node.state.texts.array(default.reshape(-1))[0] if textual else default)
    x, constant = node.input(0), _constant(node)
    if lookup.is_dense(keys) and keys.dtype == node.type(0).dtype.numpy:
        node.give(lookup.by_place(node.emit, constant, x, keys, values, other))
    else:
        node.give(lookup.by_match(node.emit, constant, _same(node, keys), values, other))
    if textual and node.wants(0):
        node.hold_texts()
