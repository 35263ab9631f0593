"""Write the performance tables of README.md and PERFORMANCE.md from committed results.

``python -m linnet.benchmarks.report PAGE.md benchmarks/results/RESULTS.json``, a result of ``linnet
compare-peers`` or of `linnet.benchmarks.kernel_peak`.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .peers.engines import ENGINES

BEGIN, END = "<!-- performance:begin -->", "<!-- performance:end -->"
PACKAGES = {"ai-edge-litert", "tflite-runtime", "onnxruntime", "openvino", "ncnn"}


def table(results: dict[str, Any], source: str) -> str:
    """Return the Markdown of one results file."""
    return (_kernels if "kernels" in results else _peers)(results, source)


def _kernels(results: dict[str, Any], source: str) -> str:
    """Return a row per layer: what share of the peak its kernel reaches on each ISA."""
    isas = list(dict.fromkeys(row["isa"] for row in results["kernels"]))
    shares: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in results["kernels"]:
        of = "multiplying" if row["unit"] == "GMAC/s" else "reading weights"
        shares.setdefault((row["name"], row["type"], of), {})[row["isa"]] = row["fraction"]
    lines = [
        f"Kernels of one thread on {results['machine']['cpu']} as a share of the peak, measured by "
        f"turns in the same process with the same instructions; from [{source}]({source}).",
        "",
        "| layer | type | of the peak of | " + " | ".join(isas) + " |",
        "|---|---|---|" + "---:|" * len(isas),
    ]
    for key, by in shares.items():
        cells = [f"{by[isa]:.0%}" if isa in by else "-" for isa in isas]
        lines.append("| " + " | ".join((*key, *cells)) + " |")
    return "\n".join(lines)


def _peers(results: dict[str, Any], source: str) -> str:
    """Return its machine, a row per model, the geometric mean."""
    machine = results["machine"]
    versions = ", ".join(v for v in machine["extras"] if v.split()[0] in PACKAGES)
    found = [f for by in results["models"].values() for f in by.values()]
    disturbed = sum(not f["valid"] for f in found)
    threads = sorted({t for by in results["models"].values() for t in by}, key=int)
    names = [e for e in ENGINES if any(e in f["engines"] for f in found)]
    lines = [
        f"Microseconds per inference on {machine['cpu']} ({machine['isa']}), median of rounds in "
        f"which the engines take turns; {versions}. The ratio is linnet's time over that of the "
        f"fastest other engine, round by round, with its 99 % interval: below 1 linnet is faster. "
        f"{_disturbed(disturbed, len(found))} Made by `{results['command']}`, from "
        f"[{source}]({source}).",
        "",
        "| model | threads | " + " | ".join(names) + " | ratio | interval |",
        "|---|---:|" + "---:|" * (len(names) + 2),
    ]
    for name, by_threads in results["models"].items():
        for count in threads:
            if count in by_threads:
                lines.append(_row(name, count, by_threads[count], names))
    for count in threads:
        ratios = [
            by[count]["ratio"]["ratio"]
            for by in results["models"].values()
            if by.get(count, {}).get("ratio")
        ]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
        blanks = " | ".join("" for _ in names)
        lines.append(f"| geometric mean of {len(ratios)} | {count} | {blanks} | {mean:.2f} | |")
    return "\n".join(lines)


def _disturbed(count: int, total: int) -> str:
    if not count:
        return "Nothing disturbed the machine."
    return (
        f"In {count} of {total} rows, marked *, the machine was not at rest (other processes, a "
        "hypervisor's other guests): compare ratios, not times."
    )


def _row(name: str, count: str, found: dict[str, Any], names: Sequence[str]) -> str:
    cells = " | ".join(_cell(found["engines"].get(engine)) for engine in names)
    mark = "" if found["valid"] else " *"
    ratio = found["ratio"]
    if ratio is None:
        return f"| {name}{mark} | {count} | {cells} | - | - |"
    interval = f"{ratio['low']:.2f} to {ratio['high']:.2f}"
    return f"| {name}{mark} | {count} | {cells} | {ratio['ratio']:.2f} | {interval} |"


def _cell(engine: dict[str, Any] | None) -> str:
    if engine is None:
        return "-"
    return f"{engine['median'] * 1e6:,.1f}" if engine["status"] == "timed" else engine["status"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Replace the marked part of a page; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) < 2:
        print("usage: python -m linnet.benchmarks.report PAGE.md RESULTS.json...", file=sys.stderr)
        return 2
    page = Path(given[0])
    text = page.read_text()
    if BEGIN not in text or END not in text:
        print(f"{page} has no {BEGIN} ... {END}", file=sys.stderr)
        return 1
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    made = "\n\n".join(table(json.loads(Path(source).read_text()), source) for source in given[1:])
    page.write_text(f"{head}{BEGIN}\n{made}\n{END}{tail}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
