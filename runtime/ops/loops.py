"""Loops: ops that run a nested graph again and again, handing values on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import ClassVar, TypeVar

import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, Dim, DType, NodeTypes, Shape, TensorType

from . import bind_control
from .base import Body, Call, Step
from .body import infer_body
from .nested import MANY, _Control, arrays_of, check_condition, either, present

__all__ = ["Loop", "Scan", "While"]

_Kind = TypeVar("_Kind")


class Loop(_Control, frozen=True):
    """Run a nested graph again and again: at most M times, as long as a condition holds.

    Inputs: M (optional, a number), condition (optional, a truth value), ``carried`` values, then
    what the body captures. The body takes the iteration's number (int64), the condition, the
    carried and the captured values; it gives the condition, the carried values and one slice of
    every stacked output. Outputs: the carried values after the last iteration, then the slices
    stacked along a new first axis.

    Parameters
    ----------
    body : Body
    carried : int
        How many values are handed from one iteration to the next.

    References
    ----------
    ONNX operator specification, Loop.
    """

    arity: ClassVar[tuple[int, int]] = (0, MANY)
    body: Body
    carried: int = 0

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.body.outputs) - 1

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Nested graphs."""
        return (self.body,)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the types that hold however often the bodies run."""
        limit, condition = (*types, None, None)[:2]
        given = present(types[2:])
        if not 0 <= self.carried <= min(len(given), self.outputs):
            raise ShapeError(f"{self.carried} carried values of {len(given)} inputs")
        if limit is not None and not (limit.dtype.is_integer and limit.size == 1):
            raise ShapeError(f"the iteration limit is {limit}; expected one integer")
        if condition is not None:
            check_condition(condition, "the condition")
        fixed = self._fixed(condition)
        going = fixed[1]
        made = _stable(self.body, fixed, given[: self.carried], given[self.carried :], 1)
        check_condition(made[0], "the body's condition")
        always = made[0].value is not None and bool(np.all(made[0].value))
        trips: Dim = "?trips"
        if condition is not None and condition.value is not None and not np.all(condition.value):
            trips = 0
        elif limit is not None and limit.value is not None and always and going.value is not None:
            trips = max(0, int(limit.value.reshape(-1)[0]))
        stacked = (t.with_(shape=(trips, *t.shape)) for t in made[1 + self.carried :])
        return (*made[1 : 1 + self.carried], *stacked)

    def _fixed(self, condition: TensorType | None) -> list[TensorType]:
        """Return the types of the iteration's number and of the condition inside the body."""
        number = TensorType(DType.INT64, _scalar(self.body, 0))
        going = TensorType(DType.BOOL, _scalar(self.body, 1))
        if condition is None or (condition.value is not None and bool(np.all(condition.value))):
            going = going.with_(value=np.ones(_numbers(going.shape), np.bool_))
        return [number, going]

    def body_types(self, types: NodeTypes) -> tuple[list[TensorType], ...]:
        """Return number, condition, carried and captured values."""
        condition = types.inputs[1] if len(types.inputs) > 1 else None
        carried, captured = _held(types.inputs[2:], self.carried)
        return ([*self._fixed(condition), *carried, *captured],)

    @property
    def owned(self) -> tuple[tuple[int, int], ...]:
        """The carried values."""
        return ((2, 2 + self.carried),)

    def bind(self, step: Step) -> bool:
        """Bind the body as a loop, where its shapes are known."""
        return bind_control.loop(step, self.carried)

    def execute(self, call: Call, *arrays: Array | None) -> tuple[Array, ...]:
        """Run the bodies by ``call``."""
        limit, condition, *rest = (*arrays, None, None)[: max(2, len(arrays))]
        given = arrays_of(rest)
        values, captured = given[: self.carried], given[self.carried :]
        last = None if limit is None else int(limit.reshape(-1)[0])
        going = condition is None or bool(np.all(condition))
        slices: list[list[Array]] = [[] for _ in range(self.outputs - self.carried)]
        shapes = _numbers(_scalar(self.body, 0)), _numbers(_scalar(self.body, 1))
        for number in count():
            if not going or (last is not None and number >= last):
                break
            fixed = [np.full(shapes[0], number, np.int64), np.full(shapes[1], True)]
            made = call(self.body, [*fixed, *values, *captured])
            going = bool(np.all(made[0]))
            values = list(made[1 : 1 + self.carried])
            for kept, slice_ in zip(slices, made[1 + self.carried :], strict=True):
                kept.append(slice_)
        names = self.body.outputs[1 + self.carried :]
        stacked = (_stacked(s, self.body, n) for s, n in zip(slices, names, strict=True))
        return (*values, *stacked)


