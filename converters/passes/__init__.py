"""Graph passes: what they are, in which order they run, and the runner."""

from __future__ import annotations

from .runner import PASSES as PASSES
from .runner import Pass as Pass
from .runner import simplify as simplify
