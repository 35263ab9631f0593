"""Which values share memory, and how long each buffer lives: a pure function."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .planner import MemoryPlan, Request, plan_memory
from .specialize import ConcreteGraph, ConcreteNode


class BufferLife(msgspec.Struct):
    """One piece of arena memory: its size and the steps at which it must hold.

    Graph inputs are written before step 0 and graph outputs read after the last step.
    """

    nbytes: int
    first: int
    last: int


class Nest(msgspec.Struct, frozen=True):
    """The bodies of a node of control flow, which take turns in one buffer of what is around.

    The first buffers of each, those of inputs that the node owns, lie elsewhere.
    """

    buffer: int
    bodies: list[BufferMap]
    plans: list[MemoryPlan]


class BufferMap(msgspec.Struct, frozen=True):
    """Buffers, the buffer of each value that is not a constant, and nests by the node's step."""

    buffers: list[BufferLife]
    index: dict[str, int]
    nests: dict[int, Nest] = msgspec.field(default_factory=dict)

    def requests(self, elsewhere: int = 0) -> list[Request]:
        """Return what the planner places: all but the first buffers that lie elsewhere."""
        return [Request(b.nbytes, b.first, b.last) for b in self.buffers[elsewhere:]]


def assign_buffers(
    concrete: ConcreteGraph, inputs: Sequence[str], outputs: Sequence[str]
) -> BufferMap:
    """Give every computed value a buffer; views and in-place results share their input's.

    An output takes its input's buffer where the op allows it, the sizes are equal and nobody
    reads the input afterwards.
    """
    last_use = _last_uses(concrete, outputs)
    result = BufferMap([], {})
    for name in inputs:
        _new(result, name, concrete.types[name].nbytes, -1)
    for step, item in enumerate(concrete.nodes):
        shared = _shared_input(item, step, result, last_use)
        for position, (name, type_) in enumerate(
            zip(item.node.outputs, item.types.outputs, strict=True)
        ):
            if not name:
                continue
            if position == 0 and shared is not None:
                result.index[name] = shared
                life = result.buffers[shared]
                life.last = max(life.last, step)
            else:
                _new(result, name, type_.nbytes, step)
        for name in (*item.node.inputs, *item.node.outputs):
            if name in result.index:
                life = result.buffers[result.index[name]]
                life.last = max(life.last, step)
        if item.bodies:
            result.nests[step] = _nest(item, len(result.buffers))
            room = max(plan.arena_bytes for plan in result.nests[step].plans)
            result.buffers.append(BufferLife(room, step, step))
    for name in outputs:
        if name in result.index:
            result.buffers[result.index[name]].last = len(concrete.nodes)
    return result


def _nest(item: ConcreteNode, buffer: int) -> Nest:
    """Return the memory of a node's bodies: captured inputs have none, as constants."""
    bodies, plans = [], []
    for body, graph, (first, last) in zip(
        item.bodies, item.node.op.bodies, item.node.op.owned, strict=True
    ):
        bodies.append(assign_buffers(body, graph.inputs[first:last], graph.outputs))
        plans.append(plan_memory(bodies[-1].requests(last - first)))
    return Nest(buffer, bodies, plans)


def _new(result: BufferMap, name: str, nbytes: int, step: int) -> None:
    result.index[name] = len(result.buffers)
    result.buffers.append(BufferLife(nbytes, step, step))


def _last_uses(concrete: ConcreteGraph, outputs: Sequence[str]) -> dict[str, int]:
    """Return the last step that reads each value, its views' readers included."""
    last: dict[str, int] = {}
    for step, item in enumerate(concrete.nodes):
        for name in item.node.inputs:
            last[name] = step
    for name in outputs:
        last[name] = len(concrete.nodes)
    for item in reversed(concrete.nodes):
        if item.node.op.alias:
            source, view = item.node.inputs[0], item.node.outputs[0]
            last[source] = max(last.get(source, -1), last.get(view, -1))
    return last


def _shared_input(
    item: ConcreteNode, step: int, result: BufferMap, last_use: dict[str, int]
) -> int | None:
    """Return the buffer that output 0 takes over, if any."""
    op, node = item.node.op, item.node
    if op.alias:
        return result.index.get(node.inputs[0])
    found = []
    for position in op.in_place:
        if position >= len(node.inputs) or not node.inputs[position]:
            continue
        name = node.inputs[position]
        type_ = item.types.inputs[position]
        buffer = result.index.get(name)
        if buffer is None or type_ is None or node.inputs.count(name) > 1:
            continue
        readers = [last_use.get(n, -1) for n, b in result.index.items() if b == buffer]
        if max(readers) <= step and type_.nbytes == item.types.outputs[0].nbytes:
            found.append(buffer)
    # What was made last may still be in a cache, and kernels that made it can go on with it.
    return max(found, key=lambda buffer: result.buffers[buffer].first, default=None)
