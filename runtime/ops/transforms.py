"""Fourier transforms of numbers in pairs, and determinants."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, NodeTypes, TensorType

from .base import Op
from .movement import axis_of, given, need
from .operands import work

__all__ = ["DFT", "Determinant"]


class DFT(Op, frozen=True):
    """Discrete Fourier transform along an axis; the last axis holds a real number or a pair.

    Parameters
    ----------
    axis : int
    length : int
        The signal is cut, or filled with zeros, to it; 0 for the axis's own length.
    inverse : bool
    onesided : bool
        Give out the first half and the middle; with ``inverse`` take that in, real numbers out.

    References
    ----------
    ONNX operator specification, DFT.
    """

    since: ClassVar[int] = 2
    axis: int = -2
    length: int = 0
    inverse: bool = False
    onesided: bool = False

    def _length(self, size: Dim) -> Dim:
        if self.length:
            return self.length
        if self.inverse and self.onesided:
            return dims.add(dims.mul(size, 2), -2)
        return size

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return pairs, or single numbers of a one-sided inverse."""
        x = need(types[0], "input")
        axis = axis_of(self.axis, x.rank)
        pairs = x.shape[-1] if x.rank else 0
        fits = x.dtype.is_float and (isinstance(pairs, str) or pairs in (1, 2))
        if axis == x.rank - 1 or not fits:
            raise ShapeError(f"input {x} along axis {self.axis}; expected [..., 1 or 2]")
        if self.length < 0 or (self.onesided and not self.inverse and x.shape[-1] == 2):
            raise ShapeError(f"one half of the spectrum of complex numbers {x}")
        shape: list[Dim] = list(x.shape)
        shape[axis] = self._length(shape[axis])
        shape[-1] = 2
        if self.onesided and self.inverse:
            shape[-1] = 1
        elif self.onesided:
            shape[axis] = dims.add(dims.floor_div(shape[axis], 2), 1)
        return (x.with_(shape=tuple(shape), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Transform in the input's own precision."""
        x = given(arrays[0])
        axis = axis_of(self.axis, x.ndim)
        length = int(self._length(x.shape[axis]))
        wide = x.astype(np.float32) if x.dtype == np.float16 else x
        signal = wide[..., 0]
        if x.shape[-1] == 2:
            signal = signal + np.complex64(1j) * wide[..., 1]
        if self.inverse and self.onesided:
            made = np.fft.irfft(signal, length, axis)[..., None]
        else:
            turn = np.fft.ifft if self.inverse else np.fft.fft
            found = turn(signal, length, axis)
            if self.onesided:
                found = np.take(found, np.arange(length // 2 + 1), axis)
            made = np.stack([found.real, found.imag], axis=-1)
        return (made.astype(x.dtype),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the butterflies of a fast transform."""
        axis = axis_of(self.axis, types.outputs[0].rank)
        return work(types, 2 * max(1, types.outputs[0].static_shape[axis].bit_length()))


class Determinant(Op, frozen=True):
    """Determinants of the matrices of the last two axes."""

    since: ClassVar[int] = 2

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the leading axes."""
        x = need(types[0], "input")
        if x.rank < 2 or not x.dtype.is_float:
            raise ShapeError(f"input is {x}; expected square matrices")
        rows, columns = x.shape[-2:]
        if isinstance(rows, int) and isinstance(columns, int) and rows != columns:
            raise ShapeError(f"input is {x}; expected square matrices")
        return (x.with_(shape=x.shape[:-2], value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64."""
        x = given(arrays[0])
        return (np.asarray(np.linalg.det(x.astype(np.float64))).astype(x.dtype),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element of a matrix."""
        return work(types, 1)
