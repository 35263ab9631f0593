"""Ops that select elements by what the data says; the shapes of most outputs depend on it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Dim, DType, NodeTypes, TensorType

from .base import Op
from .movement import same_dim
from .operands import content

__all__ = ["Compress", "NonMaxSuppression", "NonZero", "Unique"]


class NonZero(Op, frozen=True):
    """Return the positions of elements that are not zero, one row per axis, in C order.

    References
    ----------
    ONNX operator specification, NonZero.
    """

    since: ClassVar[int] = 2

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return int64 of shape (rank, number of elements found)."""
        x = need(types[0], "input")
        return (TensorType(DType.INT64, (x.rank, "?1")),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the positions."""
        x = content(arrays[:1])[0]
        if x.ndim == 0:
            return (np.zeros((0, int(x != 0)), np.int64),)
        return (np.stack(np.nonzero(x)).astype(np.int64),)


class Compress(Op, frozen=True):
    """Keep the slices along an axis (the elements, where it is None) that input 1 marks.

    References
    ----------
    ONNX operator specification, Compress.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    since: ClassVar[int] = 2
    axis: int | None = None

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type with the axis open."""
        x, marks = need(types[0], "input"), need(types[1], "condition")
        if marks.rank != 1 or marks.dtype != DType.BOOL:
            raise ShapeError(f"the condition is {marks}; expected a vector of bool")
        if self.axis is None:
            return (x.with_(shape=("?0",), value=None),)
        axis = _axis(self.axis, x.rank)
        return (x.with_(shape=(*x.shape[:axis], f"?{axis}", *x.shape[axis + 1 :]), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return what is kept."""
        x, marks = content(arrays)[:2]
        limit = x.size if self.axis is None else x.shape[self.axis]
        places = np.flatnonzero(marks)
        if places.size and places[-1] >= limit:
            raise ShapeError(f"the condition has {marks.size} elements; at most {limit} fit")
        return (x.reshape(-1)[places] if self.axis is None else np.take(x, places, self.axis),)


class Unique(Op, frozen=True):
    """Return the different elements, or slices along an axis.

    Outputs: them; where each occurs first; which of them each input element is; how many times
    each occurs.

    References
    ----------
    ONNX operator specification, Unique.
    """

    since: ClassVar[int] = 2
    axis: int | None = None
    sorted: bool = True

    @property
    def outputs(self) -> int:
        """Four."""
        return 4

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return types with the number of different elements open."""
        x = need(types[0], "input")
        found = TensorType(DType.INT64, ("?0",))
        if self.axis is None:
            every: Dim = x.size if x.is_static else "?1"
            return (
                x.with_(shape=("?0",), value=None),
                found,
                found.with_(shape=(every,)),
                found,
            )
        axis = _axis(self.axis, x.rank)
        shape = (*x.shape[:axis], "?0", *x.shape[axis + 1 :])
        return (
            x.with_(shape=shape, value=None),
            found,
            found.with_(shape=(x.shape[axis],)),
            found,
        )

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the four outputs."""
        x = content(arrays[:1])[0]
        values, first, inverse, counts = np.unique(
            x, return_index=True, return_inverse=True, return_counts=True, axis=self.axis
        )
        inverse = inverse.reshape(-1)
        if not self.sorted:
            order = np.argsort(first, kind="stable")
            place = np.empty_like(order)
            place[order] = np.arange(order.size)
            values = np.take(values, order, 0 if self.axis is None else self.axis)
            first, counts, inverse = first[order], counts[order], place[inverse]
        return (
            values.astype(x.dtype),
            first.astype(np.int64),
            inverse.astype(np.int64),
            counts.astype(np.int64),
        )


class NonMaxSuppression(Op, frozen=True):
    """Select boxes by score, dropping those that overlap a better one of the same class.

    Inputs: boxes float32[batch, boxes, 4], scores float32[batch, classes, boxes], then optionally
    the most boxes per class, the largest overlap (intersection over union) and the least score.
    Output: int64[selected, 3] of batch, class and box.

    Parameters
    ----------
    center : bool
        Boxes are (x center, y center, width, height) instead of two opposite corners.

    References
    ----------
    ONNX operator specification, NonMaxSuppression.
    """

    arity: ClassVar[tuple[int, int]] = (2, 5)
    since: ClassVar[int] = 2
    center: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return int64[?, 3]."""
        boxes, scores = need(types[0], "boxes"), need(types[1], "scores")
        if boxes.rank != 3 or scores.rank != 3 or not same_dim(boxes.shape[2], 4):
            raise ShapeError(
                f"boxes {boxes}, scores {scores}; expected [batch, n, 4], [batch, classes, n]"
            )
        return (TensorType(DType.INT64, ("?0", 3)),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the selected boxes, by batch, class and falling score."""
        boxes, scores = content(arrays)[:2]
        limits = [
            None if a is None else float(a.reshape(-1)[0]) for a in (*arrays[2:], None, None, None)
        ]
        most, overlap, least = int(limits[0] or 0), limits[1] or 0.0, limits[2]
        corners = _corners(boxes, self.center)
        found = [
            (batch, class_, box)
            for batch in range(scores.shape[0])
            for class_ in range(scores.shape[1])
            for box in _suppressed(corners[batch], scores[batch, class_], most, overlap, least)
        ]
        return (np.array(found, np.int64).reshape(-1, 3),)


def _corners(boxes: Array, center: bool) -> Array:
    """Return boxes as (low, low, high, high)."""
    if center:
        half = boxes[..., 2:] / 2
        return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], -1)
    first, second = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], -1)


def _suppressed(
    corners: Array, scores: Array, most: int, overlap: float, least: float | None
) -> list[int]:
    """Return the boxes of one class that are kept, best first."""
    order = np.argsort(-scores, kind="stable")
    if least is not None:
        order = order[scores[order] > least]
    areas = np.prod(corners[:, 2:] - corners[:, :2], -1)
    kept: list[int] = []
    while order.size and len(kept) < most:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[order, :2])
        high = np.minimum(corners[best, 2:], corners[order, 2:])
        common = np.prod(np.maximum(high - low, 0), -1)
        union = areas[best] + areas[order] - common
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(union > 0, common / union, 0)
        order = order[share <= overlap]
    return kept


def need(type_: TensorType | None, what: str) -> TensorType:
    """Return a type that must be present."""
    if type_ is None:
        raise ShapeError(f"{what} is absent")
    return type_


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is outside rank {rank}")
    return axis % rank
