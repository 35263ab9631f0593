"""Recurrent TFLite operators, run after run, against the LiteRT reference kernels."""

import numpy as np
import pytest

import linnet
from linnet.converters.importer import import_model
from linnet.errors import UnsupportedError
from linnet.types import Quantization
from tests.converters.tflite_builder import ModelBuilder, Operator

RNG = np.random.default_rng(31)
_START = RNG.bit_generator.state
BATCH, TIME, INPUTS, UNITS, OUTPUTS = 2, 5, 7, 9, 6


def restart() -> None:
    """Let every model have the same numbers, whatever was made before it.

    Where int8 weights meet floats, a number between two steps may fall to either side.
    """
    RNG.bit_generator.state = _START


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
    restart()
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


class Recurrent:
    """A model of one float recurrent operator, its weights float or int8."""

    def __init__(self, hybrid: bool = False, lead: tuple[int, ...] = (BATCH, TIME)) -> None:
        restart()
        self.builder, self.hybrid, self.lead = ModelBuilder(), hybrid, lead
        self.x = self.builder.add("x", "float32", (*lead, INPUTS))

    def weights(self, name, *shape):
        """Add a matrix, or a vector of peepholes."""
        if self.hybrid:
            values, scale = weights(*shape)
            return self.builder.add(name, "int8", shape, values, scale)
        values = RNG.normal(0, 0.4, shape).astype(np.float32)
        return self.builder.add(name, "float32", shape, values)

    def vector(self, name, size, middle=0.0):
        values = RNG.normal(middle, 0.3, size).astype(np.float32)
        return self.builder.add(name, "float32", (size,), values)

    def state(self, name, *shape):
        return self.builder.add(name, "float32", shape, is_variable=True)

    def cell(self, outputs, coupled=False, peephole=False, projection=False, norm=False):
        """Return operands 1 to 17 of an LSTM, and those of its layer normalization."""
        found, norms = [-1] * 17, [-1] * 4
        for gate in range(1 if coupled else 0, 4):
            found[gate] = self.weights(f"w{gate}", UNITS, INPUTS)
            found[4 + gate] = self.weights(f"r{gate}", UNITS, outputs)
            found[11 + gate] = self.vector(f"b{gate}", UNITS)
            if peephole and gate != 2:
                found[8 + min(gate, 2)] = self.weights(f"p{gate}", UNITS)
            if norm:
                norms[gate] = self.vector(f"n{gate}", UNITS, 1.0)
        if projection:
            found[15] = self.weights("projection", outputs, UNITS)
            found[16] = self.vector("projection bias", outputs)
        return found, norms if norm else []

    def other(self, auxiliary):
        """Return an auxiliary input, a constant one, where there is any."""
        values = RNG.normal(0, 1, (*self.lead, INPUTS)).astype(np.float32)
        return self.builder.add("aux", "float32", values.shape, values) if auxiliary else -1

    def others(self, auxiliary, count):
        """Return the weights of an auxiliary input that has some."""
        names = [f"a{i}" for i in range(count)] if auxiliary > 1 else []
        return [self.weights(name, UNITS, INPUTS) for name in names] or [-1] * count

    def build(self, kind, inputs, shapes, options, options_type):
        outputs = [self.builder.add(f"y{i}", "float32", shape) for i, shape in enumerate(shapes)]
        operator = Operator(kind, inputs, outputs, options, options_type)
        self.builder.operators.append(operator)
        self.builder.inputs, self.builder.outputs = [self.x], outputs
        feeds = [RNG.normal(0, 1, (*self.lead, INPUTS)).astype(np.float32) for _ in range(3)]
        return self.builder.build(), feeds


def agree(model, feeds, tolerance):
    """Hold three runs against LiteRT's, and one after a reset."""
    session = linnet.load(import_model(model), threads=1)
    wanted = runs(model, feeds)
    name = session.outputs[0].name
    for feed, want in zip(feeds, wanted, strict=True):
        np.testing.assert_allclose(
            session.run({"x": feed})[name], want, rtol=tolerance, atol=tolerance
        )
    session.reset()
    np.testing.assert_allclose(
        session.run({"x": feeds[0]})[name], wanted[0], rtol=tolerance, atol=tolerance
    )


