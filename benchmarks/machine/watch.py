"""Looking at the machine again and again during a measurement."""

from __future__ import annotations

from .conditions import Snapshot, take
from .peak import Reading, SpeedProbe
from .power import EnergyMeter
from .system import System


class Watch:
    """Takes snapshots of one machine; made anew for every measurement.

    Parameters
    ----------
    system : System
    probe : SpeedProbe, optional
        Reads the core's speed.
    """

    def __init__(self, system: System, probe: SpeedProbe | None = None) -> None:
        self.system = system
        self.meter = EnergyMeter(system)
        self._probe = probe or SpeedProbe()

    def read(self) -> Reading:
        """Return the core's state now."""
        return self._probe.read()

    def look(self, reading: Reading | None = None) -> Snapshot:
        """Return the machine's state now; with a reading that was just taken, or a new one."""
        return take(self.system, *(reading or self.read()))
