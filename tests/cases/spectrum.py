"""Cases of spectra and complex numbers."""

from __future__ import annotations

import numpy as np

from linnet import ops

from .case import Case, case, floats


def complexes(*shape: int):
    """Return a maker of complex64 numbers."""
    return lambda rng: (
        rng.standard_normal((*shape, 2)).astype(np.float32).view(np.complex64)[..., 0]
    )


CASES: list[Case] = [
    case("RFFT2D", ops.RFFT2D(lengths=(4, 8)), floats(2, 4, 8)),
    case("RFFT2D cut and filled", ops.RFFT2D(lengths=(4, 8)), floats(2, 3, 10)),
    case("Real", ops.Real(), complexes(3, 5)),
    case("Imag", ops.Imag(), complexes(3, 5)),
    case("ComplexAbs", ops.ComplexAbs(), complexes(3, 5)),
]
