"""Ops over windows of any number of axes: spreading apart, and reductions."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError, UnsupportedError
from linnet.types import Array, Cost, Dim, NodeTypes, TensorType

from .base import Op
from .movement import _Move, given, need
from .operands import work

__all__ = ["Dilate", "ReduceWindow"]


class Dilate(_Move, frozen=True):
    """Put ``steps[i] - 1`` copies of a fill value (input 1) between neighbors along axis i.

    Parameters
    ----------
    steps : tuple of int
        Distance of neighbors in the output, one per axis.
    """

    steps: tuple[int, ...]
    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return (dim - 1) * step + 1 along each axis."""
        x, fill = need(types[0], "input"), need(types[1], "fill value")
        if len(self.steps) != x.rank or min(self.steps, default=1) < 1:
            raise ShapeError(f"steps {self.steps} for {x}; expected one positive number per axis")
        if fill.dtype != x.dtype or fill.shape not in ((), (1,)):
            raise ShapeError(f"fill value {fill} for {x}; expected one of the same type")
        shape: list[Dim] = []
        for dim, step in zip(x.shape, self.steps, strict=True):
            wide = dims.add(dims.mul(dims.add(dim, -1), step), 1)
            shape.append(dim if step == 1 or dim == 0 else wide)
        return (x.with_(shape=tuple(shape), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Write into an array of the fill value."""
        x, fill = given(arrays[0]), given(arrays[1])
        result = np.full(types.outputs[0].static_shape, fill.reshape(-1)[0], x.dtype)
        result[tuple(slice(None, None, step) for step in self.steps)] = x
        return (result,)


_REDUCTIONS = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


class ReduceWindow(Op, frozen=True):
    """Reduce windows of any shape, beginning with an initial value (input 1).

    Parameters
    ----------
    reduction : {"add", "mul", "min", "max", "all", "any"}
    window, strides, dilations : tuple of int
        One number per axis.
    """

    reduction: str
    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the number of windows along each axis."""
        x, start = need(types[0], "input"), need(types[1], "initial value")
        attributes = (self.window, self.strides, self.dilations)
        if any(len(a) != x.rank or min(a, default=1) < 1 for a in attributes):
            raise ShapeError(f"window attributes {attributes} for {x}; expected one per axis")
        if self.reduction not in (*_REDUCTIONS, "all", "any") or x.is_quantized:
            raise UnsupportedError(f"reduction '{self.reduction}' of {x}")
        if start.dtype != x.dtype or start.shape not in ((), (1,)):
            raise ShapeError(f"initial value {start} for {x}; expected one of the same type")
        shape: list[Dim] = []
        for dim, size, stride, dilation in zip(x.shape, *attributes, strict=True):
            left = dims.add(dim, -((size - 1) * dilation + 1))
            if isinstance(left, int) and left < 0:
                shape.append(0)
            else:
                shape.append(dims.add(dims.floor_div(left, stride), 1))
        return (x.with_(shape=tuple(shape), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Combine one tap after the other."""
        x, start = given(arrays[0]), given(arrays[1])
        out = types.outputs[0].static_shape
        result = np.full(out, start.reshape(-1)[0], x.dtype)
        if not result.size:
            return (result,)
        functions = _REDUCTIONS | {"all": np.logical_and, "any": np.logical_or}
        for tap in np.ndindex(*self.window):
            at = tuple(
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, s, n in zip(tap, self.dilations, self.strides, out, strict=True)
            )
            with np.errstate(over="ignore"):
                result = functions[self.reduction](result, x[at]).astype(x.dtype)
        return (result,)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per tap."""
        return work(types, int(np.prod(self.window)))
