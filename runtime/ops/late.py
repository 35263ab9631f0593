"""An op some of whose attributes are inputs: they are numbers that only a run knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from linnet.errors import ShapeError
from linnet.types import Array, NodeTypes, TensorType

from .base import Body, Op, trimmed

__all__ = ["Late"]


class Late(Op, frozen=True):
    """The only op of a nested graph, with attributes that are the last inputs.

    Where those are known when shapes are, the op itself takes this one's place, kernels and all.
    Otherwise its output shapes are open.

    Parameters
    ----------
    body : Body
        One node; its attributes of these names are stand-ins, its outputs' dtypes and ranks count.
    names : tuple of str
        Attributes, one for each of the last inputs.
    """

    arity: ClassVar[tuple[int, int]] = (1, 1 << 16)
    since: ClassVar[int] = 2
    body: Body
    names: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """As many as the op has."""
        return self._op.outputs

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The graph around the op."""
        return (self.body,)

    @property
    def _op(self) -> Op:
        if len(self.body.nodes) != 1 or self.body.nodes[0].op.bodies:
            raise ShapeError(f"'{self.body.name}' holds something else than one plain op")
        op: Op = self.body.nodes[0].op
        missing = set(self.names) - set(op.__struct_fields__)
        if missing:
            raise ShapeError(f"{type(op).__name__} has no attributes {sorted(missing)}")
        return op

    def settled(self, values: Sequence[Array | None]) -> Op | None:
        """Return the op for the values of its late attributes; None where one is not known."""
        changes: dict[str, Any] = {}
        op = self._op
        for name, value in zip(self.names, values[len(values) - len(self.names) :], strict=True):
            if value is None:
                return None
            flat = np.asarray(value).reshape(-1).tolist()
            several = not isinstance(getattr(op, name), (int, float, bool, str))
            if not several and len(flat) != 1:
                raise ShapeError(f"{name} of {type(op).__name__} is {flat}; expected one number")
            changes[name] = tuple(flat) if several else flat[0]
        plain = msgspec.structs.asdict(op) | changes
        try:
            return msgspec.convert(plain | {"type": type(op).__name__}, type(op))
        except msgspec.ValidationError as error:
            raise ShapeError(f"{type(op).__name__} cannot take {changes}: {error}") from error

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return what the op does for known attributes; else the ranks that the body declares."""
        count = len(types) - len(self.names)
        if count < 0:
            raise ShapeError(f"{len(types)} inputs for {len(self.names)} attributes")
        op = self.settled([None if t is None else t.value for t in types])
        if op is not None:
            return op.infer(*trimmed(types[:count]))
        names = self.body.nodes[0].outputs if self._op else ()
        declared = [self.body.values[name].type for name in names if name]
        if len(declared) != self.outputs:
            raise ShapeError(f"'{self.body.name}' does not declare every output of its op")
        return tuple(
            t.with_(shape=tuple(f"?{i}" for i in range(t.rank)), value=None) for t in declared
        )

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute the op with the attributes that the arrays hold."""
        count = len(arrays) - len(self.names)
        op = self.settled(arrays)
        if op is None:
            raise ShapeError("an attribute is absent")
        inputs = types.inputs[:count]
        outputs = tuple(
            t.with_(quantization=t.quantization or o.quantization)
            for t, o in zip(op.infer(*trimmed(inputs)), types.outputs, strict=True)
        )
        return op.reference(NodeTypes(inputs, outputs), *arrays[:count])
