"""Rules of operators that write into copies, change bits, or treat complex numbers."""

from __future__ import annotations

import numpy as np

from linnet.errors import FormatError, UnsupportedError
from linnet.ops import (
    RFFT2D,
    Bitcast,
    BitShift,
    BroadcastShapes,
    ComplexAbs,
    Dilate,
    DynamicUpdateSlice,
    Expand,
    Imag,
    MatrixDiag,
    MatrixSetDiag,
    Real,
    ReduceWindow,
    Reshape,
    ReverseSequence,
    ScatterND,
)

from .node import TfliteNode
from .ops_elementwise import simple

_REDUCTIONS = {1: "add", 2: "mul", 3: "min", 4: "max", 5: "all", 6: "any"}


def reverse_sequence(node: TfliteNode) -> None:
    """REVERSE_SEQUENCE: x and the length of each sequence."""
    op = ReverseSequence(
        batch_axis=int(node.option("BatchDim", 0)), time_axis=int(node.option("SeqDim", 0))
    )
    node.emit(op, [node.input(0), node.input(1)])


def bitcast(node: TfliteNode) -> None:
    """BITCAST: the same bytes as the type that the file declares."""
    node.emit(Bitcast(to=node.output_type().dtype), [node.input(0)])


def rfft2d(node: TfliteNode) -> None:
    """RFFT2D: x and two constant lengths, powers of two."""
    lengths = node.integers(1, "transform lengths")
    if len(lengths) != 2 or min(lengths) < 1:
        raise FormatError(f"transform lengths {lengths}; expected two positive numbers")
    node.emit(RFFT2D(lengths=(lengths[0], lengths[1])), [node.input(0)])


def sparse_to_dense(node: TfliteNode) -> None:
    """SPARSE_TO_DENSE: indices, shape, values (one or one per index), default."""
    indices, values = node.type(0), node.type(2)
    if values.is_quantized:
        raise UnsupportedError("quantized values; only plain numbers are known")
    dense = node.step(Expand(), [node.input(3), node.as_int64(node.input(1))], "default")
    depth = node.graph.type_of(dense).rank
    places, updates = node.as_int64(node.input(0)), node.input(2)
    if indices.rank != 2:
        places = node.step(Reshape(shape=(-1, depth)), [places], "places")
    if values.rank == 0:
        count = node.graph.type_of(places).shape[0]
        if not isinstance(count, int):
            raise UnsupportedError(f"one value at an unknown number of places {indices}")
        updates = node.step(Expand(), [updates, node.array(np.array([count]), "count")], "updates")
    node.emit(ScatterND(), [dense, places, updates])


def dilate(node: TfliteNode) -> None:
    """DILATE: x, constant steps, fill value."""
    op = Dilate(steps=node.integers(1, "dilations"))
    node.emit(op, [node.input(0), node.input(2)])


def reduce_window(node: TfliteNode) -> None:
    """REDUCE_WINDOW: x, initial value, constant window, strides and dilations."""
    number = node.option("ReduceFunction", 0)
    if number not in _REDUCTIONS:
        raise UnsupportedError(f"reduce function {number}; expected one of {_REDUCTIONS}")
    op = ReduceWindow(
        reduction=_REDUCTIONS[number],
        window=node.integers(2, "window"),
        strides=node.integers(3, "strides"),
        dilations=node.integers(4, "dilations"),
    )
    node.emit(op, [node.input(0), node.input(1)])


CONVERTERS = {
    "BITCAST": bitcast,
    "BROADCAST_ARGS": simple(BroadcastShapes()),
    "COMPLEX_ABS": simple(ComplexAbs()),
    "DILATE": dilate,
    "DYNAMIC_UPDATE_SLICE": simple(DynamicUpdateSlice()),
    "IMAG": simple(Imag()),
    "MATRIX_DIAG": simple(MatrixDiag()),
    "MATRIX_SET_DIAG": simple(MatrixSetDiag()),
    "REAL": simple(Real()),
    "REDUCE_WINDOW": reduce_window,
    "REVERSE_SEQUENCE": reverse_sequence,
    "RFFT2D": rfft2d,
    "RIGHT_SHIFT": simple(BitShift()),
    "SPARSE_TO_DENSE": sparse_to_dense,
}
