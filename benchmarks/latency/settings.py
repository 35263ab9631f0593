"""How long, and how, `linnet bench` measures."""

from __future__ import annotations

from dataclasses import dataclass

# Processes that share the shortest measurement: memory lies elsewhere in each, and what other
# guests of the machine do to the caches changes from one to the next.
PROCESSES = 16
# Seconds: a shared core changes hands every few milliseconds, and a probe takes a fifth of one.
ROUND = 0.003
LONG_ROUND = 5.0


@dataclass(frozen=True)
class Settings:
    """How long to measure.

    Parameters
    ----------
    threads : int
    warmup : float
        Seconds of runs that are not counted, in the first process.
    least, most : float
        Seconds: of measuring at least, and in all at most where the median is not known before.
    stable : float
        The median is known when its interval's half is below this share of it.
    runs : int
        Measure exactly so many runs instead; 0 goes by time.
    warmup_runs : int
        At least so many runs before measuring, unless they take seconds: the first ten runs of a
        plan are trials that settle its threads.
    delay : float
        Seconds to sleep before every run.
    minutes : float
        Sustained mode: go on for so long and report every minute; 0 for none.
    isa : str
    """

    threads: int = 1
    warmup: float = 0.3
    least: float = 3.0
    most: float = 20.0
    stable: float = 0.03
    runs: int = 0
    warmup_runs: int = 12
    delay: float = 0.0
    minutes: float = 0.0
    isa: str = ""

    @property
    def round_seconds(self) -> float:
        """Length of a round."""
        return min(LONG_ROUND, 2 * self.minutes) if self.minutes else ROUND

    @property
    def seconds(self) -> float:
        """Length of one process's rounds."""
        return 60 * self.minutes or self.least / PROCESSES

    @property
    def gated(self) -> bool:
        """Whether rounds may be set aside: not where exactly these runs were asked for."""
        return not (self.runs or self.minutes)
