"""A graph with numbers for every dimension: shapes inferred anew, what became constant folded.

Pure: reads a graph and the types of its inputs, runs nothing but references on known values.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

import msgspec

from . import ops
from .errors import LinnetError, ShapeError
from .graph import Graph, Node, Value
from .ops import Body
from .ops.body import FOLD_LIMIT as FOLD_LIMIT
from .ops.body import infer_known
from .types import NodeTypes, TensorType


class ConcreteNode(msgspec.Struct, frozen=True):
    """A node that has to run, with the concrete types of its inputs and outputs.

    ``bodies`` are the nested graphs of control flow, where all their shapes are known and stay.
    """

    node: Node
    types: NodeTypes
    bodies: tuple[ConcreteGraph, ...] = ()

    @property
    def pure(self) -> bool:
        """Whether equal inputs give equal outputs, in the bodies too."""
        inner = (item for body in self.bodies for item in body.nodes)
        return self.node.op.pure and all(item.pure for item in inner)


class ConcreteGraph(msgspec.Struct, frozen=True):
    """What is left to run for one set of input shapes.

    Parameters
    ----------
    nodes : list of ConcreteNode
        In order; every output has a static shape.
    types : dict of str to TensorType
        Type of every value; ``value`` is set where the content is known.
    constants : set of str
        Values whose content is part of the model, whatever the shapes.
    open : list of ConcreteNode
        Nodes that can run after `nodes`, whose output shapes only the data tells.
    later : list of Node
        What reads, directly or not, the outputs of open nodes.
    values : dict of str to Value
        Values of the graph and of branches that were put in its place.
    """

    nodes: list[ConcreteNode]
    types: dict[str, TensorType]
    constants: set[str] = msgspec.field(default_factory=set)
    open: list[ConcreteNode] = msgspec.field(default_factory=list)
    later: list[Node] = msgspec.field(default_factory=list)
    values: dict[str, Value] = msgspec.field(default_factory=dict)

    def needed(self, outputs: Sequence[str]) -> list[str]:
        """Return what `nodes` have to make (or hand through): for the outputs and what follows."""
        names = [i for item in self.open for i in item.node.inputs if i]
        names += [i for node in self.later for i in node.inputs if i]
        names += outputs
        return [n for n in dict.fromkeys(names) if n in self.types]


def specialize(graph: Graph, inputs: Mapping[str, TensorType]) -> ConcreteGraph:
    """Infer every shape from the concrete input types and fold what became known.

    A branch whose condition is known takes the place of its node.

    Parameters
    ----------
    graph : Graph
    inputs : mapping of str to TensorType
        Static type of every graph input.

    Raises
    ------
    ShapeError
        If the shapes do not fit an operator; the message names the node.
    """
    work = _Specializer(graph)
    work.types.update(inputs)
    work.walk(graph.nodes)
    result = work.result
    needed = _needed(result.nodes, result.needed(graph.outputs))
    result.nodes[:] = needed
    return result


class _Specializer:
    """State of one specialization."""

    def __init__(self, graph: Graph) -> None:
        self.result = ConcreteGraph([], {}, values=dict(graph.values))
        self.types = self.result.types
        self.unknown: set[str] = set()
        self._constants(graph.values.values())

    def _constants(self, values: Iterable[Value]) -> None:
        for value in values:
            if value.data is not None:
                self.types[value.name] = value.type.with_(value=value.data)
                self.result.constants.add(value.name)

    def walk(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if self.unknown.intersection(node.inputs):
                self.result.later.append(node)
                self.unknown.update(o for o in node.outputs if o)
                continue
            node = self._settled(node)
            branch = self._branch(node)
            if branch is not None:
                self._inline(node, branch)
            else:
                self._node(node)

    def _node(self, node: Node) -> None:
        given = tuple(self.types[i] if i else None for i in node.inputs)
        outputs = self._infer(node, given)
        item = ConcreteNode(node, NodeTypes(given, outputs))
        if not all(t.is_static for t in outputs):
            self.result.open.append(item)
            self.unknown.update(o for o in node.outputs if o)
            return
        self.types.update({n: t for n, t in zip(node.outputs, outputs, strict=True) if n})
        if not all(t.value is not None for t in outputs):
            bodies = self._bodies(item) if node.op.runs_bodies else ()
            self.result.nodes.append(ConcreteNode(node, item.types, bodies))

    def _bodies(self, item: ConcreteNode) -> tuple[ConcreteGraph, ...]:
        """Return the bodies of control flow for types that hold in every iteration.

        None of them where a shape inside depends on data or on which branch runs, or where a
        branch is for inputs of other shapes.
        """
        op, outer = item.node.op, item.node.inputs[::-1]
        made = [t.shape for t in item.types.outputs]
        found = []
        for body, types in zip(op.bodies, op.body_types(item.types), strict=True):
            if not isinstance(body, Graph):
                raise ShapeError(f"'{body.name}' is no graph")
            try:
                found.append(specialize(body, dict(zip(body.inputs, types, strict=True))))
            except ShapeError:
                if isinstance(op, ops.If):
                    return ()
                raise
            # What is captured comes last in both.
            pairs = zip(body.inputs[::-1], outer, strict=False)
            known = self.result.constants
            found[-1].constants.update(inner for inner, name in pairs if name in known)
            if found[-1].open:
                return ()
            if isinstance(op, ops.If) and [found[-1].types[o].shape for o in body.outputs] != made:
                return ()
        return tuple(found)

    def _infer(self, node: Node, given: tuple[TensorType | None, ...]) -> tuple[TensorType, ...]:
        declared = [self.result.values[o].type if o else None for o in node.outputs]
        try:
            return infer_known(node.op, given, declared)
        except LinnetError as error:
            shown = ", ".join(str(t) for t in given)
            raise ShapeError(f"{node} on ({shown}): {error}") from error

    def _settled(self, node: Node) -> Node:
        """Return a node of late attributes as one of its op, where they are known."""
        # What comes first spares models without control flow its import.
        if not node.op.bodies or not isinstance(node.op, ops.Late):
            return node
        values = [self.types[i].value if i else None for i in node.inputs]
        try:
            op = node.op.settled(values)
        except LinnetError as error:
            raise ShapeError(f"{node}: {error}") from error
        count = len(node.inputs) - len(node.op.names)
        return node if op is None else Node(op, node.inputs[:count], node.outputs, node.name)

    def _branch(self, node: Node) -> Body | None:
        if not node.op.bodies or not isinstance(node.op, ops.If):
            return None
        condition = self.types[node.inputs[0]].value
        return None if condition is None else node.op.branch(condition)

    def _inline(self, node: Node, branch: Body) -> None:
        """Walk a branch in place of its node, its values under names of their own."""
        nodes, values = inlined(node, branch, self.result.values)
        self.result.values.update(values)
        self._constants(values.values())
        self.walk(nodes)


def inlined(node: Node, branch: Body, taken: Container[str]) -> tuple[list[Node], dict[str, Value]]:
    """Return the nodes that do what a branch of an If does, and the values that they add."""
    prefix = next(o for o in node.outputs if o)
    while any(f"{prefix}/{name}" in taken for name in branch.values):
        prefix += "/"
    names = {"": "", **dict(zip(branch.inputs, node.inputs[1:], strict=True))}
    for inner, outer in zip(branch.outputs, node.outputs, strict=True):
        if outer and inner not in names and branch.values[inner].data is None:
            names[inner] = outer
    values = {}
    for name, value in branch.values.items():
        if name not in names:
            names[name] = f"{prefix}/{name}"
            values[names[name]] = Value(names[name], value.type, value.data)
    nodes = [
        Node(
            inner.op,
            tuple(names[i] for i in inner.inputs),
            tuple(names[o] for o in inner.outputs),
            f"{node.name}/{inner.name}",
        )
        for inner in branch.nodes
    ]
    for inner, outer in zip(branch.outputs, node.outputs, strict=True):
        if outer and names[inner] != outer:
            nodes.append(Node(ops.Identity(), (names[inner],), (outer,), node.name))
    return nodes, values


def _needed(nodes: list[ConcreteNode], outputs: Sequence[str]) -> list[ConcreteNode]:
    """Drop the nodes whose outputs nobody reads any more."""
    wanted = set(outputs)
    kept = []
    for item in reversed(nodes):
        if wanted.intersection(item.node.outputs):
            kept.append(item)
            pairs = zip(item.node.inputs, item.types.inputs, strict=True)
            wanted.update(name for name, t in pairs if t is not None and t.value is None)
    return kept[::-1]
