"""Shared test set-up."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from hypothesis import settings

# Test helpers are imported as plain modules (`from paths import ROOT`) because the repository's
# top folders must never be importable under their own names.
sys.path.insert(0, str(Path(__file__).resolve().parent))
settings.register_profile("linnet", deadline=None, max_examples=60, print_blob=True)
settings.load_profile("linnet")

# Benchmarks remember there what the machine did at its best; tests have a memory of their own.
CACHE = tempfile.TemporaryDirectory(prefix="linnet-tests-")
os.environ["XDG_CACHE_HOME"] = CACHE.name