FLOATS = [
    {}, {"time_major": True}, {"coupled": True}, {"peephole": True}, {"clip": 0.4},
    {"projection": True}, {"projection": True, "clip": 0.3}, {"norm": True},
    {"coupled": True, "peephole": True, "norm": True},
]  # fmt: skip


@pytest.mark.parametrize("options", FLOATS, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("weights_are", ["float", "symmetric", "asymmetric"])
def test_float_lstm(options, weights_are):
    parts = {k: v for k, v in options.items() if k not in ("time_major", "clip")}
    time_major, clip = options.get("time_major", False), options.get("clip", 0.0)
    lead = (TIME, BATCH) if time_major else (BATCH, TIME)
    made = Recurrent(weights_are != "float", lead)
    outputs = OUTPUTS if "projection" in options else UNITS
    operands, norms = made.cell(outputs, **parts)
    states = [made.state("h", BATCH, outputs), made.state("c", BATCH, UNITS)]
    fields = {"FusedActivationFunction": 4, "CellClip": clip, "TimeMajor": time_major,
              "AsymmetricQuantizeInputs": weights_are == "asymmetric"}  # fmt: skip
    if clip and "projection" in options:
        fields["ProjClip"] = 0.2
    model, feeds = made.build(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", [made.x, *operands, *states, *norms],
        [(*lead, outputs)], fields, "UnidirectionalSequenceLSTMOptions",
    )  # fmt: skip
    agree(model, feeds, 1e-5)


def basic_lstm():
    """Return a model of one step, and feeds."""
    made = Recurrent(lead=(BATCH,))
    operands, _ = made.cell(UNITS)
    states = [made.state("h", BATCH, UNITS), made.state("c", BATCH, UNITS)]
    return made.build("LSTM", [made.x, *operands, *states], [(BATCH, UNITS)],
                      {"FusedActivationFunction": 4}, "LSTMOptions")  # fmt: skip


def test_lstm_of_one_step():
    agree(*basic_lstm(), 1e-5)


def bidirectional_lstm(merge=False, hybrid=False, auxiliary=0):
    """Return a model, and feeds; ``auxiliary`` is 1 for a second input, 2 with weights of its own.

    Merged outputs are time-major here: LiteRT leaves later batch entries unset otherwise.
    """
    lead = (TIME, BATCH) if merge else (BATCH, TIME)
    made = Recurrent(hybrid, lead)
    forward, backward = made.cell(UNITS)[0], made.cell(UNITS)[0]
    states = [made.state(n, BATCH, UNITS) for n in ("fh", "fc", "bh", "bc")]
    shapes = [(*lead, 2 * UNITS)] if merge else [(*lead, UNITS)] * 2
    others = [made.other(auxiliary), *made.others(auxiliary, 8)]
    return made.build(
        "BIDIRECTIONAL_SEQUENCE_LSTM", [made.x, *forward, *backward, *states, *others], shapes,
        {"FusedActivationFunction": 4, "MergeOutputs": merge, "TimeMajor": merge},
        "BidirectionalSequenceLSTMOptions",
    )  # fmt: skip


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("hybrid", [False, True])
def test_bidirectional_lstm(merge, hybrid):
    agree(*bidirectional_lstm(merge, hybrid), 1e-5)


@pytest.mark.parametrize("auxiliary", [1, 2])
@pytest.mark.parametrize("merge", [False, True])
def test_bidirectional_lstm_of_two_inputs(merge, auxiliary):
    agree(*bidirectional_lstm(merge, auxiliary=auxiliary), 1e-5)


def test_int8_weights_of_a_second_input_are_refused():
    with pytest.raises(UnsupportedError, match="int8 weights of an auxiliary input"):
        import_model(bidirectional_lstm(hybrid=True, auxiliary=2)[0])
