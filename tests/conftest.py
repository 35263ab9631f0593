"""Shared test set-up."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

# Test helpers are imported as plain modules (`from paths import ROOT`) because the repository's
# top folders must never be importable under their own names.
sys.path.insert(0, str(Path(__file__).resolve().parent))
settings.register_profile("linnet", deadline=None, max_examples=60, print_blob=True)
settings.load_profile("linnet")
