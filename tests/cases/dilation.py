"""Cases of ops over windows of any number of axes."""

from __future__ import annotations

import numpy as np

from linnet import ops

from .case import Case, below, case, floats, just


def mostly(value: bool, *shape: int):
    """Return a maker of truth values, a tenth of them the other one."""
    return lambda rng: (rng.random(shape) < 0.1) != value


CASES: list[Case] = [
    case("Dilate", ops.Dilate(steps=(2, 1, 3)), floats(3, 2, 4), just(0.5, np.float32)),
    *(
        case(f"ReduceWindow {reduction}",
             ops.ReduceWindow(reduction=reduction, window=(2, 3), strides=(1, 2),
                              dilations=(2, 1)),
             floats(6, 9), just(start, np.float32))
        for reduction, start in (("add", 0.5), ("mul", 1.5), ("min", 0.5), ("max", -0.5))
    ),
    case("ReduceWindow integers",
         ops.ReduceWindow(reduction="add", window=(2,), strides=(2,), dilations=(1,)),
         below(9, 8, dtype=np.int32), just(1, np.int32)),
    *(
        case(f"ReduceWindow {reduction}",
             ops.ReduceWindow(reduction=reduction, window=(2, 2), strides=(1, 1),
                              dilations=(1, 1)),
             mostly(start, 6, 7), just(start, bool))
        for reduction, start in (("all", True), ("any", False))
    ),
]  # fmt: skip
