"""A measurement is invalid when the machine was hot, slow, starved or busy, and says why."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from linnet.benchmarks.latency.gate import gate
from linnet.benchmarks.machine.conditions import Snapshot, Verdict, judge, take
from linnet.benchmarks.machine.describe import describe_machine
from linnet.benchmarks.machine.memory import UNKNOWN, Core, judge_core, recall, remember, survey
from linnet.benchmarks.machine.peak import Reading
from linnet.benchmarks.machine.power import NO_SENSOR, EnergyMeter, pmic_watts
from linnet.benchmarks.machine.system import System

THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
ZONE = "sys/class/thermal/thermal_zone0"
FREQUENCY = "sys/devices/system/cpu/cpu0/cpufreq"


@pytest.fixture
def board(tmp_path):
    """A cool, idle board at its full speed: a folder in the place of / and a way to write to it."""

    def write(path: str, content: object) -> None:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{content}\n")

    write(THROTTLED, "0")
    write(f"{ZONE}/type", "cpu-thermal")
    write(f"{ZONE}/temp", 52000)
    write(f"{ZONE}/trip_point_0_type", "passive")
    write(f"{ZONE}/trip_point_0_temp", 80000)
    write(f"{FREQUENCY}/scaling_governor", "performance")
    for name in ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq"):
        write(f"{FREQUENCY}/{name}", 2400000)
    write("proc/stat", "cpu  1000 0 100 90000 0 0 0 0 0 0")
    write("proc/loadavg", "0.05 0.10 0.20 1/100 999")
    return System(tmp_path, cpus={0}), write


def snapshots(system: System, write, changes: dict[str, object], back: bool = True):
    """A snapshot before, one with changes, one after; four seconds from first to last."""
    first = replace(take(system), seconds=0.0, own=0.0)
    before = {path: system.text(path) for path in changes}
    for path, content in changes.items():
        write(path, content)
    during = replace(take(system), seconds=2.0, own=0.0)
    if back:
        for path, content in before.items():
            write(path, content if content is not None else "0")
    return [first, during, replace(take(system), seconds=4.0, own=0.0)]


def test_an_undisturbed_run_is_valid(board):
    system, write = board
    verdict = judge(snapshots(system, write, {}), system)
    assert verdict.valid
    assert verdict.warnings == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({THROTTLED: "4"}, "the firmware throttled the CPU (get_throttled)"),
        ({THROTTLED: "0x40000"}, "the firmware throttled the CPU (get_throttled)"),
        ({THROTTLED: "2"}, "the firmware capped the CPU's frequency (get_throttled)"),
        (
            {THROTTLED: "8"},
            "the SoC reached its soft temperature limit and slowed down (get_throttled)",
        ),
        (
            {THROTTLED: "1"},
            "the supply voltage was too low (under-voltage): use a stronger power supply "
            "(get_throttled)",
        ),
        (
            {"sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1"},
            "the supply voltage was too low (under-voltage): use a stronger power supply "
            "(hwmon alarm)",
        ),
        (
            {f"{ZONE}/temp": "83500"},
            "'cpu-thermal' was 83.5 degrees C hot, its limit is 80: cool it",
        ),
        (
            {f"{FREQUENCY}/scaling_cur_freq": "1500000"},
            "the CPU's frequency fell from 2400 to 1500 MHz",
        ),
    ],
)
def test_each_trouble_makes_a_run_invalid_and_says_why(board, changes, sentence):
    system, write = board
    verdict = judge(snapshots(system, write, changes), system)
    assert verdict.problems == [sentence]
    assert not verdict.valid


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"proc/stat": "cpu 1400 0 100 90000 0 0 0 0"}, "other processes used 0.99 CPUs"),
        ({"proc/stat": "cpu 1000 0 100 90000 0 0 0 200"}, "hypervisor gave 0.49 CPUs"),
        (
            {"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "7"},
            "throttled 7 times",
        ),
        (
            {
                "proc/self/cgroup": "0::/app",
                "sys/fs/cgroup/app/cpu.stat": "nr_periods 9\nnr_throttled 3\nthrottled_usec 5",
            },
            "quota stopped this process 3 times",
        ),
    ],
)
def test_what_grows_during_a_run_makes_it_invalid(board, changes, sentence):
    system, write = board
    if "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count" in changes:
        write("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", 0)
    verdict = judge(snapshots(system, write, changes, back=False), system)
    assert len(verdict.problems) == 1
    assert sentence in verdict.problems[0]


def test_what_happened_before_the_run_is_a_warning(board):
    system, write = board
    write(THROTTLED, "0x50000")
    verdict = judge(snapshots(system, write, {}), system)
    assert verdict.valid
    assert len(verdict.warnings) == 2
    assert all("before this run" in warning for warning in verdict.warnings)


def test_settings_that_cost_speed_are_warnings(board):
    system, write = board
    write(f"{FREQUENCY}/scaling_governor", "powersave")
    write(f"{FREQUENCY}/scaling_max_freq", 1800000)
    write("proc/loadavg", "3.00 2.00 1.00 1/100 999")
    verdict = judge(snapshots(system, write, {}), system)
    text = " ".join(verdict.warnings)
    assert verdict.valid
    assert (
        "powersave" in text and "1800 of its 2400 MHz" in text and "load average was 3.00" in text
    )


def test_speed_stands_in_where_no_frequency_can_be_read(tmp_path):
    system = System(tmp_path, cpus={0})
    calm = Snapshot(0.0, None, 1e9, {}, None, None, False, None, 0.0, 0.0, 0.0, 0)
    steady = [replace(calm, seconds=float(t), speed=1e9 - 1e7 * t) for t in range(4)]
    assert judge(steady, system).valid
    slowed = [*steady, replace(calm, seconds=4.0, speed=0.5e9)]
    assert "1.98 times as long" in judge(slowed, system).problems[0]


def test_a_shared_core_is_seen_by_its_work(tmp_path):
    system = System(tmp_path, cpus={0})
    calm = Snapshot(0.0, None, 1e9, {}, None, None, False, None, 0.0, 0.0, 0.0, 0, 7e10)
    steady = [replace(calm, seconds=float(t)) for t in range(4)]
    assert judge(steady, system).valid
    shared = [*steady, replace(calm, seconds=4.0, work=3.5e10)]
    assert "2.00 times less work" in judge(shared, system).problems[0]
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("flags\t\t: fpu hypervisor avx2\n")
    assert "virtual machine" in " ".join(judge(steady, system).warnings)


def test_the_best_of_a_core_is_remembered(tmp_path):
    file = tmp_path / "cache" / "cores.json"

    def judged(reading: Reading, core: str = "a CPU, avx2", model: str = "m") -> list[str]:
        verdict, known = Verdict(), recall(core, model, file)
        judge_core([reading] * 5, known, verdict)
        remember(core, model, known, [reading] * 5, file)
        return verdict.problems

    assert judged(SHARED) == []
    assert judged(FREE) == []
    assert "0.57 of the work per cycle" in judged(SHARED)[0]
    assert "clock was at 0.80 of the best" in judged(SLOW)[0]
    assert judged(SLOW, model="another") == []
    assert judged(SHARED, "another CPU, avx2") == []
    for nonsense in ("not JSON", '{"a CPU, avx2": 7.5}'):
        file.write_text(nonsense)
        assert judged(SHARED) == []


def test_a_survey_finds_a_core_that_is_free_now_and_then():
    class Probe:
        calls = 0

        def read(self) -> Reading:
            self.calls += 1
            return SHARED if self.calls % 5 else FREE

    assert survey(Probe(), 0.1).work == FREE.work


FREE, SHARED, SLOW = Reading(3e8, 70.0), Reading(3e8, 40.0), Reading(2.4e8, 70.0)
RARELY = Core(70.0, 3e8)


def judged(*readings, known=UNKNOWN):
    edges = list(pairwise(readings))
    found, verdict = gate(edges, [True] * len(edges), known), Verdict()
    found.tell(verdict)
    return found, verdict.problems, verdict.warnings


def test_rounds_on_a_shared_core_are_set_aside():
    found, problems, warnings = judged(*[FREE] * 21, *[SHARED] * 4, *[FREE] * 6)
    assert found.kept == (True,) * 20 + (False,) * 5 + (True,) * 5
    assert not problems and "5 of 30 rounds were set aside" in warnings[0]


def test_a_core_that_is_never_free_is_known_by_what_it_did_before():
    found, problems, _ = judged(*[SHARED] * 21, known=RARELY)
    assert not any(found.kept) and "free in 0 of 20 rounds only" in problems[0]
    assert all(judged(*[SHARED] * 21)[0].kept)


def test_two_clock_speeds_are_a_problem():
    found, problems, _ = judged(*[FREE] * 31, *[SLOW] * 12)
    assert found.kept == (True,) * 30 + (False,) * 12
    assert "at 0.80 of the best that is known of it, in 12 of 42 rounds" in problems[0]


def test_a_clock_that_is_low_all_the_time_is_known_by_what_it_was_before():
    _, problems, _ = judged(*[SLOW] * 31, known=RARELY)
    assert "at 0.80 of the best that is known of it, in 30 of 30 rounds" in problems[0]
    assert judged(*[SLOW] * 31)[1] == []


def test_more_is_hidden_where_probes_know_little_of_each_other():
    slowly = judged(*([FREE] * 20 + [SHARED] * 20) * 5)[0]
    quickly = judged(*np.random.default_rng(0).permutation([FREE, SHARED] * 100).tolist())[0]
    assert slowly.hidden < 0.02 and quickly.hidden > 0.5
    assert judged(*[FREE] * 31)[0].hidden == 0.0


def test_what_is_kept_is_to_come_from_several_processes():
    edges = [(FREE, FREE)] * 30 + [(SHARED, SHARED)] * 30
    alone = [True] * 60
    assert gate(edges, alone, UNKNOWN).enough
    assert not gate(edges, alone, UNKNOWN, [i // 10 for i in range(60)]).enough
    assert gate(edges, alone, UNKNOWN, [i // 5 for i in range(60)]).enough


def test_a_process_whose_core_was_shared_for_most_of_its_time_does_not_count():
    edges = [(FREE, FREE)] * 90 + [(SHARED, SHARED)] * 9 + [(FREE, FREE)]
    found = gate(edges, [True] * 100, UNKNOWN, [i // 10 for i in range(100)])
    assert found.kept == (True,) * 90 + (False,) * 10


def test_the_firmware_is_asked_where_sysfs_does_not_say(tmp_path):
    asked = []

    def command(arguments):
        asked.append(list(arguments))
        return "throttled=0x50005\n"

    assert System(tmp_path, command, {0}).throttle_bits() == 0x50005
    assert asked == [["vcgencmd", "get_throttled"]]
    silent = System(tmp_path, lambda arguments: asked.append("silent"), {0})
    assert silent.throttle_bits() is None and silent.throttle_bits() is None
    assert asked.count("silent") == 1


def test_the_machine_is_described_from_its_files(board):
    system, write = board
    write("proc/cpuinfo", "processor : 0\nmodel name : Some CPU\n")
    write("proc/self/cgroup", "0::/app")
    write("sys/fs/cgroup/app/cpu.max", "150000 100000")
    facts = describe_machine(system)
    assert facts["cpu"] == "Some CPU"
    assert facts["quota"] == 1.5
    assert facts["governors"] == ["performance"]
    assert facts["frequency_limits_khz"] == [2400000, 2400000]
    write("proc/device-tree/model", "Raspberry Pi 5 Model B\0")
    assert describe_machine(system)["cpu"] == "Raspberry Pi 5 Model B"


def test_control_groups_of_the_first_version_are_read(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("2:cpu,cpuacct:/box\n1:name=systemd:/\n")
    folder = tmp_path / "sys/fs/cgroup/cpu,cpuacct/box"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("50000\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    (folder / "cpu.stat").write_text("nr_periods 5\nnr_throttled 2\nthrottled_time 9\n")
    system = System(tmp_path, cpus={0})
    assert system.quota() == 0.5
    assert system.quota_stops() == 2


def test_rapl_counts_joules_and_may_begin_anew(board):
    system, write = board
    zone = "sys/class/powercap/intel-rapl:0"
    write(f"{zone}/name", "package-0")
    write(f"{zone}/max_energy_range_uj", 10_000_000)
    write(f"{zone}/energy_uj", 9_000_000)
    write("sys/class/powercap/intel-rapl:0:0/energy_uj", 1)
    meter = EnergyMeter(system)
    assert meter.sensor == "RAPL"
    write(f"{zone}/energy_uj", 9_500_000)
    assert meter.read() == pytest.approx(0.5)
    write(f"{zone}/energy_uj", 1_500_000)
    assert meter.read() == pytest.approx(2.5)


def test_power_is_added_up_where_there_is_no_counter(board):
    system, write = board
    write("sys/class/hwmon/hwmon0/power1_input", 3_000_000)
    meter = EnergyMeter(system)
    assert meter.sensor == "hwmon power"
    meter._time -= 2.0
    assert meter.read() == pytest.approx(6.0, rel=0.01)


def test_the_pmic_of_a_pi_5_adds_its_rails():
    text = (
        "  3V3_SYS_A current(1)=0.10A\n  VDD_CORE_A current(7)=2.00A\n"
        "  3V3_SYS_V volt(9)=3.30V\n  VDD_CORE_V volt(15)=0.75V\n  BATT_V volt(25)=0.0V\n"
    )
    assert pmic_watts(text) == pytest.approx(0.33 + 1.5)
    meter = EnergyMeter(System("/nowhere", lambda arguments: text, {0}))
    assert meter.sensor == "Raspberry Pi 5 PMIC"


def test_no_sensor_is_said_so(board):
    system, _ = board
    meter = EnergyMeter(system)
    assert meter.read() is None and meter.sensor == "" and meter.note == NO_SENSOR
