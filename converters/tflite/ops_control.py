"""Rules of operators that run other subgraphs, or whose output's shape only the data tells."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.errors import FormatError, ShapeError, UnsupportedError
from linnet.graph import Graph
from linnet.ops import Cast, If, NonZero, Transpose, Unique, While
from linnet.types import DType, TensorType

from .node import TfliteNode


def _operands(node: TfliteNode, first: int) -> list[str]:
    names = [node.input(i) for i in range(first, node.input_count)]
    for name in names:
        type_ = node.graph.type_of(name)
        if type_.dtype is DType.UINT8 and type_.is_quantized:
            raise UnsupportedError(f"'{name}' is quantized to uint8; export the model as int8")
    return names


def if_(node: TfliteNode) -> None:
    """IF: condition and operands of two subgraphs."""
    names = _operands(node, 1)
    types = [node.graph.type_of(name) for name in names]
    bodies = [
        node.importer.body(int(node.option(option)), types)
        for option in ("ThenSubgraphIndex", "ElseSubgraphIndex")
    ]
    op = If(then_branch=bodies[0], else_branch=bodies[1])
    node.emit(op, [node.input(0), *names], refine=False)


def while_(node: TfliteNode) -> None:
    """WHILE: operands of a subgraph that decides and one that changes them."""
    names = _operands(node, 0)
    types = [node.graph.type_of(name) for name in names]
    body, types = _settled(node, int(node.option("BodySubgraphIndex")), types)
    condition = node.importer.body(int(node.option("CondSubgraphIndex")), types)
    op = While(condition=condition, body=body, carried=len(names))
    node.emit(op, names, refine=False)


def _settled(
    node: TfliteNode, index: int, types: Sequence[TensorType]
) -> tuple[Graph, list[TensorType]]:
    """Return a body whose values come out as they went in; dimensions that it changes are open."""
    current = list(types)
    for _ in range(3):
        body = node.importer.body(index, current)
        after = [body.type_of(name) for name in body.outputs]
        if len(after) != len(current):
            raise FormatError(f"the body gives {len(after)} values for {len(current)}")
        joined = [_joined(a, b) for a, b in zip(current, after, strict=True)]
        if [t.shape for t in joined] == [t.shape for t in current]:
            return body, current
        current = joined
    raise ShapeError("the shapes of the loop's values do not settle")


def _joined(given: TensorType, after: TensorType) -> TensorType:
    same = (after.dtype, after.rank, after.quantization)
    if (given.dtype, given.rank, given.quantization) != same:
        raise UnsupportedError(f"a value of the loop goes in as {given} and comes out as {after}")
    pairs = enumerate(zip(given.shape, after.shape, strict=True))
    return given.with_(shape=tuple(a if a == b else f"?{i}" for i, (a, b) in pairs), value=None)


def where(node: TfliteNode) -> None:
    """WHERE: positions of what is true, or not zero, one row each."""
    found = node.step(NonZero(), [node.input(0)], "columns")
    node.emit(Transpose(perm=(1, 0)), [found], refine=False)


def unique(node: TfliteNode) -> None:
    """Take UNIQUE: elements in order of first occurrence, and which one each input is."""
    found = node.steps(Unique(sorted=False), [node.input(0)], "unique")
    node.emit_one(0, Cast(to=node.output_type(0).dtype), [found[0]], refine=False)
    node.emit_one(1, Cast(to=node.output_type(1).dtype), [found[2]], refine=False)


CONVERTERS = {"IF": if_, "UNIQUE": unique, "WHERE": where, "WHILE": while_}
