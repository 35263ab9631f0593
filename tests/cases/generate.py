"""Cases of tensors made from shapes and scalars."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.types import DType

from .case import Case, case, floats, just

CASES: list[Case] = [
    case("Shape", ops.Shape(start=1, end=-1), floats(2, 3, 5, 7)),
    case("Size", ops.Size(), floats(2, 3, 5)),
    case(
        "ConstantOfShape float",
        ops.ConstantOfShape(fill=1.5),
        just([3, 7]),
        constants=(0,),
        kernels="fill_strided",
    ),
    case(
        "ConstantOfShape int8",
        ops.ConstantOfShape(fill=-3, dtype=DType.INT8),
        just([3, 37]),
        constants=(0,),
        kernels="fill_strided",
    ),
    case("Range integers", ops.Range(), just(7), just(-8), just(-2), constants=(0, 1, 2)),
    case(
        "Range float",
        ops.Range(),
        just(0.5, np.float32),
        just(4.0, np.float32),
        just(0.25, np.float32),
        constants=(0, 1, 2),
    ),
]
