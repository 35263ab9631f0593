"""Conversions between real values and stored integers."""

from __future__ import annotations

__all__: list[str] = []
