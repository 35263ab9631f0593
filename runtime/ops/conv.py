"""Convolutions over channels-last images."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, NodeTypes, TensorType

from . import products
from .base import NO_CLAMP, Clamp, Op, Step
from .products import centered, channels_fit, check_bias, check_operands, finish, product_scale
from .window import Pads, Pair, Window, check_window, output_sizes, patches, resolve, span

__all__ = ["Conv2D", "ConvTranspose2D", "DepthwiseConv2D"]


def _operands(
    types: tuple[TensorType | None, ...],
) -> tuple[TensorType, TensorType, TensorType | None]:
    x, w, bias = (*types, None)[:3]
    if x is None or w is None:
        raise ShapeError("a convolution needs an input and weights")
    for name, operand, layout in (
        ("input", x, "(batch, height, width, channels)"),
        ("weights", w, "(outputs, kernel height, kernel width, channels)"),
    ):
        if operand.rank != 4:
            raise ShapeError(f"{name} {operand} has rank {operand.rank}; expected 4: {layout}")
    return x, w, bias


def _kernel(w: TensorType) -> Pair:
    height, width = w.shape[1:3]
    if not (isinstance(height, int) and isinstance(width, int)):
        raise ShapeError(f"weights {w}: the kernel's height and width must be numbers")
    return height, width


def _per_channel(w: TensorType) -> bool:
    return w.quantization is not None and not w.quantization.per_tensor


def _cost(macs: int, types: NodeTypes) -> Cost:
    present = [t for t in (*types.inputs, *types.outputs) if t is not None]
    return Cost(macs, sum(t.nbytes for t in present))


def _taps(x: Array, tensor: TensorType, window: Window) -> Array:
    """Return every window of the centered input (a view), padding being real zero."""
    return patches(centered(x, tensor), window, 0.0)


class _Windowed(Op, frozen=True):
    strides: Pair = (1, 1)
    dilations: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    auto_pad: str = ""
    clamp: Clamp = NO_CLAMP

    def window(self, x: TensorType, w: TensorType) -> Window:
        """Return the window geometry for operands of known shape."""
        height, width = x.static_shape[1:3]
        return resolve(
            height, width, _kernel(w), self.strides, self.dilations, self.pads, self.auto_pad
        )

    def _output(self, x: TensorType, w: TensorType, channels: Dim) -> TensorType:
        batch, height, width, _ = x.shape
        sizes = output_sizes(
            height, width, _kernel(w), self.strides, self.dilations, self.pads, self.auto_pad
        )
        return TensorType(x.dtype, (batch, *sizes, channels))


class Conv2D(_Windowed, frozen=True):
    """Convolution: y[n,i,j,o] = b[o] + sum of x[n, i*sh + p*dh - top, j*sw + q*dw - left, c] * w.

    Inputs are x (batch, height, width, channels), w (outputs, kernel height, kernel width,
    channels / groups; quantized per tensor or along axis 0) and optionally b (outputs). Output
    channel o reads the input channels of group o // (outputs / groups). Padding is real zero, the
    zero point of a quantized input. ``clamp`` bounds the output, in real values.

    Parameters
    ----------
    strides, dilations : (int, int)
        Down and across.
    pads : (int, int, int, int)
        Top, left, bottom, right; unused where ``auto_pad`` is set.
    auto_pad : str
        "", "valid", "same_upper" or "same_lower" (an odd pixel goes to the end or to the begin).
    groups : int
        Blocks of channels that do not mix.
    clamp : (float, float)
        Fused activation bounds.
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)

    groups: int = 1

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the output type; see `Op.infer`."""
        x, w, bias = _operands(types)
        check_operands(x, w, 0)
        outputs = w.shape[0]
        if self.groups < 1 or (isinstance(outputs, int) and outputs % self.groups):
            raise ShapeError(f"{outputs} output channels do not split into {self.groups} groups")
        channels_fit(
            x.shape[3],
            dims.mul(w.shape[3], self.groups),
            f"input channels (weights {w}, {self.groups} groups)",
        )
        check_bias(bias, outputs, x)
        return (self._output(x, w, outputs),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute by one matrix product per tap and group; see `Op.reference`."""
        data, weights, bias = (*arrays, None)[:3]
        assert data is not None and weights is not None
        (x, w, _), y = _operands(types.inputs), types.outputs[0]
        window = self.window(x, w)
        taps = _taps(data, x, window)
        kernel = centered(weights, w)
        inputs, outputs = kernel.shape[3], kernel.shape[0] // self.groups
        total = np.zeros(y.static_shape, np.float64)
        for group in range(self.groups):
            read = slice(group * inputs, (group + 1) * inputs)
            made = slice(group * outputs, (group + 1) * outputs)
            for p in range(window.kernel[0]):
                for q in range(window.kernel[1]):
                    total[..., made] += taps[:, :, :, p, q, read] @ kernel[made, p, q].T
        return (finish(total, bias, types, self.clamp),)

    def bind(self, step: Step) -> bool:
        """Add the convolution kernel for the step's types; see `Op.bind`."""
        if _operands(step.types.inputs)[0].is_quantized:
            from . import bind_int8

            return bind_int8.conv2d(step, self)
        from . import bind_float

        return bind_float.conv2d(step, self)

    def reads_panels(self, *types: TensorType | None) -> tuple[int, ...]:
        """Return the weights of one group; see `Op.reads_panels`."""
        return (1,) if self.groups == 1 and products.read_panels(*_operands(types)[:2]) else ()

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per output, tap and input channel of its group."""
        w, y = _operands(types.inputs)[1], types.outputs[0]
        _, height, width, channels = w.static_shape
        return _cost(y.size * height * width * channels, types)


class DepthwiseConv2D(_Windowed, frozen=True):
    """Convolution of every channel by itself: output channel c*M + m reads input channel c only.

    Inputs are x (batch, height, width, channels), w (1, kernel height, kernel width, channels * M;
    quantized per tensor or along axis 3) and optionally b (channels * M). Attributes are those of
    `Conv2D`.
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the output type; see `Op.infer`."""
        x, w, bias = _operands(types)
        check_operands(x, w, 3)
        inputs, outputs = x.shape[3], w.shape[3]
        if w.shape[0] != 1:
            raise ShapeError(f"depthwise weights {w}: found axis 0 = {w.shape[0]}, expected 1")
        if (
            isinstance(inputs, int)
            and isinstance(outputs, int)
            and (outputs % inputs if inputs else outputs)
        ):
            raise ShapeError(
                f"{outputs} output channels; expected a multiple of the {inputs} input channels"
            )
        check_bias(bias, outputs, x)
        return (self._output(x, w, outputs),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute by one elementwise product per tap; see `Op.reference`."""
        data, weights, bias = (*arrays, None)[:3]
        assert data is not None and weights is not None
        (x, w, _), y = _operands(types.inputs), types.outputs[0]
        window = self.window(x, w)
        taps = _taps(data, x, window)
        inputs = x.static_shape[3]
        multiplier = w.static_shape[3] // inputs if inputs else 1
        kernel = centered(weights, w).reshape(*window.kernel, inputs, multiplier)
        total = np.zeros((*y.static_shape[:3], inputs, multiplier), np.float64)
        for p in range(window.kernel[0]):
            for q in range(window.kernel[1]):
                total += taps[:, :, :, p, q, :, None] * kernel[p, q]
        return (finish(total.reshape(y.static_shape), bias, types, self.clamp),)

    def bind(self, step: Step) -> bool:
        """Add the depthwise kernel for the step's types; see `Op.bind`."""
        x, w = _operands(step.types.inputs)[:2]
        if x.is_quantized and x.static_shape[3] == 1 and w.static_shape[3] > 1:
            from . import bind_int8

            return bind_int8.depthwise_of_one_channel(step, self)
        from . import bind_depthwise

        return bind_depthwise.depthwise(step, self)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per output and tap."""
        w, y = _operands(types.inputs)[1], types.outputs[0]
        _, height, width, _ = w.static_shape
        return _cost(y.size * height * width, types)


class ConvTranspose2D(Op, frozen=True):
    """Transposed convolution: every input pixel adds its kernel to the output at stride distance.

    y[n, i*sh + p*dh - top, j*sw + q*dw - left, o] += x[n,i,j,c] * w[o,p,q,c], plus b[o]. Inputs are
    x (batch, height, width, channels), w (outputs / groups, kernel height, kernel width, channels;
    quantized per tensor or along axis 0) and optionally b (outputs). Input channels of group g make
    output channels g * (outputs / groups) onwards. The output size is
    (size - 1) * stride + span + output padding - pads, or size * stride with an ``auto_pad`` of
    "same_upper" or "same_lower".

    Parameters
    ----------
    strides, dilations, pads, auto_pad, groups, clamp
        As in `Conv2D`; pads are cut from the output.
    output_padding : (int, int)
        Rows and columns added at the bottom and right, which hold the bias where no kernel reaches.
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)

    strides: Pair = (1, 1)
    dilations: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    output_padding: Pair = (0, 0)
    auto_pad: str = ""
    groups: int = 1
    clamp: Clamp = NO_CLAMP

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the output type; see `Op.infer`."""
        x, w, bias = _operands(types)
        check_operands(x, w, 0)
        kernel = _kernel(w)
        check_window(kernel, self.strides, self.dilations, self.pads, self.auto_pad)
        channels_fit(x.shape[3], w.shape[3], f"input channels (weights {w})")
        if self.groups < 1 or (isinstance(x.shape[3], int) and x.shape[3] % self.groups):
            raise ShapeError(f"{x.shape[3]} input channels do not split into {self.groups} groups")
        outputs = dims.mul(w.shape[0], self.groups)
        check_bias(bias, outputs, x)
        sizes = [self._output(x.shape[axis + 1], kernel[axis], axis) for axis in (0, 1)]
        if any(isinstance(size, int) and size < 0 for size in sizes):
            raise ShapeError(f"pads {self.pads} cut more than the {x} and kernel {kernel} make")
        return (TensorType(x.dtype, (x.shape[0], *sizes, outputs)),)

    def _output(self, size: Dim, kernel: int, axis: int) -> Dim:
        if self.auto_pad.startswith("same"):
            return dims.mul(size, self.strides[axis])
        cut = 0 if self.auto_pad else self.pads[axis] + self.pads[axis + 2]
        extra = span(kernel, self.dilations[axis]) + self.output_padding[axis] - cut
        return dims.add(dims.mul(size, self.strides[axis]), extra - self.strides[axis])

    def begins(self, x: TensorType, w: TensorType) -> Pair:
        """Return the rows and columns cut at the top and left, `auto_pad` resolved."""
        if not self.auto_pad:
            return self.pads[0], self.pads[1]
        found = []
        for axis, kernel in enumerate(_kernel(w)):
            stride, output_padding = self.strides[axis], self.output_padding[axis]
            covered = span(kernel, self.dilations[axis]) + output_padding - stride
            total = max(covered, 0) if self.auto_pad != "valid" else 0
            found.append(total // 2 if self.auto_pad == "same_upper" else total - total // 2)
        return found[0], found[1]

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute by adding each tap's products where they land; see `Op.reference`."""
        data, weights, bias = (*arrays, None)[:3]
        assert data is not None and weights is not None
        (x, w, _), y = _operands(types.inputs), types.outputs[0]
        total = self._spread(centered(data, x), centered(weights, w), y, self.begins(x, w))
        scale = np.tile(product_scale(x, w, y), self.groups) if _per_channel(w) else None
        return (finish(total, bias, types, self.clamp, scale),)

    def _spread(self, image: Array, kernel: Array, y: TensorType, begins: Pair) -> Array:
        (sh, sw), (dh, dw), (top, left) = self.strides, self.dilations, begins
        batch, height, width, channels = image.shape
        outputs, kh, kw, _ = kernel.shape
        _, out_height, out_width, out_channels = y.static_shape
        reach = max((height - 1) * sh, 0) + span(kh, dh), max((width - 1) * sw, 0) + span(kw, dw)
        shape = max(reach[0], top + out_height), max(reach[1], left + out_width)
        full = np.zeros((batch, *shape, out_channels), np.float64)
        inputs = channels // self.groups
        for group in range(self.groups):
            read = slice(group * inputs, (group + 1) * inputs)
            made = slice(group * outputs, (group + 1) * outputs)
            for p in range(kh):
                for q in range(kw):
                    rows = slice(p * dh, p * dh + height * sh, sh)
                    columns = slice(q * dw, q * dw + width * sw, sw)
                    product = image[..., read] @ kernel[:, p, q, read].T
                    full[:, rows, columns, made] += product
        return full[:, top : top + out_height, left : left + out_width]

    def bind(self, step: Step) -> bool:
        """Add the transposed convolution kernel for the step's types; see `Op.bind`."""
        if _operands(step.types.inputs)[0].is_quantized:
            from . import bind_int8

            return bind_int8.conv_transpose2d(step, self)
        from . import bind_transposed

        return bind_transposed.conv_transpose2d(step, self)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per input, tap and output channel of its group."""
        x, w, _ = _operands(types.inputs)
        outputs, height, width, _ = w.static_shape
        return _cost(x.size * outputs * height * width, types)
