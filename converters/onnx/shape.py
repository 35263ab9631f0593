"""ONNX operators about shapes, and tensors made from shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import DType

from .node import OnnxNode, normalized
from .proto import dtype_of
from .registry import handles

_LARGEST = 1 << 24


@handles("Constant")
def constant(node: OnnxNode) -> None:
    """Take a tensor, or numbers given directly."""
    if node.has("sparse_value"):
        raise UnsupportedError("sparse_value; give the constant as a dense tensor")
    kinds = {"float": np.float32, "int": np.int64, "string": np.object_}
    keys = {f"value_{kind}{many}": dtype for kind, dtype in kinds.items() for many in ("", "s")}
    for key, dtype in {"value": None, **keys}.items():
        if node.has(key):
            array = np.asarray(node.attributes[key], dtype)
            node.give(node.state.constant(node.outputs[0] or node.name, array))
            return
    raise FormatError("no value attribute")


@handles("Reshape")
def reshape(node: OnnxNode) -> None:
    """Read the target from an input, which may be computed."""
    allow = bool(node.integer("allowzero", 0))
    target = node.constant(1)
    if target is None:
        node.finish(ops.Reshape(allow_zero=allow), node.input(0), node.input(1))
        return
    shape = tuple(int(dim) for dim in target.reshape(-1))
    node.finish(ops.Reshape(shape=shape, allow_zero=allow), node.input(0))


@handles("Squeeze")
def squeeze(node: OnnxNode) -> None:
    """Axes are an attribute up to opset 12, then an input; all unit axes where absent."""
    if _late_axes(node, ops.Squeeze):
        return
    axes = node.known_integers(1, "axes")
    if axes is None:
        if any(not isinstance(dim, int) for dim in node.shape()):
            raise UnsupportedError(f"no axes for shape {node.shape()}; name the axes")
        axes = tuple(i for i, dim in enumerate(node.shape()) if dim == 1)
    rank = node.rank()
    node.finish(ops.Squeeze(axes=tuple(sorted(normalized(a, rank) for a in axes))), node.input(0))


@handles("Unsqueeze")
def unsqueeze(node: OnnxNode) -> None:
    """Axes are an attribute up to opset 12, then an input."""
    if _late_axes(node, ops.Unsqueeze):
        return
    axes = node.known_integers(1, "axes")
    if axes is None:
        raise FormatError("axes are missing")
    rank = node.rank() + len(axes)
    op = ops.Unsqueeze(axes=tuple(sorted(normalized(a, rank) for a in axes)))
    node.finish(op, node.input(0))


def _late_axes(node: OnnxNode, kind: type[Any]) -> bool:
    """Finish a node whose axes only a run knows; their number has to be known."""
    if node.has("axes") or not node.optional(1) or node.constant(1) is not None:
        return False
    shape = node.shape(1)
    if len(shape) != 1 or not isinstance(shape[0], int):
        raise UnsupportedError("axes of unknown number are computed at run time")
    op, x = kind(axes=tuple(range(shape[0]))), node.input(0)
    node.finish(node.late(op, [x], {"axes": node.input(1)}), x, node.input(1))
    return True


@handles("Flatten")
def flatten(node: OnnxNode) -> None:
    """Two dimensions, split at an axis, which may be the rank."""
    axis, rank = node.integer("axis", 1), node.rank()
    node.finish(ops.Flatten(axis=axis if axis == rank else normalized(axis, rank)), node.input(0))


@handles("Shape")
def shape(node: OnnxNode) -> None:
    """Return the dimensions, or a range of them."""
    end = node.integer("end", 0) if node.has("end") else None
    node.finish(ops.Shape(start=node.integer("start", 0), end=end), node.input(0))


@handles("Size")
def size(node: OnnxNode) -> None:
    """Count the elements."""
    node.finish(ops.Size(), node.input(0))


@handles("ConstantOfShape")
def constant_of_shape(node: OnnxNode) -> None:
    """One value repeated; float zero where none is given."""
    value = node.attributes.get("value", np.zeros(1, np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise FormatError("attribute value must be a tensor of one element")
    op = ops.ConstantOfShape(fill=value.reshape(()).item(), dtype=DType.of(value))
    node.finish(op, node.input(0))


@handles("Range")
def range_(node: OnnxNode) -> None:
    """Numbers at equal steps."""
    node.finish(ops.Range(), *(_scalar(node, i) for i in range(3)))


def _scalar(node: OnnxNode, index: int) -> str:
    if node.rank(index) == 0:
        return node.input(index)
    return node.emit(ops.Reshape(shape=()), node.input(index))


@handles("Expand")
def expand(node: OnnxNode) -> None:
    """Broadcast to a shape, which may be computed."""
    node.finish(ops.Expand(), node.input(0), node.input(1))


@handles("EyeLike")
def eye_like(node: OnnxNode) -> None:
    """One where the column is the row plus k, zero elsewhere."""
    given = node.type(0)
    if given.rank != 2:
        raise FormatError(f"EyeLike of {given}; expected a matrix")
    dtype = dtype_of(node.integer("dtype", 1), "dtype") if node.has("dtype") else given.dtype
    rows = node.emit(ops.Reshape(shape=(-1, 1)), node.counted(0, 0))
    shift = node.constant_like(np.array(node.integer("k", 0), np.int64), "k")
    same = node.emit(ops.Equal(), node.counted(0, 1), node.emit(ops.Add(), rows, shift))
    node.finish(ops.Cast(to=dtype), same)


# Weights of the constant, the cosine and the cosine of twice the angle.
_WINDOWS = {
    "BlackmanWindow": (0.42, -0.5, 0.08),
    "HammingWindow": (25 / 46, -21 / 46, 0.0),
    "HannWindow": (0.5, -0.5, 0.0),
}


@handles(*_WINDOWS)
def window(node: OnnxNode) -> None:
    """Sum cosines over one period of some length."""
    given = node.constant(0)
    if given is not None and not 0 < int(given.reshape(())) <= _LARGEST:
        raise UnsupportedError(f"a window of {given}; expected 1 to {_LARGEST}")

    def real(value: float) -> str:
        return node.constant_like(np.array(value, np.float64), "number")

    size = node.emit(ops.Cast(to=DType.FLOAT64), node.input(0))
    size = node.emit(ops.Reshape(shape=()), size)
    steps = size
    if not node.integer("periodic", 1):
        steps = node.emit(ops.Maximum(), node.emit(ops.Sub(), size, real(1)), real(1))
    places = node.emit(ops.Range(), real(0), size, real(1))
    turns = node.emit(ops.Mul(), node.emit(ops.Div(), places, steps), real(2 * np.pi))
    first, second, third = (real(weight) for weight in _WINDOWS[node.kind])
    once = node.emit(ops.Mul(), node.emit(ops.Cos(), turns), second)
    twice = node.emit(ops.Cos(), node.emit(ops.Add(), turns, turns))
    total = node.emit(ops.Add(), once, node.emit(ops.Mul(), twice, third))
    dtype = dtype_of(node.integer("output_datatype", 1), "output_datatype")
    node.finish(ops.Cast(to=dtype), node.emit(ops.Add(), total, first))
