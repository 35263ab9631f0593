"""Branches: what a nested graph reads from outside is among the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, NodeTypes, TensorType

from . import bind_control
from .base import Body, Call, Step
from .body import infer_body
from .nested import MANY, _Control, arrays_of, check_condition, either, present

__all__ = ["If"]


class If(_Control, frozen=True):
    """Run one of two nested graphs on inputs 1 and on; input 0, a truth value, says which.

    Parameters
    ----------
    then_branch, else_branch : Body
        Of equal inputs and outputs.
    assume : "", "then" or "else"
        Whose output types count until the condition is known, where the branches make different
        ranks: a condition on shapes, like whether an axis of one element goes.

    References
    ----------
    ONNX operator specification, If.
    """

    arity: ClassVar[tuple[int, int]] = (1, MANY)
    then_branch: Body
    else_branch: Body
    assume: Literal["", "then", "else"] = ""

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.then_branch.outputs)

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Nested graphs."""
        return self.then_branch, self.else_branch

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the types that hold however often the bodies run."""
        condition, *given = present(types)
        check_condition(condition, "the condition")
        if len(self.then_branch.outputs) != len(self.else_branch.outputs):
            raise ShapeError("the branches have different numbers of outputs")
        if condition.value is not None:
            return tuple(infer_body(self.branch(condition.value), given))
        if self.assume:
            return tuple(
                t.with_(value=None)
                for t in infer_body(self.branch(np.array(self.assume == "then")), given)
            )
        return self._unknown(given)

    def _unknown(self, given: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Return the types of both branches, or of the only one that takes such inputs.

        Models that choose by a rate or a mode have branches for inputs of other shapes.
        """
        made: list[list[TensorType]] = []
        problems: list[ShapeError] = []
        for body in self.bodies:
            try:
                made.append(infer_body(body, given))
            except ShapeError as problem:
                problems.append(problem)
        if not made:
            raise problems[0]
        return tuple(either(left, right) for left, right in zip(made[0], made[-1], strict=True))

    def body_types(self, types: NodeTypes) -> tuple[list[TensorType], ...]:
        """Return what both branches are given."""
        given = present(types.inputs[1:])
        return given, given

    @property
    def owned(self) -> tuple[tuple[int, int], ...]:
        """Nothing."""
        return (0, 0), (0, 0)

    def bind(self, step: Step) -> bool:
        """Bind both branches, where their shapes are known."""
        return bind_control.branches(step)

    def branch(self, condition: Array) -> Body:
        """Return the body that runs for a condition."""
        return self.then_branch if bool(np.all(condition)) else self.else_branch

    def execute(self, call: Call, *arrays: Array | None) -> tuple[Array, ...]:
        """Run the bodies by ``call``."""
        condition, *given = arrays_of(arrays)
        return tuple(call(self.branch(condition), given))
