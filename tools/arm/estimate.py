"""Estimated time of one inference on Raspberry Pi 3, 4 and 5: linnet beside its peers.

Every engine's own aarch64 wheel runs under the same emulated core; the blocks that one inference
executes are counted and each is given llvm-mca's cycles. Nothing here is a measured time: memory,
branch misses and threads are not modelled. One thread. Needs the roots of setup.sh.

estimate.py [--engines linnet,litert,...] [--pi 3,4,5] [--blocks N] [--write] [MODEL...]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from blocks import cycles, instructions, read_counts

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
OUT = Path(os.environ.get("LINNET_ARM", TOP / "build" / "arm"))
MODELS = Path(os.environ.get("LINNET_MODELS", TOP.parent / "shared" / "models"))
RESULTS = TOP / "benchmarks" / "results"
# Raspberry Pi -> LLVM's model of its core, GHz. LLVM's Cortex-A76 is its A57; the Neoverse N1 is of
# the A76's family.
PI = {
    "3": ("cortex-a53", 1.4),
    "4": ("cortex-a72", 1.5),
    "5": ("neoverse-n1", 2.4),
}
DEFAULT = (
    "mlperf_kws_int8", "mlperf_vww_int8", "mlperf_ic_resnet8_int8", "mobilenet_v2_ptq_int8",
    "mobilenet_v1_025_128_uint8",
)  # fmt: skip


def prepared(name: str) -> dict[str, Path]:
    """Return the file that each engine takes for a model, converting it for linnet."""
    import linnet

    about = json.loads((MODELS / name / "cases.json").read_text())
    source = MODELS / name / about["model"]
    folder = OUT / "estimate"
    folder.mkdir(parents=True, exist_ok=True)
    linnet.save(linnet.convert(source), folder / f"{name}.linnet")
    peer = "litert" if source.suffix == ".tflite" else "onnxruntime"
    return {"linnet": folder / f"{name}.linnet", peer: source}


@functools.cache
def region(pi: str, engine: str, path: Path | str) -> dict[str, Any]:
    """Return instructions and estimated cycles of one call."""
    (OUT / "estimate").mkdir(parents=True, exist_ok=True)
    counts_file = OUT / "estimate" / f"{engine}.{pi}.counts"
    command = [HERE / "profile.sh", counts_file, HERE / "infer.py", OUT / "marker.so", engine, path]
    done = subprocess.run(command, env={**os.environ, "PI": pi}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{engine} as Pi {pi} on {path}: {done.stderr.strip()[-2000:]}")
    counts = read_counts(counts_file)
    total, rows = cycles(counts, PI[pi][0])
    return {"instructions": instructions(counts), "cycles": total, "blocks": rows}


def estimate(name: str, pi: str, engines: list[str], show: int) -> list[dict[str, Any]]:
    """Return one row per engine that takes the model."""
    empty = region(pi, "nothing", "-")
    rows = []
    for engine, path in prepared(name).items():
        if engine not in engines:
            continue
        found = region(pi, engine, path)
        used = found["cycles"] - empty["cycles"]
        row = {
            "model": name, "pi": pi, "engine": engine,
            "instructions": found["instructions"] - empty["instructions"],
            "cycles": round(used), "milliseconds": round(used / PI[pi][1] / 1e6, 4),
        }  # fmt: skip
        rows.append(row)
        print(json.dumps(row), flush=True)
        for spent, runs, text in found["blocks"][:show]:
            print(
                f"  {100 * spent / found['cycles']:5.1f} % {runs:9d} x {spent / runs:7.2f} cycles"
            )
            print("".join(f"        {line}\n" for line in text[: 12 if show > 3 else 80]), end="")
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table, linnet's share of the peer's time last."""
    lines = [
        "# Raspberry Pi: estimated, not measured",
        "",
        "Made by `make estimate-arm`: instructions that one inference executes under an emulated",
        "core, times llvm-mca's cycles for each block, one thread. Memory and branch misses",
        "are not modelled: compare engines by it, do not take it for a time.",
        "",
        "| model | Pi | engine | 10^6 instructions | 10^6 cycles | ms, estimated | of peer |",
        "|---|---|---|---|---|---|---|",
    ]
    peers = {(r["model"], r["pi"]): r["cycles"] for r in rows if r["engine"] != "linnet"}
    for row in rows:
        peer = peers.get((row["model"], row["pi"]))
        share = f"{row['cycles'] / peer:.2f}" if row["engine"] == "linnet" and peer else ""
        lines.append(
            f"| {row['model']} | {row['pi']} | {row['engine']} | {row['instructions'] / 1e6:.2f} "
            f"| {row['cycles'] / 1e6:.2f} | {row['milliseconds']:.2f} | {share} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Estimate the named models, or those that the project's goals name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=DEFAULT)
    parser.add_argument("--engines", default="linnet,litert,onnxruntime")
    parser.add_argument("--pi", default="3,4,5")
    parser.add_argument("--blocks", type=int, default=0, help="heaviest blocks to print")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results")
    options = parser.parse_args()
    if not MODELS.is_dir():
        sys.exit(f"no models in {MODELS}; LINNET_MODELS names another place")
    rows = []
    for name in options.models:
        for pi in options.pi.split(","):
            rows += estimate(name, pi, options.engines.split(","), options.blocks)
    print(table(rows), end="")
    if options.write:
        (RESULTS / "raspberry-pi-estimated.md").write_text(table(rows))
        (RESULTS / "raspberry-pi-estimated.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
