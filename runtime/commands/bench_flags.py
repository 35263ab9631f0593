"""The flags of ``linnet bench``: its own, and the names that users of benchmark_model know."""

from __future__ import annotations

import argparse
from typing import Any

from .models import MODEL_HELP, add_input_arguments, thread_list

IGNORED = (
    "--use_xnnpack", "--allow_fp16", "--require_full_delegation", "--verbose",
    "--print_preinvoke_state", "--print_postinvoke_state",
)  # fmt: skip
NOT_HERE = ("--use_gpu", "--use_nnapi", "--use_hexagon", "--use_coreml")


def add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every argument of ``linnet bench``."""
    parser.set_defaults(wrong_usage=parser.error)
    parser.add_argument("model", nargs="?", help=f"{MODEL_HELP}; with --suite a folder of models")
    parser.add_argument(
        "--threads", "--num_threads", type=thread_list, default=[1],
        help="a number or a list like 1,2,4 (default 1)",
    )  # fmt: skip
    _add_time(parser)
    _add_output(parser)
    parser.add_argument(
        "--suite", choices=("mlperf-tiny", "kernels"),
        help="mlperf-tiny: the four tasks, MODEL is the folder that holds their models; "
        "kernels: kernels as a share of the measured peak, without a model",
    )  # fmt: skip
    parser.add_argument(
        "--peers", action="store_true", help="as linnet compare-peers: beside other runtimes"
    )
    parser.add_argument("--isa", default="", help="instruction set instead of the CPU's best")
    add_input_arguments(parser)
    _add_known(parser)


def _add_time(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how long")
    group.add_argument(
        "--seconds", "--min_secs", type=float, default=3.0,
        help="measure at least so long, shared by 16 processes (default 3)",
    )  # fmt: skip
    group.add_argument(
        "--max-seconds", "--max_secs", type=float, default=20.0,
        help="stop then, also where the median is not known: all processes (default 20)",
    )  # fmt: skip
    group.add_argument(
        "--stable", type=float, default=3.0, metavar="PERCENT",
        help="how well the median must be known (default 3 %%)",
    )  # fmt: skip
    group.add_argument(
        "--runs", "--num_runs", type=int, default=0, help="measure exactly so many runs instead"
    )
    group.add_argument(
        "--warmup", "--warmup_min_secs", type=float, default=0.3,
        help="seconds of runs before measuring, in the first process (default 0.3)",
    )  # fmt: skip
    group.add_argument(
        "--warmup-runs", "--warmup_runs", type=int, default=12,
        help="at least so many runs before measuring, in at most 3 seconds (default 12: a plan "
        "settles its threads in its first ten runs)",
    )  # fmt: skip
    group.add_argument(
        "--delay", "--run_delay", type=float, default=0.0, help="seconds to sleep before each run"
    )
    group.add_argument(
        "--minutes", type=float, default=0.0,
        help="sustained: go on for so long, show each minute (a board may throttle after ten)",
    )  # fmt: skip


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    form = group.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything, with raw samples")
    form.add_argument("--csv", action="store_true", help="a line per thread count, in seconds")
    form.add_argument("--md", action="store_true", help="Markdown tables")
    group.add_argument("-o", "--output", metavar="FILE", help="write to FILE (default --json)")
    group.add_argument("--html", metavar="FILE", help="write a report with the profile's charts")
    group.add_argument("--no-ops", action="store_true", help="leave out the time per operator")
    group.add_argument(
        "--strict", action="store_true", help="exit with 1 where the measurement is not valid"
    )


def _add_known(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "names of benchmark_model",
        "--num_threads, --num_runs, --min_secs, --max_secs, --warmup_runs, --warmup_min_secs and "
        "--run_delay mean what the flags above do; " + ", ".join(IGNORED) + " change nothing here",
    )
    group.add_argument("--graph", metavar="MODEL", help="the model")
    group.add_argument("--result_json", metavar="FILE", help="as --output FILE")
    flag: dict[str, Any] = {"nargs": "?", "const": True, "type": _truth, "metavar": "BOOL"}
    group.add_argument("--enable_op_profiling", default=None, **flag, help="time per operator")
    group.add_argument(
        "--op_profiling_output_mode", choices=("stdout", "csv"), default="stdout",
        help="csv prints one line per node",
    )  # fmt: skip
    group.add_argument(
        "--report_peak_memory_footprint", default=False, **flag, help="always reported"
    )
    group.add_argument(
        "--input_layer", metavar="NAMES", help="inputs that --input_layer_shape fits"
    )
    group.add_argument(
        "--input_layer_shape", metavar="SHAPES", help="like 1,224,224,3:1,10 for dynamic inputs"
    )
    group.add_argument("--dry_run", default=False, **flag, help="load and plan only")
    for name in (*IGNORED, *NOT_HERE):
        group.add_argument(name, default=False, **flag, help=argparse.SUPPRESS)


def settle(options: argparse.Namespace) -> None:
    """Bring the known names to linnet's own; end with wrong usage where that cannot be done."""
    fail = options.wrong_usage
    for name in NOT_HERE:
        if getattr(options, name.lstrip("-")):
            fail(f"{name}: linnet runs on the CPU only")
    if options.model and options.graph:
        fail("the model is given twice: as an argument and by --graph")
    options.model = options.model or options.graph
    if not options.model and options.suite != "kernels":
        fail("no model given")
    options.output = options.output or options.result_json
    if options.enable_op_profiling is False:
        options.no_ops = True
    if options.input_layer_shape:
        try:
            options.shapes = _shapes(options.input_layer, options.input_layer_shape)
        except ValueError as error:
            fail(str(error))


def _shapes(names: str | None, shapes: str) -> dict[str, tuple[int, ...]]:
    parts = [part for part in shapes.split(":") if part]
    keys = (names or "").split(",") if names else [""]
    if len(parts) != len(keys) or not all(p.replace(",", "").isdigit() for p in parts):
        raise ValueError(
            "--input_layer a,b --input_layer_shape 1,2:1,3 names as many inputs as shapes"
        )
    return {k: tuple(int(n) for n in p.split(",")) for k, p in zip(keys, parts, strict=True)}


def _truth(text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"'{text}' is not true or false")
    return known[text.lower()]
