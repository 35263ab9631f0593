"""Cases of ops that rearrange, join, cut, surround and repeat."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.ops import Op
from linnet.types import Quantization

from .case import Case, case, floats, just, per_channel, stored

X, OTHER = Quantization(0.05, -7), Quantization(0.09, 4)
COPY, FILL, TRANSPOSE = "copy_strided", "fill_strided", "transpose_2d"


def both(name: str, op: Op, shape: tuple[int, ...], rows, bench: bool = False) -> list[Case]:
    """Return the float32 and the int8 case of a move of one tensor."""
    return [
        case(f"{name} float", op, floats(*shape), kernels=rows, bench=bench),
        case(f"{name} int8", op, stored(*shape), quantizations=(X,), kernels=rows, bench=bench),
    ]


CASES: list[Case] = [
    *both("Transpose image", ops.Transpose(perm=(0, 3, 1, 2)), (2, 5, 7, 19), TRANSPOSE),
    *both("Transpose rows", ops.Transpose(perm=(0, 2, 1, 3)), (2, 5, 7, 19), COPY),
    case("Transpose integers", ops.Transpose(perm=(1, 0)), stored(9, 17, dtype=np.int64),
         kernels=TRANSPOSE),
    case("Transpose per channel", ops.Transpose(perm=(2, 0, 1)), stored(3, 5, 7),
         quantizations=(per_channel(7, 2),), kernels=TRANSPOSE),
    case("Concat float", ops.Concat(axis=-2), floats(2, 3, 19), floats(2, 4, 19), floats(2, 1, 19),
         kernels=COPY),
    case("Concat int8", ops.Concat(axis=2), stored(2, 3, 5), stored(2, 3, 8),
         quantizations=(X, X), kernels=COPY),
    case("Concat int8 of two scales", ops.Concat(axis=1), stored(3, 37), stored(3, 21),
         quantizations=(X, OTHER), output_quantization=X,
         kernels=(COPY, "requantize_rows_s8")),
    case("Concat uint8 of two scales", ops.Concat(axis=1), stored(3, 37, dtype=np.uint8),
         stored(3, 21, dtype=np.uint8), quantizations=(Quantization(0.05, 121), OTHER),
         output_quantization=OTHER),
    *both("Slice", ops.Slice(starts=(1, -2), ends=(6, -9), axes=(1, 3), steps=(2, -3)),
          (2, 7, 3, 19), COPY),
    case("Slice by inputs", ops.Slice(), floats(5, 19), just([1, 2]), just([4, 17]), None,
         just([1, 3]), constants=(1, 2, 4), kernels=COPY),
    *both("Split", ops.Split(axis=-1, sizes=(5, 13, 1)), (3, 5, 19), COPY),
    *both("Pad constant", ops.Pad(pads=(0, 1, 2, 0, 0, 3, 0, 1), value=-0.5), (2, 5, 7, 9),
          (COPY, FILL)),
    *both("Pad reflect", ops.Pad(pads=(0, 1, 2, 0, 3, 1), mode="reflect"), (2, 5, 7), COPY),
    *both("Pad edge", ops.Pad(pads=(1, 0, 2, 0, 3, 1), mode="edge"), (2, 5, 7), COPY),
    *both("Pad symmetric", ops.Pad(pads=(1, 0, 2, 0, -2, 1), mode="symmetric"), (2, 5, 7), COPY),
    case("Tile float", ops.Tile(), floats(2, 1, 19), just([2, 3, 2]), constants=(1,),
         kernels=COPY),
    case("Tile int8", ops.Tile(), stored(3, 7), just([2, 3]), constants=(1,), quantizations=(X,),
         kernels=COPY),
    *both("Reverse", ops.Reverse(axes=(1, -1)), (2, 5, 7), COPY),
    *both("DepthToSpace DCR", ops.DepthToSpace(block=2), (2, 3, 5, 20), COPY),
    *both("DepthToSpace CRD", ops.DepthToSpace(block=3, mode="CRD"), (2, 3, 5, 18), TRANSPOSE),
    *both("SpaceToDepth", ops.SpaceToDepth(block=2), (2, 6, 4, 5), COPY),
    case("Expand float", ops.Expand(), floats(3, 1, 7), just([2, 3, 5, 7]), constants=(1,),
         kernels=COPY),
    case("Expand int8", ops.Expand(), stored(3, 1), just([3, 37]), constants=(1,),
         quantizations=(X,), kernels=COPY),
    *both("Transpose image large", ops.Transpose(perm=(0, 3, 1, 2)), (1, 56, 56, 64), TRANSPOSE,
          bench=True),
    *both("Slice large", ops.Slice(starts=(0, 0), ends=(56, 56), axes=(1, 2), steps=(2, 2)),
          (1, 56, 56, 64), COPY, bench=True),
    *both("Pad large", ops.Pad(pads=(0, 1, 1, 0, 0, 1, 1, 0)), (1, 56, 56, 64), (COPY, FILL),
          bench=True),
    case("Concat int8 large", ops.Concat(axis=-1), stored(1, 28, 28, 96), stored(1, 28, 28, 32),
         quantizations=(X, OTHER), output_quantization=X, kernels=(COPY, "requantize_rows_s8"),
         bench=True),
]  # fmt: skip
