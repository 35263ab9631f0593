"""Binding of float transposed convolutions: one convolution per remainder modulo the strides."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from linnet.types import Array

from .base import Step
from .bind_float import bounds, conv_weights, is_constant, is_float, pack_bias, readable


class _Phase(NamedTuple):
    """The output rows (or columns) first, first + stride, ...: a convolution of stride 1.

    ``taps`` are the kernel's in the order of the input pixels that they meet, ``dilation`` the
    distance between those, ``begin`` the padding before the first.
    """

    first: int
    size: int
    taps: list[int]
    begin: int
    dilation: int


def _phases(begin: int, size: int, kernel: int, stride: int, dilation: int) -> list[_Phase]:
    """Split ``size`` outputs along an axis by which taps reach them."""
    found = []
    for first in range(min(stride, size)):
        taps = [t for t in range(kernel) if (first + begin - t * dilation) % stride == 0][::-1]
        count = -(-(size - first) // stride)
        if not taps:
            found.append(_Phase(first, count, taps, 0, 1))
            continue
        reads = (first + begin - taps[0] * dilation) // stride
        apart = dilation // math.gcd(stride, dilation)
        found.append(_Phase(first, count, taps, -reads, apart))
    return found


def conv_transpose2d(step: Step, op: Any) -> bool:
    """Bind a float `ConvTranspose2D`; False where no kernel serves it."""
    if not (is_float(step) and is_constant(step, 1) and is_constant(step, 2)):
        return False
    x, w, y = step.inputs[0].type, step.inputs[1].type, step.outputs[0].type
    begins, kernel = op.begins(x, w), w.static_shape[1:3]
    sizes, channels = y.static_shape[1:3], y.static_shape[3]
    down, across = (
        _phases(begins[i], sizes[i], kernel[i], op.strides[i], op.dilations[i]) for i in (0, 1)
    )
    add = _depthwise if op.groups == channels == x.static_shape[3] else _convolution
    for i, j in itertools.product(down, across):
        add(step, op, i, j)
    return True


def _place(step: Step, op: Any, i: _Phase, j: _Phase) -> dict[str, Any]:
    """Return what either kernel takes: where pixels lie, and how windows read the input."""
    _, height, width, channels = step.outputs[0].type.static_shape
    row = width * channels
    return {
        "y": step.outputs[0].pointer + 4 * (i.first * row + j.first * channels),
        "y_steps": (height * row, op.strides[0] * row, op.strides[1] * channels),
        "kernel": (len(i.taps), len(j.taps)),
        "strides": (1, 1),
        "dilations": (i.dilation, j.dilation),
        "begins": (i.begin, j.begin),
    }


def _depthwise(step: Step, op: Any, i: _Phase, j: _Phase) -> None:
    channels = step.outputs[0].type.static_shape[3]
    given = step.inputs[2] if len(step.inputs) > 2 else None
    bias = np.zeros(channels, np.float32) if given is None else given.array
    step.keep(
        step.program.depthwise_f32(
            x=step.inputs[0].pointer,
            input=step.inputs[0].type.static_shape,
            output=(i.size, j.size, channels),
            weights=np.ascontiguousarray(step.inputs[1].array[:, i.taps][:, :, j.taps]),
            bias=np.ascontiguousarray(bias),
            bounds=op.clamp,
            **_place(step, op, i, j),
        )
    )


def _convolution(step: Step, op: Any, i: _Phase, j: _Phase) -> None:
    batch, height, width, channels = step.inputs[0].type.static_shape
    outputs = step.outputs[0].type.static_shape[3] // op.groups

    def weights() -> Array:
        part = step.inputs[1].array[:, i.taps][:, :, j.taps]
        part = part.reshape(*part.shape[:3], op.groups, channels // op.groups)
        moved: Array = np.moveaxis(part, 3, 0)
        return moved

    step.program.conv_f32(
        x=readable(step, 0),
        w=conv_weights(step, f"weights{i.first, j.first}", weights, j.dilation),
        bias=pack_bias(step, op.groups),
        image=(batch, height, width, channels // op.groups),
        result=(i.size, j.size, outputs, op.groups),
        **_place(step, op, i, j),
        **bounds(op),
    )