class Scan(_Control, frozen=True):
    """Run a nested graph over slices of sequences, handing values on from slice to slice.

    Inputs: ``carried`` initial values, the sequences, then what the body captures. The body takes
    carried values, one slice of every sequence and the captured values, and gives carried values
    and one slice of every stacked output. Outputs: the last carried values, the stacked slices.

    Parameters
    ----------
    body : Body
    carried : int
        How many values are handed on.
    axes : tuple of int
        Per sequence the axis that is walked along.
    backward : tuple of bool
        Per sequence whether it is walked from the end.
    output_axes : tuple of int
        Per stacked output the new axis; 0 where absent.
    output_backward : tuple of bool
        Per stacked output whether slices are put before those made earlier.

    References
    ----------
    ONNX operator specification, Scan.
    """

    arity: ClassVar[tuple[int, int]] = (1, MANY)
    body: Body
    carried: int = 0
    axes: tuple[int, ...] = (0,)
    backward: tuple[bool, ...] = ()
    output_axes: tuple[int, ...] = ()
    output_backward: tuple[bool, ...] = ()

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.body.outputs)

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Nested graphs."""
        return (self.body,)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the types that hold however often the bodies run."""
        given = present(types)
        split = self.carried + len(self.axes)
        if not (0 <= self.carried <= self.outputs and self.axes and split <= len(given)):
            raise ShapeError(f"{len(given)} inputs; expected {split} or more")
        sequences = given[self.carried : split]
        length, slices = self._slices(sequences)
        made = _stable(self.body, [], given[: self.carried], [*slices, *given[split:]], 0)
        stacked = []
        for index, type_ in enumerate(made[self.carried :]):
            axis = _axis(_at(self.output_axes, index, 0), type_.rank + 1)
            shape = (*type_.shape[:axis], length, *type_.shape[axis:])
            stacked.append(type_.with_(shape=shape))
        return (*made[: self.carried], *stacked)

    def body_types(self, types: NodeTypes) -> tuple[list[TensorType], ...]:
        """Return carried values, slices and captured values."""
        split = self.carried + len(self.axes)
        carried, given = _held(types.inputs, self.carried)
        slices = self._slices(given[: len(self.axes)])[1]
        return ([*carried, *slices, *present(types.inputs[split:])],)

    @property
    def owned(self) -> tuple[tuple[int, int], ...]:
        """Carried values and slices."""
        return ((0, self.carried + len(self.axes)),)

    def bind(self, step: Step) -> bool:
        """Bind the body as a loop, where its shapes are known."""
        count = len(step.outputs) - self.carried
        backward = [_at(self.backward, i, False) for i in range(len(self.axes))]
        stacked = [
            (_at(self.output_axes, i, 0), _at(self.output_backward, i, False)) for i in range(count)
        ]
        walked = list(zip(self.axes, backward, strict=True))
        return bind_control.scan(step, self.carried, walked, stacked)

    def _slices(self, sequences: Sequence[TensorType]) -> tuple[Dim, list[TensorType]]:
        length: Dim = "?length"
        slices = []
        for sequence, axis in zip(sequences, self.axes, strict=True):
            if sequence.rank == 0:
                raise ShapeError("a sequence is a single number")
            axis = _axis(axis, sequence.rank)
            size = sequence.shape[axis]
            if isinstance(length, int) and isinstance(size, int) and size != length:
                raise ShapeError(f"sequences have lengths {length} and {size}")
            length = size if not isinstance(length, int) else length
            shape = (*sequence.shape[:axis], *sequence.shape[axis + 1 :])
            slices.append(sequence.with_(shape=shape, value=None))
        return length, slices

    def execute(self, call: Call, *arrays: Array | None) -> tuple[Array, ...]:
        """Run the bodies by ``call``."""
        given = arrays_of(arrays)
        split = self.carried + len(self.axes)
        values, captured = given[: self.carried], given[split:]
        walked = [
            np.moveaxis(a, axis, 0)[:: -1 if _at(self.backward, i, False) else 1]
            for i, (a, axis) in enumerate(zip(given[self.carried : split], self.axes, strict=True))
        ]
        slices: list[list[Array]] = [[] for _ in range(self.outputs - self.carried)]
        for step in range(len(walked[0])):
            current = [np.ascontiguousarray(w[step]).reshape(w.shape[1:]) for w in walked]
            made = call(self.body, [*values, *current, *captured])
            values = list(made[: self.carried])
            for kept, slice_ in zip(slices, made[self.carried :], strict=True):
                kept.append(slice_)
        stacked = []
        for index, (kept, name) in enumerate(
            zip(slices, self.body.outputs[self.carried :], strict=True)
        ):
            joined = _stacked(kept, self.body, name)
            joined = joined[::-1] if _at(self.output_backward, index, False) else joined
            stacked.append(np.moveaxis(joined, 0, _at(self.output_axes, index, 0)))
        return (*values, *stacked)


