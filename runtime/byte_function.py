"""What several elementwise ops make of one byte: a function that a table of 256 bytes holds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .ops import bind_elementwise
from .ops.base import Op, Step
from .types import Array, Cost, NodeTypes, TensorType


def computes_bytes(op: Op, types: NodeTypes) -> bool:
    """Return whether an op makes each byte of one byte of every input that is no constant."""
    if not op.elementwise or len(types.outputs) != 1:
        return False
    made = types.outputs[0]
    read = [t for t in types.inputs if t is None or t.value is None]
    constants = [t for t in types.inputs if t is not None and t.value is not None]
    return (
        all(t is not None and t.shape == made.shape for t in read)
        and bind_elementwise.has_bytes(made, *(t for t in read if t is not None))
        and all(t.size == 1 for t in constants)
    )


class _ByteFunction(Op, frozen=True):
    """Elementwise ops in order, of which the last makes the output; in no model file.

    Parameters
    ----------
    nodes : tuple
        Of each op what `ConcreteNode` holds: its ``node`` and ``types``, which `computes_bytes`.
    """

    in_place: ClassVar[tuple[int, ...]] = (0,)
    elementwise: ClassVar[bool] = True

    nodes: tuple[Any, ...]

    @property
    def title(self) -> str:
        """Titles of the ops."""
        return "+".join(item.node.op.title for item in self.nodes)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return what the last op makes."""
        made: tuple[TensorType, ...] = self.nodes[-1].types.outputs
        return made

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute op by op, on bytes of any shape."""
        (x,) = arrays
        assert x is not None
        made: dict[str, Array] = {}
        for item in self.nodes:
            inputs, given = [], []
            for name, type_ in zip(item.node.inputs, item.types.inputs, strict=True):
                known = type_.value is not None
                array = np.asarray(type_.value).reshape(()) if known else made.get(name, x)
                inputs.append(type_.with_(shape=array.shape))
                given.append(array)
            outputs = (item.types.outputs[0].with_(shape=x.shape),)
            results = item.node.op.reference(NodeTypes(tuple(inputs), outputs), *given)
            made[item.node.outputs[0]] = results[0]
        return (made[self.nodes[-1].node.outputs[0]],)

    def bind(self, step: Step) -> bool:
        """Bind the table of all 256 bytes."""
        return bind_elementwise.table(self, step)

    def cost(self, types: NodeTypes) -> Cost:
        """Count the operations of all ops, and the bytes of both ends."""
        macs = sum(item.node.op.cost(item.types).macs for item in self.nodes)
        return Cost(macs, super().cost(types).bytes)
