"""Whether a measurement means anything: the machine before, during and after it, and a verdict."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from .system import System

# Bits of a Raspberry Pi's get_throttled: what is so now; sixteen places higher: since boot.
UNDER_VOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 1, 2, 4, 8
PI_BITS = {
    UNDER_VOLTAGE: "the supply voltage was too low (under-voltage): use a stronger power supply",
    CAPPED: "the firmware capped the CPU's frequency",
    THROTTLED: "the firmware throttled the CPU",
    SOFT_LIMIT: "the SoC reached its soft temperature limit and slowed down",
}
SINCE_BOOT = 16
# Share of one CPU that others may use: an idle Linux with a desktop stays below a tenth.
BUSY = 0.15
# Share of the time that a hypervisor may keep the CPUs busy with other guests.
STOLEN = 0.05
# Seconds: counters tick a hundred times a second.
SLACK = 0.02
# Ratios of the lowest to the highest frequency, and of speed where no frequency can be read.
# Governors step by more than a tenth; a probe of speed is itself uncertain by some percent.
FREQUENCY_DROP = 0.9
SPEED_DROP = 0.8
# A busy sibling hyperthread takes about half of a core's work.
WORK_DROP = 0.7
# Where a zone names no limit: Raspberry Pi firmware slows down at 80 degrees, phones below that.
HOT = 80.0
HEADROOM = 2.0


@dataclass(frozen=True)
class Snapshot:
    """The machine at one moment.

    Parameters
    ----------
    seconds : float
        Of a clock that only goes forward.
    frequency : int or None
        Of the fastest usable CPU, kHz.
    speed : float or None
        Links of a chain of dependent operations per second: a frequency without /sys.
    temperatures : dict of str to float
    throttle_bits, throttle_count : int or None
        A Raspberry Pi's bits; how often x86 CPUs were throttled.
    under_voltage : bool
    load : float or None
        Load average of a minute.
    worked, stolen, own : float
        Seconds: of all CPUs, kept by a hypervisor, of this process.
    quota_stops : int
    work : float or None
        Multiply-accumulates per link of that chain: what else runs on the core shows here.
    """

    seconds: float
    frequency: int | None
    speed: float | None
    temperatures: dict[str, float]
    throttle_bits: int | None
    throttle_count: int | None
    under_voltage: bool
    load: float | None
    worked: float
    stolen: float
    own: float
    quota_stops: int
    work: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


@dataclass
class Verdict:
    """What was wrong with a measurement.

    Parameters
    ----------
    problems : list of str
        Each makes the measurement invalid.
    warnings : list of str
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problems


def take(system: System, speed: float | None = None, work: float | None = None) -> Snapshot:
    """Return the machine's state now; ``speed`` and ``work`` are what a probe has just measured."""
    worked, stolen = system.cpu_seconds()
    times = os.times()
    return Snapshot(
        time.perf_counter(),
        system.frequency(),
        speed,
        system.temperatures(),
        system.throttle_bits(),
        system.throttle_count(),
        system.under_voltage_alarm(),
        system.load_average(),
        worked,
        stolen,
        times.user + times.system,
        system.quota_stops(),
        work,
    )


def foreign(before: Snapshot, after: Snapshot) -> tuple[float, float, float]:
    """Return the seconds between snapshots: by the clock, of other processes, of other guests."""
    worked, own = after.worked - before.worked, after.own - before.own
    return after.seconds - before.seconds, worked - own, after.stolen - before.stolen


def is_busy(wall: float, others: float, stolen: float) -> bool:
    """Return whether others used more of the CPUs than a measurement bears; see `foreign`."""
    return others - SLACK > BUSY * wall or stolen - SLACK > STOLEN * wall


def judge(snapshots: Sequence[Snapshot], system: System, kept: Sequence[bool] = ()) -> Verdict:
    """Say what speaks against a measurement.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        The first from before the measurement, the last from after it, at least two.
    system : System
        For limits that do not change.
    kept : sequence of bool
        Which of the times between snapshots count, where some were set aside; by default all.
    """
    counts = kept or (True,) * (len(snapshots) - 1)
    pairs = [p for p, count in zip(pairwise(snapshots), counts, strict=True) if count]
    verdict = Verdict()
    _judge_heat(snapshots, system, verdict)
    _judge_throttling(snapshots, verdict)
    # The first is from before the load: a governor has reason to be lower then.
    _judge_speed(snapshots[1:], [after for _, after in pairs], verdict)
    _judge_load(snapshots, pairs, system, verdict)
    _judge_setting(snapshots, system, verdict)
    return verdict


