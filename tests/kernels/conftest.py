"""Kernel tests import their helper as a plain module (`from harness import run_op`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
