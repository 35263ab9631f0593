"""Binding of products whose weights hold whole blocks of zeros: 16 outputs by 4 consecutive k."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linnet.types import Array

from .base import Clamp, Step
from .packed import PANEL, Packed, aligned

OUTPUTS, DEPTH = PANEL, 4
# Below these the dense kernel is as fast.
_LEAST_SHARE, _LEAST_ROWS = 0.5, 6
# A layer of which half the blocks are zeros has this share in any one panel, but for rare ones.
_HINT = 0.25


class Blocks(NamedTuple):
    """Weights as the kernel reads them; see kernels/src/sparse/params.h."""

    blocks: Array
    places: Array
    starts: Array


def zero_blocks(weights: Array) -> float:
    """Return the share of the blocks of (outputs, depth) weights that hold nothing but zeros."""
    outputs, depth = weights.shape
    full = np.zeros((-(-outputs // OUTPUTS) * OUTPUTS, -(-depth // DEPTH) * DEPTH), bool)
    full[:outputs, :depth] = weights != 0
    used = full.reshape(full.shape[0] // OUTPUTS, OUTPUTS, -1, DEPTH).any(axis=(1, 3))
    return 1.0 - float(used.mean()) if used.size else 0.0


def pack(weights: Array) -> Blocks:
    """Return the blocks that hold anything, panel by panel, k ascending."""
    outputs, depth = weights.shape
    panels = -(-outputs // OUTPUTS)
    full = np.zeros((panels * OUTPUTS, depth), np.float32)
    full[:outputs] = weights
    begins = np.arange(0, depth - DEPTH + 1, DEPTH)
    tail = depth % DEPTH
    parts = full[:, : depth - tail].reshape(panels, OUTPUTS, -1, DEPTH).transpose(0, 2, 3, 1)
    if tail:
        # The last block starts early, so that no k lies behind the row; what it repeats is zero.
        last = np.zeros((panels, 1, DEPTH, OUTPUTS), np.float32)
        last[:, 0, DEPTH - tail :] = (
            full[:, depth - tail :].reshape(panels, OUTPUTS, tail).transpose(0, 2, 1)
        )
        parts = np.concatenate([parts, last], axis=1)
        begins = np.append(begins, depth - DEPTH)
    used = parts.any(axis=(2, 3))
    starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64)
    index = np.broadcast_to(begins, used.shape)[used].astype(np.int32)
    return Blocks(np.ascontiguousarray(parts[used], np.float32), index, starts)


def product(step: Step, weights: Array, rows: int, clamp: Clamp, bias: int) -> bool:
    """Bind a float product of rows with constant (outputs, depth) weights; False where dense wins.

    Parameters
    ----------
    step : Step
    weights : ndarray of float32
    rows : int
    clamp : (float, float)
    bias : int
        Address of the bias, padded to whole panels; 0 without one.
    """
    outputs, depth = weights.shape
    if rows < _LEAST_ROWS or depth < DEPTH or step.inputs[0].array is not None:
        return False
    share: float = step.cached("zero blocks", lambda: _share(weights))
    if share < _LEAST_SHARE:
        return False
    packed: Any = step.cached("sparse blocks", lambda: pack(weights))
    step.program.sparse_f32(
        x=step.inputs[0].pointer,
        blocks=packed.blocks.ctypes.data,
        index=packed.places.ctypes.data,
        starts=packed.starts.ctypes.data,
        bias=bias,
        y=step.outputs[0].pointer,
        sizes=(rows, depth, outputs),
        count=packed.places.size,
        low=clamp[0],
        high=clamp[1],
    )
    return True


def _share(weights: Array) -> float:
    """Return the share of zero blocks; few zeros in all are told without looking at blocks."""
    if np.count_nonzero(weights) > (1.0 - _LEAST_SHARE) * weights.size:
        return 0.0
    return zero_blocks(weights)


def without_zeros(packed: Packed, group: int) -> Packed:
    """Return packed int8 weights less the lanes that are all zeros; unchanged where few are.

    A lane holds the weights of 16 outputs for ``group`` consecutive k: 4, or 2 without dot products
    of bytes. Lanes of 16, on Arm without dot products, stay.
    """
    panels = packed.weights.reshape(packed.bias.size // PANEL, -1, PANEL * group)
    # The first panel tells, so that dense weights are not read.
    if group > DEPTH or not panels.size or panels[0].any(axis=1).mean() > 1.0 - _HINT:
        return packed
    used = panels.any(axis=2)
    if used.mean() > 1.0 - _LEAST_SHARE:
        return packed
    kept = aligned((int(used.sum()), PANEL * group), np.int8)
    kept[:] = panels[used].view(np.int8)
    starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int32)
    return packed._replace(weights=kept, lanes=np.nonzero(used)[1].astype(np.int32), starts=starts)
