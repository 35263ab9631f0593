"""Keeping a run of one thread on one CPU: the one that is free now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .peak import SpeedProbe

_READINGS = 3


@contextmanager
def one_cpu(probe: SpeedProbe, threads: int) -> Iterator[Pin]:
    """Restore this thread's CPUs afterwards.

    Parameters
    ----------
    probe : SpeedProbe
    threads : int
        Of the run; more than one are not kept anywhere.
    """
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    pin = Pin(probe, usable if threads == 1 and len(usable) > 1 else [])
    try:
        yield pin
    finally:
        if pin.usable:
            os.sched_setaffinity(0, pin.usable)


class Pin:
    """Moves this thread to the CPU that does the most work now.

    Parameters
    ----------
    probe : SpeedProbe
    usable : list of int
        CPUs to choose from; none leaves the thread where the system puts it.
    """

    def __init__(self, probe: SpeedProbe, usable: list[int]) -> None:
        self.usable = usable
        self.used: set[int] = set()
        self._probe = probe

    def choose(self) -> None:
        """Try all and stay on the best."""
        if not self.usable:
            return
        best = max(self.usable, key=self._work)
        os.sched_setaffinity(0, {best})
        self.used.add(best)

    def _work(self, cpu: int) -> float:
        os.sched_setaffinity(0, {cpu})
        return sorted(self._probe.read().work for _ in range(_READINGS))[_READINGS // 2]
