"""How far two models' answers agree: outputs, choices, labels, confidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .comparison import Error
from .types import Array

_BINS = 15


def choices(array: Array, k: int) -> Array:
    """Return the places of the k largest entries of each sample, largest first, [samples, k]."""
    rows = array.reshape(array.shape[0] if array.ndim > 1 else 1, -1)
    return np.argsort(-rows, axis=1, kind="stable")[:, :k]


def confidence(array: Array) -> Array:
    """Return the largest probability of each sample; rows that are none go through softmax."""
    rows = array.reshape(array.shape[0] if array.ndim > 1 else 1, -1).astype(np.float64)
    chances = (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1.0, atol=0.02)
    if not chances:
        rows = np.exp(rows - rows.max(axis=1, keepdims=True))
        rows = rows / rows.sum(axis=1, keepdims=True)
    return np.asarray(rows.max(axis=1))


def calibration_error(certain: Array, right: Array, bins: int = _BINS) -> float:
    """Return the expected calibration error: mean gap of confidence and accuracy over equal bins.

    Examples
    --------
    >>> calibration_error(np.array([0.9, 0.9]), np.array([True, False]))
    0.4
    """
    index = np.minimum((certain * bins).astype(int), bins - 1)
    gap = 0.0
    for b in range(bins):
        here = index == b
        if here.any():
            gap += float(here.mean()) * abs(float(certain[here].mean()) - float(right[here].mean()))
    return round(gap, 12)


@dataclass
class Agreement:
    """What came of the outputs of two models over all samples.

    The first output counts as the answer: its largest entries are the choices.
    """

    outputs: dict[str, Error] = field(default_factory=dict)
    firsts: tuple[list[Array], list[Array]] = field(default_factory=lambda: ([], []))
    certain: tuple[list[Array], list[Array]] = field(default_factory=lambda: ([], []))

    def add(self, wanted: dict[str, Array], found: dict[str, Array]) -> None:
        """Take in the outputs of one sample; they are paired by name, else by place."""
        rest = list(found.values())
        for k, (name, array) in enumerate(wanted.items()):
            other = found.get(name, rest[k] if k < len(rest) else None)
            if other is None or other.shape != array.shape:
                continue
            if array.dtype.kind in "fiu":
                self.outputs.setdefault(name, Error()).add(array, other)
            if k == 0 and array.dtype.kind in "fiu":
                for side, one in zip((0, 1), (array, other), strict=True):
                    self.firsts[side].append(choices(one, 5))
                    self.certain[side].append(confidence(one))

    def summary(self, labels: Array | None = None) -> dict[str, Any]:
        """Return the numbers as plain data.

        Parameters
        ----------
        labels : ndarray of int, optional
            The right choice of each sample; without it calibration is judged by the first model's.
        """
        report: dict[str, Any] = {
            "outputs": [
                {"name": n, "sqnr": e.sqnr, "cosine": e.cosine, "largest": e.largest}
                for n, e in self.outputs.items()
            ]
        }
        if not self.firsts[0]:
            return report
        left, right = (np.concatenate(side) for side in self.firsts)
        certain = [np.concatenate(side) for side in self.certain]
        report["samples"] = len(left)
        report["top1_agreement"] = float((left[:, 0] == right[:, 0]).mean())
        if left.shape[1] == 5:
            sets = [len(np.intersect1d(a, b)) / 5.0 for a, b in zip(left, right, strict=True)]
            report["top5_agreement"] = float(np.mean(sets))
        truth = left[:, 0] if labels is None else labels
        report["judged_by"] = "the first model's choice" if labels is None else "labels"
        for key, made, sure in (("first", left, certain[0]), ("second", right, certain[1])):
            hit = made[:, 0] == truth
            report[f"{key}_accuracy"] = float(hit.mean())
            report[f"{key}_calibration_error"] = calibration_error(sure, hit)
        return report
