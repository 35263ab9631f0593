"""Binding of quantized convolutions and matrix products to kernels: geometry, call, packing.

Weights are int8, activations int8 or int16.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linnet.panels import LANE
from linnet.types import Array, DType, Panels, TensorType

from . import bind_sparse
from .arithmetic import clamp_bounds, pair
from .base import NO_CLAMP, Clamp, Step
from .packed import INT32, PANEL, Packed, aligned
from .products import product_scale

if TYPE_CHECKING:
    from .conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
    from .matmul import FullyConnected, MatMul


class Geometry(NamedTuple):
    """Sizes of a convolution in the order that the kernels take them.

    ``image`` is (batch, height, width, channels of a group, groups), ``window`` kernel, strides,
    dilations, top and left, ``out`` (height, width, channels of a group), ``steps`` elements of y
    from image to image, row to row and pixel to pixel, ``start`` those before its first pixel.
    """

    image: tuple[int, ...]
    window: tuple[int, ...]
    out: tuple[int, ...]
    steps: tuple[int, ...]
    start: int = 0


def conv2d(step: Step, op: Conv2D) -> bool:
    """Bind an int8 `Conv2D`; False where no kernel serves it."""
    x, w, bias = (*step.inputs, None)[:3]
    y = step.outputs[0]
    if not _servable(x, w, bias, y):
        return False
    window = op.window(x.type, w.type)
    batch, height, width, _ = x.type.static_shape
    outputs, _, _, channels = w.type.static_shape
    out_height, out_width = window.output
    geometry = Geometry(
        (batch, height, width, channels, op.groups),
        (*window.kernel, *window.strides, *window.dilations, *window.pads[:2]),
        (out_height, out_width, outputs // op.groups),
        (out_height * out_width * outputs, out_width * outputs, outputs),
    )
    return _convolve(step, w.array, bias, geometry, op.clamp)


def depthwise_of_one_channel(step: Step, op: DepthwiseConv2D) -> bool:
    """Bind an int8 `DepthwiseConv2D` over one input channel: a convolution with all its outputs.

    False where no kernel serves it.
    """
    x, w, bias = (*step.inputs, None)[:3]
    if not _servable(x, w, bias, step.outputs[0]):
        return False
    window = op.window(x.type, w.type)
    batch, height, width, _ = x.type.static_shape
    outputs = w.type.static_shape[3]
    out_height, out_width = window.output
    geometry = Geometry(
        (batch, height, width, 1, 1),
        (*window.kernel, *window.strides, *window.dilations, *window.pads[:2]),
        (out_height, out_width, outputs),
        (out_height * out_width * outputs, out_width * outputs, outputs),
    )
    return _convolve(step, w.array.transpose(3, 1, 2, 0), bias, geometry, op.clamp)


def conv_transpose2d(step: Step, op: ConvTranspose2D) -> bool:
    """Bind an int8 `ConvTranspose2D`: one convolution for each offset of outputs within a stride.

    False where no kernel serves it.
    """
    x, w, bias = (*step.inputs, None)[:3]
    y = step.outputs[0]
    if not _servable(x, w, bias, y):
        return False
    down = _phases(op, x.type, w.type, y.type, 0)
    across = _phases(op, x.type, w.type, y.type, 1)
    _, out_height, out_width, outputs = y.type.static_shape
    steps = (
        out_height * out_width * outputs,
        out_width * outputs * op.strides[0],
        outputs * op.strides[1],
    )
    image = (*x.type.static_shape[:3], x.type.static_shape[3] // op.groups, op.groups)
    bound = True
    for i, j in itertools.product(down, across):
        weights = _phase_weights(w, i.taps, j.taps, op.groups)
        geometry = Geometry(
            image,
            (*weights.shape[1:3], 1, 1, i.dilation, j.dilation, i.begin, j.begin),
            (i.size, j.size, outputs // op.groups),
            steps,
            (i.first * out_width + j.first) * outputs,
        )
        bound = bound and _convolve(step, weights, bias, geometry, op.clamp)
    return bound


class Phase(NamedTuple):
    """The outputs first, first + stride, ... of a transposed convolution along one axis.

    ``taps`` are the kernel's that reach them, in the order of the inputs that they read.
    """

    first: int
    size: int
    taps: list[int]
    dilation: int
    begin: int


def _phases(
    op: ConvTranspose2D, x: TensorType, w: TensorType, y: TensorType, axis: int
) -> list[Phase]:
    """Split the outputs along an axis by which taps reach them.

    Output first + stride * t takes tap p from input t + (first + begin - p * dilation) / stride.
    """
    stride, dilation, begin = op.strides[axis], op.dilations[axis], op.begins(x, w)[axis]
    kernel, size = w.static_shape[1 + axis], y.static_shape[1 + axis]
    found = []
    for first in range(min(stride, size)):
        taps = [p for p in range(kernel) if (first + begin - p * dilation) % stride == 0][::-1]
        reads = [(first + begin - p * dilation) // stride for p in taps] or [0]
        apart = reads[1] - reads[0] if len(reads) > 1 else 1
        found.append(Phase(first, -(-(size - first) // stride), taps, apart, -reads[0]))
    return found


def _phase_weights(w: Any, rows: list[int], columns: list[int], groups: int) -> Array:
    """Return the weights of some taps as a convolution's: (groups * outputs, rows, columns, k).

    Outputs that no tap reaches get one tap of real zeros.
    """
    chosen = w.array[:, rows][:, :, columns]
    if not chosen.size:
        outputs, _, _, channels = w.array.shape
        zero = np.resize(w.type.quantization.zero_point, outputs).astype(np.int8)
        chosen = np.broadcast_to(zero[:, None, None, None], (outputs, 1, 1, channels))
    outputs, height, width, channels = chosen.shape
    split = chosen.reshape(outputs, height, width, groups, channels // groups)
    moved: Array = split.transpose(3, 0, 1, 2, 4)
    return moved.reshape(groups * outputs, height, width, channels // groups)


def fully_connected(step: Step, op: FullyConnected) -> bool:
    """Bind an int8 `FullyConnected`; False where no kernel serves it."""
    x, w, bias = (*step.inputs, None)[:3]
    if not _servable(x, w, bias, step.outputs[0]):
        return False
    return _rows(step, w.array, bias, op.clamp)


def matmul(step: Step, op: MatMul) -> bool:
    """Bind an int8 `MatMul`; False where no kernel serves it."""
    a, b = step.inputs
    if op.transpose_a or a.array is not None:
        return False
    if b.array is None:
        return _activations(step, op)
    if b.type.rank < 2 or b.type.size != int(np.prod(b.type.static_shape[-2:])):
        return False
    if not _servable(a, b, None, step.outputs[0]):
        return False
    weights = b.array.reshape(b.type.static_shape[-2:])
    return _rows(step, weights if op.transpose_b else weights.T, None, NO_CLAMP)


def _activations(step: Step, op: MatMul) -> bool:
    """Multiply two activations, the second one packed at run time."""
    a, b, y = *step.inputs, step.outputs[0]
    if not all(t.type.dtype is DType.INT8 for t in (a, b, y)) or not y.type.is_quantized:
        return False
    left, right = (tuple(int(dim) for dim in shape) for shape in op.shapes(a.type, b.type))
    rows, (depth, columns) = left[-2], right[-2:]
    zeros = pair(a.type)[1], pair(b.type)[1]
    scale = product_scale(a.type, b.type, y.type)
    if not depth * 255.0 * 255.0 * max(float(scale[0]), 1.0) < INT32:
        return False
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    offsets = [
        step.keep(_offsets(shape[:-2], batch, shape[-2] * shape[-1])) for shape in (left, right)
    ]
    padded = step.keep(aligned((-(-columns // PANEL) * PANEL,), np.float32))
    padded[:] = 0
    padded[:columns] = scale[0]
    step.program.matmul_s8(
        a=a.pointer,
        b=b.pointer,
        y=y.pointer,
        a_offsets=offsets[0].ctypes.data,
        b_offsets=offsets[1].ctypes.data,
        scale=padded.ctypes.data,
        sizes=(int(np.prod(batch)), rows, depth, columns),
        b_transposed=op.transpose_b and b.type.rank > 1,
        zeros=zeros,
        bounds=_bounds(NO_CLAMP, y.type),
    )
    return True


def _offsets(shape: tuple[int, ...], batch: tuple[int, ...], size: int) -> Array:
    """Return where each matrix of a broadcast batch starts, in elements."""
    count = int(np.prod(shape))
    starts = np.arange(count, dtype=np.int64).reshape(shape) * size
    return np.ascontiguousarray(np.broadcast_to(starts, batch)).reshape(-1)


def _rows(step: Step, weights: Array | Panels, bias: Any, clamp: Clamp) -> bool:
    """Multiply every row of input 0 with weights (outputs, depth): a 1 x 1 convolution."""
    outputs, depth = weights.shape
    rows = step.outputs[0].type.size // outputs if outputs else 0
    geometry = Geometry(
        (1, 1, rows, depth, 1),
        (1, 1, 1, 1, 1, 1, 0, 0),
        (1, rows, outputs),
        (rows * outputs, rows * outputs, outputs),
    )
    return _convolve(step, weights, bias, geometry, clamp)


def _convolve(
    step: Step, weights: Array | Panels, bias: Any, geometry: Geometry, clamp: Clamp
) -> bool:
    """Pack the weights and add the kernel; False where an int32 sum could overflow.

    Packed weights are cached by session: another input shape packs nothing again.
    """
    x, w, y = step.inputs[0].type, step.inputs[1].type, step.outputs[0].type
    joined = _joined_groups(geometry)
    image, window, out, steps, start = _join(geometry, joined)
    sixteen = x.dtype is DType.INT16
    count, length, apart = step.program.conv_segments(image, window, out, sixteen)
    segments = count, length

    def make() -> Packed | None:
        given = None if bias is None else bias.array
        zero, scale = w.quantization.zero_point, product_scale(x, w, y)
        matrix = weights if joined == 1 else _join_weights(weights, zero, geometry, joined)
        if sixteen:
            from .pack_int16 import pack_sixteen

            return pack_sixteen(matrix, segments, zero, scale, given, pair(x)[1], image[4])
        offset = pair(x)[1]
        made = pack(step.program, matrix, segments, zero, scale, given, offset, image[4], apart)
        single = window[:2] == (1, 1) and image[4] == 1
        if made is None or not single:
            return made
        return bind_sparse.without_zeros(made, step.program.layout_s8[0])

    key = f"{x.dtype.value} weights for {step.program.isa} in {(segments, apart)} from {start}"
    packed = step.cached(key, make)
    if packed is None:
        return False
    call: dict[str, Any] = {
        "x": step.inputs[0].pointer,
        "y": step.outputs[0].pointer + start * y.dtype.itemsize,
        "weights": packed.weights.ctypes.data,
        "bias": packed.bias.ctypes.data,
        "scale": packed.scale.ctypes.data,
        "more": packed.more,
        "image": image,
        "window": window,
        "out": out,
        "steps": steps,
        "zero": pair(x)[1],
        "bounds": _bounds(clamp, y),
    }
    if sixteen:
        step.program.conv_s16(**call, wide_bias=_address(packed.wide_bias), run=packed.run)
    elif packed.lanes is None or packed.starts is None:
        step.program.conv_s8(**call, weight_zero=_address(packed.weight_zero))
    else:
        lanes, starts = packed.lanes, packed.starts
        pointers = {"lanes": lanes.ctypes.data, "starts": starts.ctypes.data}
        step.program.conv_s8(**call, **pointers, count=lanes.size)
    return True


def _joined_groups(geometry: Geometry) -> int:
    """Return how many groups to join so that few outputs fill a panel."""
    groups, outputs = geometry.image[4], geometry.out[2]
    fitting = range(1, PANEL // max(outputs, 1) + 1)
    return max((n for n in fitting if groups % n == 0), default=1)


def _join(geometry: Geometry, count: int) -> Geometry:
    """Return the geometry with ``count`` groups as one."""
    *image, channels, groups = geometry.image
    height, width, outputs = geometry.out
    return geometry._replace(
        image=(*image, channels * count, groups // count), out=(height, width, outputs * count)
    )


def _join_weights(weights: Any, zero: Array, geometry: Geometry, count: int) -> Array:
    """Return weights of joined groups: real zeros where an output does not read an input."""
    groups, outputs = geometry.image[4], geometry.out[2]
    total, *kernel, channels = weights.shape
    joined = np.empty((groups // count, count, outputs, *kernel, count, channels), np.int8)
    joined[:] = np.resize(zero, total).reshape(*joined.shape[:3], *(1,) * (len(kernel) + 2))
    split = weights.reshape(*joined.shape[:3], *kernel, channels)
    for i in range(count):
        joined[:, i, ..., i, :] = split[:, i]
    return joined.reshape(total, *kernel, count * channels)


def _address(array: Array | None) -> int:
    return 0 if array is None else int(array.ctypes.data)


def _servable(x: Any, w: Any, bias: Any, y: Any) -> bool:
    """Return whether types and constants are what the kernels take."""
    constant = w.array is not None and (bias is None or bias.array is not None)
    kinds = (x.type.dtype, w.type.dtype, y.type.dtype)
    known = kinds in ((DType.INT8,) * 3, (DType.INT16, DType.INT8, DType.INT16))
    return constant and known and x.array is None and y.type.is_quantized


def _bounds(clamp: Clamp, y: TensorType) -> tuple[int, int, int]:
    return (pair(y)[1], *clamp_bounds(clamp, y))


def pack(
    program: Any,
    weights: Array | Panels,
    segments: tuple[int, int],
    weight_zero: Array,
    scale: Array,
    bias: Array | None,
    zero: int,
    groups: int,
    apart: bool = False,
) -> Packed | None:
    """Return packed weights, or None where an int32 sum could overflow, scaled or not.

    Parameters
    ----------
    program : Program
        Whose instruction set the weights are for.
    weights : ndarray of int8 or Panels, shape (outputs, ...)
        Panels are read in place where the instruction set multiplies four bytes at a time.
    segments : (int, int)
        The number and length of the runs of k that are padded to whole lanes.
    weight_zero, scale : ndarray, shape (1,), (outputs,) or (outputs / groups,)
        Zero points of the weights; scales of the requantization; repeated where they are fewer.
    bias : ndarray of int, shape (outputs,), optional
    zero : int
        Zero point of the activations.
    groups : int
        Blocks of outputs, each padded to whole panels of 16.
    apart : bool
        Whether zero points rather stay apart than let lanes of k go on.
    """
    outputs, group = weights.shape[0], program.layout_s8[0]
    if isinstance(weights, Panels) and group == LANE and segments[1] % LANE == 0:
        source, in_place = weights.packed, True
    else:
        source, in_place = np.ascontiguousarray(weights), False
    sizes = {"weights": source.ctypes.data, "sizes": (outputs, *segments, groups)}
    zeros = np.ascontiguousarray(weight_zero, np.int32)
    more = [] if in_place else list(program.conv_s8_more(**sizes, zeros=zeros))
    apart = bool(more) and apart
    if apart:
        more = []
    panels = groups * -(-(outputs // groups) // PANEL)
    steps = segments[0] * -(-segments[1] // group) + len(more)
    packed = Packed(
        source if in_place else aligned((panels, steps, PANEL, group), np.int8),
        aligned((panels * PANEL,), np.int32),
        aligned((panels * PANEL,), np.float32),
        more,
        weight_zero=aligned((panels * PANEL,), np.int32) if apart else None,
    )
    given = {} if bias is None else {"bias": np.ascontiguousarray(bias, np.int64)}
    fits = program.pack_conv_s8(
        to=(*(array.ctypes.data for array in packed[:3]), _address(packed.weight_zero)),
        **sizes,
        zeros=zeros,
        scales=np.ascontiguousarray(scale, np.float32),
        zero=zero,
        more=more,
        packed=in_place,
        **given,
    )
    return packed if fits else None
