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

# Heads deeper than this have no kernel on bytes.
_DEEPEST = 256


class Attention(Op, frozen=True):
    """softmax(q k^T * scale + mask) v for every batch entry and head.

    Inputs are q [B, H, L, D], k [B, Hkv, S, D], v [B, Hkv, S, Dv], optionally a mask that
    broadcasts to [B, H, L, S], and optionally lengths [B] int64; the output is [B, H, L, Dv].
    Query head h reads key and value head h // (H / Hkv).

    Parameters
    ----------
    scale : float, optional
        Factor on the products; 1 / sqrt(D) where absent.
    causal : bool
        Let query i see keys 0..i only (aligned at the first query and the first key).
    from_end : bool
        Align the last query with the last valid key instead: query i is at i + valid - L.
    window : int
        Where positive, let a query at position i see keys j > i - window only, and without
        ``causal`` keys j < i + window.
    softcap : float
        Where positive, scores become softcap * tanh(score / softcap) before the mask.
    heads_last : bool
        q, k, v and the output are [B, L, H, D], as linear layers make them.
    bytes : bool
        Compute both products on bytes: q, k and v rounded to int8 with a scale per row and head
        (k and v less their means over the keys), probabilities to 1/255 of the greatest in a block
        of at most 64 keys.

    Notes
    -----
    A boolean mask hides a key where it is False; a mask of numbers is added to the scaled
    products. Keys from lengths[b] on are hidden. A query that sees no key (all hidden or at -inf)
    gives zeros. Whether NaN or an infinity in the value of a hidden key reaches the output is not
    defined, nor with ``bytes`` what any of them gives.
    """

    arity: ClassVar[tuple[int, int]] = (3, 5)

    scale: float | None = None
    causal: bool = False
    from_end: bool = False
    window: int = 0
    softcap: float = 0.0
    heads_last: bool = False
    bytes: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return q's dtype and shape with v's depth."""
        query, key, value, mask, lengths = _inputs(types)
        for name, tensor in (("q", query), ("k", key), ("v", value)):
            if tensor.rank != 4 or not tensor.dtype.is_float or tensor.dtype != query.dtype:
                raise ShapeError(
                    f"{name} is {tensor}; expected four dimensions [batch, heads, length, depth] "
                    "of one floating-point type for q, k and v"
                )
        batch, heads, length, depth = self._order(query.shape)
        kv_batch, kv_heads, keys, key_depth = self._order(key.shape)
        if _differ(batch, kv_batch) or _differ(depth, key_depth):
            raise ShapeError(f"k is {key}; expected batch {batch} and depth {depth} as q {query}")
        if any(_differ(a, b) for a, b in zip(value.shape[:3], key.shape[:3], strict=True)):
            raise ShapeError(f"v is {value}; expected [{kv_batch},{kv_heads},{keys},depth] as k")
        if isinstance(heads, int) and isinstance(kv_heads, int) and not _divides(kv_heads, heads):
            raise ShapeError(
                f"q has {heads} heads, k and v have {kv_heads}; expected a divisor of q's"
            )
        if self.window < 0 or not self.softcap >= 0.0:
            raise ShapeError(f"window {self.window} or softcap {self.softcap} is negative")
        if mask is not None:
            _check_mask(mask, query.dtype, (batch, heads, length, keys))
        if lengths is not None and (lengths.dtype is not DType.INT64 or lengths.rank != 1):
            raise ShapeError(f"lengths are {lengths}; expected int64 [{batch}]")
        return (TensorType(query.dtype, (*query.shape[:3], value.shape[3])),)

    def _order(self, shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """Return (batch, heads, length, depth) of a shape, or the shape of such."""
        first, second, third, last = shape
        return (first, third, second, last) if self.heads_last else shape

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64, round once to the output's dtype."""
        mask, lengths = (*arrays, None, None)[3:5]
        given = [np.asarray(a, np.float64) for a in arrays[:3]]
        query, key, value = (a.swapaxes(1, 2) if self.heads_last else a for a in given)
        length, depth = query.shape[2:]
        group = query.shape[1] // max(key.shape[1], 1)
        key, value = (np.repeat(a, group, axis=1) for a in (key, value))
        with np.errstate(invalid="ignore", over="ignore"):
            scores = np.matmul(query, key.swapaxes(2, 3)) * self.factor(depth)
            if self.softcap > 0.0:
                scores = self.softcap * np.tanh(scores / self.softcap)
            if mask is not None and mask.dtype == np.bool_:
                scores = np.where(mask, scores, -np.inf)
            elif mask is not None:
                scores = scores + mask
            seen = self._seen(query.shape[0], length, key.shape[2], lengths)
            scores = np.where(seen[:, None], scores, -np.inf)
            peak = scores.max(axis=3, keepdims=True, initial=-np.inf)
            weights = np.exp(scores - np.where(np.isneginf(peak), 0.0, peak))
            total = weights.sum(axis=3, keepdims=True)
            mixed = np.matmul(weights, value)
            result = np.where(total == 0.0, 0.0, mixed / np.where(total == 0.0, 1.0, total))
        result = result.swapaxes(1, 2) if self.heads_last else result
        return (result.astype(types.outputs[0].dtype.numpy),)

    def _seen(self, batch: int, length: int, keys: int, lengths: Array | None) -> Array:
        """Return which keys each query of a batch entry may see, [B, L, S]."""
        valid = np.full(batch, keys) if lengths is None else np.clip(lengths, 0, keys)
        valid = valid.reshape(batch, 1, 1)
        at = np.arange(length).reshape(1, length, 1) + (valid - length if self.from_end else 0)
        key = np.arange(keys).reshape(1, 1, keys)
        seen = np.broadcast_to(key < valid, (batch, length, keys))
        if self.causal:
            seen = seen & (key <= at)
        if self.window > 0:
            seen = seen & (key > at - self.window)
            if not self.causal:
                seen = seen & (key < at + self.window)
        return seen

    def factor(self, depth: int) -> float:
        """Return the factor on the products."""
        return 1.0 / math.sqrt(max(depth, 1)) if self.scale is None else self.scale

    def _steps(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return the elements from one batch entry, head and row to the next."""
        _, second, third, last = shape
        steps = (second * third * last, third * last, last)
        return (steps[0], steps[2], steps[1]) if self.heads_last else steps

    def bind(self, step: Step) -> bool:
        """Add the kernel; a mask of the operands' type is added, a bool one hides."""
        query, key, value, mask, lengths = _inputs(step.types.inputs)
        if query.dtype != DType.FLOAT32:
            return False
        shapes = [t.static_shape for t in (query, key, value, step.types.outputs[0])]
        batch, heads, length, depth = self._order(query.static_shape)
        _, kv_heads, keys, value_depth = self._order(value.static_shape)
        strides = (0, 0, 0, 0) if mask is None else _broadcast_strides(mask)
        kinds = {None: 0, DType.BOOL: 1, DType.FLOAT32: 2}
        largest = max(int(depth), int(value_depth))
        step.program.attention(
            q=readable(step, 0),
            k=readable(step, 1),
            v=readable(step, 2),
            mask=0 if mask is None else readable(step, 3),
            lengths=0 if lengths is None else step.inputs[4].pointer,
            out=step.outputs[0].pointer,
            sizes=(batch, heads, kv_heads, length, keys, depth, value_depth),
            steps=tuple(self._steps(shape) for shape in shapes),
            mask_kind=kinds[None if mask is None else mask.dtype],
            mask_strides=strides,
            scale=self.factor(int(depth)),
            softcap=self.softcap,
            window=self.window,
            causal=self.causal,
            from_end=self.from_end,
            bytes=self.bytes and 0 < largest <= _DEEPEST and bool(keys),
        )
        return True

    def cost(self, types: NodeTypes) -> Cost:
        """Count both products; a causal mask halves neither."""
        query, key, value, *_ = _inputs(types.inputs)
        batch, heads, length, depth = (int(d) for d in self._order(query.static_shape))
        keys, value_depth = self._order(value.static_shape)[2:]
        macs = batch * heads * length * int(keys) * (depth + int(value_depth))
        return Cost(macs, query.nbytes + key.nbytes + value.nbytes + types.outputs[0].nbytes)


def _inputs(
    types: tuple[TensorType | None, ...],
) -> tuple[TensorType, TensorType, TensorType, TensorType | None, TensorType | None]:
    query, key, value, mask, lengths = (*types, None, None)[:5]
    if query is None or key is None or value is None:
        raise ShapeError("q, k or v is absent; expected all three")
    return query, key, value, mask, lengths


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
