"""Cases of ops on integers as such."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.types import DType

from .case import Case, below, case, floats, just, stored

CASES: list[Case] = [
    case("Bitcast to integers", ops.Bitcast(to=DType.INT32), floats(3, 4)),
    case("Bitcast to bytes", ops.Bitcast(to=DType.UINT8), floats(3, 4)),
    case("Bitcast to wider", ops.Bitcast(to=DType.INT64), below(99, 3, 2, dtype=np.int32)),
    case("BitShift right", ops.BitShift(), stored(5, 7, dtype=np.int32),
         below(40, 7, low=-3, dtype=np.int32)),
    case("BitShift left", ops.BitShift(right=False), stored(5, 7, dtype=np.uint8),
         below(12, 5, 1, dtype=np.uint8)),
    case("Bucketize float", ops.Bucketize(boundaries=(-1.0, -0.25, 0.5, 1.0)), floats(5, 7)),
    case("Bucketize integers", ops.Bucketize(boundaries=(-3.0, 0.0)), below(9, 7, low=-9)),
    case("BroadcastShapes", ops.BroadcastShapes(), just([2, 1, 5], np.int32),
         just([3, 1], np.int32)),
]  # fmt: skip
