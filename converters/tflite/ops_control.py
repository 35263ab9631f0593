"""Rules of operators that run other subgraphs, or whose output's shape only the data tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linnet.converters.loops import settled
from linnet.errors import FormatError, UnsupportedError
from linnet.graph import Graph
from linnet.ops import Cast, If, NonZero, Op, Transpose, Unique, While
from linnet.types import TensorType

from .node import TfliteNode
from .usage import uses
from .variables import INNER, Lent


class _Call:
    """An operator that runs subgraphs: its operands, and every resource that those use.

    Parameters
    ----------
    node : TfliteNode
    first : int
        Its first operand.
    subgraphs : sequence of int
    """

    def __init__(self, node: TfliteNode, first: int, subgraphs: Sequence[int]) -> None:
        self.node = node
        operands, resources = node.operator.inputs[first:], node.importer.resources
        self.handles = tuple(resources.name(index) for index in operands)
        values = [i for i, handle in enumerate(self.handles, first) if not handle]
        self.values = [node.input(i) for i in values]
        used: dict[str, TensorType] = {}
        for subgraph in subgraphs:
            used |= uses(node.importer.model, subgraph, self.handles)
        self.names = list(used)
        self.kept = [self._held(name, type_) for name, type_ in used.items()]

    def _held(self, name: str, type_: TensorType) -> str:
        """Return what a variable holds now; tensors of the subgraphs begin with zeros every time.

        Raises
        ------
        UnsupportedError
            If such a tensor has no fixed shape.
        """
        if not name.startswith(INNER):
            return self.node.importer.resources.current(name, type_)
        if not type_.is_static:
            raise UnsupportedError(f"{name} is {type_}; expected a fixed shape")
        zero = 0 if type_.quantization is None else type_.quantization.zero_point[0]
        content = np.full(type_.static_shape, zero, type_.dtype.numpy)
        start = self.node.importer.fresh(f"{name}:start")
        return self.node.graph.add_constant(start, content, type_.quantization)

    @property
    def operands(self) -> list[str]:
        """Names of operands, then of what resources hold."""
        return [*self.values, *self.kept]

    @property
    def types(self) -> list[TensorType]:
        """Types of the operands."""
        return [self.node.graph.type_of(name) for name in self.operands]

    def lent(self, types: Sequence[TensorType]) -> Lent:
        """Return what the subgraphs get where the operands have these types."""
        count = len(self.values)
        resources = dict(zip(self.names, types[count:], strict=True))
        return Lent(self.handles, tuple(types[:count]), resources)

    def emit(self, op: Op, inputs: Sequence[str], handles: Sequence[str]) -> None:
        """Add the op; its last results are what the resources hold from here on."""
        node, resources = self.node, self.node.importer.resources
        if len(handles) != node.output_count:
            raise FormatError(
                f"{node.operator.kind} node {node.operator.index} lists {node.output_count} "
                f"outputs, its subgraph {len(handles)}"
            )
        places = [i for i, handle in enumerate(handles) if not handle]
        if not op.outputs:
            raise UnsupportedError("it has neither results nor variables; leave it out")
        after = node.emit_some(places, op, inputs)
        for name, value in zip(self.names, after, strict=True):
            if not name.startswith(INNER):
                resources.become(name, value)
        for index, handle in zip(node.operator.outputs, handles, strict=True):
            if handle:
                resources.handle(index, handle)


def if_(node: TfliteNode) -> None:
    """IF: condition and operands of two subgraphs, which may use variables."""
    options = ("ThenSubgraphIndex", "ElseSubgraphIndex")
    _branches(node, node.input(0), 1, [int(node.option(option)) for option in options])


def call(node: TfliteNode) -> None:
    """CALL: a subgraph in the operator's place."""
    always = node.array(np.array(True), "always")
    _branches(node, always, 0, [int(node.option("Subgraph", 0))] * 2)


def _branches(node: TfliteNode, condition: str, first: int, subgraphs: Sequence[int]) -> None:
    given = _Call(node, first, subgraphs)
    lent = given.lent(given.types)
    (yes, handles), (no, other) = (node.importer.body(index, lent) for index in subgraphs)
    if handles != other:
        raise UnsupportedError("the branches give different variables")
    given.emit(If(then_branch=yes, else_branch=no), [condition, *given.operands], handles)


def while_(node: TfliteNode) -> None:
    """WHILE: operands of a subgraph that decides and one that changes them, and variables."""
    decides, changes = (int(node.option(f"{n}SubgraphIndex")) for n in ("Cond", "Body"))
    given = _Call(node, 0, [decides, changes])
    body, types, handles = _settled(given, changes)
    condition, _ = node.importer.body(decides, given.lent(types), assigns=False)
    op = While(condition=condition, body=body, carried=len(types))
    given.emit(op, given.operands, handles)


def _settled(given: _Call, index: int) -> tuple[Graph, list[TensorType], list[str]]:
    """Return a body whose values come out as they went in; dimensions that it changes are open."""

    def run(types: Sequence[TensorType]) -> tuple[tuple[Graph, list[str]], list[TensorType]]:
        body, handles = given.node.importer.body(index, given.lent(types))
        if tuple(handles) != given.handles:
            raise FormatError(f"the body gives {len(handles)} values for {len(given.handles)}")
        return (body, handles), [body.type_of(name) for name in body.outputs]

    (body, handles), types = settled(given.types, run)
    return body, types, handles


def where(node: TfliteNode) -> None:
    """WHERE: positions of what is true, or not zero, one row each."""
    found = node.step(NonZero(), [node.input(0)], "columns")
    node.emit(Transpose(perm=(1, 0)), [found], refine=False)


def unique(node: TfliteNode) -> None:
    """Take UNIQUE: elements in order of first occurrence, and which one each input is."""
    found = node.steps(Unique(sorted=False), [node.input(0)], "unique")
    node.emit_one(0, Cast(to=node.output_type(0).dtype), [found[0]], refine=False)
    node.emit_one(1, Cast(to=node.output_type(1).dtype), [found[2]], refine=False)


CONVERTERS = {"CALL": call, "IF": if_, "UNIQUE": unique, "WHERE": where, "WHILE": while_}
