"""The ``linnet`` command: one subcommand per file in ``commands``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__
from .commands import COMMANDS
from .errors import InputError, LinnetError
from .opening import find_model

# Options that name a file to write.
TARGETS = ("output", "result_json", "html", "chart", "chrome_trace", "roofline", "recipe", "apply")


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
        _look_into_folders(options)
        _check_targets(options)
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


def _look_into_folders(options: argparse.Namespace) -> None:
    """Take the only model of a folder that is given as a model, but where folders have a sense."""
    if getattr(options, "suite", None) or getattr(options, "peers", None):
        return
    for name in ("model", "source"):
        given = getattr(options, name, None)
        if given and os.path.isdir(given):
            setattr(options, name, find_model(given))


def _check_targets(options: argparse.Namespace) -> None:
    """Refuse files to write in folders that are not there before work is spent on them."""
    for name in TARGETS:
        given = getattr(options, name, None)
        if given is None or options.command == "evaluate":  # its output is a tensor
            continue
        folder = os.path.dirname(given) or "."
        if not os.path.isdir(folder):
            raise InputError(f"cannot write '{given}': there is no folder '{folder}'")
        if os.path.isdir(given):
            raise InputError(f"cannot write '{given}': it is a folder; name a file")


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
