"""Rules of the operators that pick boxes."""

from __future__ import annotations

from linnet.ops import DetectionPostProcess, PaddedSuppression

from .node import TfliteNode


def detection_post_process(node: TfliteNode) -> None:
    """TFLite_Detection_PostProcess: box encodings, class scores, anchors."""
    options = node.operator.options
    op = DetectionPostProcess(
        max_detections=int(node.option("max_detections")),
        max_classes=int(node.option("max_classes_per_detection")),
        classes=int(node.option("num_classes")),
        scales=(
            float(node.option("y_scale")),
            float(node.option("x_scale")),
            float(node.option("h_scale")),
            float(node.option("w_scale")),
        ),
        score_threshold=float(node.option("nms_score_threshold")),
        iou_threshold=float(node.option("nms_iou_threshold")),
        per_class=bool(options.get("use_regular_nms", False)),
        detections_per_class=int(options.get("detections_per_class", 100)),
    )
    node.emit(op, [node.input(0), node.input(1), node.input(2)])


def suppression(node: TfliteNode) -> None:
    """NON_MAX_SUPPRESSION_V4: hard suppression."""
    node.emit(PaddedSuppression(), [node.input(i) for i in range(5)])


def soft_suppression(node: TfliteNode) -> None:
    """NON_MAX_SUPPRESSION_V5: by sigma, with scores."""
    node.emit(PaddedSuppression(soft=True), [node.input(i) for i in range(6)])


CONVERTERS = {
    "NON_MAX_SUPPRESSION_V4": suppression,
    "NON_MAX_SUPPRESSION_V5": soft_suppression,
}
CUSTOM = {"TFLite_Detection_PostProcess": detection_post_process}
