"""Cases of reductions, running sums and the k best."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.ops import Op
from linnet.types import DType, Quantization

from .case import SUMS, Case, below, case, floats, just, positive, stored

X, Y = Quantization(0.05, -7), Quantization(0.04, 9)
SHAPE = (2, 7, 5, 19)
AXES = {" space": (1, 2), " last": (-1,), " first": (0,), " ends": (0, -1)}
EXTREMES = (ops.ReduceMax, ops.ReduceMin)
SUMMED = (ops.ReduceSum, ops.ReduceMean)


def folds(kind: type[Op], name: str, axes: tuple[int, ...], **fields) -> list[Case]:
    """Return the float32 and the int8 case of a sum, a mean or an extreme."""
    op = kind(axes=axes, keepdims="space" not in name)
    shape = fields.pop("shape", SHAPE)
    exact = kind in EXTREMES
    return [
        case(
            f"{kind.__name__} float{name}",
            op,
            floats(*shape),
            kernels="reduce_f32",
            noise=0.0 if exact else SUMS,
            **fields,
        ),
        case(
            f"{kind.__name__} int8{name}",
            op,
            stored(*shape),
            quantizations=(X,),
            output_quantization=None if exact else Quantization(0.4, 9),
            kernels="reduce_s8",
            **fields,
        ),
    ]


def places(kind: type[Op], **fields) -> list[Case]:
    """Return the cases of the index of an extreme."""
    name, suffix = kind.__name__, fields.pop("suffix", "")
    shape = fields.pop("shape", (5, 3, 37))
    op = kind(select_last=True, keepdims=True, dtype=DType.INT32)
    return [
        case(f"{name} float{suffix}", op, floats(*shape), kernels="arg_extreme_f32", **fields),
        case(
            f"{name} int8{suffix}",
            kind(axis=-1),
            stored(*shape),
            quantizations=(X,),
            kernels="arg_extreme_s8",
            **fields,
        ),
    ]


def few(*shape: int, dtype=np.float32, nan: bool = False):
    """Return a maker of few different numbers, so that many are equal; with some NaN."""

    def make(rng: np.random.Generator) -> np.ndarray:
        values = rng.integers(0 if dtype is np.uint8 else -4, 5, shape).astype(dtype)
        if nan:
            values[rng.random(shape) < 0.2] = np.nan
        return values

    return make


CASES: list[Case] = [
    *(
        one
        for kind in (*SUMMED, *EXTREMES)
        for name, axes in AXES.items()
        for one in folds(kind, name, axes)
    ),
    *(
        case(
            f"{kind.__name__} {np.dtype(dtype)}",
            kind(axes=axes, keepdims=False),
            stored(4, 5, 3, 6, dtype=dtype),
            kernels="reduce_whole",
        )
        for kind in (*SUMMED, *EXTREMES, ops.ReduceProd)
        for dtype, axes in ((np.int32, (1,)), (np.int64, (0, 2)), (np.uint8, (-1,)))
    ),
    case("ReduceProd float", ops.ReduceProd(axes=(1,)), positive(3, 7, 5)),
    case(
        "ReduceProd int8",
        ops.ReduceProd(axes=(1,), keepdims=False),
        stored(3, 3, 5),
        quantizations=(X,),
        output_quantization=Y,
    ),
    *places(ops.ArgMax),
    *places(ops.ArgMin),
    *(
        case(
            f"{kind.__name__} middle axis of {np.dtype(dtype)}",
            kind(axis=1, select_last=last),
            few(3, 17, 5, dtype=dtype),
            kernels="arg_lines",
        )
        for kind in (ops.ArgMax, ops.ArgMin)
        for dtype in (np.float32, np.int32, np.int64, np.int8, np.uint8)
        for last in (np.dtype(dtype).itemsize == 4,)
    ),
    case("ArgMax with NaN", ops.ArgMax(axis=0), few(9, 5, nan=True), kernels="arg_lines"),
    case(
        "ArgMin with NaN",
        ops.ArgMin(axis=0, select_last=True),
        few(9, 5, nan=True),
        kernels="arg_lines",
    ),
    case(
        "ArgMax rows of integers",
        ops.ArgMax(dtype=DType.INT32),
        few(9, 35, dtype=np.int64),
        kernels="arg_lines",
    ),
    case(
        "CumSum float",
        ops.CumSum(axis=1, exclusive=True, reverse=True),
        floats(3, 7, 5),
        kernels="cumulate",
    ),
    case(
        "CumProd",
        ops.CumSum(axis=1, product=True, exclusive=True),
        floats(3, 7, 5),
        kernels="cumulate",
    ),
    case("CumSum integers", ops.CumSum(axis=-1), stored(3, 7, dtype=np.int64), kernels="cumulate"),
    case(
        "CumProd integers",
        ops.CumSum(product=True, reverse=True),
        below(9, 3, 7, dtype=np.int32),
        kernels="cumulate",
    ),
    case(
        "CumSum int8",
        ops.CumSum(axis=1),
        stored(3, 7, 5),
        quantizations=(X,),
        output_quantization=Quantization(0.1, 2),
    ),
    case("TopK float", ops.TopK(k=3, axis=1, dtype=DType.INT32), floats(3, 7, 5), kernels="top_k"),
    *(
        case(
            f"TopK {k} of equal {np.dtype(dtype)}{' and NaN' * nan}",
            ops.TopK(k=k, largest=largest),
            few(5, 37, dtype=dtype, nan=nan),
            kernels="top_k",
        )
        for dtype in (np.float32, np.int32, np.int64)
        for k, largest in ((9, True), (37, False))
        for nan in (False, True)
        if not nan or dtype is np.float32
    ),
    case("TopK large", ops.TopK(k=100), floats(1, 8400), kernels="top_k", bench=True),
    case("CumSum large", ops.CumSum(axis=1), floats(16, 2000), kernels="cumulate", bench=True),
    case(
        "ArgMax channels large",
        ops.ArgMax(axis=1),
        floats(1, 21, 65, 65),
        kernels="arg_lines",
        bench=True,
    ),
    case(
        "ReduceSum integers large",
        ops.ReduceSum(axes=(1,)),
        below(9, 64, 512),
        kernels="reduce_whole",
        bench=True,
    ),
    case(
        "TopK int8",
        ops.TopK(largest=False),
        stored(3, 37),
        just([4]),
        constants=(1,),
        quantizations=(X,),
        kernels="top_k",
    ),
    *folds(ops.ReduceMean, " space large", (1, 2), shape=(1, 28, 28, 96), bench=True),
    *folds(ops.ReduceSum, " last large", (-1,), shape=(512, 384), bench=True),
    *folds(ops.ReduceMax, " last large", (-1,), shape=(512, 384), bench=True),
    *places(ops.ArgMax, suffix=" large", shape=(64, 1000), bench=True),
]
