"""Elementwise ops of one input."""

from __future__ import annotations

__all__: list[str] = []
