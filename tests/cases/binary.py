"""Cases of arithmetic of two operands."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.ops import Op
from linnet.types import Quantization

from .case import Case, below, case, floats, just, positive, stored

RELU6 = (0.0, 6.0)
LEFT, RIGHT, OUT = Quantization(0.031, 3), Quantization(0.047, -11), Quantization(0.055, 5)
# Op, whether it has a float32 kernel, its int8 kernel.
ARITHMETIC: list[tuple[Op, bool, str]] = [
    (ops.Add(clamp=RELU6), True, "binary_s8"),
    (ops.Sub(clamp=(-1.0, float("inf"))), True, "binary_s8"),
    (ops.Mul(clamp=(-2.0, 2.0)), True, "binary_s8"),
    (ops.Div(clamp=(-3.0, 3.0)), True, "pair_table_u8"),
    (ops.Minimum(), True, "binary_s8"),
    (ops.Maximum(), True, "binary_s8"),
    (ops.SquaredDifference(), True, "pair_table_u8"),
    (ops.PRelu(), True, "binary_s8"),
    (ops.Pow(), False, "pair_table_u8"),
    (ops.FloorDiv(), False, "pair_table_u8"),
    (ops.Mod(fmod=True), False, "pair_table_u8"),
]
SHAPES = {"": ((2, 5, 3, 19), (2, 5, 3, 19)), " channels": ((2, 5, 3, 19), (19,))}
OUTER = ((4, 1, 7), (1, 5, 1))


def label(op: Op) -> str:
    """Return the op's name."""
    return type(op).__name__


def of_floats(op: Op, vectorized: bool, shapes: tuple, suffix: str, **fields) -> Case:
    """Return the float32 case, its left operand positive where it is raised to a power."""
    left, right = shapes
    x = positive(*left) if isinstance(op, ops.Pow) else floats(*left, spread=3.0)
    y = floats(*right, spread=2.0)
    rows = "binary_f32" if vectorized else ()
    return case(f"{label(op)} float{suffix}", op, x, y, kernels=rows, **fields)


def of_bytes(op: Op, kernel: str, shapes: tuple, suffix: str, **fields) -> Case:
    """Return the int8 case."""
    return case(
        f"{label(op)} int8{suffix}",
        op,
        stored(*shapes[0]),
        stored(*shapes[1]),
        quantizations=(LEFT, RIGHT),
        output_quantization=OUT,
        kernels=kernel,
        **fields,
    )


def both(op: Op, vectorized: bool, kernel: str, shapes: tuple, suffix: str, **fields) -> list[Case]:
    """Return the float32 and the int8 case."""
    return [
        of_floats(op, vectorized, shapes, suffix, **fields),
        of_bytes(op, kernel, shapes, suffix, **fields),
    ]


def integers(op: Op) -> list[Case]:
    """Return the cases of plain integers, small enough to be raised to powers."""
    found = []
    for name, dtype in (("integers", np.int32), ("long integers", np.int64), ("bytes", np.int8)):
        x = below(9, 6, 7, 19, low=-8, dtype=dtype)
        y = below(9, 7, 1, low=-8, dtype=dtype)
        host = dtype is np.int8 or isinstance(op, ops.Pow)
        rows = () if host else "binary_whole"
        found.append(case(f"{label(op)} {name}", op, x, y, kernels=rows))
    return found


def extremes(op: Op) -> list[Case]:
    """Return cases of whole ranges of types, where results wrap and divisions could trap."""
    found = []
    for dtype in (np.uint8, np.int32, np.int64):
        ends = [np.iinfo(dtype).min, np.iinfo(dtype).max, 7, 0, 3]
        ends += [-1] if np.iinfo(dtype).min < 0 else []
        x, y = just([[end] for end in ends], dtype), just(ends, dtype)
        mode = " fmod" if isinstance(op, ops.Mod) and op.fmod else ""
        name = f"{label(op)}{mode} extremes of {np.dtype(dtype)}"
        found.append(case(name, op, x, y, kernels="binary_whole"))
    return found


LARGE = ((1, 56, 56, 64), (1, 56, 56, 64))
WHOLE = [type(row[0])() for row in ARITHMETIC if not isinstance(row[0], ops.Pow)]
WHOLE.append(ops.Mod(fmod=True))
CASES: list[Case] = [
    *(one for row in ARITHMETIC for name, pair in SHAPES.items() for one in both(*row, pair, name)),
    *(one for row in ARITHMETIC[:3] for one in both(*row, OUTER, " outer")),
    *(one for row in ARITHMETIC for one in integers(type(row[0])())),
    *(one for op in WHOLE for one in extremes(op)),
    case(
        "Add bytes unsigned",
        ops.Add(clamp=RELU6),
        stored(3, 37, dtype=np.uint8),
        stored(37, dtype=np.uint8),
        quantizations=(Quantization(0.031, 131), Quantization(0.047, 117)),
        output_quantization=Quantization(0.055, 133),
        kernels="pair_table_u8",
    ),
    case(
        "Add constant float",
        ops.Add(),
        floats(2, 9, 35),
        floats(35),
        constants=(1,),
        kernels="binary_f32",
    ),
    case(
        "Mul constant int8",
        ops.Mul(),
        stored(2, 9, 35),
        stored(35),
        quantizations=(LEFT, RIGHT),
        output_quantization=OUT,
        constants=(1,),
        kernels="binary_s8",
    ),
    case(
        "Pow constant float",
        ops.Pow(),
        positive(2, 9, 35),
        just(3.0, np.float32),
        constants=(1,),
        kernels="unary_f32",
        bound=2e-6,
    ),
    case("Atan2", ops.Atan2(), floats(5, 7), floats(7)),
    case("Mod sign of the divisor float", ops.Mod(), floats(5, 7, spread=9.0), floats(7)),
    *(one for row in ARITHMETIC[:3] for one in both(*row, LARGE, " large", bench=True)),
    of_floats(ops.Div(), True, ((1, 56, 56, 64), (64,)), " large", bench=True),
    case(
        "Add integers large",
        ops.Add(),
        below(99, 56, 56, 64),
        below(99, 64),
        kernels="binary_whole",
        bench=True,
    ),
    of_bytes(ops.Div(), "pair_table_u8", LARGE, " large", bench=True),
    of_bytes(ops.PRelu(), "binary_s8", ((1, 56, 56, 64), (64,)), " large", bench=True),
]
