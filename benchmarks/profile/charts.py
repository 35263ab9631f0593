"""The charts of reports: roofline, time per node and operator, samples, minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from linnet.errors import InputError

from .analysis import Analysis, groups, short_name
from .svg import COLORS, INK, Drawing, Scale

MOST_BARS = 30


def write_chart(path: str, svg: str) -> None:
    """Write a chart as .svg, or as .png where resvg is installed.

    Raises
    ------
    InputError
        If the file's ending is another one.
    """
    ending = Path(path).suffix.lower()
    if ending == ".svg":
        Path(path).write_text(svg)
    elif ending == ".png":
        from resvg_py import svg_to_bytes

        Path(path).write_bytes(bytes(svg_to_bytes(svg_string=svg, zoom=2)))
    else:
        raise InputError(f"'{path}': charts are written as .svg or .png")


def colors_of(analysis: Analysis) -> dict[str, str]:
    """Return a color per operator; those beyond the palette share the last."""
    names = [group.op for group in groups(analysis.nodes)]
    return {name: COLORS[min(i, len(COLORS) - 1)] for i, name in enumerate(names)}


def roofline(analysis: Analysis) -> str:
    """Draw every node that multiplies under the machine's measured roofs."""
    peaks, colors = analysis.peaks, colors_of(analysis)
    shown = [n for n in analysis.nodes if n["macs"] and n["bytes"] and n["seconds"] > 0]
    drawing = Drawing(
        820, 470, f"Roofline: measured peaks of {peaks.isa}, {_threads(peaks.threads)}"
    )
    dense = [n["macs"] / n["bytes"] for n in shown] or [1.0]
    speeds = [n["gmacs"] for n in shown] or [1.0]
    top = max(peaks.int8_macs, peaks.float_macs) * 1e-9
    x = Scale(min(*dense, 0.1) / 1.5, max(*dense, 100.0) * 1.5, 80, 640, log=True)
    y = Scale(min(*speeds, top / 1000) / 1.5, top * 2, 410, 50, log=True)
    drawing.axes(x, y, "multiply-accumulates per byte", "GMAC/s")
    for name, peak in (("int8", peaks.int8_macs), ("float", peaks.float_macs)):
        rate = peak * 1e-9
        if any(n["int8"] == (name == "int8") for n in shown):
            drawing.line(x.start, y(rate), x.end, y(rate), INK, 1.5)
            drawing.text(x.end - 4, y(rate) - 5, f"{name} {rate:.0f}", anchor="end", size=11)
    sizes = sorted(peaks.bandwidth)
    for size, name in ((sizes[0], "first cache"), (sizes[-1], "memory")):
        rate = peaks.bandwidth[size] * 1e-9
        ends = [(x.low, rate * x.low), (top / rate, top)]
        drawing.path([(x(a), y(max(b, y.low))) for a, b in _inside(ends, y.low)], INK, 1.5)
        place = max(x.low * 1.2, y.low * 2 / rate)
        drawing.text(x(place) + 8, y(rate * place) + 12, f"{name} {rate:.0f} GB/s", size=11)
    for node in sorted(shown, key=lambda n: -n["share"]):
        tip = f"{short_name(node['name'])} ({node['op']}): {100 * node['share']:.1f} % of the time"
        radius = 3 + 22 * node["share"] ** 0.5
        across, up = x(node["macs"] / node["bytes"]), y(node["gmacs"])
        drawing.circle(across, up, radius, colors[node["op"]], tip)
    used = {n["op"] for n in shown}
    drawing.legend(660, 60, [(op, color) for op, color in colors.items() if op in used])
    drawing.text(660, 410, "area: share of the time", size=11)
    return drawing.svg()


def _inside(ends: list[tuple[float, float]], low: float) -> list[tuple[float, float]]:
    (x1, y1), (x2, y2) = ends
    return [(low * x2 / y2, low), (x2, y2)] if y1 < low else [(x1, y1), (x2, y2)]


