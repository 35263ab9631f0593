"""Figures of samples, and how sure they are: percentiles and bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from linnet.types import Array

Figure = Callable[[Array], Array]
_PARTS = 4
_MOST = 120
# The least half of an interval, and what rounds add to it in which something may have shared the
# core unseen: a third of them, slowed down by half.
_LEAST, _UNSEEN = 0.005, 0.17
# Standard deviations on each side of the middle that hold 95 % of a normal distribution.
_TAIL = 1.96
# The same of Student's t for 1, 2, ... degrees of freedom.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18)
LEAST_SITTINGS = 3


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


def bootstrap(
    values: Array, confidence: float = 0.95, seed: int = 0, draws: int = 2000
) -> tuple[float, float]:
    """Return an interval for the median of values that were measured one after the other.

    Blocks of neighbors are drawn together, because a machine that drifts or changes between two
    speeds makes neighbors alike; the longer it keeps a speed, the longer the blocks.

    Parameters
    ----------
    values : ndarray, one dimension
        In the order of measurement.
    confidence : float
    seed, draws : int

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
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, count, (draws, blocks, 1))
    places = ((starts + np.arange(length)) % count).reshape(draws, -1)[:, :count]
    medians = np.median(values[places], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


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


def drift(rounds: Array, deviation: float) -> float:
    """Return how far a run of the same length, right after this one, is expected to have drifted.

    A machine that grows warm or gets busier moves like a random walk: what the medians of a run's
    quarters differ by from one to the next, less what their noise explains, grows with the square
    root of time to the difference of two runs.

    Parameters
    ----------
    rounds : ndarray
        The medians of rounds, in order.
    deviation : float
        Standard deviation of their median.

    Examples
    --------
    >>> drift(np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]), 0.0)
    2.0
    """
    if len(rounds) < 2 * _PARTS:
        return 0.0
    parts = [float(np.median(part)) for part in np.array_split(rounds, _PARTS)]
    step = float(np.mean(np.square(np.diff(parts))))
    # Medians of a quarter of the rounds have four times the variance, differences twice that.
    return math.sqrt(_PARTS * max(step - 2 * _PARTS * deviation**2, 0.0))


def of_sittings(
    values: Array, sittings: Sequence[int] | Array, draws: int = 2000
) -> tuple[float, float]:
    """Return the 95 % interval for the median of values, whole sittings drawn anew.

    A model that is loaded anew lies at other addresses, maybe on another CPU, and meets what else
    happens on the machine then: values of one sitting are alike.

    Parameters
    ----------
    values : ndarray
    sittings : sequence of int
        Of each value.
    draws : int

    Examples
    --------
    >>> of_sittings(np.repeat([1.0, 2.0, 3.0], 3), np.repeat([0, 1, 2], 3))
    (1.0, 3.0)
    """
    where = np.asarray(sittings)
    parts = [values[where == place] for place in np.unique(where)]
    drawn = np.random.default_rng(0).integers(0, len(parts), (draws, len(parts)))
    medians = [np.median(np.concatenate([parts[i] for i in row])) for row in drawn]
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


def repeat_interval(
    measured: Sequence[float] | Array, sittings: Sequence[int] | Array = (), hidden: float = 0.0
) -> tuple[float, float]:
    """Return where a median lies, and that of a repeat of the run is expected.

    The bootstrap's interval of the median, root two times as wide because two runs differ by the
    noise of both, and wider for few sittings; where there are none to draw anew, also what the
    machine drifts from one run to the next. Never narrower than half a percent. What shared the
    core unseen in some rounds does so more or less in the next run.

    Parameters
    ----------
    measured : sequence of float
        Samples, or the medians of rounds, in order.
    sittings : sequence of int
        The sitting of each: what was loaded together.
    hidden : float
        Share of the rounds that may have been disturbed unseen.

    Examples
    --------
    >>> low, high = repeat_interval([100.0, 100.0, 100.0])
    >>> round(low, 1), high
    (99.5, 100.5)
    """
    values = np.asarray(measured, dtype=np.float64)
    middle = float(np.median(values))
    moved, wider, count = 0.0, math.sqrt(2), len(np.unique(sittings))
    if count >= LEAST_SITTINGS:
        low, high = of_sittings(values, sittings)
        student = _STUDENT[min(count - 1, len(_STUDENT)) - 1] / _TAIL
        wider *= student * math.sqrt(count / (count - 1))
    else:
        values = _thinned(values)
        low, high = bootstrap(values)
        moved = _TAIL * drift(values, (high - low) / (2 * _TAIL))
    least = max(_LEAST, _UNSEEN * hidden) * middle
    gaps = middle - low, high - middle
    below, above = (max(math.hypot(wider * gap, moved), least) for gap in gaps)
    # A ratio, because no time is below zero.
    return middle / (1 + below / middle), middle + above


def _thinned(values: Array) -> Array:
    """Return at most some hundred medians of neighbors."""
    if len(values) <= _MOST:
        return values
    return np.array([np.median(part) for part in np.array_split(values, _MOST)])


def ratio_interval(
    before: Sequence[float], after: Sequence[float], paired: bool, confidence: float = 0.99
) -> tuple[float, float, float]:
    """Return after / before with its interval.

    Parameters
    ----------
    before, after : sequence of float
        Medians of rounds.
    paired : bool
        Whether round i of both was measured at about the same time; then rounds are drawn in
        pairs, and what slowed both down cancels.
    confidence : float

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
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return middle, float(low), float(high)
