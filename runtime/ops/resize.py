"""Image resizing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError, UnsupportedError
from linnet.types import Array, Cost, Dim, DType, NodeTypes, TensorType

from .base import Op, Step
from .bind_move import kept
from .movement import channel_axis, given, moved, need, whole_numbers

__all__ = ["Resize"]

MODES = ("nearest", "linear")
COORDINATES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
ROUNDINGS = ("round_prefer_floor", "floor", "ceil", "round_prefer_ceil")
ARITHMETIC_KINDS = ("divide", "multiply", "fixed")
_LINEAR = (DType.FLOAT32, DType.FLOAT16, DType.INT8, DType.UINT8, DType.INT16)


# How far from a tie ONNX Runtime still sees one: float32 positions miss it by their rounding.
TIE = 1e-6


def nearest(positions: Array, rounding: str, before: int, slack: float = TIE) -> Array:
    """Return the indices (int64) that positions round to, inside an axis of ``before`` elements.

    Examples
    --------
    >>> nearest(np.float32([-0.5, 6.5, 6.5000005, 6.6]), "round_prefer_floor", 9)
    array([0, 6, 6, 7])
    """
    x = positions.astype(np.float64)
    rounded = {
        "round_prefer_floor": np.ceil(x - 0.5 - slack),
        "round_prefer_ceil": np.floor(x + 0.5 + slack),
        "floor": np.floor(x),
        "ceil": np.ceil(x),
    }[rounding]
    return np.clip(rounded, 0, max(before - 1, 0)).astype(np.int64)


class Resize(Op, frozen=True):
    """Change height and width of channels-last images, x[N,H,W,C].

    Parameters
    ----------
    mode : {"nearest", "linear"}
    coordinates : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"}
        Which input position x an output index i looks at, with s = scale, all in float32:
        (i + 0.5) / s - 0.5; i * (n_in - 1) / (n_out - 1); i / s; as half_pixel, but 0 where
        n_out is 1.
    nearest : {"round_prefer_floor", "floor", "ceil", "round_prefer_ceil"}
        How mode nearest makes an index of x; with arithmetic "divide" an x within 1e-6 of the
        middle is there.
    size : tuple of int, optional
        Output height and width; None reads them from input 1, int64[2], where it is there, and
        else computes floor(n_in * s) in float32.
    scales : tuple of float, optional
        s per axis, as float32; None means float32(n_out) / float32(n_in).
    arithmetic : {"divide", "multiply", "fixed"}
        How positions round. "divide" is the formulas above, ONNX's. "multiply" is TensorFlow's:
        times r instead of over s, r = float32(n_in) / float32(n_out), for align_corners
        float32(n_in - 1) / float32(n_out - 1). "fixed" is that of TFLite's bilinear int8 kernel:
        1024 r rounded to a whole number R, then positions i * R (+ R // 2 - 512 for half_pixel)
        in steps of 1/1024; it takes no scales.

    Notes
    -----
    An index is clipped to the image. Mode linear clips x to [0, n_in - 1] first, then per axis
    lo = floor(x), hi = min(lo + 1, n_in - 1), f = x - lo, g = 1 - f in float32, and

        left = x[lo_h, lo_w] * g_h + x[hi_h, lo_w] * f_h
        right = x[lo_h, hi_w] * g_h + x[hi_h, hi_w] * f_h
        out = left * g_w + right * f_w

    in float32 with every product and every sum rounded (no fused multiply-add). Integer types,
    quantized or not, interpolate their stored values and round half to even; the result lies
    between stored values, so it needs no clipping and the quantization is kept.

    TensorFlow's bilinear resize is coordinates half_pixel, align_corners or asymmetric; its
    nearest resize is half_pixel with round_prefer_ceil, align_corners with round_prefer_ceil, or
    asymmetric with floor; both with arithmetic "multiply", or "fixed" for bilinear int8.
    """

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    size: tuple[int, int] | None = None
    scales: tuple[float, float] | None = None
    arithmetic: str = "divide"
    arity: ClassVar[tuple[int, int]] = (1, 2)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the image with its new height and width."""
        x = need(types[0], "input")
        for name, found, known in (
            ("mode", self.mode, MODES),
            ("coordinates", self.coordinates, COORDINATES),
            ("nearest", self.nearest, ROUNDINGS),
            ("arithmetic", self.arithmetic, ARITHMETIC_KINDS),
        ):
            if found not in known:
                raise UnsupportedError(f"Resize {name} '{found}'; expected one of {known}")
        if self.arithmetic == "fixed" and self.scales is not None:
            raise UnsupportedError("Resize in fixed point with scales; expected a size")
        if x.rank != 4:
            raise ShapeError(f"input is {x}; expected rank 4, channels last")
        if self.mode == "linear" and x.dtype not in _LINEAR:
            raise UnsupportedError(f"linear Resize of {x}; expected float32 or 8-bit integers")
        n, h, w, c = x.shape
        along = channel_axis(x)
        size = self._size(*types[1:])
        shape = (n, self._resized(h, 0, size), self._resized(w, 1, size), c)
        return (moved(x, shape, along if along in (0, 3) else None),)

    def _size(self, given_size: TensorType | None = None) -> tuple[Dim, Dim] | None:
        """Return the output height and width where they are given as such."""
        if self.size is not None or given_size is None:
            return self.size
        found = whole_numbers(given_size, "size")
        if given_size.shape not in ((2,), ("?0",)):
            raise ShapeError(f"size is {given_size}; expected a height and a width")
        return ("?1", "?2") if found is None else (found[0], found[1])

    def _resized(self, dim: Dim, which: int, size: tuple[Dim, Dim] | None) -> Dim:
        if size is not None:
            out = size[which]
        elif self.scales is None:
            raise ShapeError("Resize has neither size nor scales; expected one of them")
        elif isinstance(dim, int):
            out = int(np.float32(dim) * np.float32(self.scales[which]))
        else:
            scale = self.scales[which]
            out = dims.mul(dim, int(scale)) if scale == int(scale) else f"floor({dim}*{scale:g})"
        if self.scales is not None and not self.scales[which] > 0:
            raise ShapeError(f"scale is {self.scales[which]}; expected a positive number")
        if isinstance(out, int) and (out < 0 or (out > 0 and dim == 0)):
            raise ShapeError(f"cannot resize {dim} to {out}")
        return out

    def positions(self, before: int, after: int, which: int) -> Array:
        """Return the input position (float32) that each output index of an axis looks at."""
        if after == 1 and self.coordinates in ("align_corners", "pytorch_half_pixel"):
            return np.zeros(1, np.float32)
        corners = self.coordinates == "align_corners"
        length, count = (before - 1, after - 1) if corners else (before, after)
        if self.arithmetic == "fixed":
            return self._fixed_positions(length, after, count)
        index = np.arange(after, dtype=np.float32)
        half = np.float32(0.5 if self.coordinates in ("half_pixel", "pytorch_half_pixel") else 0)
        if self.arithmetic == "multiply":
            scaled = (index + half) * self._ratio(length, count, which)
        elif corners:
            scaled = index * np.float32(length) / np.float32(count)
        else:
            scaled = (index + half) / self._ratio(count, max(length, 1), which)
        return scaled - half

    def _ratio(self, over: int, under: int, which: int) -> np.float32:
        """Return s, or 1 / s for arithmetic "multiply"."""
        if self.scales is None or self.coordinates == "align_corners":
            return np.float32(over) / np.float32(under)
        scale = np.float32(self.scales[which])
        return np.float32(1) / scale if self.arithmetic == "multiply" else scale

    def _fixed_positions(self, length: int, after: int, count: int) -> Array:
        ratio = (1024 * length + count // 2) // max(count, 1)
        place = np.arange(after, dtype=np.int64) * ratio
        if self.coordinates in ("half_pixel", "pytorch_half_pixel"):
            place += ratio // 2 - 512
        return (place / 1024).astype(np.float32)

    def nearest_indices(self, before: int, after: int, which: int) -> Array:
        """Return the input index (int64) of each output index in mode nearest."""
        slack = TIE if self.arithmetic == "divide" else 0.0
        return nearest(self.positions(before, after, which), self.nearest, before, slack)

    def linear_taps(self, before: int, after: int, which: int) -> tuple[Array, Array, Array]:
        """Return lo, hi (int64) and f (float32) of each output index in mode linear."""
        x = np.clip(
            self.positions(before, after, which), np.float32(0), np.float32(max(before - 1, 0))
        )
        low = np.floor(x)
        index = low.astype(np.int64)
        return index, np.minimum(index + 1, max(before - 1, 0)), (x - low).astype(np.float32)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the resized image."""
        x = given(arrays[0])
        _, height, width, _ = types.outputs[0].static_shape
        if self.mode == "nearest":
            rows = self.nearest_indices(x.shape[1], height, 0)
            columns = self.nearest_indices(x.shape[2], width, 1)
            return (np.ascontiguousarray(x[:, rows][:, :, columns]),)
        low_h, high_h, f_h = self.linear_taps(x.shape[1], height, 0)
        low_w, high_w, f_w = self.linear_taps(x.shape[2], width, 1)
        real = x.astype(np.float32)
        f_h, f_w = f_h.reshape(-1, 1, 1), f_w.reshape(-1, 1)
        lines = real[:, low_h] * (np.float32(1) - f_h) + real[:, high_h] * f_h
        result = lines[:, :, low_w] * (np.float32(1) - f_w) + lines[:, :, high_w] * f_w
        if x.dtype.kind in "iu":
            result = np.rint(result)
        return (result.astype(x.dtype),)

    def bind(self, step: Step) -> bool:
        """Compute the table of each axis and add the kernel of the mode and dtype."""
        x, out = step.inputs[0], step.outputs[0]
        batch, height, width, channels = x.type.static_shape
        _, out_height, out_width, _ = out.type.static_shape
        if out.type.size == 0:
            return True
        extents = (batch, height, width, out_height, out_width)
        if self.mode == "nearest":
            rows = kept(step, self.nearest_indices(height, out_height, 0), np.int32)
            columns = kept(step, self.nearest_indices(width, out_width, 1), np.int32)
            run = channels * x.type.dtype.itemsize
            step.program.resize_nearest(x.pointer, out.pointer, rows, columns, (*extents, run))
            return True
        if x.type.dtype not in (DType.INT8, DType.FLOAT32):
            return False
        taps = [
            self._kept_taps(step, before, after, which)
            for which, (before, after) in enumerate(((height, out_height), (width, out_width)))
        ]
        program = step.program
        is_int8 = x.type.dtype is DType.INT8
        kernel = program.resize_linear_s8 if is_int8 else program.resize_linear_f32
        kernel(x.pointer, out.pointer, *taps, (*extents, channels))
        return True

    def _kept_taps(self, step: Step, before: int, after: int, which: int) -> tuple[int, ...]:
        low, high, f = self.linear_taps(before, after, which)
        g = np.float32(1) - f
        return (
            kept(step, low, np.int32),
            kept(step, high, np.int32),
            kept(step, g, np.float32),
            kept(step, f, np.float32),
        )

    def cost(self, types: NodeTypes) -> Cost:
        """Return one read and one write per output element, and six operations in mode linear."""
        out = types.outputs[0]
        return Cost(6 * out.size if self.mode == "linear" else 0, 2 * out.nbytes)
