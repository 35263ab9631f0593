"""Relations and logic of two operands, and the choice between two, with NumPy broadcasting."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from . import bind_elementwise
from .base import Op, Step
from .operands import broadcast_shapes, content, given, real, same_kind, store, work
from .pairs import _Binary

__all__ = [
    "And",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Or",
    "Where",
    "Xor",
]


class _Comparison(_Binary, frozen=True):
    """A relation of two operands, of any one element type; the result is bool."""

    in_place: ClassVar[tuple[int, ...]] = ()
    exact: ClassVar[bool] = True

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return bool in the broadcast shape."""
        x, y = given(types)
        same_kind(x, y)
        return (TensorType(DType.BOOL, broadcast_shapes(x, y)),)

    def bind(self, step: Step) -> bool:
        """Bind pairs of quantized bytes by table, other numbers by the kernel of the op's name."""
        if all(item is not None and item.is_quantized for item in step.types.inputs):
            return bind_elementwise.pair_table(self, step)
        name = type(self).__name__
        if bind_elementwise.compare_f32(name, step):
            return True
        mirrored = name.replace("Greater", "Less")
        return bind_elementwise.whole(mirrored, step, swapped=mirrored != name)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compare what is stored, or the reals where it is quantized."""
        left, right = given(types.inputs)
        x, y = content(arrays)
        if left.is_quantized:
            x, y = real(left, x), real(right, y)
        return (self._function(x, y),)


class Equal(_Comparison, frozen=True):
    """x == y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.equal(x, y)


class Less(_Comparison, frozen=True):
    """x < y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.less(x, y)


class LessOrEqual(_Comparison, frozen=True):
    """x <= y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.less_equal(x, y)


class Greater(_Comparison, frozen=True):
    """x > y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.greater(x, y)


class GreaterOrEqual(_Comparison, frozen=True):
    """x >= y."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.greater_equal(x, y)


class _Logic(_Binary, frozen=True):
    """A logical op of bool; bitwise on plain integers."""

    vectorized: ClassVar[bool] = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the operands' type in the broadcast shape."""
        x, y = given(types)
        same_kind(x, y)
        if x.is_quantized or not (x.dtype is DType.BOOL or x.dtype.is_integer):
            raise ShapeError(f"operands are {x} and {y}; expected bool or plain integers")
        return (TensorType(x.dtype, broadcast_shapes(x, y)),)


class And(_Logic, frozen=True):
    """Conjunction."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.bitwise_and(x, y)


class Or(_Logic, frozen=True):
    """Disjunction."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.bitwise_or(x, y)


class Xor(_Logic, frozen=True):
    """Exclusive disjunction."""

    def _function(self, x: Array, y: Array) -> Array:
        return np.bitwise_xor(x, y)


class Where(Op, frozen=True):
    """Pick from x where the condition holds, else from y; all three broadcast.

    Quantized operands are requantized to the output's parameters.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    in_place: ClassVar[tuple[int, ...]] = (1, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the broadcast of all three."""
        condition, x, y = given(types)
        if condition.dtype is not DType.BOOL:
            raise ShapeError(f"condition is {condition}; expected bool: insert Cast")
        same_kind(x, y)
        return (TensorType(x.dtype, broadcast_shapes(condition, x, y)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Select, in the output's parameters."""
        _, left, right = given(types.inputs)
        condition, x, y = content(arrays)
        output = types.outputs[0]
        if left.is_quantized:
            x, y = store(real(left, x), output), store(real(right, y), output)
        return (np.where(condition, x, y),)

    def bind(self, step: Step) -> bool:
        """Bind what is stored alike on both sides and in the output."""
        return bind_elementwise.where(step)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one selection per element."""
        return work(types, 1)
