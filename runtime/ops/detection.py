"""Ops that pick boxes: decoding of anchors, suppression of what overlaps."""

from __future__ import annotations

import heapq
import math
from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, DType, NodeTypes, TensorType

from . import arithmetic
from .base import Op, Step
from .operands import given, real

__all__ = ["DetectionPostProcess", "PaddedSuppression"]


def _float32(tensor: TensorType, stored: Array) -> Array:
    return real(tensor, stored).astype(np.float32)


def _overlaps(boxes: Array, areas: Array, index: int, others: Array) -> Array:
    """Return intersection over union of one box (y1, x1, y2, x2) with some; 0 where one is empty.

    Everything in float32, in TFLite's order.
    """
    one, many = boxes[index], boxes[others]
    height = np.minimum(one[2], many[:, 2]) - np.maximum(one[0], many[:, 0])
    width = np.minimum(one[3], many[:, 3]) - np.maximum(one[1], many[:, 1])
    zero = np.float32(0)
    shared = np.maximum(height, zero) * np.maximum(width, zero)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = shared / (areas[index] + areas[others] - shared)
    return np.where((areas[index] <= 0) | (areas[others] <= 0), zero, ratio)


def _is_bytes(tensor: TensorType) -> bool:
    """Whether a type is bytes of one scale."""
    q = tensor.quantization
    return tensor.dtype in (DType.INT8, DType.UINT8) and q is not None and q.per_tensor


