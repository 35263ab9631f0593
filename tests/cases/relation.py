"""Cases of relations, logic and selection."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.types import Quantization

from .case import Case, below, booleans, case, floats, stored

LEFT, RIGHT = Quantization(0.5, 3), Quantization(0.25, 9)
RELATIONS = (
    ops.Equal(),
    ops.Less(),
    ops.LessOrEqual(),
    ops.Greater(),
    ops.GreaterOrEqual(),
)


def halves(*shape: int):
    """Return a maker of few different float32 numbers, so that some are equal."""
    return lambda rng: np.asarray(rng.integers(-3, 4, shape) * 0.5, np.float32)


def relations() -> list[Case]:
    """Return the cases of every relation: float32, int8, plain integers."""
    found = []
    for op in RELATIONS:
        name = type(op).__name__
        found += [
            case(f"{name} float", op, halves(4, 5, 19), halves(5, 1), kernels="compare_f32"),
            case(
                f"{name} int8",
                op,
                below(9, 7, 37, low=-9, dtype=np.int8),
                below(9, 37, low=-9, dtype=np.int8),
                quantizations=(LEFT, RIGHT),
                kernels="pair_table_u8",
            ),
            case(f"{name} integers", op, below(3, 5, 37), below(3, 5, 1), kernels="binary_whole"),
            case(
                f"{name} small integers",
                op,
                below(3, 5, 37, low=-2, dtype=np.int32),
                below(3, 37, low=-2, dtype=np.int32),
                kernels="binary_whole",
            ),
            case(f"{name} words", op, below(3, 70, dtype=np.int16), below(3, 70, dtype=np.int16)),
        ]
    return found


CASES: list[Case] = [
    *relations(),
    case("Equal truths", ops.Equal(), booleans(5, 7), booleans(5, 7), kernels="binary_whole"),
    *(
        one
        for op in (ops.And(), ops.Or(), ops.Xor())
        for one in (
            case(f"{type(op).__name__}", op, booleans(5, 7), booleans(7), kernels="binary_whole"),
            case(
                f"{type(op).__name__} bits",
                op,
                below(99, 5, 7),
                below(99, 5, 1),
                kernels="binary_whole",
            ),
        )
    ),
    case(
        "Where float",
        ops.Where(),
        booleans(4, 1, 19),
        floats(4, 5, 19),
        floats(5, 1),
        kernels="where",
    ),
    case(
        "Where int8",
        ops.Where(),
        booleans(4, 1),
        stored(4, 37),
        stored(37),
        quantizations=(None, LEFT, LEFT),
        output_quantization=LEFT,
        kernels="where",
    ),
    case(
        "Where int8 of two scales",
        ops.Where(),
        booleans(4, 1),
        stored(4, 37),
        stored(37),
        quantizations=(None, LEFT, RIGHT),
        output_quantization=LEFT,
    ),
    case("Where integers", ops.Where(), booleans(9), below(99, 9), below(99, 9), kernels="where"),
    case(
        "Less large",
        ops.Less(),
        floats(1, 56, 56, 64),
        floats(64),
        kernels="compare_f32",
        bench=True,
    ),
    case(
        "Where large",
        ops.Where(),
        booleans(1, 56, 56, 1),
        floats(1, 56, 56, 64),
        floats(1, 56, 56, 64),
        kernels="where",
        bench=True,
    ),
]
