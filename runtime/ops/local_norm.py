"""Normalization of each element by its neighbors among the channels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, NodeTypes, TensorType

from .base import Op
from .operands import content, given, work

__all__ = ["LocalResponseNormalization"]


class LocalResponseNormalization(Op, frozen=True):
    """y = x / (bias + alpha * sum of x**2 over the window) ** beta, channels on the last axis.

    The window of channel c is c - before to c + after, as far as there are channels.

    Parameters
    ----------
    before, after : int
    alpha, beta, bias : float
        ONNX's alpha is ``size`` times this one.
    """

    before: int = 2
    after: int = 2
    alpha: float = 1.0
    beta: float = 0.5
    bias: float = 1.0
    since: ClassVar[int] = 2
    in_place: ClassVar[tuple[int, ...]] = ()

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type."""
        (x,) = given(types)
        if not x.dtype.is_float or x.rank < 1 or min(self.before, self.after) < 0:
            raise ShapeError(f"input {x}, window -{self.before} to {self.after}; expected floats")
        return (x.with_(value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64."""
        (x,) = content(arrays)
        wide = x.astype(np.float64)
        pads = [(0, 0)] * (x.ndim - 1) + [(self.before + 1, self.after)]
        sums = np.cumsum(np.pad(wide**2, pads), axis=-1)
        size, count = self.before + self.after + 1, x.shape[-1]
        window = sums[..., size:] - sums[..., :count]
        return ((wide / (self.bias + self.alpha * window) ** self.beta).astype(x.dtype),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the powers."""
        return work(types, 20)