def node_bars(analysis: Analysis) -> str:
    """Draw the slowest nodes' time, and behind it in gray what the peaks allow."""
    colors = colors_of(analysis)
    nodes = sorted(analysis.nodes, key=lambda n: -n["seconds"])[:MOST_BARS]
    nodes = [node for node in nodes if node["seconds"] > 0]
    height = 96 + 20 * len(nodes)
    count = len(analysis.nodes)
    title = (
        f"Time per node: the slowest {len(nodes)} of {count}"
        if count > len(nodes)
        else ("Time per node")
    )
    drawing = Drawing(820, height, title)
    longest = max((n["seconds"] for n in nodes), default=1e-6)
    unit, name = (1e3, "ms") if longest > 1e-3 else (1e6, "us")
    x = Scale(0.0, longest * unit, 250, 640)
    for value in x.ticks():
        drawing.line(x(value), 40, x(value), height - 46)
        drawing.text(x(value), height - 30, f"{value:.3g}", anchor="middle", size=11)
    drawing.text(445, height - 12, f"{name} per run; dark: what the measured peaks allow",
                 anchor="middle")  # fmt: skip
    for index, node in enumerate(nodes):
        top = 44 + 20 * index
        tip = f"{node['kernel']}: {node['seconds'] * unit:.3g} {name}, {100 * node['share']:.1f} %"
        length = x(node["seconds"] * unit) - x.start
        drawing.rect(x.start, top, length, 14, colors[node["op"]], tip)
        allowed = min(node["roof"], node["seconds"])
        drawing.rect(x.start, top + 5, x(allowed * unit) - x.start, 4, INK)
        drawing.text(
            x.start - 6, top + 11, short_name(node["name"] or node["op"], 36), anchor="end", size=11
        )
        drawing.text(x.start + length + 5, top + 11, f"{100 * node['share']:.1f} %", size=11)
    used = {node["op"] for node in nodes}
    drawing.legend(690, 60, [(op, color) for op, color in colors.items() if op in used])
    return drawing.svg()


def operator_bars(analysis: Analysis) -> str:
    """Draw one bar whose parts are the operators' shares of the run."""
    colors = colors_of(analysis)
    found = [group for group in groups(analysis.nodes) if group.seconds > 0]
    profile = analysis.profile
    total = sum(group.seconds for group in found) + profile.call + profile.between
    drawing = Drawing(820, 84 + 18 * ((len(found) + 1) // 3 + 1), "Share of the time by operator")
    at = 16.0
    parts = [(group.op, group.seconds, colors[group.op]) for group in found]
    parts += [("call", profile.call, INK), ("from node to node", profile.between, "#999999")]
    for index, (name, seconds, color) in enumerate(parts):
        width = 788 * seconds / total
        drawing.rect(at, 40, width, 26, color, f"{name}: {100 * seconds / total:.1f} %")
        at += width
        column, row = index % 3, index // 3
        entry = (f"{name} {100 * seconds / total:.1f} %", color)
        drawing.legend(16 + 265 * column, 78 + 18 * row, [entry])
    return drawing.svg()


def histogram(result: dict[str, Any]) -> str:
    """Draw how often which latency was measured, up to the 99th percentile."""
    samples = np.asarray(result["samples"]) * 1e3
    high = float(np.percentile(samples, 99))
    low = float(samples.min())
    high = high if high > low else low * 1.01 + 1e-9
    counts, edges = np.histogram(samples, bins=60, range=(low, high))
    drawing = Drawing(820, 300, f"Latency of {result['runs']} runs, {_threads(result['threads'])}")
    x = Scale(low, high, 80, 790)
    y = Scale(0.0, float(max(counts.max(), 1)), 240, 44)
    drawing.axes(x, y, "ms, up to the 99th percentile", "runs")
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        drawing.rect(x(left), y(count), x(right) - x(left) - 0.5, y(0) - y(count), COLORS[0])
    for name in ("p50", "p90"):
        place = x(min(result[name] * 1e3, high))
        drawing.line(place, 44, place, 240, COLORS[5], 1.5)
        drawing.text(place + 3, 54, name, size=11)
    return drawing.svg()


def over_time(result: dict[str, Any]) -> str:
    """Draw the latency between two snapshots each, and the temperature where it is known."""
    snapshots = result["conditions"]
    begin = snapshots[0]["seconds"]
    between: list[list[float]] = [[] for _ in snapshots[1:]]
    for r in result["rounds"]:
        if r["kept"]:
            between[r["snapshot"]].append(r["median"] * 1e3)
    times = [s["seconds"] - begin for s, found in zip(snapshots[1:], between, strict=True) if found]
    medians = [float(np.median(found)) for found in between if found]
    title = f"Latency over time, {_threads(result['threads'])}"
    drawing = Drawing(820, 300, title)
    x = Scale(0.0, max(times[-1], 1e-9), 80, 740)
    y = Scale(0.0, max(medians) * 1.1, 240, 44)
    drawing.axes(x, y, "seconds", "ms")
    drawing.path([(x(t), y(m)) for t, m in zip(times, medians, strict=True)], COLORS[0])
    for t, m in zip(times, medians, strict=True):
        drawing.circle(x(t), y(m), 2.5, COLORS[0], f"{m:.4g} ms")
    heats = [max(s["temperatures"].values(), default=None) for s in snapshots[1:]]
    ends = [s["seconds"] - begin for s in snapshots[1:]]
    known = [(t, h) for t, h in zip(ends, heats, strict=True) if h is not None]
    if known:
        z = Scale(20.0, 110.0, 240, 44)
        drawing.path([(x(t), z(h)) for t, h in known], COLORS[5])
        for value in z.ticks():
            drawing.text(746, z(value) + 4, f"{value:.0f}", size=11)
        drawing.text(782, 142, "degrees C", anchor="middle", turn=True)
    return drawing.svg()


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"
