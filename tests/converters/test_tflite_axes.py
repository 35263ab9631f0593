"""TFLite operators along axes, and of sizes, that only a run knows; the basic LSTM kernel."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.tflite_reference import Case, Operand, check

rng = np.random.default_rng(5)
X = Operand(rng.standard_normal((2, 6, 4)).astype(np.float32))
INDICES = Operand(np.array([[0, 3, -1], [2, 1, 4]], np.int32))
INTEGER, LONG = 2, 4


def number(value, constant=False):
    return Operand(np.array(value, np.int32), constant)


CASES = [
    Case("ARG_MAX", [X, number(1)], "ArgMaxOptions", {"OutputType": LONG}, [("int64", None)]),
    Case("ARG_MIN", [X, number(-1)], "ArgMinOptions", {"OutputType": INTEGER}, [("int32", None)]),
    Case(
        "ARG_MAX", [Operand(X.content[0, :, 0]), number(0)], "ArgMaxOptions",
        {"OutputType": LONG}, [("int64", None)], label="scalar",
    ),
    Case("CUMSUM", [X, number(-2)], "CumsumOptions", {"Exclusive": True, "Reverse": True}),
    Case("EXPAND_DIMS", [X, number(-2)], "ExpandDimsOptions"),
    Case(
        "ONE_HOT", [INDICES, number(5), number(2, True), number(-1, True)], "OneHotOptions",
        {"Axis": 1}, [("int32", None)],
    ),
    Case("SPLIT", [number(-2), X], "SplitOptions", {"NumSplits": 3}, [("float32", None)] * 3),
    Case(
        "SPLIT_V", [X, number([1, -1, 2]), number(1, True)], "SplitVOptions", {"NumSplits": 3},
        [("float32", None)] * 3,
    ),
    Case(
        "SPLIT_V", [X, number([1, 3]), number(-1, True)], "SplitVOptions", {"NumSplits": 2},
        [("float32", None)] * 2, label="of all",
    ),
]  # fmt: skip


def basic_cell():
    """Return one step of the LSTM kernel that makes all gates in one product."""
    batch, inputs, units = 3, 5, 4

    def real(*shape, constant=False):
        return Operand(rng.standard_normal(shape).astype(np.float32), constant)

    weights = real(4 * units, inputs + units, constant=True)
    operands = [
        real(batch, inputs), real(batch, units), weights, real(4 * units, constant=True),
        real(batch, units),
    ]  # fmt: skip
    options = {"FusedActivationFunction": 4, "KernelType": 1}
    return Case("LSTM", operands, "LSTMOptions", options, [("float32", None)] * 4, label="basic")


CASES.append(basic_cell())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind} {case.label}".strip())
def test_against_litert(case):
    check(case)
