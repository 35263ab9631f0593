"""Cases of probabilities of pairs of classes."""

from __future__ import annotations

import numpy as np

from linnet import ops

from .case import Case, Make, case


def shares(*shape: int) -> Make:
    """Return a maker of numbers from 0 to 1."""
    return lambda rng: rng.random(shape).astype(np.float32)


CASES: list[Case] = [
    case("PairwiseCoupling", ops.PairwiseCoupling(), shares(6, 10)),
    case("PairwiseCoupling of two", ops.PairwiseCoupling(), shares(3, 1)),
]