class While(_Control, frozen=True):
    """Run a nested graph on its own results as long as another one, on the same values, says so.

    Inputs: ``carried`` values, then what the graphs capture. Both graphs take them all. Outputs:
    the carried values.

    Parameters
    ----------
    condition, body : Body
    carried : int
        How many values are handed from one iteration to the next.

    References
    ----------
    TensorFlow Lite operator WHILE.
    """

    arity: ClassVar[tuple[int, int]] = (1, MANY)
    condition: Body
    body: Body
    carried: int = 1

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self.carried

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Nested graphs."""
        return self.condition, self.body

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the types that hold however often the bodies run."""
        given = present(types)
        if not 1 <= self.carried <= len(given) or len(self.body.outputs) != self.carried:
            raise ShapeError(
                f"{self.carried} carried values, {len(given)} inputs, "
                f"{len(self.body.outputs)} outputs of the body"
            )
        captured = given[self.carried :]
        made = _stable(self.body, [], given[: self.carried], captured, 0)
        (going,) = infer_body(self.condition, [*made, *captured])
        check_condition(going, "the condition")
        return tuple(made)

    def body_types(self, types: NodeTypes) -> tuple[list[TensorType], ...]:
        """Return carried and captured values, for both."""
        carried, captured = _held(types.inputs, self.carried)
        return [*carried, *captured], [*carried, *captured]

    @property
    def owned(self) -> tuple[tuple[int, int], ...]:
        """The carried values, which the condition only reads."""
        return (0, 0), (0, self.carried)

    def bind(self, step: Step) -> bool:
        """Bind condition and body as a loop, where their shapes are known."""
        return bind_control.repeat(step, self.carried)

    def execute(self, call: Call, *arrays: Array | None) -> tuple[Array, ...]:
        """Run the bodies by ``call``."""
        given = arrays_of(arrays)
        values, captured = given[: self.carried], given[self.carried :]
        while call(self.condition, [*values, *captured])[0].item():
            values = list(call(self.body, [*values, *captured]))
        return tuple(values)


def _held(
    types: Sequence[TensorType | None], carried: int
) -> tuple[list[TensorType], list[TensorType]]:
    """Return the types of carried values, whatever their content, and those of the others."""
    given = present(types)
    return [t.with_(value=None) for t in given[:carried]], given[carried:]


def _scalar(body: Body, index: int) -> Shape:
    """Return the shape that a body declares for its number or its condition: () or (1,)."""
    shape: Shape = body.values[body.inputs[index]].type.shape if index < len(body.inputs) else ()
    if shape not in ((), (1,)):
        raise ShapeError(f"input {index} of '{body.name}' has shape {shape}; expected one number")
    return shape


def _numbers(shape: Shape) -> tuple[int, ...]:
    return tuple(int(dim) for dim in shape)


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is outside rank {rank}")
    return axis % rank


def _at(values: tuple[_Kind, ...], index: int, default: _Kind) -> _Kind:
    return values[index] if index < len(values) else default


def _stable(
    body: Body,
    fixed: Sequence[TensorType],
    carried: Sequence[TensorType],
    captured: Sequence[TensorType],
    skipped: int,
) -> list[TensorType]:
    """Return a body's output types when its carried values have types that it keeps."""
    current = [t.with_(value=None) for t in carried]
    for _ in range(3):
        made = infer_body(body, [*fixed, *current, *captured])
        if len(made) < skipped + len(current):
            raise ShapeError(f"'{body.name}' gives {len(made)} outputs")
        after = made[skipped : skipped + len(current)]
        joined = [either(a, b) for a, b in zip(current, after, strict=True)]
        if [t.shape for t in joined] == [t.shape for t in current]:
            return [*made[:skipped], *joined, *(_plain(t) for t in made[skipped + len(current) :])]
        current = joined
    raise ShapeError(f"the shapes of the values that '{body.name}' hands on do not settle")


def _plain(type_: TensorType) -> TensorType:
    return type_.with_(value=None)


def _stacked(slices: Sequence[Array], body: Body, name: str) -> Array:
    """Return slices along a new first axis; none of them make an empty array."""
    if slices:
        return np.stack(slices)
    declared = body.values[name].type
    shape = (0, *(dim if isinstance(dim, int) else 0 for dim in declared.shape))
    return np.zeros(shape, declared.dtype.numpy)
