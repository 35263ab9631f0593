"""Binding of depthwise convolutions to kernels."""

from __future__ import annotations

from .base import Op, Step


def depthwise(step: Step, op: Op) -> bool:
    """Bind a `DepthwiseConv2D`, quantized or float; False where no kernel serves it."""
    return False
