"""Recurrent TFLite operators, run after run, against the LiteRT reference kernels."""

import numpy as np
import pytest

import linnet
from linnet.converters.importer import import_model
from linnet.types import Quantization
from tests.converters.tflite_builder import ModelBuilder, Operator

RNG = np.random.default_rng(31)
BATCH, TIME, INPUTS, UNITS, OUTPUTS = 2, 5, 7, 9, 6


def runs(model: bytes, feeds: list[np.ndarray]) -> list[np.ndarray]:
    """Return LiteRT's output of one run after the other, variables kept between them."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(
        model_content=model,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    found = []
    for feed in feeds:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], feed)
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy())
    return found


def weights(*shape):
    values = RNG.integers(-127, 128, shape).astype(np.int8)
    return values, Quantization(float(RNG.uniform(0.004, 0.012)))


def integer_lstm(
    time_major=False, coupled=False, peephole=False, projection=False, norm=False, clip=0.0,
    cell_scale=2.0**-11, zero=5,
):  # fmt: skip
    """Return a model of one int8 LSTM."""
    builder = ModelBuilder()
    outputs = OUTPUTS if projection else UNITS
    lead = (TIME, BATCH) if time_major else (BATCH, TIME)
    x = builder.add("x", "int8", (*lead, INPUTS), None, Quantization(0.03, -4))

    def constant(name, values, quantization=None):
        return builder.add(name, values.dtype.name, values.shape, values, quantization)

    def bias(name, scale):
        return constant(name, RNG.integers(-3000, 3000, UNITS).astype(np.int32), scale)

    gates = range(1 if coupled else 0, 4)
    inputs = [-1] * 24
    inputs[0] = x
    for gate in gates:
        inputs[1 + gate] = constant(f"w{gate}", *weights(UNITS, INPUTS))
        inputs[5 + gate] = constant(f"r{gate}", *weights(UNITS, outputs))
        inputs[12 + gate] = bias(f"b{gate}", Quantization(0.0003))
        if peephole and gate != 2:
            values = RNG.integers(-20000, 20000, UNITS).astype(np.int16)
            inputs[9 + min(gate, 2)] = constant(f"p{gate}", values, Quantization(0.00004))
        if norm:
            values = RNG.integers(5000, 32000, UNITS).astype(np.int16)
            inputs[20 + gate] = constant(f"n{gate}", values, Quantization(0.00005))
    if projection:
        inputs[16] = constant("projection", *weights(OUTPUTS, UNITS))
        values = RNG.integers(-900, 900, OUTPUTS).astype(np.int32)
        inputs[17] = constant("projection bias", values, Quantization(0.0001))
    state = Quantization(0.011, zero)
    inputs[18] = builder.add("h", "int8", (BATCH, outputs), None, state, is_variable=True)
    cell = Quantization(cell_scale)
    inputs[19] = builder.add("c", "int16", (BATCH, UNITS), None, cell, is_variable=True)
    y = builder.add("y", "int8", (*lead, outputs), None, state)
    between = [builder.add(f"g{i}", "int16", (), None, Quantization(0.001 + i / 9000))
               for i in range(4)]  # fmt: skip
    between.append(builder.add("hidden", "int8", (), None, Quantization(0.009, -zero)))
    options = {"FusedActivationFunction": 4, "CellClip": clip, "TimeMajor": time_major}
    if projection and clip:
        options["ProjClip"] = 0.9
    builder.operators.append(
        Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs if norm else inputs[:20], [y], options,
                 "UnidirectionalSequenceLSTMOptions", intermediates=between)
    )  # fmt: skip
    builder.inputs, builder.outputs = [x], [y]
    feeds = [RNG.integers(-128, 128, (*lead, INPUTS)).astype(np.int8) for _ in range(3)]
    return builder.build(), feeds


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"time_major": True},
        {"coupled": True},
        {"peephole": True},
        {"projection": True},
        {"clip": 1.5},
        {"projection": True, "clip": 1.5},
        {"norm": True},
        {"cell_scale": 2.0**-13},
        {"cell_scale": 2.0**-9},
        {"cell_scale": 2.0**-15},
        {"coupled": True, "peephole": True, "norm": True},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_integer_lstm_gives_the_same_bytes(options):
    model, feeds = integer_lstm(**options)
    session = linnet.load(import_model(model), threads=1)
    assert [spec.name for spec in session.inputs] == ["x"]
    assert [spec.name for spec in session.outputs] == ["y"]
    wanted = runs(model, feeds)
    for feed, want in zip(feeds, wanted, strict=True):
        np.testing.assert_array_equal(session.run({"x": feed})["y"], want)
    session.reset()
    np.testing.assert_array_equal(session.run({"x": feeds[0]})["y"], wanted[0])
