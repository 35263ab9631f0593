"""``linnet check``: every reason why a model would not convert."""

from __future__ import annotations

import argparse
import sys

NAME = "check"
HELP = "Report everything in a model that linnet cannot take; exit 1 if there is any."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet check``."""
    parser.add_argument("source", help="ONNX or TFLite model")
    parser.add_argument("--signature", help="entry point of a TFLite model that has several")
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(options: argparse.Namespace) -> int:
    """Try the conversion without writing anything and list the reasons against it."""
    from linnet.converters import check, signatures

    from .tables import show_json

    reasons = check(options.source, options.signature)
    names = signatures(options.source)
    if options.json:
        show_json({"supported": not reasons, "reasons": reasons, "signatures": names})
    elif reasons:
        count = f"{len(reasons)} reason{'s' if len(reasons) > 1 else ''}"
        print(f"linnet check: {options.source} cannot be converted, {count}:", file=sys.stderr)
        for reason in reasons:
            print(f"  {reason}", file=sys.stderr)
    else:
        print(f"{options.source}: supported" + (f"; signatures: {', '.join(names)}" * bool(names)))
    return 1 if reasons else 0
