"""Linear layers whose weights are 4-bit or 8-bit numbers with a scale for each group."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from .base import Op, Step
from .bind_float import readable
from .bind_linear import PANEL, aligned
from .operands import given

__all__ = ["BlockLinear"]

_MOST = np.float32(127.0)


class PackedBlocks(NamedTuple):
    """Weights in the form that the kernel reads; see kernels/src/linear/params.h."""

    weights: Array
    scale: Array
    zero: Array | None
    bias: Array | None


class BlockLinear(Op, frozen=True):
    """x w' + bias, the weights small numbers in groups, as ONNX Runtime's MatMulNBits.

    Inputs are x [..., K] float32; w [O, G, group] uint8, or [O, G, group / 2] of 4 bits: two
    numbers in a byte, the first in the low half; scales [O, G] float32; optionally zeros [O, G]
    uint8, the middle (8 or 128) where absent; and optionally bias [O] float32. G = ceil(K / group).
    A weight is scale * (number - zero).

    Parameters
    ----------
    bits : int
        4 or 8.
    whole : bool
        Multiply x as it is. Otherwise its rows are rounded to int8, step = max |x| / 127, and sums
        of a group are exact.
    """

    arity: ClassVar[tuple[int, int]] = (3, 5)
    since: ClassVar[int] = 2

    bits: int = 4
    whole: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return x's shape with the number of outputs last."""
        if self.bits not in (4, 8):
            raise ShapeError(f"bits is {self.bits}; expected 4 or 8")
        x, w, scales = given(types[:3])
        zeros, bias = (*types[3:], None, None)[:2]
        if x.dtype is not DType.FLOAT32 or x.rank < 1:
            raise ShapeError(f"x is {x}; expected float32 of rank 1 or more")
        if w.dtype is not DType.UINT8 or w.rank != 3 or not w.is_static:
            raise ShapeError(f"weights are {w}; expected uint8 [outputs, groups, bytes]")
        outputs, groups, _ = w.static_shape
        group = self._group(w)
        if group % 8 or not group:
            raise ShapeError(f"groups hold {group} weights; expected a multiple of 8")
        depth = x.shape[-1]
        if isinstance(depth, int) and -(-depth // group) != groups:
            raise ShapeError(f"x is {x}, weights are {w}; expected {groups} groups over one depth")
        if scales != TensorType(DType.FLOAT32, (outputs, groups)):
            raise ShapeError(f"scales are {scales}; expected float32 [{outputs},{groups}]")
        if zeros is not None and zeros != TensorType(DType.UINT8, (outputs, groups)):
            raise ShapeError(f"zeros are {zeros}; expected uint8 [{outputs},{groups}]")
        if bias is not None and bias != TensorType(DType.FLOAT32, (outputs,)):
            raise ShapeError(f"bias is {bias}; expected float32 [{outputs}]")
        return (TensorType(DType.FLOAT32, (*x.shape[:-1], outputs)),)

    def _group(self, w: TensorType) -> int:
        """Return how many weights share a scale."""
        return w.static_shape[2] * 8 // self.bits

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Round rows in float32, multiply exactly, finish in float64."""
        x, w, scales, zeros, bias = (*arrays, None, None)[:5]
        assert x is not None and w is not None and scales is not None
        numbers = _numbers(w, self.bits)
        groups, group = numbers.shape[1:]
        middle = np.full(scales.shape, 1 << self.bits - 1) if zeros is None else zeros
        flat = x.reshape(-1, x.shape[-1])
        rows, step = (flat, np.ones(len(flat))) if self.whole else _rounded(flat)
        full = np.zeros((len(flat), groups * group))
        full[:, : flat.shape[1]] = rows
        centered = numbers.astype(np.float64) - middle[..., None]
        sums = np.einsum("mgk,ogk->mog", full.reshape(len(flat), groups, group), centered)
        real = (sums * scales).sum(axis=2) * step[:, None]
        if bias is not None:
            real = real + bias
        return (real.reshape(types.outputs[0].static_shape).astype(np.float32),)

    def bind(self, step: Step) -> bool:
        """Add the kernel; see `Op.bind`."""
        x, w, scales, zeros, bias = (*step.inputs, None, None)[:5]
        if any(b is not None and b.array is None for b in (w, scales, zeros, bias)):
            return False
        packed: PackedBlocks = step.cached(
            "blocks", lambda: _pack(self.bits, w, scales, zeros, bias)
        )
        outputs, group = w.type.static_shape[0], self._group(w.type)
        depth = x.type.static_shape[-1]
        step.program.block_linear(
            x=readable(step, 0),
            weights=packed.weights.ctypes.data,
            scale=packed.scale.ctypes.data,
            zero=0 if packed.zero is None else packed.zero.ctypes.data,
            bias=0 if packed.bias is None else packed.bias.ctypes.data,
            y=step.outputs[0].pointer,
            sizes=(math.prod(x.type.static_shape[:-1]), depth, outputs, group, self.bits),
            whole=self.whole,
        )
        return True

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per output and k."""
        present = [t for t in (*types.inputs, *types.outputs) if t is not None]
        macs = types.outputs[0].size * present[0].static_shape[-1]
        return Cost(macs, sum(t.nbytes for t in present))


def _panels(values: Array, dtype: type) -> Array:
    """Return (outputs, groups) as [panel][group][16], padded with zeros."""
    outputs, groups = values.shape
    panels = -(-outputs // PANEL)
    full = np.zeros((panels * PANEL, groups), dtype)
    full[:outputs] = values
    packed = aligned((panels, groups, PANEL), dtype)
    packed[...] = full.reshape(panels, PANEL, groups).transpose(0, 2, 1)
    return packed


def _numbers(stored: Array, bits: int) -> Array:
    """Return bytes [outputs, groups, bytes] as one number each."""
    if bits == 8:
        return stored
    return np.stack([stored & 15, stored >> 4], axis=-1).reshape(*stored.shape[:2], -1)


def _rounded(rows: Array) -> tuple[Array, Array]:
    """Return rows as whole numbers of -127..127, and their steps."""
    step = np.abs(rows).max(axis=1, initial=0.0) * (np.float32(1.0) / _MOST)
    usable = step >= np.float32(1e-30)
    with np.errstate(divide="ignore"):
        inverse = np.where(usable, np.float32(1.0) / step, np.float32(0.0))
    return np.rint(rows * inverse[:, None]), np.where(usable, step, 0.0)


def _pack(bits: int, w: object, scales: object, zeros: object, bias: object) -> PackedBlocks:
    found = _numbers(w.array, bits)  # type: ignore[attr-defined]
    outputs, depth = found.shape[0], found.shape[1] * found.shape[2]
    panels = -(-outputs // PANEL)
    numbers = np.zeros((panels * PANEL, depth), np.uint8)
    numbers[:outputs] = found.reshape(outputs, depth)
    split = numbers.reshape(panels, PANEL, depth // 8, 2, 4)
    packed = aligned((panels, depth // 8, bits // 4, PANEL, 4), np.uint8)
    if bits == 4:
        packed[:, :, 0] = (split[:, :, :, 0] | split[:, :, :, 1] << 4).transpose(0, 2, 1, 3)
    else:
        packed[...] = split.transpose(0, 2, 3, 1, 4)
    padded = aligned((panels * PANEL,), np.float32)
    if bias is not None:
        padded[:outputs] = bias.array  # type: ignore[attr-defined]
    return PackedBlocks(
        packed,
        _panels(scales.array, np.float32),  # type: ignore[attr-defined]
        None if zeros is None else _panels(zeros.array, np.uint8),  # type: ignore[attr-defined]
        None if bias is None else padded,
    )
