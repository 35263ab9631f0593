"""Every TFLite operator that converts is held against LiteRT by a model of the tests."""

import importlib
import pkgutil

import tflite

import tests.converters
from linnet.converters.tflite.operators import CONVERTERS, CUSTOM
from linnet.converters.tflite.reader import read_model
from tests.converters import (
    test_tflite_bodies,
    test_tflite_control,
    test_tflite_random,
    test_tflite_recurrent,
    test_tflite_rnn,
    test_tflite_state,
    test_tflite_storage,
    test_tflite_tables,
)
from tests.converters.tflite_reference import Case

# Operators that convert and that LiteRT 2.3 has no kernel for.
NOT_IN_LITERT = {"CALL", "Convolution2DTransposeBias"}
WANTED = 130


def cases():
    """Yield every one-operator model that a test of these modules runs."""
    for found in pkgutil.iter_modules(tests.converters.__path__):
        if not found.name.startswith("test_tflite_"):
            continue
        module = importlib.import_module(f"tests.converters.{found.name}")
        for value in vars(module).values():
            for mark in getattr(value, "pytestmark", ()):
                if mark.name == "parametrize":
                    yield from (item for item in mark.args[1] if isinstance(item, Case))


def models():
    """Yield the files of the tests that run more than one operator, or one run after run."""
    yield from (build() for build, _ in test_tflite_bodies.CASES.values())
    yield test_tflite_control.countdown().build()
    yield test_tflite_control.where_and_unique().build()
    yield from map(test_tflite_random.noise, test_tflite_random.KINDS)
    yield test_tflite_random.samples()
    yield test_tflite_state.counter().build()
    yield test_tflite_storage.sparse_model(*test_tflite_storage.ROWS)
    yield test_tflite_tables.table_model("words")
    for build in (
        test_tflite_recurrent.basic_lstm,
        test_tflite_recurrent.bidirectional_lstm,
        test_tflite_recurrent.integer_lstm,
        test_tflite_rnn.integer_svdf,
        test_tflite_rnn.basic_rnn,
        test_tflite_rnn.bidirectional_rnn,
        test_tflite_rnn.sequence_rnn,
        test_tflite_rnn.svdf,
    ):
        yield build()[0]


def held():
    """Return the kinds of operators in all of them."""
    found = {case.custom or case.kind for case in cases()}
    for data in models():
        for subgraph in read_model(data).subgraphs:
            found |= {operator.kind for operator in subgraph.operators}
    return found


def test_every_operator_that_converts_is_held_against_litert():
    missing = sorted({*CONVERTERS, *CUSTOM} - held() - NOT_IN_LITERT)
    assert not missing, f"no model of the tests holds {missing} against LiteRT"


def test_enough_builtin_operators_are_held():
    builtin = {k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    count = len(held() & builtin & set(CONVERTERS))
    assert count >= WANTED, f"{count} builtin operators"
    print(f"{count} builtin operators of TFLite are held against LiteRT")
