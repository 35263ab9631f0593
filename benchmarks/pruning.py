"""What cutting channels brings: work, latency and answers before and after ``linnet prune``.

``python -m linnet.benchmarks.pruning MODEL... [--share 0.25] --json OUT.json --markdown OUT.md``

Each model, a folder with ``cases.json`` and ``cases.npz``, is pruned with its samples as ``linnet
prune --data`` does; before and after run in turns, in float and quantized to int8. Answers are
judged on samples that pruning did not see.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import linnet
from linnet.commands.prune import macs, pruned, weight_bytes
from linnet.commands.tables import progress, time_text
from linnet.converters.quantization import Samples
from linnet.opening import open_graph

from .latency.spread import ratio_interval
from .machine.conditions import judge
from .machine.describe import describe_machine
from .machine.system import System
from .machine.watch import Watch
from .quantization import Feeds, Subject
from .quantization import judge as answers
from .threads import stretch

_WARM_RUNS = 14
LESS_WORK, LESS_TIME = 0.35, 0.20
KINDS, SIDES = ("float", "int8"), ("before", "after")


def times(
    graphs: Sequence[linnet.Graph], feeds: Feeds, threads: int, rounds: int, seconds: float
) -> list[list[float]]:
    """Return the seconds of graphs that run in turns, a list of rounds for each."""
    sessions = [linnet.load(graph, threads=threads) for graph in graphs]
    for session in sessions:
        for _ in range(_WARM_RUNS):
            session.run(feeds)
    found: list[list[float]] = [[] for _ in sessions]
    for turn in range(rounds):
        order = range(len(sessions))
        for k in order if turn % 2 == 0 else reversed(order):
            found[k].append(stretch(sessions[k], feeds, seconds))
    return found


def make(subject: Subject, share: float, folder: Path) -> dict[str, list[linnet.Graph]]:
    """Return the model before and after pruning, float and int8; a folder keeps what it holds."""
    paths = {
        kind: [folder / f"{subject.name}-{share:g}-{kind}-{side}.linnet" for side in SIDES]
        for kind in KINDS
    }
    if not all(path.exists() for pair in paths.values() for path in pair):
        samples = Samples(subject.calibration, subject.graph)
        graphs = (
            subject.graph,
            pruned(subject.graph, share, "activation", samples, feeds=subject.real[0]),
        )
        for graph, plain, stored in zip(graphs, paths["float"], paths["int8"], strict=True):
            linnet.save(graph, plain)
            linnet.save(linnet.quantize(graph, subject.calibration), stored)
    return {kind: [open_graph(path) for path in pair] for kind, pair in paths.items()}


def measure(subject: Subject, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Prune one model and compare it with what it was."""
    pairs = make(subject, options.share, folder)
    before, after = pairs["float"]
    feeds = subject.real[0]
    result: dict[str, Any] = {
        "samples": len(subject.calibration),
        "macs": [macs(graph, feeds) for graph in (before, after)],
        "weight_bytes": [weight_bytes(graph) for graph in (before, after)],
        "types": {},
    }
    wanted = linnet.load(before).run
    for kind, (first, second) in pairs.items():
        watch = Watch(System())
        looks = [watch.look()]
        found = times((first, second), feeds, options.threads, options.rounds, options.seconds)
        looks.append(watch.look())
        verdict = judge(looks, watch.system)
        result["types"][kind] = {
            "seconds": [min(rounds) for rounds in found],
            "rounds": found,
            "ratio": ratio_interval(found[0], found[1], paired=True),
            "problems": verdict.problems,
            **answers(wanted, linnet.load(second).run, subject.evaluation).summary(),
        }
    return result


def markdown(report: dict[str, Any]) -> str:
    """Return the table of all results."""
    lines = [
        f"{100 * report['share']:.0f} % of the channels removed, {report['threads']} thread(s)",
        "",
        "| model | type | MACs | before | after | time (99 % interval) | SQNR | same choice |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, model in report["models"].items():
        work = model["macs"][1] / model["macs"][0] - 1
        for kind, row in model["types"].items():
            ratio, low, high = (f"{100 * (r - 1):+.1f}" for r in row["ratio"])
            first, second = map(time_text, row["seconds"])
            marked = " (disturbed)" if row["problems"] else ""
            lines.append(
                f"| {name} | {kind} | {100 * work:+.1f} % | {first} | {second} | "
                f"{ratio} % ({low} to {high}){marked} | {row['sqnr']:.1f} dB | "
                f"{100 * row['agreement']:.1f} % |"
            )
    return "\n".join(lines)


def _saves(model: dict[str, Any]) -> bool:
    less = 1 - model["macs"][1] / model["macs"][0]
    return less >= LESS_WORK and all(
        1 - row["ratio"][0] >= LESS_TIME for row in model["types"].values()
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit 1 where a model saves less than 35 % of work or 20 % of time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--share", type=float, default=0.25, help="of the channels (default 0.25)")
    parser.add_argument("--count", type=int, default=32, help="samples per model (default 32)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.04, help="of a stretch (default 0.04)")
    parser.add_argument("--made", type=Path, help="folder that keeps the models for another run")
    parser.add_argument("--json", type=Path, help="write the report to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {
        "machine": describe_machine(),
        "share": options.share,
        "threads": options.threads,
        "models": {},
    }
    with progress("pruning") as advance, tempfile.TemporaryDirectory() as folder:
        for index, path in enumerate(options.models):
            subject = Subject(path, options.count)
            kept = options.made or Path(folder)
            report["models"][subject.name] = measure(subject, options, kept)
            advance((index + 1) / len(options.models))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    text = markdown(report)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    print(text)
    return int(not all(map(_saves, report["models"].values())))


if __name__ == "__main__":
    sys.exit(main())
