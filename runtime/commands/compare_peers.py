"""``linnet compare-peers``: linnet beside the other runtimes that are installed here."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from linnet.errors import InputError

from .models import add_input_arguments, make_feeds, thread_list
from .tables import json_text, progress, show_json, show_table

NAME = "compare-peers"
HELP = (
    "Time linnet beside LiteRT, ONNX Runtime, OpenVINO and ncnn where they are installed: each in "
    "a process of its own, in turns, and only those whose outputs agree."
)
NAMES = ("linnet", "litert", "onnxruntime", "openvino", "ncnn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet compare-peers``."""
    parser.add_argument(
        "models", nargs="+", metavar="MODEL",
        help="ONNX or TFLite models, or folders with cases.json, whose first case is the input",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=thread_list, default=[1], help="a number or a list like 1,2 (default 1)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns that are to count (default 7)")
    parser.add_argument(
        "--seconds", type=float, default=0.25, help="per engine and turn (default 0.25)"
    )
    parser.add_argument(
        "--retries", type=int, default=0,
        help="measure so often again where the machine was not at rest (default 0)",
    )  # fmt: skip
    parser.add_argument(
        "--peers", type=_engines, default=list(NAMES), metavar="LIST",
        help=f"some of {','.join(NAMES)} (default all)",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", type=float, default=0.0,
        help="allowed difference of outputs over their spread (default 0.01; quantized 0.15)",
    )  # fmt: skip
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="machine-readable output")
    group.add_argument("-o", "--output", metavar="FILE", help="write the JSON to FILE as well")
    group.add_argument(
        "--add", action="store_true", help="keep the models that FILE of --output already holds"
    )
    add_input_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Compare each model; exit with 1 where linnet's own outputs are not the reference's."""
    from linnet.benchmarks.machine.describe import describe_machine

    results: dict[str, Any] = {
        "schema": "linnet-peers-1",
        "machine": describe_machine(),
        "command": _command(options),
        "models": {},
    }
    total = len(options.models) * len(options.threads)
    with progress("comparing") as advance:
        for index, given in enumerate(options.models):

            def share(done: float, index: int = index) -> None:
                advance((index * len(options.threads) + done) / total)

            results["models"][_name(given)] = _compare(given, options, share)
    if options.output:
        _write(options, results)
    if options.json:
        show_json(results)
    else:
        show_results(results)
    return 0 if _all_right(results) else 1


def _write(options: argparse.Namespace, results: dict[str, Any]) -> None:
    target = Path(options.output)
    if options.add and target.exists():
        before = json.loads(target.read_text())
        if before["machine"] != results["machine"]:
            raise InputError(f"'{target}' is of another machine or of other versions")
        results = {**results, "models": before["models"] | results["models"]}
    target.write_text(json_text(results) + "\n")


def run_for_bench(options: argparse.Namespace) -> int:
    """Do what ``linnet bench --peers`` asks for, with the flags that both have."""
    options.models, options.peers, options.add = [options.model], list(NAMES), False
    options.rounds, options.retries, options.tolerance = 7, 0, 0.0
    options.seconds = min(options.seconds, 0.25)
    return run(options)


def _compare(given: str, options: argparse.Namespace, share: Any) -> dict[str, Any]:
    from linnet.benchmarks.peers.compare import case_of, compare
    from linnet.opening import open_graph

    if Path(given).is_dir():
        path, feeds, expected = case_of(Path(given))
    else:
        path, feeds, expected = given, make_feeds(open_graph(given), options), None
    found: dict[str, Any] = {}
    for turn, threads in enumerate(options.threads):

        def advance(done: float, turn: int = turn) -> None:
            share(turn + done)

        for _ in range(options.retries + 1):
            found[str(threads)] = compare(
                path,
                feeds,
                threads,
                options.rounds,
                options.seconds,
                expected=expected,
                tolerance=options.tolerance,
                engines=options.peers,
                share=advance,
            )
            if found[str(threads)]["valid"]:
                break
    return found


def show_results(results: dict[str, Any]) -> None:
    """Print a row per model and thread count, and what speaks against it."""
    rows: list[tuple[str, ...]] = []
    notes: dict[str, None] = {}
    for model, by_threads in results["models"].items():
        for threads, found in by_threads.items():
            engines = found["engines"]
            ratio = found["ratio"]
            shown = "-"
            if ratio is not None:
                shown = f"{ratio['ratio']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
            cells = [_cell(engines.get(name)) for name in NAMES]
            peer = ratio["peer"] if ratio else "-"
            rows.append((model, threads, *cells, shown, peer, "yes" if found["valid"] else "NO"))
            for name, engine in engines.items():
                if engine["status"] != "timed":
                    notes[f"{model}: {name} {engine['status']}: {engine['reason']}"] = None
            notes |= dict.fromkeys(f"INVALID: {model}: {p}" for p in found["problems"])
    columns = ("model", "threads", *(f"{name} us" for name in NAMES))
    title = "Median of rounds in turns; the ratio is linnet over the fastest peer that agrees"
    show_table(title, (*columns, "ratio (99 % interval)", "peer", "valid"), rows)
    for note in notes:
        print(note)


def _cell(engine: dict[str, Any] | None) -> str:
    if engine is None:
        return "-"
    return f"{engine['median'] * 1e6:.1f}" if engine["status"] == "timed" else engine["status"]


def _all_right(results: dict[str, Any]) -> bool:
    found = [f for by in results["models"].values() for f in by.values()]
    mine = [f["engines"]["linnet"] for f in found if "linnet" in f["engines"]]
    return all(engine["status"] == "timed" for engine in mine)


def _name(given: str) -> str:
    path = Path(given)
    return path.name if path.is_dir() or path.stem != "model" else path.resolve().parent.name


def _command(options: argparse.Namespace) -> str:
    threads = ",".join(map(str, options.threads))
    return (
        f"linnet compare-peers MODEL... --threads {threads} --rounds {options.rounds} "
        f"--seconds {options.seconds:g}"
    )


def _engines(text: str) -> list[str]:
    chosen = text.split(",")
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown} are not among {list(NAMES)}")
    return chosen
