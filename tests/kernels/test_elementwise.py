"""Elementwise kernels against the references: bytes bit for bit, floats within stated bounds."""

import sys

import numpy as np
import pytest
from harness import NotBound, expected, levels, run_op

from linnet import ops
from linnet.ops.bind_elementwise import collapse
from linnet.types import DType, Quantization

RNG = np.random.default_rng(7)
LEVELS = pytest.mark.parametrize(("isa", "threads"), list(levels()))
SIZES = (0, 1, 3, 4, 15, 16, 17, 63, 64, 65, 127, 1000)
EXTREMES = np.array(
    [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38, 88.7, 88.8, -103.9],
    np.float32,
)
# NEON of ARMv7-A takes numbers below the smallest normal one for zero.
FLUSHED = 0.0 if sys.maxsize > 2**32 else float(np.finfo(np.float32).tiny)
EXTREMES[np.abs(EXTREMES) < FLUSHED] = 0


def bytes_of(shape, dtype=np.int8):
    info = np.iinfo(dtype)
    x = RNG.integers(info.min, info.max + 1, shape).astype(dtype)
    if x.size > 1:
        x.flat[0], x.flat[-1] = info.min, info.max
    return x


def floats_of(shape, spread=3.0):
    return (RNG.normal(size=shape) * spread).astype(np.float32)


def check_bytes(op, arrays, quantizations, output, isa, threads):
    call = {"quantizations": quantizations, "output_quantization": output}
    (result,) = run_op(op, arrays, **call, isa=isa, threads=threads)
    (wanted,) = expected(op, arrays, **call)
    np.testing.assert_array_equal(result, wanted)


QUANTIZED_UNARY = [
    ops.Clip(minimum=0.0, maximum=6.0),
    ops.LeakyRelu(alpha=0.1),
    ops.Sigmoid(),
    ops.Tanh(),
    ops.Exp(),
    ops.Log(),
    ops.Sqrt(),
    ops.Rsqrt(),
    ops.Gelu(),
    ops.HardSwish(),
    ops.Silu(),
    ops.Swish(alpha=1.702),
    ops.Sin(),
    ops.Softplus(),
]


@LEVELS
@pytest.mark.parametrize("op", QUANTIZED_UNARY, ids=lambda op: type(op).__name__)
def test_quantized_unary_is_its_reference(op, isa, threads):
    for size, (zero, out_zero) in zip(
        (256, 65, 1000), ((3, -128), (-128, 127), (127, 0)), strict=True
    ):
        x = np.resize(np.arange(-128, 128), size).astype(np.int8)
        check_bytes(op, [x], [Quantization(0.05, zero)], Quantization(0.02, out_zero), isa, threads)


@LEVELS
def test_table_at_every_length(isa, threads):
    for size in SIZES:
        x = bytes_of((size,))
        q = Quantization(0.1, 4)
        check_bytes(ops.HardSwish(), [x], [q], Quantization(0.07, -9), isa, threads)


@LEVELS
@pytest.mark.parametrize(
    ("source", "target"), [(np.int8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)]
)
def test_requantize(source, target, isa, threads):
    zeros = {np.int8: (-5, -5), np.uint8: (123, 123)}
    for scale in (0.25, 0.017):
        x = bytes_of((513,), source)
        given = Quantization(0.25, zeros[source][0])
        wanted = Quantization(scale, zeros[target][1])
        check_bytes(ops.Quantize(dtype=DType.of(target)), [x], [given], wanted, isa, threads)


@LEVELS
def test_plain_bytes_clip(isa, threads):
    x = bytes_of((100,), np.uint8)
    check_bytes(ops.Clip(minimum=3.5, maximum=200.2), [x], [], None, isa, threads)


SHAPES = [
    ((5, 7, 33), (5, 7, 33)),
    ((64,), (64,)),
    ((2, 3, 19), ()),
    ((), (4, 5)),
    ((2, 9, 35), (35,)),
    ((2, 6, 5, 17), (2, 1, 1, 17)),
    ((2, 6, 5, 17), (2, 6, 5, 1)),
    ((3, 1, 4, 1), (1, 5, 1, 6)),
    ((1,), (1, 1)),
    ((0, 4), (4,)),
    ((2, 1, 3, 1, 4, 1), (1, 3, 1, 5, 1, 2)),
]
INT8_BINARY = [
    ops.Add(),
    ops.Add(clamp=(0.0, 6.0)),
    ops.Sub(clamp=(-1.0, float("inf"))),
    ops.Mul(),
    ops.Minimum(),
    ops.Maximum(),
    ops.PRelu(),
]


