"""What Linux says of the machine: /sys, /proc and, on a Raspberry Pi, its firmware's command.

Everything is read below a root folder, so that a test can put a folder in the machine's place.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

Command = Callable[[Sequence[str]], "str | None"]
CPU = "sys/devices/system/cpu"


def run_command(arguments: Sequence[str]) -> str | None:
    """Return what a command prints, None where it is missing or fails."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def no_command(arguments: Sequence[str]) -> str | None:
    """Answer as where no such command is installed."""
    return None


class System:
    """One machine, read through files.

    Parameters
    ----------
    root : path
        The folder that stands for ``/``.
    command : callable, optional
        Runs ``vcgencmd`` on a Raspberry Pi; by default the real one where ``root`` is ``/``.
    cpus : set of int, optional
        CPUs that this process may use; by default its affinity mask.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] = "/",
        command: Command | None = None,
        cpus: set[int] | None = None,
    ) -> None:
        self.root = Path(root)
        real = self.root == Path("/")
        self.command = command or (run_command if real else no_command)
        self.cpus = cpus if cpus is not None else _affinity()
        self._firmware: bool | None = None

    def text(self, path: str) -> str | None:
        """Return a file's content without the spaces around it, None where it cannot be read."""
        try:
            return (self.root / path).read_text(errors="replace").strip("\n\0 ")
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """Return a file's whole number, None where there is none."""
        text = self.text(path)
        try:
            return int(text, 0) if text else None
        except ValueError:
            return None

    def glob(self, pattern: str) -> list[str]:
        """Return the paths that fit a pattern, in order, relative to the root."""
        found = sorted(self.root.glob(pattern), key=lambda path: _natural(str(path)))
        return [str(path.relative_to(self.root)) for path in found]

    def cpu_model(self) -> str:
        """Return the CPU's name as the kernel tells it; the board's model where that says more."""
        lines = (self.text("proc/cpuinfo") or "").splitlines()
        pairs = (line.partition(":") for line in reversed(lines))
        fields = {key.strip(): value.strip() for key, _, value in pairs}
        board = self.text("proc/device-tree/model") or fields.get("Model")
        return board or fields.get("model name") or os.uname().machine

    def is_virtual(self) -> bool:
        """Return whether a hypervisor runs this machine."""
        return bool(re.search(r"^flags\s*:.*\bhypervisor\b", self.text("proc/cpuinfo") or "", re.M))

    def governors(self) -> list[str]:
        """Return the frequency governors of the usable CPUs, each once."""
        names = {self.text(f"{CPU}/cpu{n}/cpufreq/scaling_governor") for n in self.cpus}
        return sorted(name for name in names if name)

    def frequency(self) -> int | None:
        """Return the highest current frequency of the usable CPUs in kHz."""
        return self._highest("scaling_cur_freq")

    def frequency_limits(self) -> tuple[int | None, int | None]:
        """Return the highest frequency that is allowed now and that the hardware has, in kHz."""
        return self._highest("scaling_max_freq"), self._highest("cpuinfo_max_freq")

    def _highest(self, name: str) -> int | None:
        found = [self.number(f"{CPU}/cpu{n}/cpufreq/{name}") for n in sorted(self.cpus)]
        return max((f for f in found if f), default=None)

    def temperatures(self) -> dict[str, float]:
        """Return degrees Celsius by the name of the sensor."""
        found = {}
        for zone in self.glob("sys/class/thermal/thermal_zone*"):
            value = self.number(f"{zone}/temp")
            if value is not None:
                found[self.text(f"{zone}/type") or Path(zone).name] = value / 1000
        for path in self.glob("sys/class/hwmon/hwmon*/temp*_input"):
            value, folder = self.number(path), str(Path(path).parent)
            if value is not None:
                label = self.text(path.replace("_input", "_label")) or Path(path).name[:-6]
                found.setdefault(f"{self.text(f'{folder}/name')} {label}", value / 1000)
        return found

    def hot_limits(self) -> dict[str, float]:
        """Return the degrees at which each thermal zone begins to slow the machine down."""
        found = {}
        for zone in self.glob("sys/class/thermal/thermal_zone*"):
            limits = []
            for kind in self.glob(f"{zone}/trip_point_*_type"):
                value = self.number(kind.replace("_type", "_temp"))
                if self.text(kind) in {"passive", "hot", "critical"} and value and value > 0:
                    limits.append(value / 1000)
            if limits:
                found[self.text(f"{zone}/type") or Path(zone).name] = min(limits)
        return found

    def throttle_count(self) -> int | None:
        """Return how often the usable CPUs were throttled since boot (x86)."""
        names = ("core_throttle_count", "package_throttle_count")
        found = [
            self.number(f"{CPU}/cpu{n}/thermal_throttle/{s}") for n in self.cpus for s in names
        ]
        known = [f for f in found if f is not None]
        return sum(known) if known else None

    def throttle_bits(self) -> int | None:
        """Return a Raspberry Pi's word of throttling and under-voltage bits, None elsewhere."""
        path = "sys/devices/platform/soc/soc:firmware/get_throttled"
        text = self.text(path)
        if text is None and self._firmware is not False:
            said = self.command(["vcgencmd", "get_throttled"])
            self._firmware = said is not None
            text = said.strip().rpartition("=")[2] if said else None
        try:
            return int(text, 16) if text else None
        except ValueError:
            return None

    def under_voltage_alarm(self) -> bool:
        """Return whether a supply monitor reports too low a voltage now."""
        names = ("in*_lcrit_alarm", "in*_min_alarm")
        paths = [p for n in names for p in self.glob(f"sys/class/hwmon/hwmon*/{n}")]
        return any(self.number(path) for path in paths)

    def load_average(self) -> float | None:
        """Return the number of runnable processes, averaged over a minute."""
        text = self.text("proc/loadavg")
        return float(text.split()[0]) if text else None

    def cpu_seconds(self) -> tuple[float, float]:
        """Return seconds since boot that all CPUs worked, and that a hypervisor kept from them."""
        line = (self.text("proc/stat") or "").partition("\n")[0].split()
        if len(line) < 5 or line[0] != "cpu":
            return 0.0, 0.0
        ticks = [int(field) for field in line[1:]] + [0] * 8
        user, nice, system, irq, softirq, steal = *ticks[0:3], *ticks[5:8]
        hertz = os.sysconf("SC_CLK_TCK")
        return (user + nice + system + irq + softirq) / hertz, steal / hertz

    def memory(self, name: str = "VmHWM") -> int | None:
        """Return a memory figure of this process in bytes: VmHWM is the peak, VmRSS current."""
        found = re.search(rf"^{name}:\s+(\d+) kB", self.text("proc/self/status") or "", re.M)
        return int(found[1]) * 1024 if found else None

    def quota(self) -> float | None:
        """Return how many CPUs the control group may use, None where it sets no limit."""
        for folder in self._groups():
            text = self.text(f"{folder}/cpu.max")
            if text and not text.startswith("max"):
                quota, period = text.split()
                return int(quota) / int(period)
            limit = self.number(f"{folder}/cpu.cfs_quota_us")
            span = self.number(f"{folder}/cpu.cfs_period_us")
            if limit and span and limit > 0:
                return limit / span
        return None

    def quota_stops(self) -> int:
        """Return how often the control group's limit has stopped this process."""
        for folder in self._groups():
            found = re.search(r"^nr_throttled (\d+)", self.text(f"{folder}/cpu.stat") or "", re.M)
            if found:
                return int(found[1])
        return 0

    def _groups(self) -> list[str]:
        """Return this process's control groups, the nearest first."""
        found = []
        for line in (self.text("proc/self/cgroup") or "").splitlines():
            _, controllers, path = line.split(":", 2)
            for base in ("sys/fs/cgroup", f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu"):
                if not controllers or "cpu" in controllers.split(","):
                    found += [f"{base}{path.rstrip('/')}", base]
        return list(dict.fromkeys(found))


def _affinity() -> set[int]:
    try:
        return set(os.sched_getaffinity(0))
    except AttributeError:
        return set(range(os.cpu_count() or 1))


def _natural(text: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
