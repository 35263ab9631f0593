"""Ops about shapes: views, and tensors made from shapes."""

from __future__ import annotations

__all__: list[str] = []