@LEVELS
@pytest.mark.parametrize("op", INT8_BINARY, ids=lambda op: type(op).__name__)
def test_int8_binary_broadcasts_bit_for_bit(op, isa, threads):
    for left, right in SHAPES:
        arrays = [bytes_of(left), bytes_of(right)]
        given = [Quantization(0.031, 3), Quantization(0.047, -11)]
        check_bytes(op, arrays, given, Quantization(0.055, 5), isa, threads)


@LEVELS
@pytest.mark.parametrize("op", [ops.Minimum(), ops.Maximum()], ids=lambda op: type(op).__name__)
def test_int8_extremes_of_one_scale(op, isa, threads):
    q = Quantization(0.3, -7)
    for left, right in SHAPES:
        check_bytes(op, [bytes_of(left), bytes_of(right)], [q, q], q, isa, threads)


@LEVELS
@pytest.mark.parametrize("op", INT8_BINARY, ids=lambda op: type(op).__name__)
def test_int8_binary_on_every_pair_of_values(op, isa, threads):
    values = np.arange(-128, 128).astype(np.int8)
    for zeros in ((-128, 127, 0), (127, -128, -128), (0, 0, 127)):
        given = [Quantization(0.5, zeros[0]), Quantization(0.25, zeros[1])]
        arrays = [values[:, None], values[None, :]]
        check_bytes(op, arrays, given, Quantization(0.5, zeros[2]), isa, threads)


@LEVELS
@pytest.mark.parametrize(
    "op",
    [ops.Div(clamp=(-3.0, 3.0)), ops.Pow(), ops.SquaredDifference(), ops.Mod(), ops.FloorDiv()],
    ids=lambda op: type(op).__name__,
)
def test_other_quantized_pairs_by_table(op, isa, threads):
    arrays = [bytes_of((3, 40), np.uint8), bytes_of((40,), np.uint8)]
    given = [Quantization(0.031, 3), Quantization(0.047, 200)]
    check_bytes(op, arrays, given, Quantization(0.055, 5), isa, threads)


@LEVELS
@pytest.mark.parametrize("op", [ops.Less(), ops.Equal(), ops.GreaterOrEqual()])
def test_relations(op, isa, threads):
    values = bytes_of((6, 37))
    given = [Quantization(0.5, 3), Quantization(0.25, 9)]
    check_bytes(op, [values, values[:1]], given, None, isa, threads)
    for left, right in SHAPES:
        x, y = np.rint(floats_of(left)), np.rint(floats_of(right))
        check_bytes(op, [x, y], [], None, isa, threads)
    specials = np.resize(EXTREMES, 33)
    check_bytes(op, [specials, specials[::-1].copy()], [], None, isa, threads)


@LEVELS
@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.int64, np.float16, np.bool_])
def test_where(dtype, isa, threads):
    for left, right in SHAPES:
        x, y = floats_of(left, 50).astype(dtype), floats_of(right, 50).astype(dtype)
        condition = np.asarray(RNG.random(np.broadcast_shapes(left, right)) < 0.5)
        check_bytes(ops.Where(), [condition, x, y], [], None, isa, threads)
    check_bytes(
        ops.Where(), [np.bool_([[True], [False], [True], [True]]), x, y], [], None, isa, threads
    )


@LEVELS
@pytest.mark.parametrize("shape", [(7, 12, 3), (5, 3), (2, 300, 1, 40), (0, 3), (4, 0)])
def test_short_constants_are_repeated(shape, isa, threads):
    x, y = floats_of(shape), floats_of(shape[-1:])
    for op, arrays, constant in ((ops.Sub(), [x, y], 1), (ops.Div(), [y, x], 0)):
        (result,) = run_op(op, arrays, constants=[constant], isa=isa, threads=threads)
        np.testing.assert_array_equal(result, expected(op, arrays)[0])
    stored = [bytes_of(shape), bytes_of(shape[-1:])]
    call = {"quantizations": [Quantization(0.1, 3)] * 2, "output_quantization": Quantization(0.2)}
    (result,) = run_op(ops.Add(), stored, **call, constants=[1], isa=isa, threads=threads)
    np.testing.assert_array_equal(result, expected(ops.Add(), stored, **call)[0])


