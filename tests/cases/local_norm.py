"""Cases of normalization by neighboring channels."""

from __future__ import annotations

from linnet import ops

from .case import Case, case, floats

CASES: list[Case] = [
    case("LocalResponseNormalization",
         ops.LocalResponseNormalization(before=1, after=3, alpha=0.3, beta=0.75, bias=1.5),
         floats(2, 3, 3, 9)),
]  # fmt: skip
