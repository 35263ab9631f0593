"""Packed weights of quantized products, as kernels/src/int8/params.h describes them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linnet.types import Array

PANEL = 16
INT32 = 2**31


class Packed(NamedTuple):
    """Weights in the form that the kernels read.

    ``wide_bias`` and ``run`` are those of int16 activations whose sums need int64; ``lanes`` and
    ``starts`` tell which lanes block-sparse weights hold, and where each panel's start;
    ``weight_zero`` are zero points that the weights are not less.
    """

    weights: Array
    bias: Array
    scale: Array
    more: list[int]
    wide_bias: Array | None = None
    run: int = 0
    lanes: Array | None = None
    starts: Array | None = None
    weight_zero: Array | None = None


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an uninitialized array that starts on a 64-byte boundary."""
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64
    array: Array = raw[start : start + nbytes].view(dtype).reshape(shape)
    return array
