"""Resampling of any axes: each output is a weighted sum of inputs along each axis in turn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Cost, Dim, NodeTypes, TensorType

from .base import Op
from .movement import axes_of, given, need
from .operands import work
from .resize import nearest

__all__ = ["Resample"]

MODES = ("nearest", "linear", "cubic")
COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_crop_and_resize", "tf_half_pixel_for_nn",
)  # fmt: skip
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
POLICIES = ("stretch", "not_larger", "not_smaller")


class Resample(Op, frozen=True):
    """Resize along some axes by nearest elements, or linear or cubic interpolation.

    Parameters
    ----------
    axes : tuple of int
    sizes : tuple of int
        New size of each axis; empty where ``scales`` are given.
    scales : tuple of float
        Factor of each axis.
    roi : tuple of float
        Starts, then ends of the axes, as shares; of coordinates "tf_crop_and_resize".
    mode, coordinates, rounding, policy : str
        As ONNX names them.
    cubic : float
        The coefficient a of cubic interpolation.
    exclude_outside, antialias : bool
    outside : float
        Value where "tf_crop_and_resize" looks outside.

    References
    ----------
    ONNX operator specification, Resize.
    """

    since: ClassVar[int] = 2
    axes: tuple[int, ...]
    sizes: tuple[int, ...] = ()
    scales: tuple[float, ...] = ()
    roi: tuple[float, ...] = ()
    mode: str = "nearest"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    policy: str = "stretch"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    outside: float = 0.0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type with the axes resized."""
        x = need(types[0], "input")
        axes = axes_of(self.axes, x.rank)
        for name, found, known in (
            ("mode", self.mode, MODES), ("coordinates", self.coordinates, COORDINATES),
            ("rounding", self.rounding, ROUNDINGS), ("policy", self.policy, POLICIES),
        ):  # fmt: skip
            if found not in known:
                raise ShapeError(f"{name} is '{found}'; expected one of {known}")
        if x.is_quantized or x.dtype.numpy.kind not in "fiub":
            raise ShapeError(f"input is {x}; expected plain numbers")
        count = len(self.sizes or self.scales)
        if count != len(axes) or (self.sizes and self.scales):
            raise ShapeError(f"sizes {self.sizes}, scales {self.scales} of {len(axes)} axes")
        if min(self.sizes, default=0) < 0 or min(self.scales, default=1.0) <= 0:
            raise ShapeError(f"sizes {self.sizes}, scales {self.scales}; expected positive ones")
        if self.coordinates == "tf_crop_and_resize" and len(self.roi) != 2 * len(axes):
            raise ShapeError(f"roi has {len(self.roi)} entries for {len(axes)} axes")
        shape: list[Dim] = list(x.shape)
        static = all(isinstance(shape[axis], int) for axis in axes)
        factors = self._plan([int(shape[a]) for a in axes])[0] if static else ()
        for index, axis in enumerate(axes):
            if static:
                shape[axis] = factors[index]
            elif self.sizes and self.policy == "stretch":
                shape[axis] = self.sizes[index]
            elif self.scales and self.scales[index] == 1.0:
                continue
            else:
                shape[axis] = f"?{axis}"
        return (x.with_(shape=tuple(shape), value=None),)

    def _plan(self, before: list[int]) -> tuple[list[int], list[float]]:
        """Return the new size and the scale of each axis."""
        if self.scales:
            return [int(s * n) for s, n in zip(self.scales, before, strict=True)], list(self.scales)
        ratios = [s / n if n else 1.0 for s, n in zip(self.sizes, before, strict=True)]
        if self.policy == "stretch":
            return list(self.sizes), ratios
        scale = min(ratios) if self.policy == "not_larger" else max(ratios)
        return [int(n * scale + 0.5) for n in before], [scale] * len(before)

    def _places(self, before: int, after: int, scale: float, index: int) -> Array:
        """Return where in the input each output looks; in mode nearest as `Resize` does."""
        kind = np.float32 if self.mode == "nearest" else np.float64
        y: Array = np.arange(after).astype(kind)
        scale = float(kind(scale))
        width = after if self.sizes and self.policy == "stretch" else scale * before
        if self.coordinates == "align_corners":
            return y * 0 if width == 1 else y * (before - 1) / (width - 1)
        if self.coordinates == "asymmetric":
            return y / scale
        if self.coordinates == "tf_crop_and_resize":
            start, end = self.roi[index], self.roi[index + len(self.axes)]
            if width == 1:
                return y * 0 + (end + start) * (before - 1) / 2
            return y * (end - start) * (before - 1) / (width - 1) + start * (before - 1)
        if self.coordinates == "pytorch_half_pixel" and width == 1:
            return y * 0
        if self.coordinates == "tf_half_pixel_for_nn":
            return (y + 0.5) / scale
        shift = 0.0
        if self.coordinates == "half_pixel_symmetric":
            shift = before / 2 * (1 - after / width)
        return shift + (y + 0.5) / scale - 0.5

    def _weights(self, away: Array) -> Array:
        """Return the weight of an element some distance away."""
        d = np.abs(away)
        if self.mode == "linear":
            return np.asarray(np.maximum(1 - d, 0))
        a = self.cubic
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0)))

    def taps(self, before: int, after: int, scale: float, index: int) -> tuple[Array, Array]:
        """Return indices and weights [outputs, taps] along one axis."""
        x = self._places(before, after, scale, index)
        if self.mode == "nearest":
            found = nearest(x, self.rounding, before)[:, None]
            return found, np.ones(found.shape)
        shrink = min(scale, 1.0) if self.antialias else 1.0
        reach = int(np.ceil((1 if self.mode == "linear" else 2) / shrink))
        near = np.floor(x).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
        weights = self._weights((near - x[:, None]) * shrink)
        if self.exclude_outside:
            weights = np.where((near < 0) | (near >= before), 0, weights)
        if self.exclude_outside or self.antialias:
            weights = weights / weights.sum(axis=1, keepdims=True)
        return np.clip(near, 0, before - 1), weights

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Resample one axis after the other, in float64."""
        x = given(arrays[0])
        axes = axes_of(self.axes, x.ndim)
        sizes, scales = self._plan([x.shape[axis] for axis in axes])
        exact = self.mode == "nearest"
        result = x if exact else x.astype(np.float64)
        lost: list[tuple[int, Array]] = []
        for index, (axis, after, scale) in enumerate(zip(axes, sizes, scales, strict=True)):
            before = x.shape[axis]
            if self.coordinates == "tf_crop_and_resize":
                at = self._places(before, after, scale, index)
                lost.append((axis, (at < 0) | (at > before - 1)))
            elif before == after and scale == 1.0:
                continue
            places, weights = self.taps(before, after, scale, index)
            places = places.astype(np.intp)
            if exact:
                result = np.take(result, places[:, 0], axis)
                continue
            shape = [1] * x.ndim
            shape[axis] = after
            total = np.zeros((*result.shape[:axis], after, *result.shape[axis + 1 :]))
            for tap in range(places.shape[1]):
                total += np.take(result, places[:, tap], axis) * weights[:, tap].reshape(shape)
            result = total
        result = np.array(result)
        for axis, mask in lost:
            np.moveaxis(result, axis, 0)[mask] = self.outside
        if x.dtype.kind in "iu" and not exact:
            info = np.iinfo(x.dtype)
            result = np.clip(np.rint(result), info.min, info.max)
        return (np.ascontiguousarray(result.astype(x.dtype)),)

    def cost(self, types: NodeTypes) -> Cost:
        """Count four operations per element and axis."""
        return work(types, 4 * len(self.axes))
