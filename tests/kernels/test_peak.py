"""The kernels that measure the machine do the work that they say, on every ISA and all threads."""

from __future__ import annotations

import numpy as np
import pytest

from linnet.benchmarks.machine import peak
from linnet.errors import InputError
from linnet.kernels import _core

ROWS = ("peak_fma_f32", "peak_dot_s8", "peak_read", "peak_chain")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", _core.available_isas())
@pytest.mark.parametrize("row", ROWS)
def test_work_grows_with_repeats(row, isa, threads):
    done = {}
    data = peak.aligned_data(peak.BLOCK * threads)
    for repeats in (1, 3):
        counts, sink = np.zeros(threads, np.int64), np.zeros(threads, np.float32)
        program = _core.Program(0, isa, threads)
        program.force_threads(threads)
        place = (data.ctypes.data, data.nbytes, counts.ctypes.data, sink.ctypes.data)
        getattr(program, row)(repeats, *place)
        assert program.run() == -1
        assert np.isfinite(sink).all()
        assert (counts > 0).all() and len(set(counts.tolist())) == 1
        done[repeats] = int(counts.sum())
    assert done[3] == 3 * done[1]
    if row == "peak_read":
        assert done[1] == data.nbytes


def test_sums_are_what_the_operands_give():
    """A compiler that dropped products or reads would leave other sums."""
    data = peak.aligned_data(peak.BLOCK)
    data[:] = 0
    data[:4] = 1
    counts, sink = np.zeros(1, np.int64), np.zeros(1, np.float32)
    place = (data.ctypes.data, data.nbytes, counts.ctypes.data, sink.ctypes.data)
    for isa in _core.available_isas():
        for row, repeats, expected in (("peak_read", 3, 0x01010101), ("peak_read", 2, 0)):
            program = _core.Program(0, isa, 1)
            getattr(program, row)(repeats, *place)
            program.run()
            assert sink[0] == np.float32(expected), (isa, row)
        sums = []
        for repeats in (10, 20):
            program = _core.Program(0, isa, 1)
            program.peak_dot_s8(repeats, *place)
            program.run()
            sums.append((float(sink[0]), int(counts[0])))
        # Every product is 1 * 1, half of them 0 * 0 where bytes are multiplied four at a time.
        grown, work = sums[1][0] - sums[0][0], sums[1][1] - sums[0][1]
        assert grown == work / 2 if isa == "avx512vnni" else grown == work


def test_measured_peaks_order_as_a_machine_must():
    peaks = peak.measure_peaks(1, seconds=0.002)
    assert peaks.isa == _core.default_isa()
    assert peaks.float_macs > 1e7 and peaks.int8_macs > 1e7
    assert all(rate > 1e6 for rate in peaks.bandwidth.values())
    assert len(peaks.bandwidth) == len(peak.SIZES)
    assert peaks.as_dict()["threads"] == 1


def test_an_unknown_isa_is_refused():
    with pytest.raises(InputError, match="isa-of-nobody"):
        peak.measure_peaks(isa="isa-of-nobody")
