"""Windowed pooling over channels-last images."""

from __future__ import annotations

__all__: list[str] = []
