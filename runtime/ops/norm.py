"""Softmax and normalization.

Floats are computed in float64 and rounded once. Quantized tensors compute
quantize(f(dequantize(x))), except Softmax, whose int8 rule is integer up to the last division.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Cost, NodeTypes, TensorType

from . import arithmetic, bind_norm
from .base import Op, Step
from .operands import content, given, real, store, work

__all__ = [
    "BatchNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LogSoftmax",
    "LpNormalization",
    "RMSNormalization",
    "Softmax",
]

_EXP_ONE = 2.0**23


def _resolve_axis(axis: int, x: TensorType) -> int:
    """Return the axis counted from the front, checked."""
    if not -x.rank <= axis < x.rank:
        raise ShapeError(f"axis {axis} is outside {x} of rank {x.rank}")
    return axis % x.rank


def _check_fits(name: str, given_type: TensorType, shape: tuple[int | str, ...]) -> None:
    """Check that a parameter broadcasts to a shape without enlarging it."""
    if given_type.rank > len(shape):
        raise ShapeError(f"{name} is {given_type}; expected it to broadcast to {shape}")
    for have, want in zip(given_type.shape[::-1], shape[::-1], strict=False):
        fitted = dims.broadcast(have, want)
        if fitted is None or (want == 1 and have != 1):
            raise ShapeError(f"{name} is {given_type}; expected it to broadcast to {shape}")


class _Normalization(Op, frozen=True):
    """An op that computes ``_function`` of reals: the input, then its parameters."""

    in_place: ClassVar[tuple[int, ...]] = (0,)
    operations: ClassVar[int] = 6

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        """Return the normalized reals (float64)."""
        raise TypeError(f"{type(self).__name__} does not define function")

    def _check(self, x: TensorType, *parameters: TensorType | None) -> None:
        """Check axes and parameter shapes."""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type; quantization is the output's own declaration."""
        (x,) = given(types[:1])
        if not (x.dtype.is_float or x.is_quantized):
            raise ShapeError(f"input is {x}; expected float or quantized elements: insert Cast")
        self._check(x, *types[1:])
        return (x.with_(quantization=None, value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64 and round once."""
        x, *parameters = (
            None if array is None or item is None else real(item, array)
            for item, array in zip(types.inputs, arrays, strict=True)
        )
        with np.errstate(all="ignore"):
            return (store(self._function(np.asarray(x), *parameters), types.outputs[0]),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the operations per element."""
        return work(types, self.operations)


class Softmax(_Normalization, frozen=True):
    """exp(beta * x) / sum(exp(beta * x)) along an axis.

    Notes
    -----
    Quantized: e = table[max - x] with table[d] = rint(2**23 * exp(-d * s_x * beta)), S = sum(e),
    stored = clip(rint(e / (S * s_y)) + z_y), the division in float64.
    A float row that is -inf throughout gives NaN.
    """

    axis: int = -1
    beta: float = 1.0
    operations: ClassVar[int] = 12

    def _check(self, x: TensorType, *parameters: TensorType | None) -> None:
        _resolve_axis(self.axis, x)
        if not self.beta > 0:
            raise ShapeError(f"beta is {self.beta}; expected a positive number")

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        e = np.exp(self.beta * (x - _greatest(x, self.axis)))
        return np.asarray(e / e.sum(self.axis, keepdims=True))

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute floats in float64, quantized tensors by the integer rule."""
        (source,) = given(types.inputs)
        if source.dtype.numpy == np.float16 and self.beta == 1.0:
            # What frameworks compute in half precision: every step is rounded.
            half = content(arrays)[0]
            powers = np.exp(half - _greatest(half, self.axis))
            return ((powers / powers.sum(self.axis, keepdims=True)).astype(np.float16),)
        if not source.is_quantized:
            return super().reference(types, *arrays)
        x = content(arrays)[0].astype(np.int64)
        output = types.outputs[0]
        e = self.table(source)[_greatest(x, self.axis) - x].astype(np.int64)
        total = e.sum(self.axis, keepdims=True)
        scale, zero = arithmetic.pair(output)
        steps = np.rint(e.astype(np.float64) / (total.astype(np.float64) * np.float64(scale)))
        return (np.clip(steps + zero, *arithmetic.limits(output.dtype)).astype(output.dtype.numpy),)

    def bind(self, step: Step) -> bool:
        """Bind int8 by the integer rule, float32 by its kernel."""
        x = step.types.inputs[0]
        if x is not None and x.is_quantized:
            return bind_norm.softmax_s8(step, self.table(x), self.axis)
        return bind_norm.softmax_f32(step, self.axis, self.beta)

    def table(self, x: TensorType) -> Array:
        """Return rint(2**23 * exp(-d * scale * beta)) for every difference d, as uint32."""
        low, high = arithmetic.limits(x.dtype)
        steps = np.arange(high - low + 1, dtype=np.float64)
        scale = np.float64(arithmetic.pair(x)[0])
        return np.rint(_EXP_ONE * np.exp(-steps * scale * self.beta)).astype(np.uint32)


class LogSoftmax(_Normalization, frozen=True):
    """Difference x - log(sum(exp(x))) along an axis."""

    axis: int = -1
    operations: ClassVar[int] = 12

    def _check(self, x: TensorType, *parameters: TensorType | None) -> None:
        _resolve_axis(self.axis, x)

    def bind(self, step: Step) -> bool:
        """Bind float32."""
        return bind_norm.log_softmax_f32(step, self.axis)

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        below = x - _greatest(x, self.axis)
        return np.asarray(below - np.log(np.exp(below).sum(self.axis, keepdims=True)))


class _TrailingNormalization(_Normalization, frozen=True):
    """A normalization over the axes from ``axis`` to the last, with optional parameters."""

    axis: int = -1
    epsilon: float = 1e-5

    def _check(self, x: TensorType, *parameters: TensorType | None) -> None:
        """Check the axis, and that parameters broadcast to the normalized axes."""
        normalized = x.shape[_resolve_axis(self.axis, x) :]
        for name, parameter in zip(("scale", "bias"), parameters, strict=False):
            if parameter is not None:
                _check_fits(name, parameter, normalized)

    def _axes(self, x: Array) -> tuple[int, ...]:
        """Return the normalized axes."""
        return tuple(range(self.axis % x.ndim, x.ndim))


class LayerNormalization(_TrailingNormalization, frozen=True):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from ``axis`` on.

    Inputs are x and, where present, scale and bias, which broadcast to the normalized axes.
    """

    arity: ClassVar[tuple[int, int]] = (1, 3)
    operations: ClassVar[int] = 8

    def bind(self, step: Step) -> bool:
        """Bind float32."""
        return bind_norm.row_norm(step, "layer", self.axis, self.epsilon)

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        axes = self._axes(x)
        centered = x - x.mean(axes, keepdims=True)
        variance = np.mean(centered * centered, axes, keepdims=True)
        return _affine(centered / np.sqrt(variance + self.epsilon), *parameters)


class RMSNormalization(_TrailingNormalization, frozen=True):
    """Quotient x / sqrt(mean(x * x) + epsilon) * scale over the axes from ``axis`` on."""

    arity: ClassVar[tuple[int, int]] = (1, 2)

    def bind(self, step: Step) -> bool:
        """Bind float32."""
        return bind_norm.row_norm(step, "rms", self.axis, self.epsilon)

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        mean = np.mean(x * x, self._axes(x), keepdims=True)
        return _affine(x / np.sqrt(mean + self.epsilon), *parameters)


class BatchNormalization(_Normalization, frozen=True):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias with stored statistics.

    Inputs are x, scale, bias, mean and variance; all but x have the length of the last axis.
    """

    epsilon: float = 1e-5
    arity: ClassVar[tuple[int, int]] = (5, 5)

    def _check(self, x: TensorType, *parameters: TensorType | None) -> None:
        for name, item in zip(("scale", "bias", "mean", "variance"), parameters, strict=True):
            _check_channels(name, x, item)

    def bind(self, step: Step) -> bool:
        """Bind float32 with constant parameters."""
        return bind_norm.batch_norm(step, self.epsilon)

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        scale, bias, mean, variance = content(parameters)
        return (x - mean) / np.sqrt(variance + self.epsilon) * scale + bias


class InstanceNormalization(_Normalization, frozen=True):
    """Normalize each channel of each sample over the axes between the first and the last.

    Inputs are x, scale and bias, the latter two of the length of the last axis.
    """

    epsilon: float = 1e-5
    arity: ClassVar[tuple[int, int]] = (3, 3)
    operations: ClassVar[int] = 8

    def _check(self, x: TensorType, *parameters: TensorType | None) -> None:
        if x.rank < 3:
            raise ShapeError(f"input is {x}; expected sample, space and channel axes")
        for name, item in zip(("scale", "bias"), parameters, strict=True):
            _check_channels(name, x, item)

    def bind(self, step: Step) -> bool:
        """Bind float32."""
        return bind_norm.instance_norm(step, self.epsilon)

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        axes = tuple(range(1, x.ndim - 1))
        centered = x - x.mean(axes, keepdims=True)
        variance = np.mean(centered * centered, axes, keepdims=True)
        return _affine(centered / np.sqrt(variance + self.epsilon), *parameters)


class LpNormalization(_Normalization, frozen=True):
    """Quotient x / max(norm, epsilon) along an axis, norm = sum(|x|**p)**(1/p).

    Where the norm and epsilon are both zero the result is zero.
    """

    axis: int = -1
    p: int = 2
    epsilon: float = 0.0
    operations: ClassVar[int] = 4

    def _check(self, x: TensorType, *parameters: TensorType | None) -> None:
        _resolve_axis(self.axis, x)
        if self.p not in (1, 2):
            raise ShapeError(f"p is {self.p}; expected 1 or 2")

    def bind(self, step: Step) -> bool:
        """Bind float32 along the last axis."""
        return bind_norm.lp_norm(step, self.axis, self.p, self.epsilon)

    def _function(self, x: Array, *parameters: Array | None) -> Array:
        powers = np.abs(x) if self.p == 1 else x * x
        total = powers.sum(self.axis, keepdims=True)
        norm = np.maximum(total if self.p == 1 else np.sqrt(total), self.epsilon)
        return np.where(norm == 0, 0.0, x / norm)


def _greatest(x: Array, axis: int) -> Array:
    """Return the greatest along an axis, kept; an empty axis has none and yields 0."""
    if x.shape[axis] == 0:
        shape = list(x.shape)
        shape[axis] = 1
        return np.zeros(shape, x.dtype)
    return np.asarray(x.max(axis, keepdims=True))


def _affine(x: Array, scale: Array | None = None, bias: Array | None = None) -> Array:
    """Return x * scale + bias with what is present."""
    scaled = x if scale is None else x * scale
    return scaled if bias is None else scaled + bias


def _check_channels(name: str, x: TensorType, parameter: TensorType | None) -> None:
    """Check that a parameter holds one number per channel."""
    if parameter is None or parameter.rank != 1:
        raise ShapeError(f"{name} is {parameter}; expected one number per channel of {x}")
    if x.rank < 1 or dims.broadcast(parameter.shape[0], x.shape[-1]) is None:
        raise ShapeError(f"{name} is {parameter}; expected one number per channel of {x}")
