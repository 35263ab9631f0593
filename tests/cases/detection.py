"""Cases of ops that pick boxes."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.types import Quantization

from .case import Case, case, floats, just, stored


def anchors(rng: np.random.Generator) -> np.ndarray:
    """Return anchors (y, x, h, w) over the unit square."""
    return np.asarray(rng.uniform(0.2, 0.8, (40, 4)), np.float32)


def corners(rng: np.random.Generator) -> np.ndarray:
    """Return boxes by two opposite corners, in any order; some are empty."""
    boxes = np.asarray(rng.uniform(0, 1, (40, 4)), np.float32)
    boxes[::7, 2] = boxes[::7, 0]
    return boxes


def scores(*shape: int):
    """Return a maker of scores from 0 to 1, some of them equal."""
    return lambda rng: np.asarray(rng.integers(0, 256, shape) / 256, np.float32)


SCALES = (10.0, 9.0, 5.0, 4.0)

CASES: list[Case] = [
    case("DetectionPostProcess best classes",
         ops.DetectionPostProcess(max_detections=9, classes=5, max_classes=2, scales=SCALES,
                                  score_threshold=0.2, iou_threshold=0.3),
         floats(1, 40, 4), scores(1, 40, 6), anchors),
    case("DetectionPostProcess per class",
         ops.DetectionPostProcess(max_detections=20, classes=5, scales=SCALES, per_class=True,
                                  score_threshold=0.6, detections_per_class=3),
         floats(1, 40, 6), scores(1, 40, 5), anchors),
    case("DetectionPostProcess int8",
         ops.DetectionPostProcess(max_detections=9, classes=5, scales=SCALES,
                                  score_threshold=0.9),
         stored(1, 40, 4), stored(1, 40, 6), anchors,
         quantizations=(Quantization(0.05, 3), Quantization(1 / 256, -128))),
    case("PaddedSuppression hard", ops.PaddedSuppression(), corners, scores(40), just(12, np.int32),
         just(0.4, np.float32), just(0.2, np.float32), constants=(2,)),
    case("PaddedSuppression soft", ops.PaddedSuppression(soft=True), corners, scores(40),
         just(30, np.int32), just(0.6, np.float32), just(0.3, np.float32), just(0.5, np.float32),
         constants=(2,)),
]  # fmt: skip
