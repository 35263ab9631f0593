"""``linnet profile``: where a model's time goes on this machine, and what would help."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from linnet.opening import open_graph

from .models import MODEL_HELP, add_input_arguments, make_feeds, naming_dims
from .tables import bytes_text, show_json, show_table, time_text

NAME = "profile"
HELP = (
    "Show the time of every node against this machine's measured peaks, what bounds it, and what "
    "would help; write charts, a Chrome trace or an HTML report."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet profile``."""
    parser.set_defaults(wrong_usage=parser.error)
    parser.add_argument("model", help=MODEL_HELP)
    parser.add_argument("--threads", type=int, default=1, help="threads of a run (default 1)")
    parser.add_argument(
        "--runs", type=int, default=0, help="profiled runs (default: about half a second of them)"
    )
    parser.add_argument("--isa", default="", help="instruction set instead of the CPU's best")
    parser.add_argument("--top", type=int, default=0, help="show only so many nodes, the slowest")
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="machine-readable output")
    group.add_argument("--html", metavar="FILE", help="one self-contained report with charts")
    group.add_argument(
        "--chrome-trace", metavar="FILE", help="events for chrome://tracing or ui.perfetto.dev"
    )
    group.add_argument(
        "--roofline", metavar="FILE", help="roofline chart, .svg (or .png with the extra 'charts')"
    )
    group.add_argument("--chart", metavar="FILE", help="time per node, .svg or .png")
    add_input_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Profile, show the table and what it means, write the chosen files."""
    from linnet.benchmarks.profile.analysis import analyze_model

    if options.threads < 1 or options.runs < 0:
        options.wrong_usage("--threads and --runs take positive numbers")
    graph = open_graph(options.model)
    feeds = make_feeds(graph, options)
    with naming_dims(graph, options):
        runs = options.runs or _runs_of(graph, feeds, options)
        analysis = analyze_model(graph, feeds, options.threads, runs, options.isa)
    if options.json:
        from linnet.benchmarks.machine.describe import describe_machine

        facts = {"model": options.model, "threads": options.threads, "machine": describe_machine()}
        show_json({"schema": "linnet-profile-1", **facts, **analysis.as_dict()})
    else:
        _show(analysis, options.top)
    _write(options, analysis)
    return 0


def _runs_of(graph: Any, feeds: dict[str, Any], options: argparse.Namespace) -> int:
    """Return how many runs take about half a second."""
    import time

    import linnet

    session = linnet.load(graph, threads=options.threads, isa=options.isa)
    session.run(feeds)
    start = time.perf_counter()
    session.run(feeds)
    return max(5, min(400, int(0.5 / max(time.perf_counter() - start, 1e-6))))


def _write(options: argparse.Namespace, analysis: Any) -> None:
    from linnet.benchmarks.profile import charts

    if options.chrome_trace:
        from linnet.benchmarks.profile.trace import chrome_trace

        Path(options.chrome_trace).write_text(json.dumps(chrome_trace(analysis.profile)) + "\n")
    if options.roofline:
        charts.write_chart(options.roofline, charts.roofline(analysis))
    if options.chart:
        charts.write_chart(options.chart, charts.node_bars(analysis))
    if options.html:
        from linnet.benchmarks.profile.html import html_report

        Path(options.html).write_text(html_report(options.model, analysis, None))


def _show(analysis: Any, top: int) -> None:
    from linnet.benchmarks.profile.analysis import profile_line

    peaks, profile = analysis.peaks, analysis.profile
    reads = ", ".join(f"{bytes_text(n)} {r / 1e9:.3g}" for n, r in peaks.bandwidth.items())
    print(
        f"{peaks.isa}, {peaks.threads} threads; measured peaks: {peaks.float_macs / 1e9:.1f} float "
        f"and {peaks.int8_macs / 1e9:.1f} int8 GMAC/s; reading (GB/s) {reads}"
    )
    nodes = sorted(analysis.nodes, key=lambda node: -node["seconds"])
    rows = [_cells(node) for node in (nodes[:top] if top else nodes)]
    rows += [_cost(name, part, profile.total) for name, part in _around(profile)]
    columns = ("node", "op", "kernel", "time", "share", "MMAC", "bytes", "GMAC/s", "GB/s", "bound",
               "of peak", "threads")  # fmt: skip
    show_table("", columns, rows)
    print(profile_line(profile))
    for line in analysis.lines:
        print(f"- {line}")


def _around(profile: Any) -> list[tuple[str, float]]:
    """Return what a run takes beside its nodes."""
    return [
        ("(the call: inputs in, outputs out)", profile.call),
        ("(from node to node)", profile.between),
    ]


def _cost(name: str, seconds: float, total: float) -> tuple[str, ...]:
    return (name, "", "", time_text(seconds), f"{100 * seconds / total:.1f} %", *[""] * 7)


def _cells(node: dict[str, Any]) -> tuple[str, ...]:
    from linnet.benchmarks.profile.analysis import short_name

    macs, efficiency = node["macs"], node["efficiency"]
    return (
        short_name(node["name"]),
        node["op"],
        node["kernel"],
        time_text(node["seconds"]),
        f"{100 * node['share']:.1f} %",
        f"{macs / 1e6:.3g}" if macs else "-",
        bytes_text(node["bytes"]),
        f"{node['gmacs']:.3g}" if macs else "-",
        f"{node['gbytes']:.3g}",
        node["bound"],
        f"{100 * node['fraction']:.0f} %" if node["bound"] in {"compute", "memory"} else "-",
        "1" if efficiency is None else f"{node['threads']} ({100 * efficiency:.0f} %)",
    )
