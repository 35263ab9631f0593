"""Subcommands: each module has NAME, HELP, add_arguments(parser) and run(options)."""

from . import bench, check, compare, convert, info, inspect, run

COMMANDS = (convert, check, inspect, run, bench, compare, info)
