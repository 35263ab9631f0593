"""TFLite operators that pick boxes, against the LiteRT reference kernels."""

import numpy as np
import pytest
from flatbuffers import flexbuffers

from linnet.converters.importer import import_model
from linnet.errors import FormatError, UnsupportedError
from linnet.types import Quantization
from tests.converters.tflite_reference import Case, Operand, check, litert
from tests.evaluate import execute

RNG = np.random.default_rng(5)
OPTIONS = {
    "y_scale": 10.0,
    "x_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
    "max_detections": 10,
    "max_classes_per_detection": 1,
    "num_classes": 6,
    "nms_score_threshold": 0.3,
    "nms_iou_threshold": 0.4,
}
N = 60


def detection(label, classes=7, stored=False, **options):
    boxes = RNG.normal(0, 2, (1, N, 4)).astype(np.float32)
    scores = RNG.permutation(N * classes).reshape(1, N, classes).astype(np.float32)
    scores /= N * classes
    anchors = RNG.uniform(0.2, 0.8, (N, 4)).astype(np.float32)
    operands = [Operand(boxes), Operand(scores), Operand(anchors, constant=True)]
    if stored:
        pairs = (Quantization(0.08, 120), Quantization(1 / 256, 0), Quantization(1 / 200, 0))
        operands = [
            Operand(RNG.integers(0, 256, o.content.shape).astype(np.uint8), o.constant, q)
            for o, q in zip(operands, pairs, strict=True)
        ]
    return Case(
        "CUSTOM",
        operands,
        custom="TFLite_Detection_PostProcess",
        custom_options=bytes(flexbuffers.Dumps(OPTIONS | options)),
        output=[("float32", None)] * 4,
        label=label,
    )


def suppression(kind, label, *numbers, most=10):
    boxes = RNG.uniform(0, 1, (N, 4)).astype(np.float32)
    scores = (RNG.permutation(N) / N).astype(np.float32)
    operands = [Operand(boxes), Operand(scores), Operand(np.array(most, np.int32), constant=True)]
    operands += [Operand(np.array(n, np.float32)) for n in numbers]
    middle = [("float32", None)] if kind.endswith("5") else []
    output = [("int32", None), *middle, ("int32", None)]
    return Case(kind, operands, f"NonMaxSuppressionV{kind[-1]}Options", {}, output, label)


CASES = [
    detection("plain"),
    detection("no-background", classes=6),
    detection("per-class", use_regular_nms=True, detections_per_class=4, max_detections=25),
    detection("per-class-few", use_regular_nms=True, nms_score_threshold=0.98),
    detection("uint8", stored=True, use_regular_nms=True, nms_score_threshold=0.9),
    suppression("NON_MAX_SUPPRESSION_V4", "", 0.3, 0.1),
    suppression("NON_MAX_SUPPRESSION_V4", "few", 0.3, 0.95),
    suppression("NON_MAX_SUPPRESSION_V4", "all", 0.99, 0.0, most=80),
    suppression("NON_MAX_SUPPRESSION_V5", "", 0.5, 0.1, 0.5, most=30),
    suppression("NON_MAX_SUPPRESSION_V5", "sharp", 0.5, 0.2, 0.05, most=40),
    suppression("NON_MAX_SUPPRESSION_V5", "hard", 0.3, 0.1, 0.0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_matches_litert(case):
    check(case)


@pytest.mark.parametrize("options", [{"max_classes_per_detection": 2}, {"max_detections": 50}])
def test_what_lies_past_the_detections_is_zero(options):
    """LiteRT leaves that as the memory was, unless it suppresses per class."""
    case = detection("", nms_score_threshold=0.9, **options)
    shapes = [(1, 10, 4), (1, 10), (1, 10), (1,)]
    wanted = litert(case.model([()] * 4), case.feeds())
    found = list(execute(import_model(case.model(shapes)), case.feeds()).values())
    count = int(wanted[3][0])
    assert found[3][0] == count > 0
    used = count * options.get("max_classes_per_detection", 1)
    for got, want in zip(found[:3], wanted[:3], strict=True):
        np.testing.assert_allclose(got[:, :used], want[:, :used], rtol=1e-5)
        assert not got[:, used:].any()


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x00\x00\x00"])
def test_options_that_are_no_map_are_refused(raw):
    case = detection("damaged")
    case.custom_options = raw
    with pytest.raises((UnsupportedError, FormatError), match=r"max_detections|custom|options"):
        import_model(case.model([(1, 10, 4), (1, 10), (1, 10), (1,)]))
