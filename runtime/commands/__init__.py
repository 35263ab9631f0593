"""Subcommands: each module has NAME, HELP, add_arguments(parser) and run(options)."""

from . import bench, check, compare, convert, info, inspect, profile, quantize, run

COMMANDS = (convert, quantize, check, inspect, run, bench, profile, compare, info)
