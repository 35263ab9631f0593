"""Cases of elementwise ops of one operand: float32 by kernel, int8 by table."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.ops import Op
from linnet.types import Quantization

from .case import Case, Make, booleans, case, floats, positive, stored

UNIT = 2.0**-23

# Op, error relative to the element in units in the last place, relative to the largest likewise.
FUNCTIONS: list[tuple[Op, float, float]] = [
    (ops.Clip(minimum=-0.5, maximum=1.5), 0, 0),
    (ops.LeakyRelu(alpha=0.1), 1, 0),
    (ops.Sigmoid(), 5, 0),
    (ops.Tanh(), 5, 0),
    (ops.Exp(), 3, 0),
    (ops.Log(), 4, 0),
    (ops.Sqrt(), 1, 0),
    (ops.Rsqrt(), 3, 0),
    (ops.Neg(), 0, 0),
    (ops.Abs(), 0, 0),
    (ops.Square(), 1, 0),
    (ops.Erf(), 5, 0),
    (ops.Gelu(), 5, 5),
    (ops.Gelu(approximate=True), 9, 5),
    (ops.HardSwish(), 4, 0),
    (ops.HardSigmoid(alpha=0.25, beta=0.375), 2, 1),
    (ops.Silu(), 5, 0),
    (ops.Swish(alpha=2.0), 5, 0),
    (ops.Elu(alpha=0.7), 5, 0),
    (ops.Softplus(), 5, 0),
    (ops.Sin(), 2, 2),
    (ops.Cos(), 2, 2),
    (ops.Floor(), 0, 0),
    (ops.Ceil(), 0, 0),
    (ops.Round(), 0, 0),
    (ops.Reciprocal(), 1, 0),
    (ops.Sign(), 0, 0),
]
OF_POSITIVE = (ops.Log, ops.Sqrt, ops.Rsqrt, ops.Reciprocal)
ROUNDING = (ops.Floor, ops.Ceil, ops.Round)
OF_INTEGERS = (ops.Neg, ops.Abs, ops.Square, ops.Floor, ops.Ceil, ops.Round, ops.Sign)
BENCHED = (ops.Clip, ops.Sigmoid, ops.Gelu, ops.HardSwish)


def label(op: Op) -> str:
    """Return the op's name, told from its namesakes in the list."""
    return type(op).__name__ + (" approximate" if getattr(op, "approximate", False) else "")


def values(op: Op, *shape: int) -> Make:
    """Return a maker of numbers that the function is defined for."""
    return positive(*shape) if isinstance(op, OF_POSITIVE) else floats(*shape, spread=3.0)


def of_floats(op: Op, units: float, noise: float, shape: tuple[int, ...], suffix: str) -> Case:
    """Return the float32 case of a function."""
    return case(
        f"{label(op)} float{suffix}",
        op,
        values(op, *shape),
        kernels="unary_f32",
        bound=units * UNIT,
        noise=noise * UNIT,
        bench=bool(suffix),
    )


def of_bytes(op: Op, shape: tuple[int, ...], suffix: str = "", dtype=np.int8, zero=0) -> Case:
    """Return the quantized case of a function; its reals are above zero where it needs that."""
    lowest = int(np.iinfo(dtype).min)
    middle = lowest - 1 if isinstance(op, OF_POSITIVE) else lowest + 125
    return case(
        f"{label(op)} {np.dtype(dtype).name}{suffix}",
        op,
        stored(*shape, dtype=dtype),
        quantizations=(Quantization(0.03, middle),),
        output_quantization=Quantization(0.025, lowest + 128 + zero),
        kernels="table_u8",
        bench=bool(suffix),
    )


CASES: list[Case] = [
    *(of_floats(*row, (3, 5, 23), "") for row in FUNCTIONS),
    *(of_bytes(row[0], (5, 67), zero=-9) for row in FUNCTIONS),
    of_bytes(ops.HardSwish(), (5, 67), dtype=np.uint8),
    *(
        case(
            f"{label(row[0])} integers",
            row[0],
            stored(5, 7, dtype=np.int32),
            kernels=() if isinstance(row[0], ROUNDING) else "binary_whole",
        )
        for row in FUNCTIONS
        if isinstance(row[0], OF_INTEGERS)
    ),
    case(
        "Clip plain bytes",
        ops.Clip(minimum=3.5, maximum=200.2),
        stored(3, 35, dtype=np.uint8),
        kernels="table_u8",
    ),
    case(
        "Clip integers",
        ops.Clip(minimum=-9.5),
        stored(3, 35, dtype=np.int64),
        kernels="binary_whole",
    ),
    case(
        "Sign unsigned",
        ops.Sign(),
        lambda rng: rng.integers(0, 3, 70, np.uint8),
        kernels="table_u8",
    ),
    case(
        "Sigmoid int16",
        ops.Sigmoid(),
        stored(3, 35, dtype=np.int16),
        quantizations=(Quantization(2.0**-12),),
        output_quantization=Quantization(2.0**-15),
        kernels="table_s16",
    ),
    case("Sqrt double", ops.Sqrt(), lambda rng: rng.random((3, 7))),
    case("Not", ops.Not(), booleans(3, 35), kernels="binary_whole"),
    case("Not bits", ops.Not(), stored(3, 35, dtype=np.int32), kernels="binary_whole"),
    *(
        of_floats(*row, (1, 56, 56, 64), " large")
        for row in FUNCTIONS
        if isinstance(row[0], BENCHED)
    ),
    of_bytes(ops.HardSwish(), (1, 56, 56, 64), " large"),
]
