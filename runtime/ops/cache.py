"""Attention over keys and values kept from run to run, and the positions that go with it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from .attention import Attention
from .base import Op, Step
from .bind_linear import aligned
from .operands import given, work

__all__ = ["STORED", "CachedAttention", "RotaryEmbedding"]


STORED = ("float32", "float16", "int8")
_DEEPEST = 256
_SMALLEST_STEP = np.float32(1e-30)


def _as_stored(rows: Array, stored: str) -> Array:
    """Return float32 rows as a cache gives them back."""
    if stored == "float16":
        most = np.finfo(np.float16).max
        return np.clip(rows, -most, most).astype(np.float16).astype(np.float32)
    if stored == "int8":
        step = np.abs(rows).max(axis=-1, keepdims=True, initial=0.0) * np.float32(1.0 / 127.0)
        usable = step >= _SMALLEST_STEP
        inverse = np.float32(1.0) / np.where(usable, step, np.float32(1.0))
        return np.where(usable, np.rint(rows * inverse) * step, np.float32(0.0)).astype(np.float32)
    return rows


def _check_position(position: TensorType) -> None:
    if position.dtype is not DType.INT64 or position.shape not in ((), (1,)):
        raise ShapeError(f"position is {position}; expected one int64")


class CachedAttention(Op, frozen=True):
    """Append keys and values to a cache of fixed capacity, and attend over what it holds.

    Inputs are q [B, H, L, D], k [B, Hkv, L, D], v [B, Hkv, L, Dv] and position, one int64: how many
    tokens came before. Keys and values go to rows position ... position + L - 1 of the cache, and
    query i sees rows up to position + i. The output is [B, H, L, Dv].

    Parameters
    ----------
    capacity : int
        Rows of the cache; a position beyond it is refused when it runs.
    scale, window, softcap, heads_last
        As of `Attention`.
    stored : str
        What the cache holds: "float32"; "float16", numbers cut to its range; or "int8", each row
        of a head with the scale greatest magnitude / 127 (at most 256 numbers in a row).

    Notes
    -----
    The cache belongs to the session and is shared by its plans; nothing is copied, and a run at
    position 0 starts a new sequence. The reference is that of a new session, whose cache is zero.
    """

    arity: ClassVar[tuple[int, int]] = (4, 4)
    since: ClassVar[int] = 2
    pure: ClassVar[bool] = False

    capacity: int = 1
    scale: float | None = None
    window: int = 0
    softcap: float = 0.0
    heads_last: bool = False
    stored: str = "float32"

    def _plain(self) -> Attention:
        return Attention(
            scale=self.scale,
            causal=True,
            from_end=True,
            window=self.window,
            softcap=self.softcap,
            heads_last=self.heads_last,
        )

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return q's shape with v's depth."""
        query, key, value, position = given(types)
        _check_position(position)
        if self.stored not in STORED:
            raise ShapeError(f"stored is '{self.stored}'; expected one of {STORED}")
        widths = [key.shape[3], value.shape[3]]
        if self.stored == "int8" and any(isinstance(w, int) and w > _DEEPEST for w in widths):
            raise ShapeError(f"heads of {widths} numbers; an int8 cache takes at most {_DEEPEST}")
        length = query.shape[1 if self.heads_last else 2]
        if isinstance(length, int) and length > self.capacity:
            raise ShapeError(f"{length} tokens at once; the cache holds {self.capacity}")
        return self._plain().infer(query, key, value)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Attend over a cache of zeros that the new rows were written to."""
        query, key, value, position = arrays
        assert query is not None and key is not None and value is not None
        assert position is not None
        start, axis = int(position.reshape(())), 1 if self.heads_last else 2
        length = query.shape[axis]
        if start < 0 or start + length > self.capacity:
            raise ShapeError(f"position {start} + {length}; the cache holds {self.capacity}")
        held = []
        for part in (key, value):
            shape = list(part.shape)
            shape[axis] = start
            kept = _as_stored(part, self.stored)
            held.append(np.concatenate([np.zeros(shape, part.dtype), kept], axis=axis))
        inputs = (types.inputs[0], *(TensorType.of(h) for h in held))
        return self._plain().reference(NodeTypes(inputs, types.outputs), query, *held)

    def bind(self, step: Step) -> bool:
        """Add two appends and the attention; see `Op.bind`."""
        query, key, value, _ = given(step.types.inputs)
        if query.dtype is not DType.FLOAT32:
            return False
        op = self._plain()
        shapes = [t.static_shape for t in (query, key, value, step.types.outputs[0])]
        batch, heads, length, depth = (int(d) for d in op._order(query.static_shape))
        _, kv_heads, _, value_depth = (int(d) for d in op._order(value.static_shape))
        depths = (depth, value_depth)
        held = (batch, kv_heads, self.capacity)
        kind, dtype = STORED.index(self.stored), np.dtype(self.stored).type
        caches = step.cached(
            f"cache for {batch}",
            lambda: [(aligned((*held, d), dtype), aligned(held, np.float32)) for d in depths],
        )
        scales = [s.ctypes.data if self.stored == "int8" else 0 for _, s in caches]
        lengths = step.keep(np.zeros(batch, np.int64))
        steps = [op._steps(shape) for shape in shapes]
        for index, (cache, _), scale in zip((1, 2), caches, scales, strict=True):
            step.program.cache_append(
                x=step.inputs[index].pointer,
                start=step.inputs[3].pointer,
                cache=cache.ctypes.data,
                scale=scale,
                lengths=lengths.ctypes.data,
                sizes=(batch, kv_heads, length, cache.shape[3], self.capacity),
                steps=steps[index],
                stored=kind,
            )
        rows = [(kv_heads * self.capacity * d, self.capacity * d, d) for d in depths]
        step.program.attention(
            q=step.inputs[0].pointer,
            k=caches[0][0].ctypes.data,
            v=caches[1][0].ctypes.data,
            lengths=lengths.ctypes.data,
            out=step.outputs[0].pointer,
            sizes=(batch, heads, kv_heads, length, self.capacity, depth, value_depth),
            steps=[steps[0], *rows, steps[3]],
            scale=op.factor(depth),
            softcap=self.softcap,
            window=self.window,
            causal=True,
            from_end=True,
            stored=kind,
            k_scale=scales[0],
            v_scale=scales[1],
        )
        return True

    def cost(self, types: NodeTypes) -> Cost:
        """Count both products over a full cache."""
        query = given(types.inputs)[0]
        macs = math.prod(query.static_shape) * self.capacity * 2
        return Cost(macs, 2 * query.nbytes + types.outputs[0].nbytes)


class RotaryEmbedding(Op, frozen=True):
    """Turn pairs of each head by the angle of their position.

    Inputs are x [B, H, L, D], cos and sin [positions, R / 2] for the first R <= D numbers of a
    head, and position, int64: that of the first row, one for all B or one for each. (a, b) becomes
    (a cos - b sin, b cos + a sin).

    Parameters
    ----------
    interleaved : bool
        Pairs are neighbors, not x[i] and x[i + R / 2].
    heads_last : bool
        x is [B, L, H, D].
    """

    arity: ClassVar[tuple[int, int]] = (4, 4)
    since: ClassVar[int] = 2

    interleaved: bool = False
    heads_last: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return x's type."""
        x, cos, sin, position = given(types)
        if position.shape != x.shape[:1] or position.dtype is not DType.INT64:
            _check_position(position)
        if x.dtype is not DType.FLOAT32 or x.rank != 4:
            raise ShapeError(f"x is {x}; expected float32 of rank 4")
        if cos.shape != sin.shape or cos.dtype is not DType.FLOAT32 or sin.dtype != cos.dtype:
            raise ShapeError(f"cos is {cos}, sin is {sin}; expected float32 [positions, half]")
        half = cos.shape[-1] if cos.rank == 2 else ""
        if not isinstance(half, int):
            raise ShapeError(f"cos is {cos}; expected float32 [positions, half], half a number")
        if isinstance(x.shape[3], int) and 2 * half > x.shape[3]:
            raise ShapeError(f"cos is {cos}; x {x} has fewer numbers in a head")
        return (x.with_(value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64."""
        x, cos, sin, position = arrays
        assert x is not None and cos is not None and sin is not None and position is not None
        moved = x if self.heads_last else x.swapaxes(1, 2)
        length, half = moved.shape[1], cos.shape[1]
        rows = position.reshape(-1, 1) + np.arange(length)
        if rows.size and (rows.min() < 0 or rows.max() >= cos.shape[0]):
            raise ShapeError(f"position {position} + {length}; cos and sin have {len(cos)} rows")
        c, s = (t[rows][:, :, None].astype(np.float64) for t in (cos, sin))
        out = moved.astype(np.float64)
        one, two = self._halves(half)
        out[..., one] = moved[..., one] * c - moved[..., two] * s
        out[..., two] = moved[..., two] * c + moved[..., one] * s
        out = out if self.heads_last else out.swapaxes(1, 2)
        return (out.astype(np.float32),)

    def _halves(self, half: int) -> tuple[Any, Any]:
        if self.interleaved:
            return slice(0, 2 * half, 2), slice(1, 2 * half, 2)
        return slice(0, half), slice(half, 2 * half)

    def bind(self, step: Step) -> bool:
        """Add the kernel; see `Op.bind`."""
        x, cos, sin, position = step.inputs
        shape = x.type.static_shape
        length, heads = (shape[1], shape[2]) if self.heads_last else (shape[2], shape[1])
        positions, half = cos.type.static_shape
        step.program.rotary_f32(
            x=x.pointer,
            cos=cos.pointer,
            sin=sin.pointer,
            start=position.pointer,
            y=step.outputs[0].pointer,
            sizes=(math.prod(shape[:3]), heads, length, shape[3], half, positions),
            starts=position.type.size,
            interleaved=self.interleaved,
            heads_last=self.heads_last,
        )
        return True

    def cost(self, types: NodeTypes) -> Cost:
        """Count six operations for every pair."""
        return work(types, 3)
