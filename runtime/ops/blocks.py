"""Linear layers whose weights are 4-bit numbers with a scale for each group."""

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

_MIDDLE = 8
_MOST = np.float32(127.0)


class PackedBlocks(NamedTuple):
    """Weights in the form that the kernel reads; see kernels/src/linear/params.h."""

    weights: Array
    scale: Array
    zero: Array | None
    bias: Array | None


class BlockLinear(Op, frozen=True):
    """x w' + bias, the weights 4-bit numbers in groups, as ONNX Runtime's MatMulNBits.

    Inputs are x [..., K] float32; w [O, G, group / 2] uint8, two numbers in a byte, the first in
    the low half; scales [O, G] float32; optionally zeros [O, G] uint8, 8 where absent; and
    optionally bias [O] float32. G = ceil(K / group). A weight is scale * (number - zero).

    Notes
    -----
    Rows of x are rounded to int8, step = max |x| / 127, and sums of a group are exact.
    """

    arity: ClassVar[tuple[int, int]] = (3, 5)
    since: ClassVar[int] = 2

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return x's shape with the number of outputs last."""
        x, w, scales = given(types[:3])
        zeros, bias = (*types[3:], None, None)[:2]
        if x.dtype is not DType.FLOAT32 or x.rank < 1:
            raise ShapeError(f"x is {x}; expected float32 of rank 1 or more")
        if w.dtype is not DType.UINT8 or w.rank != 3 or not w.is_static:
            raise ShapeError(f"weights are {w}; expected uint8 [outputs, groups, group / 2]")
        outputs, groups, half = w.static_shape
        if half % 4 or not half:
            raise ShapeError(f"groups hold {2 * half} weights; expected a multiple of 8")
        depth = x.shape[-1]
        if isinstance(depth, int) and -(-depth // (2 * half)) != groups:
            raise ShapeError(f"x is {x}, weights are {w}; expected {groups} groups over one depth")
        if scales != TensorType(DType.FLOAT32, (outputs, groups)):
            raise ShapeError(f"scales are {scales}; expected float32 [{outputs},{groups}]")
        if zeros is not None and zeros != TensorType(DType.UINT8, (outputs, groups)):
            raise ShapeError(f"zeros are {zeros}; expected uint8 [{outputs},{groups}]")
        if bias is not None and bias != TensorType(DType.FLOAT32, (outputs,)):
            raise ShapeError(f"bias is {bias}; expected float32 [{outputs}]")
        return (TensorType(DType.FLOAT32, (*x.shape[:-1], outputs)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Round rows in float32, multiply exactly, finish in float64."""
        x, w, scales, zeros, bias = (*arrays, None, None)[:5]
        assert x is not None and w is not None and scales is not None
        outputs, groups, half = w.shape
        numbers = np.stack([w & 15, w >> 4], axis=-1).reshape(outputs, groups, 2 * half)
        middle = np.full(scales.shape, _MIDDLE) if zeros is None else zeros
        flat = x.reshape(-1, x.shape[-1])
        step = np.abs(flat).max(axis=1, initial=0.0) * (np.float32(1.0) / _MOST)
        usable = step >= np.float32(1e-30)
        with np.errstate(divide="ignore"):
            inverse = np.where(usable, np.float32(1.0) / step, np.float32(0.0))
        q = np.zeros((flat.shape[0], groups * 2 * half))
        q[:, : flat.shape[1]] = np.rint(flat * inverse[:, None])
        split = q.reshape(flat.shape[0], groups, 2 * half)
        centered = numbers.astype(np.float64) - middle[..., None]
        sums = np.einsum("mgk,ogk->mog", split, centered)
        real = (sums * scales).sum(axis=2) * np.where(usable, step, 0.0)[:, None]
        if bias is not None:
            real = real + bias
        return (real.reshape(types.outputs[0].static_shape).astype(np.float32),)

    def bind(self, step: Step) -> bool:
        """Add the kernel; see `Op.bind`."""
        x, w, scales, zeros, bias = (*step.inputs, None, None)[:5]
        if any(b is not None and b.array is None for b in (w, scales, zeros, bias)):
            return False
        packed: PackedBlocks = step.cached("blocks", lambda: _pack(w, scales, zeros, bias))
        outputs, _, half = w.type.static_shape
        depth = x.type.static_shape[-1]
        step.program.block_linear(
            x=readable(step, 0),
            weights=packed.weights.ctypes.data,
            scale=packed.scale.ctypes.data,
            zero=0 if packed.zero is None else packed.zero.ctypes.data,
            bias=0 if packed.bias is None else packed.bias.ctypes.data,
            y=step.outputs[0].pointer,
            sizes=(math.prod(x.type.static_shape[:-1]), depth, outputs, 2 * half),
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


def _pack(w: object, scales: object, zeros: object, bias: object) -> PackedBlocks:
    stored: Array = w.array  # type: ignore[attr-defined]
    outputs, groups, half = stored.shape
    panels, depth = -(-outputs // PANEL), groups * half * 2
    numbers = np.zeros((panels * PANEL, depth), np.uint8)
    numbers[:outputs, 0::2] = (stored & 15).reshape(outputs, -1)
    numbers[:outputs, 1::2] = (stored >> 4).reshape(outputs, -1)
    split = numbers.reshape(panels, PANEL, depth // 8, 2, 4)
    packed = aligned((panels, depth // 8, PANEL, 4), np.uint8)
    packed[...] = (split[:, :, :, 0] | split[:, :, :, 1] << 4).transpose(0, 2, 1, 3)
    padded = aligned((panels * PANEL,), np.float32)
    if bias is not None:
        padded[:outputs] = bias.array  # type: ignore[attr-defined]
    return PackedBlocks(
        packed,
        _panels(scales.array, np.float32),  # type: ignore[attr-defined]
        None if zeros is None else _panels(zeros.array, np.uint8),  # type: ignore[attr-defined]
        None if bias is None else padded,
    )
