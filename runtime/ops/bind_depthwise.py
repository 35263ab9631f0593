"""Binding of depthwise convolutions to kernels."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from linnet.types import Array, DType, TensorType

from .arithmetic import clamp_bounds, pair, spread
from .base import Clamp, Step
from .bind_float import is_float, padded, readable
from .products import product_scale
from .window import Window

# Accumulators must stay exact in int32, and their rescaled values must fit int32 before clamping.
_LARGEST = 2.0**31 - 2.0**8


class Depthwise(Protocol):
    """What binding reads of a `DepthwiseConv2D`."""

    @property
    def clamp(self) -> Clamp:
        """Fused activation bounds, in real values."""
        ...

    def window(self, x: TensorType, w: TensorType) -> Window:
        """Return the window geometry for operands of known shape."""
        ...


def depthwise(step: Step, op: Depthwise) -> bool:
    """Bind a `DepthwiseConv2D`, quantized or float; False where no kernel serves it."""
    x, w = step.inputs[:2]
    bias = step.inputs[2] if len(step.inputs) > 2 else None
    constant = w.array is not None and (bias is None or bias.array is not None)
    if x.array is not None or x.type.static_shape[3] == 0:
        return False
    if not constant:
        return _read(step, op)
    if x.type.dtype is DType.INT8 and x.type.is_quantized:
        return _int8(step, op)
    if x.type.dtype is DType.INT16 and x.type.is_quantized:
        from . import bind_int16

        return bind_int16.depthwise(step, op, _geometry(step, op))
    if x.type.dtype is DType.FLOAT32 and not x.type.is_quantized:
        return _float(step, op)
    return False


def _geometry(step: Step, op: Depthwise) -> dict[str, Any]:
    x, w, y = step.inputs[0], step.inputs[1], step.outputs[0]
    window = op.window(x.type, w.type)
    return {
        "x": x.pointer,
        "y": y.pointer,
        "input": x.type.static_shape,
        "output": y.type.static_shape[1:],
        "kernel": window.kernel,
        "strides": window.strides,
        "dilations": window.dilations,
        "begins": window.pads[:2],
    }


def _dense(step: Step) -> tuple[int, int, int]:
    """Return the elements from output image to image, row to row and pixel to pixel."""
    _, height, width, channels = step.outputs[0].type.static_shape
    return height * width * channels, width * channels, channels


def _int8(step: Step, op: Depthwise) -> bool:
    x, w, y = step.inputs[0].type, step.inputs[1].type, step.outputs[0].type
    if w.dtype not in (DType.INT8, DType.UINT8) or y.dtype is not DType.INT8:
        return False
    channels = w.static_shape[3]
    weights = _centered(step.inputs[1].array, w).reshape(-1, channels)
    bias = _bias(step, channels).astype(np.int64)
    scale = np.broadcast_to(product_scale(x, w, y), channels)
    most = max(float(scale.max()), 1.0)
    if (float(np.abs(bias).max()) + 255 * 255 * weights.shape[0]) * most > _LARGEST:
        largest = np.abs(bias) + 255 * np.abs(weights.astype(np.int64)).sum(axis=0)
        if largest.max() > _LARGEST or (largest * scale.astype(np.float64)).max() > _LARGEST:
            return False
    step.keep(
        step.program.depthwise_s8(
            **_geometry(step, op),
            weights=np.ascontiguousarray(weights),
            bias=bias,
            scale=np.ascontiguousarray(scale),
            zeros=(pair(x)[1], pair(y)[1]),
            bounds=clamp_bounds(op.clamp, y),
        )
    )
    return True


def _float(step: Step, op: Depthwise) -> bool:
    channels = step.inputs[1].type.static_shape[3]
    step.keep(
        step.program.depthwise_f32(
            **_geometry(step, op),
            y_steps=_dense(step),
            weights=np.ascontiguousarray(step.inputs[1].array),
            bias=np.ascontiguousarray(_bias(step, channels)),
            bounds=op.clamp,
        )
    )
    return True


def _read(step: Step, op: Depthwise) -> bool:
    """Bind a float convolution of one output per channel whose weights are known at run time."""
    channels = step.inputs[1].type.static_shape[3]
    if not is_float(step) or channels != step.inputs[0].type.static_shape[3]:
        return False
    biased = len(step.inputs) > 2 and step.inputs[2] is not None
    zeros = None if biased else step.keep(padded(np.zeros(channels, np.float32)))
    step.program.depthwise_read_f32(
        **_geometry(step, op),
        y_steps=_dense(step),
        weights=readable(step, 1),
        bias=readable(step, 2) if zeros is None else zeros.ctypes.data,
        bounds=op.clamp,
    )
    return True


def _bias(step: Step, channels: int) -> Array:
    given = step.inputs[2] if len(step.inputs) > 2 else None
    bias: Array = np.zeros(channels, np.float32) if given is None else given.array
    return bias


def _centered(stored: Array, tensor: TensorType) -> Array:
    """Return the weights less their zero points as int16."""
    assert tensor.quantization is not None
    centered: Array = stored.astype(np.int16)
    if tensor.quantization.zero_point.any():
        centered -= spread(tensor.quantization, stored.ndim)[1].astype(np.int16)
    return centered
