"""Binding of int8 convolutions and matrix products to kernels."""

from __future__ import annotations

from .base import Op, Step


def conv2d(step: Step, op: Op) -> bool:
    """Bind an int8 `Conv2D`; False where no kernel serves it."""
    return False


def conv_transpose2d(step: Step, op: Op) -> bool:
    """Bind an int8 `ConvTranspose2D`; False where no kernel serves it."""
    return False


def fully_connected(step: Step, op: Op) -> bool:
    """Bind an int8 `FullyConnected`; False where no kernel serves it."""
    return False


def matmul(step: Step, op: Op) -> bool:
    """Bind an int8 `MatMul`; False where no kernel serves it."""
    return False
