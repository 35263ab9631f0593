"""``linnet bench``: latency of a model on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from linnet.opening import open_graph

from .models import MODEL_HELP, add_input_arguments, make_feeds, thread_list
from .tables import bytes_text, progress, show_json, show_table, time_text

NAME = "bench"
HELP = "Measure a model's latency on this machine, in all and per node."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet bench``."""
    parser.add_argument("model", help=MODEL_HELP)
    parser.add_argument(
        "--threads", type=thread_list, default=[1], help="a number or a list like 1,2,4 (default 1)"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="time to measure (default 2)")
    parser.add_argument("--warmup", type=float, default=0.3, help="seconds before (default 0.3)")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--no-ops", action="store_true", help="leave the per-node table out")
    add_input_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Measure for each thread count and show one row each, and the nodes of the last."""
    from linnet.benchmarks.latency import measure
    from linnet.benchmarks.machine import describe_machine

    graph = open_graph(options.model)
    feeds = make_feeds(graph, options)
    results = []
    with progress("measuring") as advance:
        for i, threads in enumerate(options.threads):

            def share(done: float, i: int = i) -> None:
                advance((i + done) / len(options.threads))

            results.append(measure(graph, feeds, threads, options.seconds, options.warmup, share))
    report = {"model": options.model, "machine": describe_machine(), "results": results}
    if options.json:
        show_json(report)
    else:
        _show(report, not options.no_ops)
    return 0


def _show(report: dict[str, Any], with_nodes: bool) -> None:
    machine = report["machine"]
    print(f"{machine['cpu']}, {machine['isa']}, {machine['cpus']} CPUs, linnet {machine['linnet']}")
    rows = [
        (
            r["threads"],
            time_text(r["p50"]),
            time_text(r["p90"]),
            time_text(r["p99"]),
            time_text(r["min"]),
            f"{r['variation'] * 100:.1f} %",
            f"{1 / r['p50']:.4g}",
            time_text(r["load"]),
            time_text(r["first"]),
            bytes_text(r["arena_bytes"]),
            r["runs"],
        )
        for r in report["results"]
    ]
    columns = ("threads", "p50", "p90", "p99", "min", "CV", "runs/s", "load", "first", "arena")
    show_table(report["model"], (*columns, "runs"), rows)
    if with_nodes:
        _show_nodes(report["results"][-1]["nodes"])


def _show_nodes(nodes: list[dict[str, Any]]) -> None:
    total = sum(node["seconds"] for node in nodes) or 1.0
    rows = [
        (
            node["name"],
            node["op"],
            node["kernel"],
            time_text(node["seconds"]),
            f"{100 * node['seconds'] / total:.1f} %",
            f"{node['macs'] / node['seconds'] / 1e9:.3g}" if node["seconds"] > 0 else "-",
        )
        for node in sorted(nodes, key=lambda n: -n["seconds"])
    ]
    show_table("", ("node", "op", "kernel", "time", "share", "GMAC/s"), rows)