FLOAT_BINARY = [
    ops.Add(clamp=(0.0, 6.0)),
    ops.Sub(),
    ops.Mul(),
    ops.Div(clamp=(-2.0, float("inf"))),
    ops.Minimum(),
    ops.Maximum(),
    ops.SquaredDifference(),
    ops.PRelu(),
]


@LEVELS
@pytest.mark.parametrize("op", FLOAT_BINARY, ids=lambda op: type(op).__name__)
def test_float_binary_equals_the_reference(op, isa, threads):
    for left, right in SHAPES:
        check_bytes(op, [floats_of(left), floats_of(right)], [], None, isa, threads)
    arrays = [EXTREMES[:, None], np.resize(EXTREMES, 40)[None, :]]
    check_bytes(op, arrays, [], None, isa, threads)


# Largest error in units of the last place, plus an absolute one where terms cancel.
FLOAT_UNARY = [
    (ops.Clip(minimum=-1.0, maximum=3.0), 0, 0),
    (ops.LeakyRelu(alpha=0.125), 0.5, 0),
    (ops.Sigmoid(), 4, 0),
    (ops.Tanh(), 4, 0),
    (ops.Exp(), 2, 0),
    (ops.Log(), 3, 0),
    (ops.Sqrt(), 0.5, 0),
    (ops.Rsqrt(), 2, 0),
    (ops.Neg(), 0, 0),
    (ops.Abs(), 0, 0),
    (ops.Square(), 0.5, 0),
    (ops.Erf(), 4, 0),
    (ops.Gelu(), 4, 6e-7),
    (ops.Gelu(approximate=True), 8, 6e-7),
    (ops.HardSwish(), 3, 0),
    (ops.HardSigmoid(alpha=0.2, beta=0.5), 1, 6e-8),
    (ops.Silu(), 4, 1e-42),
    (ops.Swish(alpha=2.0), 4, 1e-42),
    (ops.Elu(alpha=0.7), 4, 0),
    (ops.Softplus(), 4, 0),
    (ops.Sin(), 1, 2e-7),
    (ops.Cos(), 1, 2e-7),
    (ops.Floor(), 0, 0),
    (ops.Ceil(), 0, 0),
    (ops.Round(), 0, 0),
    (ops.Reciprocal(), 0.5, 0),
    (ops.Sign(), 0, 0),
]


@LEVELS
@pytest.mark.parametrize(
    ("op", "places", "absolute"), FLOAT_UNARY, ids=lambda v: type(v).__name__ if v else ""
)
def test_float_unary_error(op, places, absolute, isa, threads):
    bits = RNG.integers(0, 2**32, 4000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    wide = RNG.uniform(-110, 90, 2001).astype(np.float32)
    x = np.concatenate([EXTREMES, bits, floats_of(4000), wide])
    (result,) = run_op(op, [x], isa=isa, threads=threads)
    with np.errstate(all="ignore"):
        exact = op._function(x.astype(np.float64))
        rounded = exact.astype(np.float32)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(rounded))
    finite = np.isfinite(rounded)
    allowed = places * np.spacing(np.abs(rounded[finite])).astype(np.float64) + absolute + FLUSHED
    error = np.abs(result[finite] - exact[finite])
    worst = np.argmax(error - allowed)
    assert (error <= allowed).all(), (x[finite][worst], result[finite][worst], exact[finite][worst])
    np.testing.assert_array_equal(result[np.isinf(rounded)], rounded[np.isinf(rounded)])


@LEVELS
@pytest.mark.parametrize(("power", "places"), [(-1.0, 1), (0.5, 1), (2.0, 1), (3.0, 2)])
def test_constant_powers(power, places, isa, threads):
    x = np.concatenate([EXTREMES, floats_of((1000,), 9.0)])[None]
    y = np.float32([power])
    (result,) = run_op(ops.Pow(), [x, y], constants=[1], isa=isa, threads=threads)
    (wanted,) = expected(ops.Pow(), [x, y])
    np.testing.assert_array_equal(np.isfinite(result), np.isfinite(wanted))
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(result[~finite], wanted[~finite])
    np.testing.assert_array_max_ulp(result[finite], wanted[finite], places)


