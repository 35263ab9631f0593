from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.converters.quantization.histogram import BINS, Histogram
from linnet.converters.quantization.ranges import CALIBRATORS, choose, parameters
from linnet.errors import QuantizationError
from linnet.types import DType


def histogram_of(*parts) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(np.asarray(part, np.float32))
    return histogram


FLOATS = st.lists(st.floats(-1e4, 1e4, width=32, allow_subnormal=False), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_order_and_grouping_do_not_matter(parts, random):
    flat = [x for part in parts for x in part]
    whole = histogram_of(flat)
    random.shuffle(parts)
    split = histogram_of(*parts)
    np.testing.assert_array_equal(whole.counts, split.counts)
    assert (whole.top, whole.low, whole.high, whole.zeros, whole.count) == (
        split.top, split.low, split.high, split.zeros, split.count
    )  # fmt: skip
    assert whole.counts.sum() in (whole.count, 0)
    assert whole.low == min(np.float32(flat)) and whole.high == max(np.float32(flat))


def test_values_are_counted_where_they_are():
    histogram = histogram_of([0.0, 0.0], [-1.0, 0.75])
    assert histogram.top == 2.0 and histogram.zeros == 2
    assert histogram.counts[BINS // 4] == 1
    assert histogram.counts[BINS // 2] == 2
    assert histogram.counts[int(BINS * 0.6875)] == 1


def test_a_power_of_two_that_later_fits_inside_keeps_its_place():
    split = histogram_of([1.0], [2.0])
    np.testing.assert_array_equal(split.counts, histogram_of([1.0, 2.0]).counts)


def test_growth_keeps_every_count():
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    histogram = histogram_of(values, values * 100)
    assert histogram.counts.sum() == 2000
    np.testing.assert_array_equal(histogram.counts, histogram_of(values * 100, values).counts)


@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_ranges_hold_zero_and_stay_inside_what_was_seen(calibrator):
    rng = np.random.default_rng(1)
    for values in (rng.standard_normal(5000), np.abs(rng.standard_normal(5000)), -rng.random(99)):
        histogram = histogram_of(values)
        low, high = choose(histogram, calibrator, 256, 99.9)
        assert low <= 0.0 <= high and low < high
        assert low >= min(histogram.low, 0.0) and high <= max(histogram.high, 0.0)


def test_all_zeros_have_a_scale():
    histogram = histogram_of(np.zeros(10))
    for calibrator in CALIBRATORS:
        q = parameters(choose(histogram, calibrator, 256, 99.9), DType.INT8)
        assert q.scale[0] > 0


def error_of(values, range_):
    q = parameters(range_, DType.INT8)
    scale, zero = float(q.scale[0]), int(q.zero_point[0])
    stored = np.clip(np.rint(values / scale) + zero, -128, 127)
    return float(((stored - zero) * scale - values).__pow__(2).mean())


@pytest.mark.parametrize("tail", [1.0, 30.0, 300.0])
def test_mse_is_never_worse_than_minmax(tail):
    values = np.random.default_rng(2).standard_normal(20000)
    values[0] = tail
    histogram = histogram_of(values)
    best = error_of(values, choose(histogram, "mse", 256, 99.9))
    plain = error_of(values, choose(histogram, "minmax", 256, 99.9))
    assert best <= plain * 1.02
    if tail > 100:
        assert best < plain


@pytest.mark.parametrize("calibrator", ["percentile", "entropy"])
def test_an_outlier_is_left_out(calibrator):
    values = np.random.default_rng(3).standard_normal(100_000)
    values[:3] = 1000.0
    _, high = choose(histogram_of(values), calibrator, 256, 99.99)
    assert high < 600.0


def test_the_percentile_is_that_of_numpy_within_a_bin():
    values = np.random.default_rng(4).standard_normal(50_000).astype(np.float32)
    histogram = histogram_of(values)
    low, high = choose(histogram, "percentile", 256, 99.0)
    width = 2 * histogram.top / BINS
    assert abs(low - np.percentile(values, 0.5)) <= 2 * width
    assert abs(high - np.percentile(values, 99.5)) <= 2 * width


def test_wrong_choices_are_refused():
    with pytest.raises(QuantizationError, match="expected one of minmax"):
        choose(histogram_of([1.0]), "best", 256, 99.9)
    with pytest.raises(QuantizationError, match="percentile is 20"):
        choose(histogram_of([1.0]), "percentile", 256, 20.0)


@pytest.mark.parametrize(
    "range_", [(0.0, 6.0), (-1.0, 1.0), (-3.0, 0.0), (0.5, 2.0), (-1e-3, 50.0)]
)
def test_zero_is_exact_and_the_ends_are_reached(range_):
    q = parameters(range_, DType.INT8)
    zero, scale = int(q.zero_point[0]), float(q.scale[0])
    assert -128 <= zero <= 127
    assert (127 - zero) * scale >= max(range_[1], 0.0) - scale
    assert (-128 - zero) * scale <= min(range_[0], 0.0) + scale
    assert parameters(range_, DType.INT16).zero_point[0] == 0
    assert parameters(range_, DType.INT8, symmetric=True).zero_point[0] == 0
