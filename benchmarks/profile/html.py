"""One self-contained HTML page: what was measured, where the time goes, charts. No scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..latency import document
from ..machine.describe import describe_machine
from . import charts
from .analysis import Analysis, profile_line, short_name

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 2em auto;
  max-width: 1040px; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse; font-size: 12.5px; display: block; overflow-x: auto;
  margin: 1em 0 }
th, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child, .text { text-align: left }
.bad { background: #fbe3dc; padding: .6em 1em } .good { background: #e2f3ec; padding: .6em 1em }
svg { max-width: 100%; height: auto; margin: .5em 0 }
"""
NODE_COLUMNS = ("node", "op", "kernel", "time us", "share", "MMAC", "kB", "GMAC/s", "GB/s",
                "bound", "of peak", "threads' gain")  # fmt: skip


def html_report(model: str, analysis: Analysis, report: dict[str, Any] | None) -> str:
    """Return the page.

    Parameters
    ----------
    model : str
        Its path.
    analysis : Analysis
    report : dict or None
        A result of `linnet bench`; its verdict and distribution come first.
    """
    machine = describe_machine() if report is None else report["machine"]
    path = Path(model)
    # Model zoos name every file "model" and tell them apart by their folders.
    shown = f"{path.parent.name}/{path.name}" if path.stem == "model" else path.name
    name = escape(shown)
    facts = (
        f"{machine['cpu']}, {machine['architecture']}, {machine['isa']}, {machine['cpus']} CPUs, "
        f"{machine['system']}, Python {machine['python']}, linnet {machine['linnet']}"
    )
    body = [f"<h1>{name}</h1>", f"<p>{escape(facts)}</p>"]
    if report is not None:
        body += _measured(report)
    body += _explained(analysis)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>linnet: {name}</title><style>{STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def _measured(report: dict[str, Any]) -> list[str]:
    notes = "".join(f"<li>{escape(note)}</li>" for note in document.notes(report))
    kind, word = ("good", "valid") if report["valid"] else ("bad", "not valid")
    parts = [
        f'<div class="{kind}">This measurement is {word}.<ul>{notes}</ul></div>',
        "<h2>Latency</h2>",
        # The model's name and size are in the title.
        table(document.LATENCY[2:], [row[2:] for row in document.latency_rows(report)]),
        table(document.MEMORY, document.memory_rows(report)),
    ]
    for result in report["results"]:
        parts += [charts.histogram(result), charts.over_time(result)]
    return parts


def _explained(analysis: Analysis) -> list[str]:
    profile = analysis.profile
    lines = "".join(f"<li>{escape(line)}</li>" for line in analysis.lines)
    nodes = sorted(analysis.nodes, key=lambda node: -node["seconds"])
    # The last column is of threads.
    shown = len(NODE_COLUMNS) - (analysis.single is None)
    return [
        "<h2>Where the time goes</h2>",
        f"<p>{escape(profile_line(profile))}.</p><ul>{lines}</ul>",
        charts.operator_bars(analysis),
        charts.node_bars(analysis),
        charts.roofline(analysis),
        "<h2>Every node</h2>",
        table(NODE_COLUMNS[:shown], [_cells(node)[:shown] for node in nodes], words=3),
    ]


def _cells(node: dict[str, Any]) -> tuple[str, ...]:
    macs, efficiency = node["macs"], node["efficiency"]
    return (
        short_name(node["name"], 60),
        node["op"],
        node["kernel"],
        f"{node['seconds'] * 1e6:.2f}",
        f"{100 * node['share']:.1f} %",
        f"{macs / 1e6:.3g}" if macs else "-",
        f"{node['bytes'] / 1e3:.3g}",
        f"{node['gmacs']:.3g}" if macs else "-",
        f"{node['gbytes']:.3g}",
        node["bound"],
        f"{100 * node['fraction']:.0f} %" if node["bound"] in {"compute", "memory"} else "-",
        "-" if efficiency is None else f"{100 * efficiency:.0f} %",
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Return an HTML table whose first ``words`` columns are text.

    Examples
    --------
    >>> table(("a",), [("<",)])
    '<table><tr><th class="text">a</th></tr><tr><td class="text">&lt;</td></tr></table>'
    """
    lines = [_line("th", columns, words), *(_line("td", row, words) for row in rows)]
    return f"<table>{''.join(lines)}</table>"


def _line(kind: str, cells: Sequence[str], words: int) -> str:
    text = ' class="text"'
    marked = (
        f"<{kind}{text if i < words else ''}>{escape(cell)}</{kind}>"
        for i, cell in enumerate(cells)
    )
    return f"<tr>{''.join(marked)}</tr>"
