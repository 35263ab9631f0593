"""Cases of ops that pick boxes."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.types import Quantization

from .case import Case, case, floats, just, stored


def anchors_of(count: int):
    """Return a maker of anchors (y, x, h, w) over the unit square."""
    return lambda rng: np.asarray(rng.uniform(0.2, 0.8, (count, 4)), np.float32)


def corners_of(count: int):
    """Return a maker of boxes by two opposite corners, in any order; some are empty."""

    def make(rng: np.random.Generator) -> np.ndarray:
        boxes = np.asarray(rng.uniform(0, 1, (count, 4)), np.float32)
        boxes[::7, 2] = boxes[::7, 0]
        return boxes

    return make


def scores(*shape: int):
    """Return a maker of scores from 0 to 1, some of them equal."""
    return lambda rng: np.asarray(rng.integers(0, 256, shape) / 256, np.float32)


anchors, corners = anchors_of(40), corners_of(40)
SCALES = (10.0, 9.0, 5.0, 4.0)

CASES: list[Case] = [
    case("DetectionPostProcess best classes",
         ops.DetectionPostProcess(max_detections=9, classes=5, max_classes=2, scales=SCALES,
                                  score_threshold=0.2, iou_threshold=0.3),
         floats(1, 40, 4), scores(1, 40, 6), anchors, kernels="detections"),
    case("DetectionPostProcess per class",
         ops.DetectionPostProcess(max_detections=20, classes=5, scales=SCALES, per_class=True,
                                  score_threshold=0.6, detections_per_class=3),
         floats(1, 40, 6), scores(1, 40, 5), anchors, kernels="detections"),
    case("DetectionPostProcess int8",
         ops.DetectionPostProcess(max_detections=9, classes=5, scales=SCALES,
                                  score_threshold=0.9),
         stored(1, 40, 4), stored(1, 40, 6), anchors,
         quantizations=(Quantization(0.05, 3), Quantization(1 / 256, -128)),
         kernels="detections"),
    case("PaddedSuppression hard", ops.PaddedSuppression(), corners, scores(40), just(12, np.int32),
         just(0.4, np.float32), just(0.2, np.float32), constants=(2,), kernels="suppression"),
    case("PaddedSuppression large", ops.PaddedSuppression(), corners_of(2000), scores(2000),
         just(100, np.int32), just(0.5, np.float32), just(0.1, np.float32), constants=(2,),
         kernels="suppression", bench=True),
    case("DetectionPostProcess large",
         ops.DetectionPostProcess(max_detections=10, classes=90, scales=SCALES,
                                  score_threshold=0.3, iou_threshold=0.6),
         floats(1, 1917, 4), floats(1, 1917, 91, spread=0.2), anchors_of(1917),
         kernels="detections", bench=True),
    case("PaddedSuppression soft", ops.PaddedSuppression(soft=True), corners, scores(40),
         just(30, np.int32), just(0.6, np.float32), just(0.3, np.float32), just(0.5, np.float32),
         constants=(2,)),
]  # fmt: skip
