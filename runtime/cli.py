"""The ``linnet`` command: one subcommand per file in ``commands``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__
from .commands import COMMANDS
from .errors import LinnetError


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command and all its subcommands."""
    top = argparse.ArgumentParser(
        prog="linnet",
        description="Convert trained models, run them on small machines, and measure them.",
        epilog="Exit code: 0 success, 1 failure (one line on stderr says why), 2 wrong usage.",
    )
    top.add_argument("--version", action="version", version=f"linnet {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = subparsers.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default the process's own.
    """
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LinnetError as error:
        return _fail(str(error), options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = f": '{error.filename}'" if error.filename else ""
        return _fail(f"{error.strerror or error}{place}", options)
    except ImportError as error:
        if (error.name or "").split(".")[0] == "linnet":
            raise
        return _fail(f"{error}; install the extra that brings it: {_extra(error.name)}", options)
    except KeyboardInterrupt:
        return 130


def _fail(message: str, options: argparse.Namespace) -> int:
    print(f"linnet {options.command}: {message}", file=sys.stderr)
    return 1


def _extra(module: str | None) -> str:
    name = (module or "").split(".")[0]
    extra = {
        "onnx": "onnx",
        "tflite": "tflite",
        "flatbuffers": "tflite",
        "resvg_py": "charts",
        "PIL": "images",
    }.get(name, "dev")
    return f"pip install 'linnet[{extra}]'"
