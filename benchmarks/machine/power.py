"""Energy that the machine used, where something measures it: RAPL, hwmon, the PMIC of a Pi 5."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from .system import System

NO_SENSOR = "no power sensor found (RAPL, hwmon, Raspberry Pi 5 PMIC): energy is not reported"


@dataclass
class EnergyMeter:
    """Joules since it was made: counters are read, power is added up from reading to reading.

    Parameters
    ----------
    system : System
    """

    system: System
    sensor: str = field(init=False)
    note: str = field(init=False)

    def __post_init__(self) -> None:
        self._counters = _counters(self.system)
        self._last = {path: self.system.number(path) for path in self._counters}
        self._powers = [] if self._counters else _powers(self.system)
        self._watts = None if self._counters else self._power()
        self._time = time.perf_counter()
        self.joules = 0.0
        self.sensor = self._name()
        self.note = (
            "the whole machine or package, its idle power included"
            if self.sensor
            else (_closed(self.system) or NO_SENSOR)
        )

    def read(self) -> float | None:
        """Return the joules so far, None without a sensor."""
        now = time.perf_counter()
        for path, wrap in self._counters.items():
            value, last = self.system.number(path), self._last[path]
            if value is None or last is None:
                continue
            self.joules += (value - last if value >= last else value - last + wrap) * 1e-6
            self._last[path] = value
        if self._watts is not None:
            watts = self._power()
            if watts is not None:
                self.joules += 0.5 * (watts + self._watts) * (now - self._time)
                self._watts = watts
        self._time = now
        return self.joules if self.sensor else None

    def _power(self) -> float | None:
        if self._powers:
            found = [self.system.number(path) for path in self._powers]
            return sum(value for value in found if value is not None) * 1e-6
        return pmic_watts(self.system.command(["vcgencmd", "pmic_read_adc"]) or "")

    def _name(self) -> str:
        if self._counters:
            return "RAPL" if any("powercap" in path for path in self._counters) else "hwmon energy"
        if self._watts is None:
            return ""
        return "hwmon power" if self._powers else "Raspberry Pi 5 PMIC"


def pmic_watts(text: str) -> float | None:
    r"""Return the sum over the rails of current times voltage, None where none is listed.

    Examples
    --------
    >>> pmic_watts("VDD_CORE_A current(7)=2.0A\\n VDD_CORE_V volt(15)=0.8V\\n EXT5V_V volt(24)=5V")
    1.6
    """
    rails: dict[str, dict[str, float]] = {}
    for rail, kind, value in re.findall(r"(\S+)_([AV]) \w+\(\d+\)=([\d.]+)", text):
        rails.setdefault(rail, {})[kind] = float(value)
    both = [rail for rail in rails.values() if len(rail) == 2]
    return sum(rail["A"] * rail["V"] for rail in both) if both else None


def _counters(system: System) -> dict[str, int]:
    """Return readable counters of microjoules and where each begins anew."""
    found = {}
    for zone in system.glob("sys/class/powercap/*-rapl:*"):
        name = Path(zone).name
        # Zones below a package (core, dram) are part of it; psys is the whole platform.
        if name.count(":") == 1 and system.number(f"{zone}/energy_uj") is not None:
            wrap = system.number(f"{zone}/max_energy_range_uj") or 0
            found[f"{zone}/energy_uj"] = wrap
    packages = {p: w for p, w in found.items() if system.text(f"{Path(p).parent}/name") != "psys"}
    if packages:
        return packages
    energies = system.glob("sys/class/hwmon/hwmon*/energy*_input")
    return {path: 0 for path in energies if system.number(path) is not None}


def _powers(system: System) -> list[str]:
    names = ("power*_input", "power*_average")
    for name in names:
        paths = system.glob(f"sys/class/hwmon/hwmon*/{name}")
        readable = [path for path in paths if system.number(path) is not None]
        if readable:
            return readable
    return []


def _closed(system: System) -> str:
    if system.glob("sys/class/powercap/*-rapl:*/energy_uj"):
        return "RAPL counters are there but only root may read them: energy is not reported"
    return ""
