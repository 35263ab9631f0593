"""``linnet bench --suite``: several measurements under one name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .models import make_feeds
from .tables import json_text, progress, show_table, time_text


def run_suite(options: argparse.Namespace) -> int:
    """Run the chosen suite and show its table or JSON."""
    report = _tiny(options) if options.suite == "mlperf-tiny" else _kernels(options)
    if options.output:
        Path(options.output).write_text(json_text(report) + "\n")
    if options.json and not options.output:
        print(json_text(report))
    elif options.suite == "mlperf-tiny":
        _show_tiny(report)
    else:
        _show_kernels(report)
    return 1 if options.strict and not report["valid"] else 0


def _tiny(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the four tasks as `linnet bench` does each."""
    from linnet.benchmarks.suites.tiny import find_models

    from .bench import measure_model, open_timed

    tasks = {}
    for task, path in find_models(options.model).items():
        chosen = argparse.Namespace(**{**vars(options), "model": str(path), "no_ops": True})
        graph, converted = open_timed(str(path))
        tasks[task] = measure_model(chosen, graph, make_feeds(graph, chosen), converted)
    valid = all(report["valid"] for report in tasks.values())
    return {"schema": "linnet-mlperf-tiny-1", "valid": valid, "tasks": tasks}


def _show_tiny(report: dict[str, Any]) -> None:
    from linnet.benchmarks.latency.document import ms, notes, size

    rows: list[tuple[str, ...]] = []
    said: dict[str, None] = {}
    for task, one in report["tasks"].items():
        for r in one["results"]:
            joules = r["energy"]["joules_per_run"]
            rows.append(
                (
                    task,
                    one["model"]["name"],
                    str(r["threads"]),
                    ms(r["p50"]),
                    ms(r["p90"]),
                    f"{r['throughput']:.4g}",
                    size(r["arena_bytes"]),
                    "-" if joules is None else f"{joules * 1e6:.4g}",
                    "yes" if r["valid"] else "NO",
                )
            )
        said |= {f"{task}: {note}": None for note in notes(one) if note.startswith("INVALID")}
    columns = ("task", "model", "threads", "p50 ms", "p90", "runs/s", "arena", "uJ/run", "valid")
    show_table("MLPerf Tiny tasks: latency alone, with random inputs", columns, rows)
    for note in said:
        print(note)


def _kernels(options: argparse.Namespace) -> dict[str, Any]:
    """Time typical layers beside peaks measured before and after them."""
    from linnet.benchmarks.machine.conditions import judge
    from linnet.benchmarks.machine.describe import describe_machine
    from linnet.benchmarks.machine.peak import measure_peaks
    from linnet.benchmarks.machine.system import System
    from linnet.benchmarks.machine.watch import Watch
    from linnet.benchmarks.profile.analysis import best_of
    from linnet.benchmarks.suites.kernels import time_layers

    watch = Watch(System())
    snapshots = [watch.look()]
    results = []
    with progress("measuring kernels") as advance:
        for threads in options.threads:
            peaks = measure_peaks(threads, options.isa)
            snapshots.append(watch.look())
            rows = time_layers(peaks, share=advance)
            snapshots.append(watch.look())
            peaks = best_of(peaks, measure_peaks(threads, options.isa))
            results.append({"threads": threads, "peaks": peaks.as_dict(), "layers": rows})
    verdict = judge(snapshots, watch.system)
    return {
        "schema": "linnet-kernels-1",
        "valid": verdict.valid,
        "problems": verdict.problems,
        "machine": describe_machine(),
        "results": results,
    }


def _show_kernels(report: dict[str, Any]) -> None:
    for result in report["results"]:
        peaks = result["peaks"]
        print(
            f"{peaks['isa']}, {peaks['threads']} threads; measured peaks: "
            f"{peaks['float_macs'] / 1e9:.1f} float and {peaks['int8_macs'] / 1e9:.1f} int8 GMAC/s"
        )
        rows = [
            (
                row["name"],
                row["type"],
                row["shape"],
                row["kernel"],
                time_text(row["seconds"]),
                f"{row['gmacs']:.3g}" if row["macs"] else "-",
                f"{row['gbytes']:.3g}",
                row["bound"],
                f"{100 * row['fraction']:.0f} %" if row["bound"] != "host" else "-",
            )
            for row in result["layers"]
        ]
        columns = ("layer", "type", "input", "kernel", "time", "GMAC/s", "GB/s", "bound", "of peak")
        show_table("", columns, rows)
    for problem in report["problems"]:
        print(f"INVALID: {problem}")
