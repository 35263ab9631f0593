"""Recurrent TFLite operators with one gate, run after run, against the LiteRT reference kernels."""

import numpy as np
import pytest

import linnet
from linnet.converters.importer import import_model
from linnet.types import Quantization
from tests.converters.test_tflite_recurrent import (
    BATCH,
    INPUTS,
    RNG,
    TIME,
    UNITS,
    Recurrent,
    agree,
    restart,
    runs,
)
from tests.converters.tflite_builder import ModelBuilder, Operator

ACTIVATIONS = {"": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3, "tanh": 4}
MODES = ("float", "symmetric", "asymmetric")


def gate(made):
    """Return weights, recurrent weights, bias and state of one layer."""
    return [
        made.weights("w", UNITS, INPUTS),
        made.weights("r", UNITS, UNITS),
        made.vector("b", UNITS),
        made.state("h", BATCH, UNITS),
    ]


def fields(mode, activation="tanh", **more):
    return {
        "FusedActivationFunction": ACTIVATIONS[activation],
        "AsymmetricQuantizeInputs": mode == "asymmetric",
        **more,
    }


def basic_rnn(mode="float", activation="tanh"):
    made = Recurrent(mode != "float", (BATCH,))
    return made.build("RNN", [made.x, *gate(made)], [(BATCH, UNITS)], fields(mode, activation),
                      "RNNOptions")  # fmt: skip


def sequence_rnn(mode="float", time_major=False):
    lead = (TIME, BATCH) if time_major else (BATCH, TIME)
    made = Recurrent(mode != "float", lead)
    return made.build("UNIDIRECTIONAL_SEQUENCE_RNN", [made.x, *gate(made)], [(*lead, UNITS)],
                      fields(mode, TimeMajor=time_major), "SequenceRNNOptions")  # fmt: skip


def bidirectional_rnn(mode="float", merge=False, time_major=False, auxiliary=0):
    lead = (TIME, BATCH) if time_major else (BATCH, TIME)
    made = Recurrent(mode != "float", lead)
    shapes = [(*lead, 2 * UNITS)] if merge else [(*lead, UNITS)] * 2
    cells = [*gate(made), *gate(made)]
    others = [made.other(auxiliary), *made.others(auxiliary, 2)]
    return made.build(
        "BIDIRECTIONAL_SEQUENCE_RNN", [made.x, *cells, *others], shapes,
        fields(mode, MergeOutputs=merge, TimeMajor=time_major), "BidirectionalSequenceRNNOptions",
    )  # fmt: skip


def svdf(mode="float", activation="", rank=1, bias=True, memory=6, filters=8):
    made = Recurrent(mode != "float", (BATCH,))
    operands = [
        made.weights("feature", filters, INPUTS),
        made.weights("time", filters, memory),
        made.vector("b", filters // rank) if bias else -1,
        made.state("state", BATCH, filters * memory),
    ]
    return made.build("SVDF", [made.x, *operands], [(BATCH, filters // rank)],
                      fields(mode, activation, Rank=rank), "SVDFOptions")  # fmt: skip


def integer_svdf(rank=2, bias=True, batch=BATCH, filters=8, memory=6, inputs=INPUTS):
    """Return a model of one int8 SVDF with its int16 state."""
    restart()
    builder = ModelBuilder()
    x = builder.add("x", "int8", (batch, inputs), None, Quantization(0.04, -3))
    feature = RNG.integers(-127, 128, (filters, inputs)).astype(np.int8)
    time = RNG.integers(-32767, 32768, (filters, memory)).astype(np.int16)
    w = builder.add("feature", "int8", feature.shape, feature, Quantization(0.008))
    t = builder.add("time", "int16", time.shape, time, Quantization(1 / 32768))
    values = RNG.integers(-90000, 90000, filters // rank).astype(np.int32)
    b = builder.add("b", "int32", values.shape, values, Quantization(0.002 / 32768)) if bias else -1
    state = builder.add("state", "int16", (batch, filters * memory), None, Quantization(0.002),
                        is_variable=True)  # fmt: skip
    y = builder.add("y", "int8", (batch, filters // rank), None, Quantization(0.5, -128))
    options = {"Rank": rank, "FusedActivationFunction": 1}
    builder.operators.append(Operator("SVDF", [x, w, t, b, state], [y], options, "SVDFOptions"))
    builder.inputs, builder.outputs = [x], [y]
    feeds = [RNG.integers(-128, 128, (batch, inputs)).astype(np.int8) for _ in range(9)]
    return builder.build(), feeds


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mode", MODES)
def test_rnn_of_one_step(mode, activation):
    agree(*basic_rnn(mode, activation), 1e-5)


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_sequence_rnn(mode, time_major):
    agree(*sequence_rnn(mode, time_major), 1e-5)


@pytest.mark.parametrize(
    ("mode", "merge"), [("float", False), ("float", True), ("symmetric", False)]
)
def test_bidirectional_rnn(mode, merge):
    """LiteRT ends by a segmentation fault on merged outputs beside int8 weights."""
    agree(*bidirectional_rnn(mode, merge, merge), 1e-5)


@pytest.mark.parametrize("auxiliary", [1, 2])
def test_bidirectional_rnn_of_two_inputs(auxiliary):
    agree(*bidirectional_rnn(auxiliary=auxiliary), 1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options",
    [{}, {"rank": 2, "activation": "relu"}, {"rank": 4, "bias": False}, {"memory": 1},
     {"memory": 17, "filters": 40, "activation": "tanh"}],
    ids=str,
)  # fmt: skip
def test_svdf(mode, options):
    model, feeds = svdf(mode, **options)
    agree(model, feeds * 3, 1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"rank": 1, "bias": False}, {"batch": 1, "filters": 40, "memory": 9}], ids=str
)
def test_integer_svdf_gives_the_same_bytes(options):
    model, feeds = integer_svdf(**options)
    session = linnet.load(import_model(model), threads=1)
    wanted = runs(model, feeds)
    for feed, want in zip(feeds, wanted, strict=True):
        np.testing.assert_array_equal(session.run({"x": feed})["y"], want)
    session.reset()
    np.testing.assert_array_equal(session.run({"x": feeds[0]})["y"], wanted[0])
