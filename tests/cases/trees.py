"""Cases of tree ensembles."""

from __future__ import annotations

import numpy as np

from linnet import ops

from .case import Case, case, floats, just

# Two trees: x0 <= 0 -> (x1 > 1 -> 1, 2), 3; x2 != 0.5 -> 4, 5.
TABLE = (
    just([1, 4, 0, 0, 0, 6, 0, 0]), just([0, 1, 0, 0, 0, 2, 0, 0]),
    just([0, 1, 0, 0, 0, 0.5, 0, 0], np.float32), just([1, 2, 2, 3, 4, 6, 6, 7]),
    just([4, 3, 2, 3, 4, 7, 6, 7]), just([1, 0, 0, 0, 0, 0, 0, 0], bool),
    just([[0, 0], [0, 0], [1, 6], [2, 7], [3, 8], [0, 0], [4, 9], [5, 1]], np.float32),
    just([0, 5]),
)  # fmt: skip

CASES: list[Case] = [
    case("TreeEnsemble", ops.TreeEnsemble(), floats(20, 3), *TABLE),
    case("TreeEnsemble max", ops.TreeEnsemble(aggregate="max"), floats(20, 3), *TABLE),
]
