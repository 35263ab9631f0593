"""Windowed pooling over channels-last images."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, NodeTypes, TensorType

from . import bind_reduce
from .arithmetic import clamp_bounds, pair, requantize
from .base import NO_CLAMP, Clamp, Op, Step
from .bind_reduce import mean_scale, stored_clamp
from .reduce import extremes
from .window import Pads, Pair, Window, output_sizes, patches, resolve, span

__all__ = ["AveragePool2D", "MaxPool2D"]

Rounding = Literal["half_even", "half_up", "half_away"]


class _Pool2D(Op, frozen=True, kw_only=True):
    """Shared fields and shape rule of the poolings."""

    kernel: Pair
    strides: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    dilations: Pair = (1, 1)
    auto_pad: str = ""
    ceil_mode: bool = False
    clamp: Clamp = NO_CLAMP
    keeps_quantization: ClassVar[bool] = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type with one pixel per window."""
        x = types[0]
        if x is None or x.rank != 4:
            raise ShapeError(f"input {x}; expected rank 4, [batch, height, width, channels]")
        height, width = output_sizes(
            x.shape[1],
            x.shape[2],
            self.kernel,
            self.strides,
            self.dilations,
            self.pads,
            self.auto_pad,
            self.ceil_mode,
        )
        kept = x.quantization if self.keeps_quantization else None
        return (TensorType(x.dtype, (x.shape[0], height, width, x.shape[3]), kept),)

    def window(self, x: TensorType) -> Window:
        """Return the windows over an input of known size."""
        _, height, width, _ = x.static_shape
        return resolve(
            height,
            width,
            self.kernel,
            self.strides,
            self.dilations,
            self.pads,
            self.auto_pad,
            self.ceil_mode,
        )

    def cost(self, types: NodeTypes) -> Cost:
        """Count one operation per tap."""
        x, y = types.inputs[0], types.outputs[0]
        read = 0 if x is None else x.nbytes
        return Cost(y.size * self.kernel[0] * self.kernel[1], read + y.nbytes)


class MaxPool2D(_Pool2D, frozen=True, kw_only=True):
    """Largest value in each window; padding never wins, NaN always does.

    ``clamp`` is the fused activation in real values. Quantized tensors keep their quantization.
    """

    keeps_quantization: ClassVar[bool] = True

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Take the maximum over every window."""
        x_type, y_type = types.inputs[0], types.outputs[0]
        assert x_type is not None
        x = np.asarray(arrays[0])
        y = patches(x, self.window(x_type), extremes(x.dtype)[0]).max(axis=(3, 4))
        low, high = stored_clamp(self.clamp, y_type)
        return (np.clip(y, low, high).astype(y_type.dtype.numpy),)

    def bind(self, step: Step) -> bool:
        """Add the kernel for float and int8; see `Op.bind`."""
        return bind_reduce.max_pool(step, self.window(step.inputs[0].type), self.clamp)


class AveragePool2D(_Pool2D, frozen=True, kw_only=True):
    """Mean of each window; padding does not count unless ``count_include_pad``.

    Quantized: clip(rint(float32(sum(x - zx)) * (float32(s_x / s_y) / float32(count))) + zy), with
    the bounds of the clamp; ``rounding`` may ask for ties to go up ("half_up") or away from the
    stored zero ("half_away", as TFLite's int8 reference does) instead. Plain integers truncate
    toward zero. A window that starts inside the padded image and ends beyond it (``ceil_mode``)
    counts only the taps inside the padded image.
    """

    count_include_pad: bool = False
    rounding: Rounding = "half_even"

    def counts(self, x: TensorType) -> Array:
        """Return the divisor of every window, int64 [output height, output width]."""
        window = self.window(x)
        per_axis = []
        for axis in (0, 1):
            begin, end = window.pads[axis], window.pads[axis + 2]
            low = -begin if self.count_include_pad else 0
            high = int(x.static_shape[1 + axis]) + (end if self.count_include_pad else 0)
            first = np.arange(window.output[axis]) * window.strides[axis] - begin
            covered = span(window.kernel[axis], window.dilations[axis])
            taps = first[:, None] + np.arange(0, covered, window.dilations[axis])
            per_axis.append(((taps >= low) & (taps < high)).sum(axis=1))
        return np.asarray(np.maximum(np.multiply.outer(*per_axis), 1))

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Average every window: quantized, float (in float64) or plain integer arithmetic."""
        x_type, y_type = types.inputs[0], types.outputs[0]
        assert x_type is not None
        x = np.asarray(arrays[0])
        wide = x.astype(np.float64) if x_type.dtype.is_float else x.astype(np.int64)
        if x_type.is_quantized:
            wide = wide - pair(x_type)[1]
        total = patches(wide, self.window(x_type), 0).sum(axis=(3, 4))
        counts = self.counts(x_type)[None, :, :, None]
        if x_type.is_quantized:
            scale = mean_scale(x_type, y_type) / counts.astype(np.float32)
            bounds = clamp_bounds(self.clamp, y_type)
            y = _round_mean(total, scale, pair(y_type)[1], bounds, self.rounding)
        elif x_type.dtype.is_float:
            y = np.clip(total / counts, *self.clamp)
        else:
            y = np.clip(np.sign(total) * (np.abs(total) // counts), *self.clamp)
        return (y.astype(y_type.dtype.numpy),)

    def bind(self, step: Step) -> bool:
        """Add the kernel for float and int8; see `Op.bind`."""
        window = self.window(step.inputs[0].type)
        return bind_reduce.average_pool(
            step, window, self.clamp, self.count_include_pad, self.rounding
        )


def _round_mean(
    total: Array, scale: Array, zero: int, bounds: tuple[int, int], rounding: str
) -> Array:
    """Return the stored means of sums of (x - zero point); see `AveragePool2D`."""
    if rounding == "half_even":
        return requantize(total, scale, zero, *bounds)
    steps = total.astype(np.int32).astype(np.float32) * scale
    if rounding == "half_up":
        stored = np.floor(steps + np.float32(0.5)) + np.float32(zero)
    else:
        steps = steps + np.float32(zero)
        away = np.floor(np.abs(steps) + np.float32(0.5))
        stored = np.where(steps < 0, -away, away)
    return np.asarray(np.clip(stored, *bounds))
