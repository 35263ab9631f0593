"""What ops of two operands share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, NodeTypes, TensorType

from . import bind_elementwise
from .base import Op, Step
from .operands import broadcast_shapes, content, given, real, same_kind, store, work


class _Binary(Op, frozen=True):
    """An op that computes ``_function`` of each pair of elements.

    Notes
    -----
    ``exact`` tells that float32 operands are computed in float32 (one rounding per operation),
    otherwise in float64 and rounded once; ``vectorized`` that there is a float32 kernel, ``whole``
    that there is one of plain integers; ``total`` that any plain integers have a result, modulo
    their size.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    in_place: ClassVar[tuple[int, ...]] = (0, 1)
    elementwise: ClassVar[bool] = True
    exact: ClassVar[bool] = False
    vectorized: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    total: ClassVar[bool] = False
    operations: ClassVar[int] = 1

    def _function(self, x: Array, y: Array) -> Array:
        """Return the function of reals."""
        raise TypeError(f"{type(self).__name__} does not define function")

    def _whole(self, x: Array, y: Array) -> Array:
        """Return the function of plain integers."""
        return self._function(x, y)

    def _quantized(self, types: NodeTypes, x: Array, y: Array) -> Array:
        """Return the stored result of stored operands."""
        left, right = given(types.inputs)
        return store(self._function(real(left, x), real(right, y)), types.outputs[0])

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the broadcast shape; quantization is the output's own declaration."""
        x, y = given(types)
        same_kind(x, y)
        if not (x.dtype.is_float or x.dtype.is_integer):
            raise ShapeError(f"operands are {x} and {y}; expected numbers: insert Cast")
        return (TensorType(x.dtype, broadcast_shapes(x, y)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute with NumPy by the rules of the element type."""
        left, _ = given(types.inputs)
        x, y = content(arrays)
        if self.total and left.dtype.is_integer and not left.is_quantized:
            return (self._whole(x, y),)
        with np.errstate(all="ignore"):
            if left.is_quantized:
                return (self._quantized(types, x, y),)
            if not left.dtype.is_float:
                return (self._whole(x, y),)
            if not self.exact:
                x, y = x.astype(np.float64), y.astype(np.float64)
            return (self._function(x, y).astype(left.dtype.numpy),)

    def bind(self, step: Step) -> bool:
        """Bind pairs of quantized bytes by table, other numbers by the kernel of the op's name."""
        if all(item is not None and item.is_quantized for item in step.types.inputs):
            return bind_elementwise.pair_table(self, step)
        name = type(self).__name__
        if self.vectorized and bind_elementwise.binary_f32(name, step):
            return True
        return self.whole and bind_elementwise.whole(name, step)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the operations per element of the output."""
        return work(types, self.operations)
