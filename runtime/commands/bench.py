"""``linnet bench``: latency of a model on this machine, and whether the figures mean anything."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from linnet.graph import Graph
from linnet.opening import open_graph

from . import compare_peers
from .bench_flags import add_bench_arguments, settle
from .models import make_feeds, naming_dims
from .tables import json_text, progress, show_table, time_text

NAME = "bench"
HELP = (
    "Measure a model's latency on this machine: percentiles, memory, energy where a sensor is, and "
    "whether heat, throttling or other processes made the figures invalid."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet bench``."""
    add_bench_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Measure for each thread count; show the tables or write the chosen form."""
    settle(options)
    if options.peers:
        return compare_peers.run_for_bench(options)
    if options.suite:
        from .suites import run_suite

        return run_suite(options)
    graph, convert_seconds = open_timed(options.model)
    feeds = make_feeds(graph, options)
    if options.dry_run:
        import linnet

        linnet.load(graph, threads=options.threads[-1]).plan({n: a.shape for n, a in feeds.items()})
        print(f"{options.model}: loads and plans", file=sys.stderr)
        return 0
    with naming_dims(graph, options):
        report = measure_model(options, graph, feeds, convert_seconds)
    _deliver(options, report)
    if options.html:
        write_html(options, graph, feeds, report)
    return 1 if options.strict and not report["valid"] else 0


def open_timed(path: str) -> tuple[Graph, float | None]:
    """Return a model's graph, and the seconds of its conversion where it had to be converted."""
    start = time.perf_counter()
    graph = open_graph(path)
    spent = time.perf_counter() - start
    if path.endswith(".linnet"):
        return graph, None
    print(f"converted {path} in {time_text(spent)}", file=sys.stderr)
    return graph, spent


def measure_model(
    options: argparse.Namespace, graph: Graph, feeds: dict[str, Any], converted: float | None
) -> dict[str, Any]:
    """Return the whole result of one model as `linnet.benchmarks.latency.document` describes it."""
    from linnet.benchmarks.latency.document import describe_model, document
    from linnet.benchmarks.latency.measure import measure
    from linnet.benchmarks.machine.describe import describe_machine

    settings = settings_of(options)
    source: str | Graph = options.model if converted is None else graph
    model = {**describe_model(options.model, graph, feeds), "convert_seconds": converted}
    results = []
    with progress(f"measuring {Path(options.model).name}") as advance:
        for i, threads in enumerate(options.threads):

            def share(done: float, i: int = i) -> None:
                advance((i + done) / len(options.threads))

            chosen = replace(settings, threads=threads)
            result = measure(source, feeds, chosen, share=share, identity=model["sha256"])
            if not options.no_ops:
                result["nodes"] = profiled(options, graph, feeds, threads, result["p50"])
            results.append(result)
    asked = {
        "seconds": settings.least,
        "max_seconds": settings.most,
        "warmup": settings.warmup,
        "runs": settings.runs,
        "delay": settings.delay,
        "minutes": settings.minutes,
        "seed": options.seed,
        "inputs": options.input,
    }
    return document(model, describe_machine(), asked, results)


def settings_of(options: argparse.Namespace) -> Any:
    """Return the options as `linnet.benchmarks.latency.settings.Settings`."""
    from linnet.benchmarks.latency.settings import Settings

    return Settings(
        warmup=options.warmup,
        least=options.seconds,
        most=max(options.max_seconds, options.seconds),
        stable=options.stable / 100,
        runs=options.runs,
        warmup_runs=options.warmup_runs,
        delay=options.delay,
        minutes=options.minutes,
        isa=options.isa,
    )


def profiled(
    options: argparse.Namespace, graph: Graph, feeds: dict[str, Any], threads: int, each: float
) -> list[dict[str, Any]]:
    """Return the time per node of profiled runs that take about half a second."""
    import linnet
    from linnet.profile import profile_nodes

    session = linnet.load(graph, threads=threads, isa=options.isa)
    return profile_nodes(session, feeds, max(3, min(200, int(0.2 / max(each, 1e-6)))))


def write_html(
    options: argparse.Namespace, graph: Graph, feeds: dict[str, Any], report: dict[str, Any]
) -> None:
    """Write the report with charts; the profile is of the last thread count."""
    from linnet.benchmarks.profile.analysis import analyze_model
    from linnet.benchmarks.profile.html import html_report

    last = report["results"][-1]
    runs = max(3, min(200, int(0.3 / max(last["p50"], 1e-6))))
    analysis = analyze_model(graph, feeds, last["threads"], runs, options.isa)
    Path(options.html).write_text(html_report(options.model, analysis, report))


def _deliver(options: argparse.Namespace, report: dict[str, Any]) -> None:
    from linnet.benchmarks.latency import document

    forms = {"csv": document.csv_text, "md": document.markdown}
    form = next((make for name, make in forms.items() if getattr(options, name)), None)
    if form is not None or options.json or options.output:
        text = json_text(report) + "\n" if form is None else form(report)
        if options.output:
            Path(options.output).write_text(text)
        else:
            sys.stdout.write(text)
    if not (options.json or form is not None) or options.output:
        show_report(report)
        if not options.no_ops:
            _show_operators(report, options.op_profiling_output_mode)


def show_report(report: dict[str, Any]) -> None:
    """Print a result's tables and what speaks against it."""
    from linnet.benchmarks.latency import document as page

    machine = report["machine"]
    print(f"{machine['cpu']}, {machine['isa']}, {machine['cpus']} CPUs, linnet {machine['linnet']}")
    show_table("", page.LATENCY, page.latency_rows(report))
    show_table("", page.MEMORY, page.memory_rows(report))
    minutes = page.minute_rows(report)
    if minutes:
        show_table("", page.MINUTES, minutes)
    for note in page.notes(report):
        print(note)


def _show_operators(report: dict[str, Any], mode: str) -> None:
    """Print the last measurement's time by operator, or every node as CSV."""
    nodes = report["results"][-1]["nodes"]
    if mode == "csv":
        print("node,op,kernel,seconds,macs,bytes")
        for n in nodes:
            cells = (n["name"], n["op"], n["kernel"], n["seconds"], n["macs"], n["bytes"])
            print(",".join(f'"{c}"' if isinstance(c, str) else str(c) for c in cells))
        return
    total = sum(node["seconds"] for node in nodes) or 1.0
    by: dict[str, list[dict[str, Any]]] = {}
    for node in nodes:
        by.setdefault(node["op"], []).append(node)
    rows = []
    for op, found in sorted(by.items(), key=lambda pair: -sum(n["seconds"] for n in pair[1])):
        seconds, macs = sum(n["seconds"] for n in found), sum(n["macs"] for n in found)
        speed = f"{macs / seconds / 1e9:.3g}" if seconds > 0 and macs else "-"
        share = f"{100 * seconds / total:.1f} %"
        rows.append((op, len(found), time_text(seconds), share, f"{macs / 1e6:.3g}", speed))
    show_table("", ("op", "nodes", "time", "share", "MMAC", "GMAC/s"), rows)
