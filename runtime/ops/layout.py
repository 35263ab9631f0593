"""Ops that move elements without computing on them."""

from __future__ import annotations

__all__: list[str] = []
