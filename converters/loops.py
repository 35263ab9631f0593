"""Loops of both formats: bodies converted until what they hand on has one type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from linnet.errors import FormatError, ShapeError, UnsupportedError
from linnet.types import TensorType

_Made = TypeVar("_Made")
_ROUNDS = 3


class RankError(UnsupportedError):
    """A carried value that one iteration gives another rank."""


def settled(
    types: Sequence[TensorType],
    convert: Callable[[Sequence[TensorType]], tuple[_Made, Sequence[TensorType]]],
) -> tuple[_Made, list[TensorType]]:
    """Convert a body until its carried values come out with the types that they went in with.

    A dimension that one iteration changes is open: the body is converted again without its number.

    Parameters
    ----------
    types : sequence of TensorType
        Of the carried values before the first iteration.
    convert : callable
        From types to the body for them, and the types of the carried values after it.

    Returns
    -------
    The body, and the types that its carried values keep.

    Raises
    ------
    FormatError
        If the body hands on another number of values.
    RankError
        If a value changes its rank only.
    UnsupportedError
        If it changes its element type or quantization.
    ShapeError
        If shapes do not settle.
    """
    current = [type_.with_(value=None) for type_ in types]
    for _ in range(_ROUNDS):
        made, after = convert(current)
        if len(after) != len(current):
            raise FormatError(f"the body gives {len(after)} values for {len(current)}")
        joined = [_joined(a, b) for a, b in zip(current, after, strict=True)]
        if [t.shape for t in joined] == [t.shape for t in current]:
            return made, current
        current = joined
    raise ShapeError("the shapes of the carried values do not settle")


def _joined(given: TensorType, after: TensorType) -> TensorType:
    changed = f"a carried value goes in as {given} and comes out as {after}"
    if (given.dtype, given.quantization) != (after.dtype, after.quantization):
        raise UnsupportedError(changed)
    if given.rank != after.rank:
        raise RankError(changed)
    pairs = enumerate(zip(given.shape, after.shape, strict=True))
    return given.with_(shape=tuple(a if a == b else f"?{i}" for i, (a, b) in pairs))
