"""Spectra of real signals, and the parts of complex numbers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from .base import Op
from .movement import given, need
from .operands import work

__all__ = ["RFFT2D", "ComplexAbs", "Imag", "Real"]


class _Part(Op, frozen=True):
    """A real number made of each complex one."""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return float32 of the input's shape."""
        x = need(types[0], "input")
        if x.dtype is not DType.COMPLEX64:
            raise ShapeError(f"input is {x}; expected complex64")
        return (TensorType(DType.FLOAT32, x.shape),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element."""
        return work(types, 1)


class Real(_Part, frozen=True):
    """Real part."""

    since: ClassVar[int] = 2

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the real parts."""
        return (np.ascontiguousarray(given(arrays[0]).real),)


class Imag(_Part, frozen=True):
    """Imaginary part."""

    since: ClassVar[int] = 2

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the imaginary parts."""
        return (np.ascontiguousarray(given(arrays[0]).imag),)


class ComplexAbs(_Part, frozen=True):
    """Absolute value."""

    since: ClassVar[int] = 2

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the roots of sums of squares."""
        return (np.abs(given(arrays[0])),)


class RFFT2D(Op, frozen=True):
    """Two-dimensional Fourier transform of real input over the last two axes.

    The input is cropped, or filled with zeros, to ``lengths`` first; of the last axis, the first
    half and the middle are given out: complex64 [..., lengths[0], lengths[1] // 2 + 1].

    Parameters
    ----------
    lengths : (int, int)
    """

    lengths: tuple[int, int]
    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (1, 1)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return complex64 [..., lengths[0], lengths[1] // 2 + 1]."""
        x = need(types[0], "input")
        if x.dtype is not DType.FLOAT32 or x.rank < 2 or min(self.lengths) < 1:
            raise ShapeError(f"input {x} in lengths {self.lengths}; expected float32 of two axes")
        shape = (*x.shape[:-2], self.lengths[0], self.lengths[1] // 2 + 1)
        return (TensorType(DType.COMPLEX64, shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Transform in float64."""
        found = np.fft.rfft2(given(arrays[0]).astype(np.float64), self.lengths)
        return (found.astype(np.complex64),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the butterflies of a fast transform."""
        rows, columns = self.lengths
        return work(types, 2 * max(1, (rows * columns).bit_length()))