def test_other_powers_are_not_bound():
    x = floats_of((7,))
    with pytest.raises(NotBound):
        run_op(ops.Pow(), [x, np.float32([2.5])], constants=[1])
    with pytest.raises(NotBound):
        run_op(ops.Pow(), [x, np.float32([2.0])])


@LEVELS
def test_float_unary_at_every_length(isa, threads):
    for size in SIZES:
        check_bytes(ops.Clip(minimum=0.0), [floats_of((size,))], [], None, isa, threads)


def test_float_unary_does_not_depend_on_position_or_threads():
    x = floats_of((1001,))
    for isa in sorted({isa for isa, _ in levels()}):
        (whole,) = run_op(ops.Gelu(), [x], isa=isa)
        (split,) = run_op(ops.Gelu(), [x], isa=isa, threads=2)
        (single,) = run_op(ops.Gelu(), [x[777:778]], isa=isa)
        np.testing.assert_array_equal(whole, split)
        assert whole[777] == single[0]


AFFINES = [
    ((1000,), Quantization(0.037, 5)),
    ((4, 5, 19), Quantization(RNG.uniform(0.01, 0.1, 19), RNG.integers(-20, 20, 19), 2)),
    ((4, 5, 19), Quantization(RNG.uniform(0.01, 0.1, 5), 3, 1)),
    ((6, 33), Quantization(RNG.uniform(0.01, 0.1, 6), 7, 0)),
    ((3, 0, 2), Quantization(0.5, 0)),
]


@LEVELS
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quantize_and_dequantize(dtype, isa, threads):
    for shape, q in AFFINES:
        shifted = Quantization(q.scale, q.zero_point + (128 if dtype is np.uint8 else 0), q.axis)
        x = floats_of(shape, 4.0)
        check_bytes(ops.Quantize(dtype=DType.of(dtype)), [x], [], shifted, isa, threads)
        check_bytes(ops.Dequantize(), [bytes_of(shape, dtype)], [shifted], None, isa, threads)


@LEVELS
def test_quantize_extremes_and_ties(isa, threads):
    ties = (np.arange(-300, 300) + 0.5).astype(np.float32) * np.float32(0.1)
    x = np.concatenate([EXTREMES, ties, np.nextafter(ties, np.float32(np.inf))])
    for zero in (-128, 0, 127):
        check_bytes(ops.Quantize(), [x], [], Quantization(0.1, zero), isa, threads)
        check_bytes(ops.Quantize(), [x], [], Quantization(1e-40, zero), isa, threads)


@LEVELS
@pytest.mark.parametrize("source", ["float32", "int32", "int64", "int8", "uint8", "bool"])
def test_cast(source, isa, threads):
    if source == "float32":
        edges = [2.0**31, 2.0**63, -(2.0**31), 127.9, 128.0, 255.9, 256.0, -0.9, -1.0, 2.5e9]
        x = np.concatenate([EXTREMES, np.float32(edges), floats_of((50,), 200)]).astype(np.float32)
    elif source == "bool":
        x = np.arange(70) % 3 == 0
    else:
        x = bytes_of((70,), source)
    for target in ("float32", "int32", "int64", "int8", "uint8", "bool"):
        check_bytes(ops.Cast(to=DType(target)), [x], [], None, isa, threads)


@pytest.mark.parametrize(
    ("op", "array"), [(ops.Sin(), np.float64), (ops.Neg(), np.int16), (ops.Abs(), np.float64)]
)
def test_what_has_no_kernel_is_not_bound(op, array):
    with pytest.raises(NotBound):
        run_op(op, [np.ones(3, array)])


def test_seven_dimensions_that_do_not_merge_are_not_bound():
    left, right = np.ones((2, 1) * 4, np.float32), np.ones((1, 2) * 4, np.float32)
    with pytest.raises(NotBound):
        run_op(ops.Add(), [left, right])


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_collapse_addresses_every_element(left, right):
    shape = np.broadcast_shapes(left, right)
    sizes, strides = collapse(shape, [left, right])
    assert all(steps[-1] in (0, 1) for steps in strides)
    for operand, steps in zip((left, right), strides, strict=True):
        numbered = np.arange(int(np.prod(operand))).reshape(operand)
        index = sum(
            np.arange(size).reshape(-1, *[1] * (len(sizes) - d - 1)) * step
            for d, (size, step) in enumerate(zip(sizes, steps, strict=True))
        )
        np.testing.assert_array_equal(np.ravel(index), np.broadcast_to(numbered, shape).ravel())
