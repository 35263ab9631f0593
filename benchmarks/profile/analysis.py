"""What a profile means: each node against the machine's peaks, and what would help, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import linnet
from linnet.commands.tables import time_text
from linnet.graph import Graph
from linnet.profile import Profile, profile_session
from linnet.types import Array

from ..machine.peak import Peaks, measure_peaks

# Operators that only move data.
MOVING = {
    "Transpose", "Concat", "Slice", "Split", "Pad", "Gather", "GatherElements", "GatherND", "Tile",
    "DepthToSpace", "SpaceToDepth", "Reverse", "Expand", "Quantize", "Dequantize", "Cast",
}  # fmt: skip
# A node that takes this share of what the roofline allows has nothing left worth naming.
NEAR_ROOF = 0.5


@dataclass
class Analysis:
    """A profile beside the machine's peaks.

    Parameters
    ----------
    profile : Profile
    peaks : Peaks
        With as many threads as the profile.
    nodes : list of dict
        The profile's rows with ``share`` of the run, ``gmacs`` and ``gbytes`` per second,
        ``bound`` ("compute", "memory", "host" or "-"), ``roof`` (seconds that the peaks allow),
        ``fraction`` of the roof, ``efficiency`` of threads (None for one thread).
    single : Profile or None
        With one thread, where the profile has more.
    """

    profile: Profile
    peaks: Peaks
    nodes: list[dict[str, Any]]
    single: Profile | None = None
    lines: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "total": self.profile.total,
            "call": self.profile.call,
            "between": self.profile.between,
            "clocks": self.profile.clocks,
            "accounted": self.profile.accounted,
            "runs": self.profile.runs,
            "total_one_thread": self.single.total if self.single else None,
            "peaks": self.peaks.as_dict(),
            "nodes": self.nodes,
            "advice": self.lines,
        }


def analyze_model(
    graph: Graph, feeds: Mapping[str, Array], threads: int, runs: int, isa: str = ""
) -> Analysis:
    """Profile a model and measure the machine's peaks in the same process.

    Parameters
    ----------
    graph : Graph
    feeds : mapping of str to ndarray
    threads : int
    runs : int
    isa : str
    """
    session = linnet.load(graph, threads=threads, isa=isa)
    before = measure_peaks(threads, isa)
    profile = profile_session(session, feeds, runs)
    single = None
    if threads > 1:
        single = profile_session(linnet.load(graph, threads=1, isa=isa), feeds, runs)
    after = measure_peaks(threads, isa)
    return analyze(profile, best_of(before, after), single)


def best_of(first: Peaks, second: Peaks) -> Peaks:
    """Return the better of two measurements, figure by figure."""
    return Peaks(
        first.isa,
        first.threads,
        max(first.float_macs, second.float_macs),
        max(first.int8_macs, second.int8_macs),
        {n: max(rate, second.bandwidth[n]) for n, rate in first.bandwidth.items()},
    )


def analyze(profile: Profile, peaks: Peaks, single: Profile | None = None) -> Analysis:
    """Set a profile beside peaks.

    Parameters
    ----------
    profile : Profile
    peaks : Peaks
    single : Profile, optional
        The same model with one thread.
    """
    others = single.rows if single else [None] * len(profile.rows)
    nodes = [
        _node(row, other, profile.total, peaks)
        for row, other in zip(profile.rows, others, strict=True)
    ]
    found = Analysis(profile, peaks, nodes, single)
    found.lines = advice(found)
    return found


def _node(
    row: dict[str, Any], single: dict[str, Any] | None, total: float, peaks: Peaks
) -> dict[str, Any]:
    seconds, macs, data = row["seconds"], row["macs"], row["bytes"]
    computing = macs / peaks.macs(row["int8"])
    moving = data / peaks.bandwidth_at(data) if data else 0.0
    roof = max(computing, moving)
    bound = "compute" if computing > moving else "memory"
    if row["kernel"] == "host step":
        bound = "host"
    elif row["kernel"] in ("view", "joined"):
        bound = "-"
    efficiency = None
    if single is not None and seconds > 0 and row["threads"] > 1:
        efficiency = single["seconds"] / (seconds * peaks.threads)
    return {
        **row,
        "share": seconds / total,
        "gmacs": macs / seconds * 1e-9 if seconds > 0 else 0.0,
        "gbytes": data / seconds * 1e-9 if seconds > 0 else 0.0,
        "bound": bound,
        "roof": roof,
        "fraction": min(roof / seconds, 1.0) if seconds > 0 else 0.0,
        "efficiency": efficiency,
    }


def profile_line(profile: Profile) -> str:
    """Return how long a run takes, and how much of it the profile accounts for."""
    nodes = sum(float(row["seconds"]) for row in profile.rows)
    parts = (nodes, profile.call, profile.between)
    shares = [f"{100 * part / profile.total:.1f} %" for part in parts]
    return (
        f"{time_text(profile.total)} per run without clocks; of it {shares[0]} in nodes, "
        f"{shares[1]} in the call, {shares[2]} from node to node: "
        f"{100 * profile.accounted:.1f} % accounted for, over {profile.runs} runs"
    )


@dataclass
class Group:
    """Nodes of one operator."""

    op: str
    nodes: list[dict[str, Any]]

    @property
    def seconds(self) -> float:
        """Time of them all."""
        return sum(float(node["seconds"]) for node in self.nodes)

    @property
    def roof(self) -> float:
        """Time that the peaks allow them."""
        return sum(float(node["roof"]) for node in self.nodes)

    @property
    def bound(self) -> str:
        """What bounds most of their time."""
        by: dict[str, float] = {}
        for node in self.nodes:
            by[node["bound"]] = by.get(node["bound"], 0.0) + node["seconds"]
        return max(by, key=lambda name: by[name])


def groups(nodes: Sequence[dict[str, Any]]) -> list[Group]:
    """Return the nodes by operator, the slowest first."""
    found: dict[str, Group] = {}
    for node in nodes:
        found.setdefault(node["op"], Group(node["op"], [])).nodes.append(node)
    return sorted(found.values(), key=lambda group: -group.seconds)


def advice(analysis: Analysis) -> list[str]:
    """Return what the profile says, in plain words, the weightiest first."""
    profile, nodes = analysis.profile, analysis.nodes
    total = profile.total
    lines = [_group_line(g, total) for g in groups(nodes)[:3] if g.seconds >= 0.05 * total]
    lines += _what_if(groups(nodes), total)
    roof = sum(node["roof"] for node in nodes)
    if roof > 0:
        lines.append(
            f"At the machine's peaks the same work would take {time_text(roof)} instead of "
            f"{time_text(total)}: "
            f"kernels as fast as the roofline could give at most {total / roof:.1f}x."
        )
    lines += _costs(nodes, profile)
    lines += _threads(analysis)
    return lines


def _group_line(group: Group, total: float) -> str:
    name = f"{len(group.nodes)} {group.op} node{'s' if len(group.nodes) > 1 else ''}"
    head = f"{100 * group.seconds / total:.0f} % of the time in {name}"
    if group.bound == "host":
        return f"{head}, run by NumPy because no kernel serves them."
    if group.bound == "-":
        return f"{head}."
    of = "reading and writing memory allows" if group.bound == "memory" else "multiplying allows"
    share = 100 * min(group.roof / group.seconds, 1.0)
    return f"{head}, {group.bound} bound: at {share:.0f} % of the speed that {of}."


def _what_if(found: Sequence[Group], total: float) -> list[str]:
    """Say what the group with most to gain would bring at half of the roofline."""
    gains = [(g.seconds - g.roof / NEAR_ROOF, g) for g in found if g.bound in {"compute", "memory"}]
    gain, group = max(gains, key=lambda pair: pair[0], default=(0.0, None))
    if group is None or gain < 0.05 * total:
        return []
    name = f"{len(group.nodes)} {group.op} nodes" if len(group.nodes) > 1 else f"the {group.op}"
    return [
        f"If {name} ran at {100 * NEAR_ROOF:.0f} % of their roofline, a run would take "
        f"{time_text(total - gain)} instead of {time_text(total)}."
    ]


def _costs(nodes: Sequence[dict[str, Any]], profile: Profile) -> list[str]:
    lines = []
    host = [node for node in nodes if node["bound"] == "host"]
    if host:
        names = ", ".join(sorted({node["op"] for node in host}))
        share = sum(node["share"] for node in host)
        lines.append(
            f"Without its {len(host)} host steps ({names}) a run would take "
            f"{time_text(profile.total * (1 - share))}: {100 * share:.0f} % less."
        )
    moving = [node for node in nodes if node["op"] in MOVING and node["bound"] != "host"]
    share = sum(node["share"] for node in moving)
    if share >= 0.03:
        names = ", ".join(sorted({node["op"] for node in moving}))
        lines.append(f"{100 * share:.0f} % of the time moves data without computing ({names}).")
    if profile.call >= 0.05 * profile.total:
        lines.append(
            f"{100 * profile.call / profile.total:.0f} % of the time is the call itself "
            f"({profile.call * 1e6:.1f} us to hand inputs in and outputs out): a larger batch "
            "would spread it."
        )
    if profile.between >= 0.05 * profile.total:
        lines.append(
            f"{100 * profile.between / profile.total:.0f} % of the time passes between nodes, of "
            f"which there are {len(nodes)}."
        )
    return lines


def _threads(analysis: Analysis) -> list[str]:
    if analysis.single is None:
        return []
    threads = analysis.peaks.threads
    gain = analysis.single.total / analysis.profile.total
    lines = [
        f"{threads} threads are {gain:.2f}x as fast as one ({100 * gain / threads:.0f} % of "
        f"{threads}x)."
    ]
    alone = [node for node in analysis.nodes if node["efficiency"] is None]
    share = sum(node["share"] for node in alone)
    if share >= 0.1:
        lines.append(f"{100 * share:.0f} % of the time is in nodes that run on one thread.")
    split = [n for n in analysis.nodes if n["efficiency"] is not None and n["share"] >= 0.02]
    worst = min(split, key=lambda node: node["efficiency"], default=None)
    if worst is not None and worst["efficiency"] < 0.7:
        lines.append(
            f"'{short_name(worst['name'])}' ({worst['op']}) gains least from threads: "
            f"{100 * worst['efficiency']:.0f} % of {threads}x."
        )
    return lines


def short_name(name: str, most: int = 44) -> str:
    """Return a node's name without what a converter fused into it, its end if it is still long.

    Examples
    --------
    >>> short_name("block/conv;block/relu"), short_name("a/long/name", 8)
    ('block/conv', '...name')
    """
    first = name.split(";")[0]
    if len(first) <= most:
        return first
    cut = first[-(most - 3) :]
    slash = cut.find("/")
    return f"...{cut[slash + 1 :] if slash < most // 4 else cut}"
