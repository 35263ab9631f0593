"""Elementwise ops of two or three inputs, with broadcasting."""

from __future__ import annotations

__all__: list[str] = []
