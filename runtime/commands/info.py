"""``linnet info``: what is installed and what this machine offers."""

from __future__ import annotations

import argparse

from .tables import show_json, show_table

NAME = "info"
HELP = "Show versions, the CPU's features, the kernel level in use and the extras installed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet info``."""
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(options: argparse.Namespace) -> int:
    """Collect and show the facts."""
    from linnet.benchmarks.machine.describe import describe_machine

    facts = describe_machine()
    if options.json:
        show_json(facts)
    else:
        rows = [(k, ", ".join(map(str, v)) if isinstance(v, list) else v) for k, v in facts.items()]
        show_table("", ("fact", "value"), rows)
    return 0
