"""Cases of ops that combine rows by number."""

from __future__ import annotations

import numpy as np

from linnet import ops

from .case import Case, below, case, floats, just, positive

CASES: list[Case] = [
    case("SegmentReduce add", ops.SegmentReduce(), floats(6, 3), just([0, 0, 2, 2, 2, 3]),
         constants=(1,)),
    *(
        case(f"SegmentReduce {reduction}", ops.SegmentReduce(reduction=reduction),
             floats(3, 2, 4), just([[2, 0], [2, -1], [4, 0]], np.int32), just(5),
             constants=(2,))
        for reduction in ("mul", "min", "max")
    ),
    case("SegmentReduce integers", ops.SegmentReduce(reduction="max"),
         below(99, 6, dtype=np.int32), just([0, 0, 3, 2, 2, 3]), just(5), constants=(2,)),
    *(
        case(f"EmbeddingBag {combiner}", ops.EmbeddingBag(combiner=combiner),
             just([1, 3, 0, 2], np.int32), just([[0, 0], [0, 1], [2, 0], [2, 1]], np.int32),
             just([3, 2], np.int32), positive(4), floats(5, 3), constants=(2,))
        for combiner in ("sum", "mean", "sqrtn")
    ),
    case("KeyedLookup", ops.KeyedLookup(), just([7, 3, 9, 1], np.int32),
         just([1, 3, 7, 8], np.int32), floats(4, 3)),
]  # fmt: skip
