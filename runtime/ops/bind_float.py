"""Binding of float convolutions and matrix products to kernels."""

from __future__ import annotations

from .base import Op, Step


def conv2d(step: Step, op: Op) -> bool:
    """Bind a float `Conv2D`; False where no kernel serves it."""
    return False


def conv_transpose2d(step: Step, op: Op) -> bool:
    """Bind a float `ConvTranspose2D`; False where no kernel serves it."""
    return False


def fully_connected(step: Step, op: Op) -> bool:
    """Bind a float `FullyConnected`; False where no kernel serves it."""
    return False


def matmul(step: Step, op: Op) -> bool:
    """Bind a float `MatMul`; False where no kernel serves it."""
    return False
