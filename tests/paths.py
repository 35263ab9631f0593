"""Where tests find the repository and the real models."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = Path(os.environ.get("LINNET_MODELS", ROOT.parent / "shared" / "models"))
NO_MODELS = "the real models are not beside this checkout (LINNET_MODELS names another place)"
TOP_FOLDERS = {
    "linnet": "runtime",
    "linnet.kernels": "kernels",
    "linnet.converters": "converters",
    "linnet.benchmarks": "benchmarks",
}
