"""Figures of samples, and how sure they are: percentiles and bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from linnet.types import Array

# Intervals hold 99 % of what they are about: repeats of a run, or the median.
_CONFIDENCE = 0.99
# Standard deviations on each side of the middle that hold as much of a normal distribution, and of
# Student's t for 4, 5, ... degrees of freedom.
_TAIL = 2.576
_STUDENT = (4.60, 4.03, 3.71, 3.50, 3.36, 3.25, 3.17, 3.11, 3.05, 3.01, 2.98, 2.95, 2.92, 2.90)
LEAST_PROCESSES = 5
_PARTS = 4
_MOST = 120
# The least half of an interval: loops take one of two speeds some percent apart, by where their
# data lies and what ran before, and most processes of a run may have met the same. More where one
# process is all that is known. What rounds add in which something may have shared the core unseen:
# a third of them, slowed down by half.
_LEAST, _LEAST_ALONE, _UNSEEN = 0.02, 0.03, 0.17


def summarize(samples: Array) -> dict[str, float]:
    """Return the distribution's figures, in the unit of the samples.

    Examples
    --------
    >>> summarize(np.array([1.0, 2.0, 3.0]))["p50"]
    2.0
    """
    p50, p90, p95, p99 = (float(v) for v in np.percentile(samples, [50, 90, 95, 99]))
    mean = float(samples.mean())
    return {
        "min": float(samples.min()),
        "mean": mean,
        "max": float(samples.max()),
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "deviation": float(samples.std()),
        "variation": float(samples.std() / mean) if mean > 0 else 0.0,
        "runs": len(samples),
    }


def bootstrap(values: Array, draws: int = 2000) -> tuple[float, float]:
    """Return an interval for the median of values that were measured one after the other.

    Blocks of neighbors are drawn together, because a machine that drifts or changes between two
    speeds makes neighbors alike; the longer it keeps a speed, the longer the blocks.

    Parameters
    ----------
    values : ndarray, one dimension
        In the order of measurement.
    draws : int

    Examples
    --------
    >>> bootstrap(np.array([2.0, 2.0, 2.0, 2.0]))
    (2.0, 2.0)
    """
    count = len(values)
    if count < 2:
        return float(values[0]), float(values[0])
    length = block_length(values)
    blocks = math.ceil(count / length)
    starts = np.random.default_rng(0).integers(0, count, (draws, blocks, 1))
    places = ((starts + np.arange(length)) % count).reshape(draws, -1)[:, :count]
    return _ends(np.median(values[places], axis=1))


def block_length(values: Array) -> int:
    """Return how many neighbors a bootstrap draws together: two times their correlation time.

    Examples
    --------
    >>> block_length(np.array([1.0, 2.0] * 10)), block_length(np.repeat([1.0, 2.0], 10))
    (3, 7)
    """
    count = len(values)
    shortest = max(1, int(np.rint(np.cbrt(count))))
    longest = max(1, math.ceil(count / 3))
    gaps = values - values.mean()
    power = float(gaps @ gaps)
    if power == 0.0:
        return shortest
    time = 1.0
    for lag in range(1, longest + 1):
        correlation = float(gaps[:-lag] @ gaps[lag:]) / power
        if correlation < 0.1:
            break
        time += 2 * correlation
    return min(max(shortest, math.ceil(2 * time) if time > 1 else shortest), longest)


def drift(values: Array, deviation: float) -> float:
    """Return how far a run of the same length, right after this one, is expected to have drifted.

    A machine that grows warm, or whose caches other guests use, changes at every time scale alike:
    two runs differ as neighboring quarters of one do, apart from the noise of both.

    Parameters
    ----------
    values : ndarray
        Medians, in order.
    deviation : float
        Standard deviation of their median.

    Examples
    --------
    >>> drift(np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]), 0.0)
    1.0
    """
    if len(values) < 2 * _PARTS:
        return 0.0
    parts = [float(np.median(part)) for part in np.array_split(values, _PARTS)]
    step = float(np.mean(np.square(np.diff(parts))))
    # Medians of a quarter of the values have four times the variance, differences twice that.
    return math.sqrt(max(step - 2 * _PARTS * deviation**2, 0.0))


def of_processes(parts: Sequence[Array], draws: int = 2000) -> tuple[float, float]:
    """Return the interval for the median of what processes measured, whole processes drawn anew.

    Parameters
    ----------
    parts : sequence of ndarray
        The samples of each process.
    draws : int

    Examples
    --------
    >>> of_processes([np.array([1.0]), np.array([2.0]), np.array([3.0])])
    (1.0, 3.0)
    """
    drawn = np.random.default_rng(0).integers(0, len(parts), (draws, len(parts)))
    return _ends(np.array([np.median(np.concatenate([parts[i] for i in row])) for row in drawn]))


def _ends(found: Array) -> tuple[float, float]:
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)


def repeat_interval(
    samples: Array, processes: Sequence[int] | Array, hidden: float = 0.0
) -> tuple[float, float]:
    """Return where the median of a repeat of a run is expected, 99 times of 100.

    Processes are what a repeat draws anew: in each, memory lies elsewhere, it may be on another
    CPU, and meets what else happens on the machine then. The bootstrap's interval of the median is
    root two times as wide, because two runs differ by the noise of both, wider for few processes,
    and by what the machine drifts from one run to the next. Never narrower than two percent.

    Parameters
    ----------
    samples : ndarray
        In order.
    processes : sequence of int
        Of each sample; at least `LEAST_PROCESSES`.
    hidden : float
        Share of the rounds that may have been disturbed unseen: more or less in the next run.

    Examples
    --------
    >>> low, high = repeat_interval(np.full(10, 100.0), np.repeat(range(5), 2))
    >>> round(low, 1), high
    (98.0, 102.0)
    """
    where = np.asarray(processes)
    parts = [samples[where == process] for process in np.unique(where)]
    count = len(parts)
    student = _STUDENT[min(count - LEAST_PROCESSES, len(_STUDENT) - 1)]
    low, high = of_processes(parts)
    deviation = (high - low) / (2 * _TAIL)
    moved = student * drift(np.array([np.median(part) for part in parts]), deviation)
    wider = math.sqrt(2 * count / (count - 1)) * student / _TAIL
    return _around(samples, (low, high), wider, moved, max(_LEAST, _UNSEEN * hidden))


def lone_interval(medians: Sequence[float] | Array, hidden: float = 0.0) -> tuple[float, float]:
    """Return what `repeat_interval` does where one process measured; never below three percent.

    Parameters
    ----------
    medians : sequence of float
        Of rounds, in order.
    hidden : float

    Examples
    --------
    >>> low, high = lone_interval([100.0, 100.0, 100.0])
    >>> round(low, 1), high
    (97.1, 103.0)
    """
    values = _thinned(np.asarray(medians, dtype=np.float64))
    low, high = bootstrap(values)
    moved = _TAIL * drift(values, (high - low) / (2 * _TAIL))
    least = max(_LEAST_ALONE, _UNSEEN * hidden)
    return _around(values, (low, high), math.sqrt(2), moved, least)


def _around(
    values: Array, ends: tuple[float, float], wider: float, moved: float, least: float
) -> tuple[float, float]:
    """Return an interval around the median: stretched, and wider by a drift."""
    middle = float(np.median(values))
    gaps = middle - ends[0], ends[1] - middle
    below, above = (max(math.hypot(wider * gap, moved), least * middle) for gap in gaps)
    # A ratio, because no time is below zero.
    return middle / (1 + below / middle), middle + above


def _thinned(values: Array) -> Array:
    """Return at most some hundred medians of neighbors."""
    if len(values) <= _MOST:
        return values
    return np.array([np.median(part) for part in np.array_split(values, _MOST)])


def ratio_interval(
    before: Sequence[float], after: Sequence[float], paired: bool
) -> tuple[float, float, float]:
    """Return after / before with its interval.

    Parameters
    ----------
    before, after : sequence of float
        Medians of rounds.
    paired : bool
        Whether round i of both was measured at about the same time; then rounds are drawn in
        pairs, and what slowed both down cancels.

    Returns
    -------
    tuple of float
        The ratio of medians (paired: the median of ratios), and the interval's ends.

    Examples
    --------
    >>> ratio_interval([1.0, 2.0, 4.0], [2.0, 4.0, 8.0], paired=True)
    (2.0, 2.0, 2.0)
    """
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    rng = np.random.default_rng(0)
    draws = 4000
    if paired:
        ratios = new / old
        places = rng.integers(0, len(ratios), (draws, len(ratios)))
        middle, found = float(np.median(ratios)), np.median(ratios[places], axis=1)
    else:
        first = np.median(old[rng.integers(0, len(old), (draws, len(old)))], axis=1)
        second = np.median(new[rng.integers(0, len(new), (draws, len(new)))], axis=1)
        middle, found = float(np.median(new) / np.median(old)), second / first
    return middle, *_ends(found)
