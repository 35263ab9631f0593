"""Ops that select elements by what the data says; the shapes of most outputs depend on it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Dim, DType, NodeTypes, TensorType

from .base import Op, Step
from .movement import same_dim
from .operands import content

__all__ = ["Compress", "FirstRows", "NonMaxSuppression", "NonZero", "Unique"]

# Rows that a plan has room for; more are made by the reference, as many as there are.
_MOST_ROWS = 1 << 18


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


class FirstRows(Op, frozen=True):
    """Keep as many slices along the first axis as input 1, int64[1], says."""

    arity: ClassVar[tuple[int, int]] = (2, 2)
    since: ClassVar[int] = 2

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's type with the first axis open."""
        x, count = need(types[0], "input"), need(types[1], "count")
        if x.rank < 1 or count.dtype is not DType.INT64 or count.shape != (1,):
            raise ShapeError(f"input {x} and count {count}; expected int64[1]")
        return (x.with_(shape=("?0", *x.shape[1:]), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Return the slices."""
        x, count = content(arrays)
        return (x[: int(count[0])],)


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
    Outputs: int64[selected, 3] of batch, class and box; where ``padded`` with zeros behind them, as
    many rows as there may be, and then int64[1], how many are selected.

    Parameters
    ----------
    center : bool
        Boxes are (x center, y center, width, height) instead of two opposite corners.
    padded : bool

    References
    ----------
    ONNX operator specification, NonMaxSuppression.
    """

    arity: ClassVar[tuple[int, int]] = (2, 5)
    since: ClassVar[int] = 2
    center: bool = False
    padded: bool = False

    @property
    def outputs(self) -> int:
        """Rows, where padded their number."""
        return 2 if self.padded else 1

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return int64[?, 3], or of known length and int64[1]."""
        boxes, scores = need(types[0], "boxes"), need(types[1], "scores")
        if boxes.rank != 3 or scores.rank != 3 or not same_dim(boxes.shape[2], 4):
            raise ShapeError(
                f"boxes {boxes}, scores {scores}; expected [batch, n, 4], [batch, classes, n]"
            )
        limit: Dim = "?0"
        most = _limit(types[2] if len(types) > 2 else None)
        if self.padded and most is not None and scores.is_static:
            batches, classes, count = scores.static_shape
            limit = batches * classes * min(most, count)
            limit = limit if limit <= _MOST_ROWS else "?0"
        rows = TensorType(DType.INT64, (limit, 3))
        return (rows, TensorType(DType.INT64, (1,))) if self.padded else (rows,)

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
        rows = np.array(found, np.int64).reshape(-1, 3)
        if not self.padded:
            return (rows,)
        limit = types.outputs[0].shape[0]
        behind = limit - len(rows) if isinstance(limit, int) else 0
        return np.pad(rows, ((0, behind), (0, 0))), np.array([len(rows)], np.int64)

    def bind(self, step: Step) -> bool:
        """Bind suppression whose rows have room."""
        boxes, scores, limit, *limits = (
            step.inputs if len(step.inputs) > 2 else (*step.inputs, None)
        )
        most = _limit(limit.type.with_(value=limit.array) if limit is not None else None)
        real = [item for item in (boxes, scores, *limits) if item is not None]
        if not self.padded or most is None or any(i.type.dtype is not DType.FLOAT32 for i in real):
            return False
        batches, classes, count = scores.type.static_shape
        pointers = [0 if item is None else item.pointer for item in (*limits, None, None)]
        rows, found = step.outputs
        step.program.class_suppression(
            (boxes.pointer, scores.pointer, *pointers[:2], rows.pointer, found.pointer),
            (batches, classes, count, min(most, count), rows.type.static_shape[0]),
            self.center,
        )
        return True


def _limit(type_: TensorType | None) -> int | None:
    """Return the most boxes of a class: none where the input is absent, None where unknown."""
    if type_ is None:
        return 0
    return None if type_.value is None else max(0, int(type_.value.reshape(-1)[0]))


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