def _areas(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


class DetectionPostProcess(Op, frozen=True):
    """Detections of SSD models: decoded boxes, the best of each place, what overlaps left out.

    Inputs are box encodings [1, n, 4 or more] (y, x, h, w), scores [1, n, classes or classes + 1]
    with the background first, anchors [n, 4] (y, x, h, w); outputs are boxes [1, k, 4]
    (y1, x1, y2, x2), classes [1, k], scores [1, k] and their number [1], all float32, zero past
    that number, with k = max_detections * max_classes.

    Parameters
    ----------
    max_detections, max_classes : int
        Most boxes, and most classes given for one of them.
    classes : int
        Number of classes without the background.
    scales : tuple of float
        Divisors of the encoded y, x, h and w.
    score_threshold, iou_threshold : float
        Least score of a detection; largest overlap of two that are kept.
    per_class : bool
        Suppress within each class, not among the best classes of all boxes.
    detections_per_class : int
        Most boxes of one class where ``per_class``.

    Notes
    -----
    TFLite's custom operator ``TFLite_Detection_PostProcess``.
    """

    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (3, 3)
    max_detections: int
    classes: int
    max_classes: int = 1
    scales: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    score_threshold: float = 0.0
    iou_threshold: float = 0.5
    per_class: bool = False
    detections_per_class: int = 100

    @property
    def outputs(self) -> int:
        """Boxes, classes, scores, number of detections."""
        return 4

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return [1, k, 4], [1, k], [1, k] and [1], float32."""
        boxes, scores, anchors = given(types)
        fits = (
            boxes.rank == scores.rank == 3
            and anchors.rank == 2
            and boxes.shape[0] == scores.shape[0] == 1
            and anchors.shape == (boxes.shape[1], 4)
            and scores.shape[1] == boxes.shape[1]
            and isinstance(boxes.shape[2], int)
            and boxes.shape[2] >= 4
            and scores.shape[2] in (self.classes, self.classes + 1)
        )
        if not fits or min(self.max_detections, self.max_classes, self.classes) < 1:
            raise ShapeError(
                f"boxes {boxes}, scores {scores}, anchors {anchors}; expected [1, n, 4], "
                f"[1, n, {self.classes} or {self.classes + 1}] and [n, 4]"
            )
        count = self.max_detections * self.max_classes
        shapes = ((1, count, 4), (1, count), (1, count), (1,))
        return tuple(TensorType(DType.FLOAT32, shape) for shape in shapes)

    def bind(self, step: Step) -> bool:
        """Bind one kernel for all of it; see `Op.bind`."""
        inputs = [item.type for item in step.inputs]
        if not all(t.dtype is DType.FLOAT32 or _is_bytes(t) for t in inputs):
            return False
        pairs = [arithmetic.pair(t) if t.is_quantized else (1.0, 0) for t in inputs]
        boxes, scores, _ = inputs
        step.program.detections(
            [item.pointer for item in step.inputs],
            [t.dtype.value for t in inputs],
            [float(scale) for scale, _ in pairs],
            [zero for _, zero in pairs],
            [item.pointer for item in step.outputs],
            (*boxes.static_shape[1:], scores.static_shape[2], self.classes),
            [float(np.float32(scale)) for scale in self.scales],
            (self.score_threshold, self.iou_threshold),
            (self.max_detections, self.max_classes, self.detections_per_class),
            self.per_class,
        )
        return True

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Decode all boxes, then suppress."""
        encoded, scores, anchors = (
            _float32(t, a)
            for t, a in zip(types.inputs, arrays, strict=True)
            if t is not None
            if a is not None
        )
        boxes = self._decode(encoded[0, :, :4], anchors)
        scores = scores[0, :, scores.shape[2] - self.classes :]
        chosen = self._each_class if self.per_class else self._best_classes
        rows, classes, found = chosen(boxes, scores)
        count = self.max_detections * self.max_classes
        corners, kinds = np.zeros((1, count, 4), np.float32), np.zeros((1, count), np.float32)
        values = np.zeros((1, count), np.float32)
        for place, row in enumerate(rows):
            at = slice(place * self.max_classes, place * self.max_classes + classes.shape[1])
            corners[0, at] = boxes[row]
            kinds[0, at] = classes[place]
            values[0, at] = scores[row, classes[place]]
        return corners, kinds, values, np.array([found], np.float32)

    def _decode(self, encoded: Array, anchors: Array) -> Array:
        wide, base = encoded.astype(np.float64), anchors.astype(np.float64)
        scales = np.array(self.scales, np.float32).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            middle = (wide[:, :2] / scales[:2] * base[:, 2:] + base[:, :2]).astype(np.float32)
            half = (0.5 * np.exp(wide[:, 2:] / scales[2:]) * base[:, 2:]).astype(np.float32)
            return np.concatenate([middle - half, middle + half], axis=1)

    def _suppress(self, boxes: Array, areas: Array, scores: Array, limit: int) -> list[int]:
        """Return the rows kept, by falling score."""
        rows = np.flatnonzero(scores >= np.float32(self.score_threshold))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        kept: list[int] = []
        while rows.size and len(kept) < limit:
            kept.append(int(rows[0]))
            overlap = _overlaps(boxes, areas, kept[-1], rows[1:])
            rows = rows[1:][~(overlap > np.float32(self.iou_threshold))]
        return kept

    def _best_classes(self, boxes: Array, scores: Array) -> tuple[list[int], Array, int]:
        count = min(self.max_classes, self.classes)
        rows = self._suppress(boxes, _areas(boxes), scores.max(axis=1), self.max_detections)
        order = np.argsort(-scores[rows], axis=1, kind="stable")[:, :count]
        return rows, order, len(rows)

    def _each_class(self, boxes: Array, scores: Array) -> tuple[list[int], Array, int]:
        areas = _areas(boxes)
        best: list[tuple[float, int, int]] = []
        for kind in range(self.classes):
            column = scores[:, kind]
            rows = self._suppress(boxes, areas, column, self.detections_per_class)
            best += [(float(column[row]), row, kind) for row in rows]
            best = sorted(best, key=lambda item: -item[0])[: self.max_detections]
        kinds = np.array([kind for _, _, kind in best], np.int64).reshape(-1, 1)
        return [row for _, row, _ in best], kinds, len(best)


class PaddedSuppression(Op, frozen=True):
    """Rows of the boxes kept by non-maximum suppression, padded with zeros to a fixed number.

    Inputs are boxes [n, 4] (two opposite corners, y first), scores [n], then three scalars: the
    most boxes, the overlap from which a box goes, the score that a box must exceed; where ``soft``
    a fourth, sigma: above zero, overlap lowers a score by exp(-overlap**2 / (2 sigma)) instead.
    Outputs are the rows, int32, where ``soft`` their scores, and the number of them, a scalar.

    Parameters
    ----------
    soft : bool
        Whether there is a sigma, and scores are given out.

    Notes
    -----
    TFLite's NON_MAX_SUPPRESSION_V4 and, where ``soft``, NON_MAX_SUPPRESSION_V5.
    """

    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (5, 6)
    soft: bool = False

    @property
    def outputs(self) -> int:
        """Rows, scores where soft, number of rows."""
        return 3 if self.soft else 2

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return [most], where soft [most] of float32, and a scalar."""
        boxes, scores, most, *_ = given(types)
        if len(types) != 5 + self.soft:
            raise ShapeError(f"{len(types)} inputs; expected {5 + self.soft}")
        if boxes.rank != 2 or boxes.shape[1] != 4 or scores.rank != 1:
            raise ShapeError(f"boxes {boxes} and scores {scores}; expected [n, 4] and [n]")
        if boxes.dtype is not DType.FLOAT32 or scores.dtype is not DType.FLOAT32:
            raise ShapeError(f"boxes {boxes} and scores {scores}; expected float32")
        count: int | str = "selected"
        if most.value is not None:
            count = int(most.value.reshape(-1)[0])
            if count < 0:
                raise ShapeError(f"at most {count} boxes; expected none or more")
        rows = TensorType(DType.INT32, (count,))
        found = TensorType(DType.INT32, ())
        return (rows, TensorType(DType.FLOAT32, (count,)), found) if self.soft else (rows, found)

    def bind(self, step: Step) -> bool:
        """Bind suppression that leaves scores as they are; see `Op.bind`."""
        boxes, scores, _, overlap, least, *_ = step.inputs
        if self.soft or not overlap.type.dtype is least.type.dtype is DType.FLOAT32:
            return False
        (count, _), (most,) = boxes.type.static_shape, step.outputs[0].type.static_shape
        ends = [item.pointer for item in (boxes, scores, overlap, least, *step.outputs)]
        step.program.suppression(*ends, count, most)
        return True

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Take the best candidate again and again; lowered ones go back into the queue."""
        boxes, scores, most, iou, least, *sigma = (np.asarray(a) for a in arrays)
        limit = int(most.reshape(-1)[0])
        spread = float(sigma[0].reshape(-1)[0]) if sigma else 0.0
        rows, values = self._select(
            boxes, scores, limit, iou.reshape(-1)[0], least.reshape(-1)[0], spread
        )
        kept = np.zeros(limit, np.int32)
        kept[: len(rows)] = rows
        found = np.array(len(rows), np.int32)
        if not self.soft:
            return kept, found
        best = np.zeros(limit, np.float32)
        best[: len(rows)] = values
        return kept, best, found

    def _select(
        self, boxes: Array, scores: Array, limit: int, iou: float, least: float, sigma: float
    ) -> tuple[list[int], list[float]]:
        corners = np.concatenate(
            [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
        )
        areas = _areas(corners)
        scale = np.float32(-0.5 / sigma) if sigma > 0 else np.float32(0)
        queue = [(-float(s), i, 0) for i, s in enumerate(scores) if s > least]
        limit = min(limit, len(queue))
        heapq.heapify(queue)
        rows: list[int] = []
        values: list[float] = []
        while queue and len(rows) < limit:
            negative, row, begin = heapq.heappop(queue)
            score = np.float32(-negative)
            overlaps = _overlaps(corners, areas, row, np.array(rows[begin:][::-1], np.int64))
            gone = False
            for overlap in overlaps:
                gone = bool(overlap >= iou)
                if gone:
                    break
                if sigma > 0:
                    lowered = math.exp(float(scale * overlap * overlap))
                    score = np.float32(score * np.float32(lowered))
                if score <= least:
                    break
            if gone:
                continue
            if float(score) == -negative:
                rows.append(row)
                values.append(float(score))
            elif score > least:
                heapq.heappush(queue, (-float(score), row, len(rows)))
        return rows, values
