"""What the ops that run nested graphs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from linnet.errors import ShapeError
from linnet.types import Array, DType, NodeTypes, TensorType

from .base import Op, as_array
from .body import run_body

MANY = 1 << 16


class _Control(Op, frozen=True):
    """What all have in common."""

    since: ClassVar[int] = 2
    runs_bodies: ClassVar[bool] = True

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Run the bodies by their references."""
        results = self.execute(run_body, *arrays)
        return tuple(as_array(r, t) for r, t in zip(results, types.outputs, strict=True))


def present(types: Sequence[TensorType | None]) -> list[TensorType]:
    """Return the types of inputs none of which may be absent."""
    found = [t for t in types if t is not None]
    if len(found) != len(types):
        raise ShapeError("an input is absent")
    return found


def arrays_of(arrays: Sequence[Array | None]) -> list[Array]:
    """Return the arrays that are present."""
    return [a for a in arrays if a is not None]


def check_condition(type_: TensorType, what: str) -> None:
    """Check that a type is that of one truth value."""
    if type_.dtype != DType.BOOL or not type_.is_static or type_.size != 1:
        raise ShapeError(f"{what} is {type_}; expected one truth value")


def either(left: TensorType, right: TensorType) -> TensorType:
    """Return a type that holds both; dimensions that differ are only told by the data."""
    if (left.dtype, left.rank, left.quantization) != (
        right.dtype,
        right.rank,
        right.quantization,
    ):
        raise ShapeError(f"one way makes {left}, the other {right}")
    shape = tuple(
        a if a == b else f"?{i}"
        for i, (a, b) in enumerate(zip(left.shape, right.shape, strict=True))
    )
    return left.with_(shape=shape, value=None)
