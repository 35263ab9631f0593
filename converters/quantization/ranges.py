"""From a histogram to a range, and from a range to scale and zero point.

Calibrators: "minmax" takes what was seen; "percentile" leaves a share of the values out; "mse"
minimizes the expected squared error of clipping and rounding; "entropy" the information lost
(Kullback-Leibler divergence, as TensorRT's calibration does). A range always contains zero.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linnet.errors import QuantizationError
from linnet.ops.arithmetic import limits
from linnet.types import Array, DType, Quantization

from .histogram import Histogram

Range = tuple[float, float]
_SHARES = np.linspace(0.05, 1.0, 96)


def minmax(histogram: Histogram, levels: int, percentile: float) -> Range:
    """Return the least and the greatest value."""
    return min(histogram.low, 0.0), max(histogram.high, 0.0)


def percentile_range(histogram: Histogram, levels: int, percentile: float) -> Range:
    """Return the range that holds a percentage of the values, equal shares cut at both ends."""
    low, high = minmax(histogram, levels, percentile)
    if not histogram.top:
        return low, high
    cut = (1.0 - percentile / 100.0) / 2.0 * histogram.count
    below = np.cumsum(histogram.counts)
    edges = histogram.centers + 0.5 * (histogram.centers[1] - histogram.centers[0])
    first = int(np.searchsorted(below, cut, side="right"))
    last = int(np.searchsorted(below, histogram.count - cut, side="left"))
    step = edges[1] - edges[0]
    return max(low, min(float(edges[first] - step), 0.0)), min(high, max(float(edges[last]), 0.0))


def mse(histogram: Histogram, levels: int, percentile: float) -> Range:
    """Return the range of least expected squared error.

    Values inside are off by the variance of a uniform step, exact zeros by nothing, values outside
    by their distance; every pair of shares of the two ends is tried.
    """
    low, high = minmax(histogram, levels, percentile)
    if not histogram.top:
        return low, high
    counts, centers = _without_zeros(histogram)
    lows = low * _SHARES if low < 0 else np.zeros(1)
    highs = high * _SHARES if high > 0 else np.zeros(1)
    below, beneath = _outside(counts, centers, lows)
    above, over = _outside(counts[::-1], -centers[::-1], -highs)
    inside = counts.sum() - beneath[:, None] - over[None, :]
    steps = (highs[None, :] - lows[:, None]) / (levels - 1)
    error = below[:, None] + above[None, :] + inside * steps**2 / 12.0
    i, j = np.unravel_index(int(np.argmin(error)), error.shape)
    return float(lows[i]), float(highs[j])


def _without_zeros(histogram: Histogram) -> tuple[Array, Array]:
    """Return the counts without exact zeros, which every range keeps, and the centers."""
    counts, centers = histogram.counts.astype(np.float64), histogram.centers
    zero = int(np.searchsorted(centers, 0.0))
    counts[zero] = max(counts[zero] - histogram.zeros, 0.0)
    return counts, centers


def _outside(counts: Array, centers: Array, ends: Array) -> tuple[Array, Array]:
    """Return sum((end - x)^2) and the number of the x below each end."""
    sums = [np.concatenate([[0.0], np.cumsum(counts * centers**power)]) for power in (0, 1, 2)]
    index = np.searchsorted(centers, ends, side="left")
    n, first, second = (part[index] for part in sums)
    return np.maximum(second - 2.0 * ends * first + ends**2 * n, 0.0), n


def entropy(histogram: Histogram, levels: int, percentile: float) -> Range:
    """Return the range, shrunk at both ends alike, that keeps most of the distribution."""
    low, high = minmax(histogram, levels, percentile)
    if not histogram.top:
        return low, high
    counts, centers = _without_zeros(histogram)
    tried = [(_divergence(counts, centers, low * s, high * s, levels), -s) for s in _SHARES[20:]]
    share = -min(tried)[1]
    return low * share, high * share


def _divergence(counts: Array, centers: Array, low: float, high: float, levels: int) -> float:
    """Return KL(P || Q): P the counts clipped to a range, Q those after rounding to the levels."""
    first = int(np.searchsorted(centers, low))
    last = int(np.searchsorted(centers, high, side="right"))
    if last - first < 2:
        return float("inf")
    inside = counts[first:last]
    p = inside.copy()
    p[0] += counts[:first].sum()
    p[-1] += counts[last:].sum()
    level = ((centers[first:last] - low) / max(high - low, 1e-300) * (levels - 1) + 0.5).astype(int)
    seen = inside > 0
    mass = np.bincount(level, weights=inside, minlength=levels + 1)
    bins = np.bincount(level, weights=seen, minlength=levels + 1)
    q = np.where(seen, mass[level] / np.maximum(bins[level], 1), 0.0)
    if not q.sum() or not p.sum():
        return float("inf")
    p, q = p / p.sum(), q / q.sum()
    kept = p > 0
    return float((p[kept] * np.log(p[kept] / np.maximum(q[kept], 1e-12))).sum())


CALIBRATORS: dict[str, Callable[[Histogram, int, float], Range]] = {
    "minmax": minmax,
    "percentile": percentile_range,
    "mse": mse,
    "entropy": entropy,
}


def choose(histogram: Histogram, calibrator: str, levels: int, percentile: float) -> Range:
    """Return the range that a calibrator chooses.

    Raises
    ------
    QuantizationError
        If there is no such calibrator, or the percentile is none.
    """
    if calibrator not in CALIBRATORS:
        known = ", ".join(CALIBRATORS)
        raise QuantizationError(f"unknown calibrator '{calibrator}'; expected one of {known}")
    if not 50.0 < percentile <= 100.0:
        raise QuantizationError(f"percentile is {percentile}; expected above 50, at most 100")
    return CALIBRATORS[calibrator](histogram, levels, percentile)


def parameters(range_: Range, dtype: DType, symmetric: bool = False) -> Quantization:
    """Return scale and zero point that span a range; int16 is symmetric always.

    Zero is representable exactly. A range of nothing but zero gets the scale 1 / 128.

    Examples
    --------
    >>> parameters((0.0, 2.55), DType.INT8)
    Quantization(scale=0.00999999978, zero_point=-128)
    """
    low, high = min(range_[0], 0.0), max(range_[1], 0.0)
    least, most = limits(dtype)
    if symmetric or dtype is DType.INT16:
        top = max(-low, high)
        return Quantization(_scale(top / most), 0)
    scale = _scale((high - low) / (most - least))
    zero = int(np.clip(np.rint(least - low / float(scale)), least, most))
    return Quantization(scale, zero)


def _scale(step: float) -> np.float32:
    return np.float32(max(step, 1e-30)) if step > 0.0 else np.float32(1.0 / 128.0)
