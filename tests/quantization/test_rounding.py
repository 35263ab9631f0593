from __future__ import annotations

import numpy as np
import pytest
from paths import ROOT

import linnet
from linnet.converters.quantization.rounding import descend
from linnet.errors import QuantizationError

DIGITS = ROOT / "examples" / "digits"
HELD_OUT = np.load(DIGITS / "heldout.npz")


def test_the_error_never_grows_and_stays_within_a_step():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 24)) @ rng.standard_normal((24, 24))
    steps = rng.standard_normal((10, 24)) * 5
    nearest = np.clip(np.rint(steps), -7, 7)
    made = descend(steps, nearest, x.T @ x, 7)
    errors = [float(np.square((w - steps) @ x.T).sum()) for w in (nearest, made)]
    assert errors[1] < 0.7 * errors[0]
    np.testing.assert_array_equal(made, np.rint(made))
    inside = np.abs(steps) <= 7
    assert np.abs(made).max() <= 7 and (np.abs(made - steps)[inside] < 1.0).all()


def test_independent_inputs_round_to_nearest():
    steps = np.random.default_rng(0).standard_normal((4, 6)) * 5
    nearest = np.rint(steps)
    np.testing.assert_array_equal(descend(steps, nearest, np.eye(6), 127), nearest)


@pytest.mark.parametrize("bits", [4])
def test_coarse_weights_gain(bits):
    graph = linnet.convert(DIGITS / "vit_float.onnx")
    feeds = {"image": HELD_OUT["images"]}
    wanted = linnet.load(graph).run(feeds)["logits"]
    errors = []
    for rounding in ("nearest", "adaptive"):
        made = linnet.quantize(
            graph, HELD_OUT["calibration"], weight_bits=bits, rounding=rounding, calibrator="mse"
        )
        errors.append(float(np.square(linnet.load(made).run(feeds)["logits"] - wanted).mean()))
    assert errors[1] < 0.8 * errors[0]


def test_an_unknown_rounding_is_refused():
    with pytest.raises(QuantizationError, match="rounding is 'up'"):
        linnet.quantize(DIGITS / "cnn_float.onnx", HELD_OUT["calibration"][:2], rounding="up")
