"""Probabilities of classes from those of pairs of classes."""

from __future__ import annotations

from itertools import combinations
from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, DType, NodeTypes, TensorType

from .base import Op
from .operands import content, given

__all__ = ["PairwiseCoupling"]

_LEAST, _ROUNDS, _PRECISION = 1e-7, 100, 0.005


class PairwiseCoupling(Op, frozen=True):
    """Probabilities p of k classes that fit those of pairs: r[ij] of i where it is i or j.

    Input: r float32[n, k (k - 1) / 2], the pairs in the order (0, 1), (0, 2), ... (1, 2), ...
    Output: p float32[n, k], which minimizes the sum of (r[ji] p[i] - r[ij] p[j])**2, found by
    rounds over the classes until no class is off by more than .005 / k.

    References
    ----------
    Wu, Lin and Weng, Probability estimates for multi-class classification by pairwise coupling
    (2004), second method; as LIBSVM and ONNX Runtime compute it.
    """

    since: ClassVar[int] = 2

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return float32[n, k]."""
        (pairs,) = given(types)
        count = pairs.shape[-1] if pairs.rank == 2 else None
        if pairs.dtype is not DType.FLOAT32 or not isinstance(count, int):
            raise ShapeError(f"probabilities of pairs {pairs}; expected float32[n, pairs]")
        return (pairs.with_(shape=(pairs.shape[0], _classes(count)), value=None),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Settle all rows together; those that fit stay as they are."""
        (pairs,) = content(arrays)
        classes = _classes(pairs.shape[1])
        first, second = np.array(list(combinations(range(classes), 2))).T
        r = np.zeros((len(pairs), classes, classes), np.float32)
        r[:, first, second] = np.clip(pairs, _LEAST, 1 - _LEAST)
        r[:, second, first] = 1 - r[:, first, second]
        q = -np.swapaxes(r, 1, 2) * r
        every = np.arange(classes)
        q[:, every, every] = np.square(r).sum(1)
        p = np.full((len(pairs), classes), 1 / classes, np.float32)
        going = np.arange(len(pairs))
        for _ in range(max(_ROUNDS, classes)):
            own = q[going]
            product = np.einsum("nij,nj->ni", own, p[going])
            total = np.einsum("ni,ni->n", product, p[going])
            off = np.abs(product - total[:, None]).max(1, initial=0) >= _PRECISION / classes
            going, own, product, total = going[off], own[off], product[off], total[off]
            if not going.size:
                break
            p[going] = _round(own, p[going], product, total)
        return (p,)


def _classes(pairs: int) -> int:
    """Return how many classes have so many pairs."""
    classes = (1 + int(np.sqrt(1 + 8 * pairs))) // 2
    if pairs < 1 or classes * (classes - 1) // 2 != pairs:
        raise ShapeError(f"{pairs} pairs are not those of any number of classes")
    return classes


def _round(q: Array, p: Array, product: Array, total: Array) -> Array:
    """Return the probabilities after a step for each class."""
    for t in range(p.shape[1]):
        diagonal = q[:, t, t]
        step = (total - product[:, t]) / diagonal
        p[:, t] += step
        whole = 1 + step
        total = (total + step * (step * diagonal + 2 * product[:, t])) / whole / whole
        product = (product + step[:, None] * q[:, t]) / whole[:, None]
        p /= whole[:, None]
    return p
