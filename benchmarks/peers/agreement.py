"""Whether two engines gave the same answer: judged before anything is timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linnet.types import Array

# Root mean square difference over the spread of the reference. Float engines differ in the order of
# their sums; quantized ones in rounding, which later layers enlarge: known networks move by up to
# ten of 255 steps between two builds of one runtime.
FLOAT_TOLERANCE = 0.01
QUANTIZED_TOLERANCE = 0.15
# So many steps of a whole-number output are rounding, whatever its spread. A softmax's bytes that
# lie close together differ by much of their spread when one step inside the network differs.
STEPS = {False: 2, True: 10}


@dataclass(frozen=True)
class Agreement:
    """How far the worst output is from the reference.

    Parameters
    ----------
    agrees : bool
    difference : float
        Root mean square difference over the reference's standard deviation.
    largest : float
        Largest absolute difference.
    reason : str
        Why it does not agree, "" where it does.
    """

    agrees: bool
    difference: float
    largest: float
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def compare_outputs(
    reference: Sequence[Array], found: Sequence[Array], quantized: bool, tolerance: float = 0.0
) -> Agreement:
    """Return the worst agreement over the outputs, taken in the model's order.

    Parameters
    ----------
    reference, found : sequence of ndarray
        A batch axis of one may be missing.
    quantized : bool
        Whether the model computes with quantized numbers.
    tolerance : float
        Allowed difference; 0 takes the usual one.

    Examples
    --------
    >>> compare_outputs([np.arange(4.0)], [np.arange(4.0)], quantized=False).agrees
    True
    >>> compare_outputs([np.arange(4.0)], [np.zeros(4)], quantized=False).reason
    'output 0 differs by 1.67 of its spread (0.01 allowed)'
    """
    if len(reference) != len(found):
        reason = f"{len(found)} outputs instead of {len(reference)}"
        return Agreement(False, float("inf"), float("inf"), reason)
    allowed = tolerance or (QUANTIZED_TOLERANCE if quantized else FLOAT_TOLERANCE)
    worst = Agreement(True, 0.0, 0.0, "")
    for index, (right, left) in enumerate(zip(reference, found, strict=True)):
        one = _compare(index, right, left, allowed, STEPS[quantized])
        if (not one.agrees, one.difference) > (not worst.agrees, worst.difference):
            worst = one
    return worst


def _compare(index: int, reference: Array, found: Array, allowed: float, steps: int) -> Agreement:
    if _trimmed(reference) != _trimmed(found):
        reason = f"output {index} has shape {found.shape} instead of {reference.shape}"
        return Agreement(False, float("inf"), float("inf"), reason)
    whole = reference.dtype.kind in "iu"
    right = reference.astype(np.float64).reshape(-1)
    left = found.astype(np.float64).reshape(-1)
    if right.size == 0:
        return Agreement(True, 0.0, 0.0, "")
    if not np.array_equal(np.isfinite(right), np.isfinite(left)):
        reason = f"output {index} has infinities or NaN elsewhere"
        return Agreement(False, float("inf"), float("inf"), reason)
    right, left = np.nan_to_num(right), np.nan_to_num(left)
    gap = np.abs(left - right)
    spread = float(right.std()) or float(np.abs(right).max()) or 1.0
    difference = float(np.sqrt(np.mean(gap**2))) / spread
    largest = float(gap.max())
    if difference <= allowed or (whole and largest <= steps):
        return Agreement(True, difference, largest, "")
    reason = f"output {index} differs by {difference:.3g} of its spread ({allowed:g} allowed)"
    return Agreement(False, difference, largest, reason)


def _trimmed(array: Array) -> tuple[int, ...]:
    return tuple(size for size in array.shape if size != 1)
