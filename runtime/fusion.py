"""Several nodes as one: a pure function of concrete graphs.

Elementwise ops that make a byte of one other byte, in however many steps, are a table of 256: an x
* sigmoid(x) whose model quantizes the sigmoid too costs no more than the sigmoid does.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .graph import Node
from .specialize import ConcreteGraph, ConcreteNode
from .types import DType, NodeTypes

_BYTES = (DType.INT8, DType.UINT8)


def fuse_bytes(concrete: ConcreteGraph, outputs: Sequence[str]) -> ConcreteGraph:
    """Return a graph whose functions of one byte are one node each.

    Parameters
    ----------
    concrete : ConcreteGraph
    outputs : sequence of str
        Values that are read when all nodes have run.
    """
    nodes = concrete.nodes
    if not any(item.types.outputs[0].dtype in _BYTES for item in nodes):
        return concrete
    finder = _Finder(nodes, outputs)
    fused: dict[int, ConcreteNode] = {}
    taken: set[int] = set()
    for place in reversed(range(len(nodes))):
        steps = [] if place in taken else finder.steps(place)
        if len(steps) > 1:
            taken.update(steps)
            fused[place] = _function([nodes[step] for step in steps])
    left = [
        fused.get(place, item)
        for place, item in enumerate(nodes)
        if place in fused or place not in taken
    ]
    return msgspec.structs.replace(concrete, nodes=left)


class _Finder:
    """Finds the steps of functions of one byte."""

    def __init__(self, nodes: list[ConcreteNode], outputs: Sequence[str]) -> None:
        from .byte_function import computes_bytes

        self.nodes = nodes
        self.makers = {
            item.node.outputs[0]: place
            for place, item in enumerate(nodes)
            if computes_bytes(item.node.op, item.types)
        }
        self.readers: dict[str, set[int]] = {name: {len(nodes)} for name in outputs}
        for place, item in enumerate(nodes):
            for name in item.node.inputs:
                self.readers.setdefault(name, set()).add(place)

    def steps(self, place: int) -> list[int]:
        """Return the places of the most nodes that make what a node does of one byte, in order."""
        steps: set[int] = set()
        best: list[int] = []
        values = {self.nodes[place].node.outputs[0]}
        while values:
            # The latest first: all that reads it has been taken by then, if it is at all.
            latest = max(values, key=lambda name: self.makers.get(name, -1))
            maker = self.makers.get(latest, -1)
            if maker < 0 or (maker != place and not self.readers[latest] <= steps):
                break
            steps.add(maker)
            item = self.nodes[maker]
            values.remove(latest)
            pairs = zip(item.node.inputs, item.types.inputs, strict=True)
            values.update(name for name, t in pairs if t is not None and t.value is None)
            if len(values) == 1:
                best = sorted(steps)
        return best


def _function(items: list[ConcreteNode]) -> ConcreteNode:
    """Return the node that does what nodes do that read one value besides each other's."""
    from .byte_function import _ByteFunction

    last = items[-1]
    made = {item.node.outputs[0] for item in items}
    (source, type_), *_ = (
        (name, t)
        for item in items
        for name, t in zip(item.node.inputs, item.types.inputs, strict=True)
        if name not in made and t is not None and t.value is None
    )
    node = Node(_ByteFunction(nodes=tuple(items)), (source,), last.node.outputs, last.node.name)
    return ConcreteNode(node, NodeTypes((type_,), last.types.outputs))
