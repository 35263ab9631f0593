"""Write the performance table of README.md from committed results.

``python -m linnet.benchmarks.report RESULTS.json README.md``
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engines import ENGINES

BEGIN, END = "<!-- performance:begin -->", "<!-- performance:end -->"


def table(results: dict[str, Any], source: str) -> str:
    """Return the Markdown of one results file: its machine, a row per model, the geometric mean."""
    machine = results["machine"]
    versions = ", ".join(
        v
        for v in machine["extras"]
        if v.split()[0] in {"ai-edge-litert", "onnxruntime", "openvino"}
    )
    threads = sorted({t for by in results["models"].values() for t in by}, key=int)
    lines = [
        f"Microseconds per inference on {machine['cpu']} ({machine['isa']}), median of rounds in "
        f"which the engines take turns; {versions}. Below 1 in the last column means that linnet "
        f"is faster than the fastest of the others. Made by `python -m linnet.benchmarks.peers`, "
        f"from [{source}]({source}).",
        "",
        "| model | threads | " + " | ".join(ENGINES) + " | linnet / fastest peer |",
        "|---|---:|" + "---:|" * (len(ENGINES) + 1),
    ]
    for name, by_threads in results["models"].items():
        for count in threads:
            engines = by_threads.get(count, {})
            cells = [_cell(engines, engine) for engine in ENGINES]
            ratio = engines.get("linnet", {}).get("ratio", math.nan)
            lines.append(f"| {name} | {count} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    for count in threads:
        ratios = [
            by[count]["linnet"]["ratio"]
            for by in results["models"].values()
            if "linnet" in by.get(count, {}) and math.isfinite(by[count]["linnet"]["ratio"])
        ]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
        blanks = " | ".join("" for _ in ENGINES)
        lines.append(f"| geometric mean | {count} | {blanks} | {mean:.2f} |")
    return "\n".join(lines)


def _cell(engines: dict[str, Any], engine: str) -> str:
    if engine not in engines:
        return "-"
    return f"{engines[engine]['median'] * 1e6:,.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Replace the marked part of a page; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 2:
        print("usage: python -m linnet.benchmarks.report RESULTS.json PAGE.md", file=sys.stderr)
        return 2
    source, page = Path(given[0]), Path(given[1])
    text = page.read_text()
    if BEGIN not in text or END not in text:
        print(f"{page} has no {BEGIN} ... {END}", file=sys.stderr)
        return 1
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    made = table(json.loads(source.read_text()), given[0])
    page.write_text(f"{head}{BEGIN}\n{made}\n{END}{tail}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
