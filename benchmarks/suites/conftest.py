"""What the benchmark suites share: the machine's peaks, measured once per process."""

from __future__ import annotations

import pytest

from linnet.benchmarks.machine.peak import Peaks, measure_peaks
from linnet.kernels import _core


@pytest.fixture(scope="session")
def peaks() -> dict[int, Peaks]:
    """Return the peaks by number of threads."""
    return {threads: measure_peaks(threads) for threads in sorted({1, _core.usable_cpus()})}
