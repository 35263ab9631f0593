"""What this machine can do at most, measured on the spot: multiplying and reading memory.

The kernels of `kernels/src/peak` run on the same thread pool, in the same process and with the
same instruction set as a model's, so that a fraction of a peak means what it says.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from linnet.errors import InputError
from linnet.kernels import _core
from linnet.types import Array

# Bytes read per thread: first-level cache, second-level cache, and so on to memory.
SIZES = (16 << 10, 128 << 10, 1 << 20, 8 << 20, 64 << 20)
BLOCK = 4096


@dataclass(frozen=True)
class Peaks:
    """Measured peaks of one instruction set and number of threads.

    Parameters
    ----------
    isa : str
    threads : int
    float_macs, int8_macs : float
        Multiply-accumulates per second in all: float32, and int8 by the ISA's own instructions.
    bandwidth : dict of int to float
        Bytes in all that are read over and over -> bytes per second in all.

    Examples
    --------
    >>> peaks = Peaks("base", 1, 1e9, 2e9, {1000: 8e9, 1000_000: 2e9})
    >>> peaks.bandwidth_at(10), peaks.bandwidth_at(10**9)
    (8000000000.0, 2000000000.0)
    >>> peaks.bound(macs=100, data=1000, int8=True)
    1.25e-07
    """

    isa: str
    threads: int
    float_macs: float
    int8_macs: float
    bandwidth: dict[int, float]

    def macs(self, int8: bool) -> float:
        """Return the multiply-accumulates per second of int8 or float32."""
        return self.int8_macs if int8 else self.float_macs

    def bandwidth_at(self, data: float) -> float:
        """Return bytes per second for a working set, between measured sizes by their logarithm."""
        sizes = sorted(self.bandwidth)
        places = [math.log(size) for size in sizes]
        rates = [self.bandwidth[size] for size in sizes]
        return float(np.interp(math.log(max(data, 1.0)), places, rates))

    def bound(self, macs: float, data: float, int8: bool) -> float:
        """Return the least seconds for some multiply-accumulates and bytes: the roofline."""
        return max(macs / self.macs(int8), data / self.bandwidth_at(data))

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def measure_peaks(threads: int = 1, isa: str = "", seconds: float = 0.03) -> Peaks:
    """Measure multiplying and reading.

    Parameters
    ----------
    threads : int
        Threads at once.
    isa : str
        "" takes what models run on.
    seconds : float
        Per measurement; there are seven. The best of several tries counts.

    Raises
    ------
    InputError
        If this CPU lacks the instruction set.
    """
    largest = SIZES[-1] * threads
    data = aligned_data(largest)
    arguments = (threads, isa, seconds)
    return Peaks(
        isa or _core.default_isa(),
        threads,
        peak_rate("peak_fma_f32", data[:0], *arguments),
        peak_rate("peak_dot_s8", data[:0], *arguments),
        {
            size * threads: peak_rate("peak_read", data[: size * threads], *arguments)
            for size in SIZES
        },
    )


def peak_rate(row: str, data: Array, threads: int, isa: str, seconds: float) -> float:
    """Return the work per second of one peak kernel: the best try of at least five.

    Parameters
    ----------
    row : str
        ``peak_fma_f32``, ``peak_dot_s8`` or ``peak_read``.
    data : ndarray of uint8, aligned to 64 bytes, a multiple of 4096 per thread
        Read by ``peak_read``.
    threads : int
    isa : str
    seconds : float
    """
    repeats, spent = 1, 0.0
    while spent < seconds / 10 and repeats < 1 << 40:
        repeats *= 2 if spent > seconds / 40 else 8
        spent = _time(row, data, threads, isa, repeats)[1]
    best = 0.0
    end = time.perf_counter() + seconds
    tries = 0
    while tries < 5 or time.perf_counter() < end:
        work, spent = _time(row, data, threads, isa, repeats)
        best = max(best, work / spent)
        tries += 1
    return best


class Reading(NamedTuple):
    """The core at a moment.

    Parameters
    ----------
    speed : float
        Links per second of a chain of dependent operations.
    work : float
        Multiply-accumulates in the time of a link.
    """

    speed: float
    work: float


class SpeedProbe:
    """The core's clock, and how much of the core this thread has.

    A link of the chain takes a fixed number of cycles, so the speed follows the frequency, also
    where /sys does not tell it. Work per link follows what else runs on the core: a sibling
    hyperthread halves it and hardly changes the chain. A reading takes a fifth of a millisecond.

    Parameters
    ----------
    threads : int
        That work at once; the slowest counts.
    links : int
    """

    def __init__(self, threads: int = 1, links: int = 10_000) -> None:
        self._links = links
        self._chain = _Load("peak_chain", "base", 1, links)
        self._busy = _Load("peak_fma_f32", "", threads, links)

    def read(self) -> Reading:
        """Return the state now; the speed is the clock that the code before this call ran at."""
        # The first also fetches the code that what ran before has driven from the caches.
        before = min(self._chain.seconds(), self._chain.seconds())
        # The first wakes the threads and the wide units, whose lower clock the second meets.
        self._busy.seconds()
        rate = self._busy.count / self._busy.seconds()
        return Reading(self._links / before, rate * self._chain.seconds() / self._links)


class _Load:
    """One peak kernel that can be run again and again."""

    def __init__(self, row: str, isa: str, threads: int, links: int) -> None:
        self._done, self._sink = np.zeros(threads, np.int64), np.zeros(threads, np.float32)
        self._program = _core.Program(0, isa, threads)
        self._program.force_threads(threads)
        place = (0, 0, self._done.ctypes.data, self._sink.ctypes.data)
        getattr(self._program, row)(links, *place)

    @property
    def count(self) -> float:
        """Operations of a run, all threads'."""
        return float(self._done.sum())

    def seconds(self) -> float:
        """Run once; return the time."""
        start = time.perf_counter()
        self._program.run()
        return time.perf_counter() - start


def _time(row: str, data: Array, threads: int, isa: str, repeats: int) -> tuple[float, float]:
    try:
        program = _core.Program(0, isa, threads)
    except ValueError as error:
        raise InputError(str(error)) from error
    program.force_threads(threads)
    done, sink = np.zeros(threads, np.int64), np.zeros(threads, np.float32)
    add = getattr(program, row)
    add(repeats, data.ctypes.data, data.nbytes, done.ctypes.data, sink.ctypes.data)
    start = time.perf_counter()
    program.run()
    spent = time.perf_counter() - start
    return float(done.sum()), spent


def aligned_data(nbytes: int) -> Array:
    """Return bytes for ``peak_read``: at least so many, whole blocks from a block's boundary."""
    size = -(-nbytes // BLOCK) * BLOCK
    raw = np.ones(size + BLOCK, np.uint8)
    start = -raw.ctypes.data % BLOCK
    return raw[start : start + size]


def main() -> int:
    """Print the peaks of one thread and of all CPUs."""
    for threads in sorted({1, _core.usable_cpus()}):
        for isa in _core.available_isas():
            peaks = measure_peaks(threads, isa)
            reads = ", ".join(
                f"{size >> 10} KiB {rate / 1e9:.1f}" for size, rate in peaks.bandwidth.items()
            )
            print(
                f"{isa}, {threads} threads: {peaks.float_macs / 1e9:.1f} float GMAC/s, "
                f"{peaks.int8_macs / 1e9:.1f} int8 GMAC/s; GB/s reading {reads}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
