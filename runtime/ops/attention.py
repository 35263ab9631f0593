"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, DType, NodeTypes, TensorType

from .base import Op, Step
from .bind_float import readable

__all__ = ["Attention"]


class Attention(Op, frozen=True):
    """softmax(q k^T * scale + mask) v for every batch entry and head.

    Inputs are q [B, H, L, D], k [B, Hkv, S, D], v [B, Hkv, S, Dv] and optionally a mask that
    broadcasts to [B, H, L, S]; the output is [B, H, L, Dv]. Query head h reads key and value head
    h // (H / Hkv).

    Parameters
    ----------
    scale : float, optional
        Factor on the products; 1 / sqrt(D) where absent.
    causal : bool
        Let query i see keys 0..i only (aligned at the first query and the first key).

    Notes
    -----
    A boolean mask hides a key where it is False; a mask of numbers is added to the scaled
    products. A query that sees no key (all hidden or at -inf) gives zeros. Whether NaN or an
    infinity in the value of a hidden key reaches the output is not defined.
    """

    arity: ClassVar[tuple[int, int]] = (3, 4)

    scale: float | None = None
    causal: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return q's dtype and shape with v's depth."""
        query, key, value, mask = _inputs(types)
        for name, tensor in (("q", query), ("k", key), ("v", value)):
            if tensor.rank != 4 or not tensor.dtype.is_float or tensor.dtype != query.dtype:
                raise ShapeError(
                    f"{name} is {tensor}; expected four dimensions [batch, heads, length, depth] "
                    "of one floating-point type for q, k and v"
                )
        batch, heads, length, depth = query.shape
        kv_batch, kv_heads, keys, key_depth = key.shape
        if _differ(batch, kv_batch) or _differ(depth, key_depth):
            raise ShapeError(f"k is {key}; expected batch {batch} and depth {depth} as q {query}")
        if any(_differ(a, b) for a, b in zip(value.shape[:3], key.shape[:3], strict=True)):
            raise ShapeError(f"v is {value}; expected [{kv_batch},{kv_heads},{keys},depth] as k")
        if isinstance(heads, int) and isinstance(kv_heads, int) and not _divides(kv_heads, heads):
            raise ShapeError(
                f"q has {heads} heads, k and v have {kv_heads}; expected a divisor of q's"
            )
        if mask is not None:
            _check_mask(mask, query.dtype, (batch, heads, length, keys))
        return (TensorType(query.dtype, (batch, heads, length, value.shape[3])),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64, round once to the output's dtype."""
        query, key, value = (np.asarray(a, np.float64) for a in arrays[:3])
        mask = arrays[3] if len(arrays) > 3 else None
        length, depth = query.shape[2:]
        group = query.shape[1] // max(key.shape[1], 1)
        key, value = (np.repeat(a, group, axis=1) for a in (key, value))
        with np.errstate(invalid="ignore", over="ignore"):
            scores = np.matmul(query, key.swapaxes(2, 3)) * self.factor(depth)
            if mask is not None and mask.dtype == np.bool_:
                scores = np.where(mask, scores, -np.inf)
            elif mask is not None:
                scores = scores + mask
            if self.causal:
                scores = np.where(np.tri(length, key.shape[2], dtype=bool), scores, -np.inf)
            peak = scores.max(axis=3, keepdims=True, initial=-np.inf)
            weights = np.exp(scores - np.where(np.isneginf(peak), 0.0, peak))
            total = weights.sum(axis=3, keepdims=True)
            mixed = np.matmul(weights, value)
            result = np.where(total == 0.0, 0.0, mixed / np.where(total == 0.0, 1.0, total))
        return (result.astype(types.outputs[0].dtype.numpy),)

    def factor(self, depth: int) -> float:
        """Return the factor on the products."""
        return 1.0 / math.sqrt(max(depth, 1)) if self.scale is None else self.scale

    def bind(self, step: Step) -> bool:
        """Add the float32 kernel; a mask of the operands' type is added, a bool one hides."""
        query, key, value, mask = _inputs(step.types.inputs)
        if query.dtype != DType.FLOAT32:
            return False
        batch, heads, length, depth = query.static_shape
        kv_heads, keys = key.static_shape[1:3]
        strides = (0, 0, 0, 0) if mask is None else _broadcast_strides(mask)
        kinds = {None: 0, DType.BOOL: 1, DType.FLOAT32: 2}
        step.program.attention_f32(
            q=step.inputs[0].pointer,
            k=readable(step, 1),
            v=readable(step, 2),
            mask=0 if mask is None else readable(step, 3),
            out=step.outputs[0].pointer,
            sizes=(batch, heads, kv_heads, length, keys, depth, value.static_shape[3]),
            mask_kind=kinds[None if mask is None else mask.dtype],
            mask_strides=strides,
            scale=self.factor(depth),
            causal=self.causal,
        )
        return True

    def cost(self, types: NodeTypes) -> Cost:
        """Count both products; a causal mask halves neither."""
        query, key, value, _ = _inputs(types.inputs)
        batch, heads, length, depth = query.static_shape
        keys, value_depth = value.static_shape[2:]
        macs = batch * heads * length * keys * (depth + value_depth)
        return Cost(macs, query.nbytes + key.nbytes + value.nbytes + types.outputs[0].nbytes)


def _inputs(
    types: tuple[TensorType | None, ...],
) -> tuple[TensorType, TensorType, TensorType, TensorType | None]:
    query, key, value = types[:3]
    if query is None or key is None or value is None:
        raise ShapeError("q, k or v is absent; expected all three")
    return query, key, value, types[3] if len(types) > 3 else None


def _differ(left: Dim, right: Dim) -> bool:
    return isinstance(left, int) and isinstance(right, int) and left != right


def _divides(divisor: int, number: int) -> bool:
    return number % divisor == 0 if divisor else number == 0


def _check_mask(mask: TensorType, dtype: DType, full: tuple[Dim, ...]) -> None:
    if mask.dtype not in (DType.BOOL, dtype):
        raise ShapeError(f"mask is {mask}; expected bool or {dtype.value}")
    padded = (1,) * (4 - mask.rank) + mask.shape
    if mask.rank > 4 or any(m != 1 and _differ(m, f) for m, f in zip(padded, full, strict=True)):
        raise ShapeError(f"mask is {mask}; expected a shape that broadcasts to {list(full)}")


def _broadcast_strides(mask: TensorType) -> tuple[int, ...]:
    """Return the mask's strides in elements over [B, H, L, S], 0 where it is broadcast."""
    shape = (1,) * (4 - mask.rank) + mask.static_shape
    steps = [math.prod(shape[axis + 1 :]) for axis in range(4)]
    return tuple(0 if dim == 1 else step for dim, step in zip(shape, steps, strict=True))
