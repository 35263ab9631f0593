"""Weights in the form that kernels of int16 activations read."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet.types import Array, Panels

from .packed import INT32, PANEL, Packed, aligned


def pack_sixteen(
    weights: Array | Panels,
    segments: tuple[int, int],
    weight_zero: Array,
    scale: Array,
    bias: Array | None,
    zero: int,
    groups: int,
) -> Packed:
    """Return packed weights for int16 activations; parameters are those of `bind_int8.pack`.

    Where sums could overflow int32, ``run`` is the largest number of lanes of k whose part of them
    cannot, whatever the activations, and ``wide_bias`` the bias.
    """
    outputs = weights.shape[0]
    centered = _centered(np.asarray(weights).reshape(outputs, *segments), weight_zero)
    start = np.zeros(outputs, np.int64) if bias is None else bias.astype(np.int64)
    folded = start - centered.sum(axis=(1, 2), dtype=np.int64) * zero
    lanes, more = _lanes(centered)
    steps = np.abs(lanes.astype(np.int64)).sum(axis=2) << 15
    scales = repeated(scale.astype(np.float32), outputs)
    packed = _in_panels(lanes, folded, scales, groups)._replace(more=more)
    if (steps.sum(axis=1) + abs(folded) < INT32).all():
        return packed
    wide = panel_columns(folded.reshape(groups, -1), packed.bias.shape[1] // PANEL, np.int64)
    return packed._replace(wide_bias=wide, run=(INT32 - 1) // int(steps.max(initial=1)))


def _centered(weights: Array, weight_zero: Array) -> Array:
    """Return the weights less their zero points: int8 where those are all zero, else int16."""
    zeros = repeated(weight_zero.astype(np.int16), weights.shape[0])
    return weights.astype(np.int16) - zeros[:, None, None] if zeros.any() else weights


def _in_panels(lanes: Array, bias: Array, scales: Array, groups: int) -> Packed:
    """Return lanes, biases (their low 32 bits) and scales padded to whole panels of each group."""
    per_group = bias.size // groups
    panels = -(-per_group // PANEL)
    wrapped = (bias + INT32) % (2 * INT32) - INT32
    return Packed(
        _panels(lanes.reshape(groups, per_group, *lanes.shape[1:]), panels),
        panel_columns(wrapped.reshape(groups, per_group), panels, np.int32),
        panel_columns(scales.reshape(groups, per_group), panels, np.float32),
        [],
    )


def _lanes(weights: Array) -> tuple[Array, list[int]]:
    """Return weights (outputs, segments, segment) as lanes (outputs, steps, 2) of int8.

    What int8 does not hold of weights goes on in lanes behind the others; the list says which lane
    each of those continues.
    """
    outputs, segments, segment = weights.shape
    rest = np.zeros((outputs, segments, -(-segment // 2) * 2), np.int16)
    rest[:, :, :segment] = weights
    rest = rest.reshape(outputs, -1, 2)
    found, more = [np.clip(rest, -128, 127)], list[int]()
    rest = rest - found[0]
    while (steps := np.flatnonzero(rest.any(axis=(0, 2)))).size:
        found.append(np.clip(rest[:, steps], -128, 127))
        more += steps.tolist()
        rest[:, steps] -= found[-1]
    return np.concatenate(found, axis=1).astype(np.int8), more


def repeated(values: Array, outputs: int) -> Array:
    """Return one value per output: those given, over and over."""
    return np.tile(values, outputs // values.size if values.size else 1)


def _panels(lanes: Array, panels: int) -> Array:
    """Return (groups, outputs, steps, group) as [groups][panel][step][16][group]."""
    groups, outputs, steps, group = lanes.shape
    packed = aligned((groups, panels, steps, PANEL, group), np.int8)
    word = np.dtype(f"V{group}")  # a lane moves as one word
    moved = packed.view(word)[..., 0]
    source = np.ascontiguousarray(lanes).view(word)[..., 0]
    whole = outputs // PANEL
    split = source[:, : whole * PANEL].reshape(groups, whole, PANEL, steps)
    moved[:, :whole] = split.swapaxes(2, 3)
    if whole < panels:
        packed[:, whole] = 0
        moved[:, whole, :, : outputs - whole * PANEL] = source[:, whole * PANEL :].swapaxes(1, 2)
    return packed


def panel_columns(values: Array, panels: int, dtype: Any) -> Array:
    """Return (groups, outputs) padded with zeros to whole panels."""
    groups, outputs = values.shape
    full = aligned((groups, panels * PANEL), dtype)
    full[...] = 0
    full[:, :outputs] = values
    return full