def _judge_heat(snapshots: Sequence[Snapshot], system: System, verdict: Verdict) -> None:
    limits = system.hot_limits()
    names = dict.fromkeys(name for s in snapshots for name in s.temperatures)
    for name in names:
        highest = max(s.temperatures.get(name, 0.0) for s in snapshots)
        limit = limits.get(name, HOT)
        if highest >= limit:
            verdict.problems.append(
                f"'{name}' was {highest:.1f} degrees C hot, its limit is {limit:.0f}: cool it"
            )
        elif highest >= limit - HEADROOM:
            verdict.warnings.append(
                f"'{name}' reached {highest:.1f} degrees C, close to its limit of {limit:.0f}"
            )


def _judge_throttling(snapshots: Sequence[Snapshot], verdict: Verdict) -> None:
    words = [s.throttle_bits for s in snapshots if s.throttle_bits is not None]
    before = words[0] if words else 0
    for bit, sentence in PI_BITS.items():
        lasting = bit << SINCE_BOOT
        if any(word & bit or word & ~before & lasting for word in words):
            verdict.problems.append(f"{sentence} (get_throttled)")
        elif before & lasting:
            verdict.warnings.append(f"before this run, since boot: {sentence}")
    counts = [s.throttle_count for s in snapshots if s.throttle_count is not None]
    if counts and counts[-1] > counts[0]:
        verdict.problems.append(
            f"the CPU was throttled {counts[-1] - counts[0]} times for its temperature"
        )
    low = any(s.under_voltage for s in snapshots)
    if low and not any(word & UNDER_VOLTAGE for word in words):
        verdict.problems.append(f"{PI_BITS[UNDER_VOLTAGE]} (hwmon alarm)")


def _judge_speed(during: Sequence[Snapshot], steady: Sequence[Snapshot], verdict: Verdict) -> None:
    works = [s.work for s in steady if s.work is not None]
    if works and min(works) < WORK_DROP * max(works):
        verdict.problems.append(
            f"the core did up to {max(works) / min(works):.2f} times less work per cycle: "
            "something shares it (a sibling hyperthread, another guest)"
        )
    known = [s.frequency for s in during if s.frequency is not None]
    if known:
        if min(known) < FREQUENCY_DROP * max(known):
            verdict.problems.append(
                f"the CPU's frequency fell from {max(known) // 1000} to {min(known) // 1000} MHz"
            )
        return
    speeds = [s.speed for s in steady if s.speed is not None]
    if speeds and min(speeds) < SPEED_DROP * max(speeds):
        verdict.problems.append(
            f"the CPU's speed varied: the same operations took up to "
            f"{max(speeds) / min(speeds):.2f} times as long (its frequency cannot be read here)"
        )


def _judge_load(
    snapshots: Sequence[Snapshot],
    pairs: Sequence[tuple[Snapshot, Snapshot]],
    system: System,
    verdict: Verdict,
) -> None:
    first, last = snapshots[0], snapshots[-1]
    sums = (sum(parts) for parts in zip(*(foreign(*pair) for pair in pairs), strict=True))
    wall, others, stolen = sums
    others, stolen = others - SLACK, stolen - SLACK
    if others > BUSY * wall:
        verdict.problems.append(
            f"other processes used {others / wall:.2f} CPUs during the run: stop them"
        )
    if stolen > STOLEN * wall:
        verdict.problems.append(
            f"the hypervisor gave {stolen / wall:.2f} CPUs of this machine to others"
        )
    stops = last.quota_stops - first.quota_stops
    if stops > 0:
        verdict.problems.append(f"the control group's CPU quota stopped this process {stops} times")
    cpus = max(len(system.cpus), 1)
    if first.load is not None and first.load > 0.5 * cpus and not verdict.problems:
        verdict.warnings.append(f"the load average was {first.load:.2f} when the run began")


def _judge_setting(snapshots: Sequence[Snapshot], system: System, verdict: Verdict) -> None:
    governors = system.governors()
    if governors and governors != ["performance"]:
        verdict.warnings.append(
            f"the frequency governor is {'/'.join(governors)}; 'performance' varies less"
        )
    allowed, possible = system.frequency_limits()
    if allowed and possible and allowed < possible:
        verdict.warnings.append(
            f"the CPU may run at {allowed // 1000} of its {possible // 1000} MHz only"
        )
    if system.is_virtual():
        verdict.warnings.append(
            "this is a virtual machine: other guests may slow it unseen; measure longer (--seconds)"
        )
    if not snapshots[-1].temperatures:
        verdict.warnings.append("no temperature sensor can be read here")
