"""Linear layers and embeddings whose weights are small integers and whose activations are floats.

Inputs and results are float32; what is quantized on the way shows in no type.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from . import bind_linear
from .base import Op, Step
from .operands import broadcast_shapes, given
from .unary import Gelu, Swish

__all__ = ["DynamicLinear", "Embedding"]

ACTIVATIONS = ("", "relu", "gelu", "gelu_tanh", "silu", "relu6", "quick_gelu")
QUICK_GELU = 1.702
_MOST_SPLITS = 4
_SMALLEST_STEP = np.float32(1e-35)


def activate(name: str, x: Array) -> Array:
    """Return the activation of float64 numbers."""
    if name == "relu":
        return np.maximum(x, 0.0)
    if name == "relu6":
        return np.clip(x, 0.0, 6.0)
    if name in ("gelu", "gelu_tanh"):
        return Gelu(approximate=name == "gelu_tanh")._function(x)
    if name in ("silu", "quick_gelu"):
        return Swish(alpha=QUICK_GELU if name == "quick_gelu" else 1.0)._function(x)
    return x


def quantized_rows(x: Array, per_tensor: bool) -> tuple[Array, Array, Array]:
    """Return (q, step, zero) of rows of floats: q in 0..255, x near step * (q - zero).

    The rule is that of the kernel, in float32 throughout; see kernels/src/linear/params.h.
    """
    ranged = x.reshape(1, -1) if per_tensor else x
    low = ranged.min(axis=1, initial=0.0).astype(np.float32)
    high = ranged.max(axis=1, initial=0.0).astype(np.float32)
    with np.errstate(all="ignore"):
        step = (high - low) / np.float32(255.0)
        usable = step >= _SMALLEST_STEP
        inverse = np.where(usable, np.float32(1.0) / step, np.float32(0.0)).astype(np.float32)
        zero = np.clip(np.nan_to_num(np.rint(-low / step)), 0, 255)
        zero = np.where(usable, zero, 0).astype(np.int64)
        step = np.where(usable, step, np.where(np.isnan(step), step, np.float32(1.0)))
        step = np.where(np.isfinite(ranged).all(axis=1), step, np.float32(np.nan))
        scaled = x / step[:, None] if per_tensor else x * inverse[:, None]
        scaled = np.where(inverse[:, None] > 0, scaled, np.float32(0.0))
        q = np.nan_to_num(np.rint(scaled), nan=0.0, posinf=0.0, neginf=0.0)
    q = np.clip(q + zero[:, None], 0, 255).astype(np.int64)
    return q, step.astype(np.float32), zero


class DynamicLinear(Op, frozen=True):
    """activation(x w' + bias) + residual, x quantized to bytes as it comes, sums exact.

    Inputs are x [..., K] float32, w [O, K] int8 (quantized per tensor or along axis 0), and
    optionally bias [O] float32 and a float32 residual that broadcasts with the result.

    Parameters
    ----------
    activation : str
        "", "relu", "relu6", "gelu", "gelu_tanh", "silu" or "quick_gelu" (Swish with alpha 1.702).
    per_tensor : bool
        Quantize all of x with one scale and zero point, as ONNX DynamicQuantizeLinear does, and
        not every row with its own.
    splits : tuple of int
        Where given, the widths of up to four outputs that the O columns are given out to, in
        order; then neither activation nor residual follow.

    Notes
    -----
    low = min(0, x), high = max(0, x), step = (high - low) / 255, zero = round(-low / step),
    q = clip(round(x / step) + zero, 0, 255). Rows that hold NaN or an infinity give NaN.
    """

    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (2, 4)

    activation: str = ""
    per_tensor: bool = False
    splits: tuple[int, ...] = ()

    @property
    def outputs(self) -> int:
        """One, or one for each split."""
        return len(self.splits) or 1

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return x's shape with the number of outputs last."""
        x, w = given(types[:2])
        bias, residual = (*types[2:], None, None)[:2]
        if self.activation not in ACTIVATIONS:
            raise ShapeError(f"activation is '{self.activation}'; expected one of {ACTIVATIONS}")
        if x.dtype is not DType.FLOAT32 or x.rank < 1:
            raise ShapeError(f"x is {x}; expected float32 of rank 1 or more")
        if w.dtype is not DType.INT8 or w.rank != 2 or w.quantization is None:
            raise ShapeError(f"weights are {w}; expected quantized int8 [outputs, depth]")
        if w.quantization.axis not in (None, 0):
            raise ShapeError(f"weights have {w.quantization}; expected one scale or axis 0")
        if isinstance(x.shape[-1], int) and x.shape[-1] != w.shape[1]:
            raise ShapeError(f"x is {x}, weights are {w}; expected one depth")
        result = TensorType(DType.FLOAT32, (*x.shape[:-1], w.shape[0]))
        if bias is not None and bias != TensorType(DType.FLOAT32, (w.shape[0],)):
            raise ShapeError(f"bias is {bias}; expected float32 [{w.shape[0]}]")
        if self.splits:
            self._check_splits(w, residual)
            return tuple(result.with_(shape=(*x.shape[:-1], n)) for n in self.splits)
        if residual is None:
            return (result,)
        if residual.dtype is not DType.FLOAT32:
            raise ShapeError(f"residual is {residual}; expected float32")
        return (result.with_(shape=broadcast_shapes(result, residual)),)

    def _check_splits(self, w: TensorType, residual: TensorType | None) -> None:
        fits = sum(self.splits) == w.shape[0] and min(self.splits) > 0
        if not fits or len(self.splits) > _MOST_SPLITS:
            raise ShapeError(
                f"splits {self.splits} of weights {w}; expected up to {_MOST_SPLITS} positive "
                f"widths that add up to {w.shape[0]}"
            )
        if self.activation or residual is not None:
            raise ShapeError("splits go with neither activation nor residual")

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Quantize in float32, multiply exactly, finish in float64."""
        x, w, bias, residual = (*arrays, None, None)[:4]
        assert x is not None and w is not None
        weight = types.inputs[1]
        assert weight is not None and weight.quantization is not None
        flat = x.reshape(-1, x.shape[-1])
        q, step, zero = quantized_rows(flat, self.per_tensor)
        centered = w.astype(np.float64) - weight.quantization.zero_point.reshape(-1, 1)
        total = (q - zero[:, None]).astype(np.float64) @ centered.T
        scale = step.astype(np.float64)[:, None] * weight.quantization.scale.astype(np.float64)
        real = total * scale
        if bias is not None:
            real = real + bias
        with np.errstate(all="ignore"):
            real = activate(self.activation, real)
        if residual is not None:
            real = real.reshape(*x.shape[:-1], -1) + residual
        if self.splits:
            parts = np.split(real, np.cumsum(self.splits)[:-1], axis=1)
            pairs = zip(parts, types.outputs, strict=True)
            return tuple(p.reshape(t.static_shape).astype(np.float32) for p, t in pairs)
        return (real.reshape(types.outputs[0].static_shape).astype(np.float32),)

    def bind(self, step: Step) -> bool:
        """Add the kernel; see `Op.bind`."""
        activation = ACTIVATIONS.index(self.activation)
        return bind_linear.dynamic(step, activation, self.per_tensor, self.splits)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per output and k."""
        present = [t for t in (*types.inputs, *types.outputs) if t is not None]
        weight = present[1]
        macs = sum(t.size for t in types.outputs) * weight.static_shape[1]
        return Cost(macs, sum(t.nbytes for t in present))


class Embedding(Op, frozen=True):
    """Rows of an int8 table, dequantized: y[..., j] = scale * (table[index, j] - zero).

    Inputs are the table [rows, width] int8, quantized per tensor or along axis 0, and indices of
    any shape (int32 or int64), negative ones counted from the end.
    """

    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the indices' shape with the width last."""
        table, indices = given(types)
        if table.dtype is not DType.INT8 or table.rank != 2 or table.quantization is None:
            raise ShapeError(f"table is {table}; expected quantized int8 [rows, width]")
        if table.quantization.axis not in (None, 0):
            raise ShapeError(f"table has {table.quantization}; expected one scale or axis 0")
        if indices.dtype not in (DType.INT32, DType.INT64):
            raise ShapeError(f"indices are {indices}; expected int32 or int64")
        return (TensorType(DType.FLOAT32, (*indices.shape, table.shape[1])),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Dequantize in float32."""
        table, indices = arrays
        type_ = types.inputs[0]
        assert table is not None and indices is not None
        assert type_ is not None and type_.quantization is not None
        rows = table.shape[0]
        if indices.size and (indices.min() < -rows or indices.max() >= rows):
            raise ShapeError(f"an index lies outside the table's {rows} rows")
        scale, zero = (
            np.broadcast_to(part, (rows,))[indices][..., None]
            for part in (type_.quantization.scale, type_.quantization.zero_point)
        )
        return ((table[indices].astype(np.int32) - zero).astype(np.float32) * scale,)

    def bind(self, step: Step) -> bool:
        """Add the kernel; see `Op.bind`."""
        return bind_linear.embedding(step)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per element, and the bytes of the rows that are read."""
        size = types.outputs[0].size
        width = math.prod(types.outputs[0].static_shape[-1:])
        return Cost(size, size + types.outputs[0].nbytes + 8 * (size // max(width, 1)))
