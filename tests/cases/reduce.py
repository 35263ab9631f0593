"""Cases of reductions, running sums and the k best."""

from __future__ import annotations

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


CASES: list[Case] = [
    *(
        one
        for kind in (*SUMMED, *EXTREMES)
        for name, axes in AXES.items()
        for one in folds(kind, name, axes)
    ),
    *(
        case(f"{kind.__name__} integers", kind(axes=(1,)), below(99, 4, 5, low=-99))
        for kind in (*SUMMED, *EXTREMES)
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
    case("ArgMax middle axis", ops.ArgMax(axis=1), floats(3, 7, 5)),
    case("ArgMin middle axis", ops.ArgMin(axis=1), floats(3, 7, 5)),
    case("CumSum float", ops.CumSum(axis=1, exclusive=True, reverse=True), floats(3, 7, 5)),
    case("CumProd", ops.CumSum(axis=1, product=True, exclusive=True), floats(3, 7, 5)),
    case("CumSum integers", ops.CumSum(axis=-1), below(9, 3, 7)),
    case(
        "CumSum int8",
        ops.CumSum(axis=1),
        stored(3, 7, 5),
        quantizations=(X,),
        output_quantization=Quantization(0.1, 2),
    ),
    case("TopK float", ops.TopK(k=3, axis=1, dtype=DType.INT32), floats(3, 7, 5)),
    case(
        "TopK int8",
        ops.TopK(largest=False),
        stored(3, 37),
        just([4]),
        constants=(1,),
        quantizations=(X,),
    ),
    *folds(ops.ReduceMean, " space large", (1, 2), shape=(1, 28, 28, 96), bench=True),
    *folds(ops.ReduceSum, " last large", (-1,), shape=(512, 384), bench=True),
    *folds(ops.ReduceMax, " last large", (-1,), shape=(512, 384), bench=True),
    *places(ops.ArgMax, suffix=" large", shape=(64, 1000), bench=True),
]
