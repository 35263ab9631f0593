"""The result of `linnet bench` as plain data, and its tables: text, Markdown, CSV.

`bench.schema.json` beside this file describes the data; its ``schema`` number changes when a
field's meaning does.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linnet.graph import Graph
from linnet.types import Array

SCHEMA = "linnet-bench-3"
Row = tuple[str, ...]


def describe_model(path: str, graph: Graph, feeds: dict[str, Array]) -> dict[str, Any]:
    """Return what identifies a model: its file, its digest, its size, its inputs."""
    content = Path(path).read_bytes()
    constants = [v.type.nbytes for v in graph.values.values() if v.is_constant]
    return {
        "path": path,
        "name": "/".join(Path(path).absolute().parts[-2:]),
        "format": Path(path).suffix.lstrip(".").lower() or "unknown",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "nodes": len(graph.nodes),
        "weight_bytes": sum(constants),
        "inputs": [
            {"name": name, "dtype": str(array.dtype), "shape": list(array.shape)}
            for name, array in feeds.items()
        ],
    }


def document(
    model: dict[str, Any],
    machine: dict[str, Any],
    settings: dict[str, Any],
    results: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return the whole result; it is valid when every measurement in it is."""
    return {
        "schema": SCHEMA,
        "valid": all(result["valid"] for result in results),
        "model": model,
        "machine": machine,
        "settings": settings,
        "results": list(results),
    }


LATENCY = ("model", "size", "isa", "threads", "p50 ms", "+-", "p90", "p95", "p99", "min",
           "mean +- sd", "CV", "runs/s", "runs", "valid")  # fmt: skip
MEMORY = ("threads", "convert ms", "load ms", "first run ms", "weights", "arena", "load grew",
          "peak memory", "mJ/run")  # fmt: skip


def latency_rows(report: dict[str, Any]) -> list[Row]:
    """Return a row per thread count in the columns `LATENCY`; latencies in milliseconds."""
    model = report["model"]
    rows: list[Row] = []
    for r in report["results"]:
        low, high = r["interval"]
        rows.append(
            (
                model["name"],
                size(model["bytes"]),
                r["isa"],
                str(r["threads"]),
                ms(r["p50"]),
                f"{50 * (high - low) / r['p50']:.1f} %",
                *(ms(r[name]) for name in ("p90", "p95", "p99", "min")),
                f"{ms(r['mean'])} +- {ms(r['deviation'])}",
                f"{100 * r['variation']:.1f} %",
                f"{r['throughput']:.4g}",
                str(r["runs"]),
                "yes" if r["valid"] else "NO",
            )
        )
    return rows


def memory_rows(report: dict[str, Any]) -> list[Row]:
    """Return a row per thread count in the columns `MEMORY`."""
    rows: list[Row] = []
    for r in report["results"]:
        joules = r["energy"]["joules_per_run"]
        converted = report["model"].get("convert_seconds")
        rows.append(
            (
                str(r["threads"]),
                "-" if converted is None else ms(converted),
                ms(r["load"]),
                ms(r["first"]),
                size(report["model"]["weight_bytes"]),
                size(r["arena_bytes"]),
                size(r["load_memory_bytes"]),
                "-" if r["peak_memory_bytes"] is None else size(r["peak_memory_bytes"]),
                "-" if joules is None else f"{joules * 1e3:.4g}",
            )
        )
    return rows


MINUTES = ("threads", "minute", "p50 ms", "p90", "p99", "mean", "runs", "degrees C", "MHz")


def minute_rows(report: dict[str, Any]) -> list[Row]:
    """Return a row per minute of sustained measurements in the columns `MINUTES`."""
    rows: list[Row] = []
    for r in report["results"]:
        for m in r.get("minutes", ()):
            heat, clock = m["temperature"], m["frequency"]
            rows.append(
                (
                    str(r["threads"]),
                    str(m["minute"]),
                    *(ms(m[name]) for name in ("p50", "p90", "p99", "mean")),
                    str(m["runs"]),
                    "-" if heat is None else f"{heat:.1f}",
                    "-" if clock is None else str(clock // 1000),
                )
            )
    return rows


def notes(report: dict[str, Any]) -> list[str]:
    """Return what speaks against the result and about it, each sentence once."""
    found: dict[str, None] = {}
    for r in report["results"]:
        where = f"{r['threads']} threads: " if len(report["results"]) > 1 else ""
        found |= dict.fromkeys(f"INVALID: {where}{problem}" for problem in r["problems"])
    for r in report["results"]:
        if not r["stable"] and "minutes" not in r:
            found[f"warning: the median of {r['threads']} threads was not stable in time"] = None
        found |= dict.fromkeys(f"warning: {warning}" for warning in r["warnings"])
    for r in report["results"]:
        found[f"energy: {_energy(r['energy'])}"] = None
    return list(found)


def markdown(report: dict[str, Any]) -> str:
    """Return the result as Markdown: machine, tables, notes."""
    machine = report["machine"]
    parts = [
        f"{machine['cpu']}, {machine['isa']}, {machine['cpus']} CPUs, {machine['system']}, "
        f"linnet {machine['linnet']}",
        markdown_table(LATENCY, latency_rows(report)),
        markdown_table(MEMORY, memory_rows(report)),
    ]
    if any("minutes" in r for r in report["results"]):
        parts.append(markdown_table(MINUTES, minute_rows(report)))
    parts.append("\n".join(f"- {note}" for note in notes(report)))
    return "\n\n".join(parts) + "\n"


def markdown_table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    r"""Return a Markdown table.

    Examples
    --------
    >>> print(markdown_table(("a", "b"), [("1", "x|y")]))
    | a | b |
    |---|---|
    | 1 | x\|y |
    """
    lines = [tuple(columns), *rows]
    shown = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(columns), *shown[1:]])


CSV = ("threads", "isa", "valid", "p50", "p90", "p95", "p99", "min", "mean", "max", "deviation",
       "variation", "throughput", "runs", "stable", "load", "first", "arena_bytes",
       "load_memory_bytes", "peak_memory_bytes")  # fmt: skip


def csv_text(report: dict[str, Any]) -> str:
    """Return a line per thread count; times in seconds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    extra = ("interval_low", "interval_high", "joules_per_run", "problems")
    writer.writerow(("model", "format", "cpu", *CSV, *extra))
    for r in report["results"]:
        head = (report["model"]["path"], report["model"]["format"], report["machine"]["cpu"])
        tail = (*r["interval"], r["energy"]["joules_per_run"], "; ".join(r["problems"]))
        writer.writerow((*head, *(r[name] for name in CSV), *tail))
    return out.getvalue()


def ms(seconds: float) -> str:
    """Return milliseconds in four digits.

    Examples
    --------
    >>> ms(0.0034908), ms(3.028e-06)
    ('3.491', '0.003028')
    """
    return f"{seconds * 1e3:.4g}"


def size(count: float) -> str:
    """Return a byte count with a binary unit.

    Examples
    --------
    >>> size(512), size(4070000)
    ('512 B', '3.88 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def _energy(energy: dict[str, Any]) -> str:
    if energy["joules_per_run"] is None:
        return str(energy["note"])
    return (
        f"{energy['joules_per_run'] * 1e3:.4g} mJ per run by {energy['sensor']}, {energy['note']}"
    )
