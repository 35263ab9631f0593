"""Cases of ops that select by what the data says."""

from __future__ import annotations

import numpy as np

from linnet import ops

from .case import Case, below, booleans, case, floats, just


def boxes(rng: np.random.Generator) -> np.ndarray:
    """Return two batches of overlapping boxes."""
    low = rng.uniform(0, 5, (2, 40, 2))
    return np.concatenate([low, low + rng.uniform(1, 4, (2, 40, 2))], -1).astype(np.float32)


CASES: list[Case] = [
    case("NonZero", ops.NonZero(), below(3, 4, 5, 2)),
    case("NonZero scalar", ops.NonZero(), below(3, 7)),
    case("Compress", ops.Compress(), floats(4, 5), booleans(17)),
    case("Compress axis", ops.Compress(axis=1), floats(4, 5), booleans(4)),
    case("FirstRows", ops.FirstRows(), floats(5, 3), just([4])),
    case("Unique", ops.Unique(), below(9, 4, 6)),
    case("Unique in order", ops.Unique(sorted=False), below(9, 4, 6)),
    case("Unique axis", ops.Unique(axis=1), below(2, 2, 9)),
    case("NonMaxSuppression", ops.NonMaxSuppression(), boxes, floats(2, 3, 40), just(5),
         just(0.4, np.float32), just(0.1, np.float32)),
    case("NonMaxSuppression center", ops.NonMaxSuppression(center=True), boxes, floats(2, 3, 40),
         just([7])),
    case("NonMaxSuppression padded", ops.NonMaxSuppression(padded=True), boxes, floats(2, 3, 40),
         just(5), just(0.4, np.float32), just(0.1, np.float32), constants=(2,),
         kernels="class_suppression"),
    case("NonMaxSuppression padded center", ops.NonMaxSuppression(center=True, padded=True), boxes,
         floats(2, 3, 40), just([70]), constants=(2,), kernels="class_suppression"),
    case("NonMaxSuppression large", ops.NonMaxSuppression(padded=True),
         lambda rng: rng.uniform(0, 1, (1, 2000, 4)).astype(np.float32),
         lambda rng: rng.uniform(0, 1, (1, 20, 2000)).astype(np.float32), just(50),
         just(0.5, np.float32), just(0.8, np.float32), constants=(2,), kernels="class_suppression",
         bench=True),
]  # fmt: skip
