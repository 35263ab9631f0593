"""Values that a loop only joins parts to: the parts are stacked, and joined behind the loop.

A carried value of another shape in every iteration has its body planned anew for each.
"""

from __future__ import annotations

import msgspec

from linnet import ops
from linnet.converters.rewrite import Links, position
from linnet.graph import Graph, Node, Value


def stack_grown(graph: Graph) -> int:
    """Let loops stack what they join to a carried value at its end; return how many values."""
    count = 0
    for node in list(graph.nodes):
        while isinstance(node.op, ops.Loop) and _stack(graph, node, node.op):
            count += 1
    return count


def _stack(graph: Graph, node: Node, op: ops.Loop) -> bool:
    """Stack the parts of the first carried value that only grows."""
    assert isinstance(op.body, Graph)
    links = Links(op.body)
    for index in range(op.carried):
        join = _join(op.body, links, index)
        if join is not None and node.outputs[index]:
            _rewrite(graph, node, op, index, join)
            return True
    return False


def _join(body: Graph, links: Links, index: int) -> Node | None:
    """Return the node that joins a part of a known shape to a value that nothing else reads."""
    given, made = body.inputs[2 + index], body.outputs[1 + index]
    join = links.only_reader(given, ops.Concat)
    if join is None or join.outputs != (made,) or join.inputs[0] != given or len(join.inputs) != 2:
        return None
    part, whole = body.type_of(join.inputs[1]), body.type_of(made)
    known = part.is_static and part.size > 0 and part.quantization == whole.quantization
    alone = not links.readers[made] and body.outputs.count(made) == 1
    return join if known and alone and links.maker(join.inputs[1]) is not None else None


def _rewrite(graph: Graph, node: Node, op: ops.Loop, index: int, join: Node) -> None:
    assert isinstance(join.op, ops.Concat) and isinstance(op.body, Graph)
    body, (given, part), type_ = op.body, join.inputs, op.body.type_of(join.inputs[1])
    body.inputs.remove(given)
    body.outputs = [*body.outputs[: 1 + index], *body.outputs[2 + index :], part]
    body.prune()
    start, whole = node.inputs[2 + index], node.outputs[index]
    stack, at = graph.unique(f"{whole}/parts"), position(graph, node)
    node.op = msgspec.structs.replace(op, carried=op.carried - 1)
    node.inputs = (*node.inputs[: 2 + index], *node.inputs[3 + index :])
    node.outputs = (*node.outputs[:index], *node.outputs[1 + index :], stack)
    stacked = node.op.infer(*(graph.known_type(i) if i else None for i in node.inputs))[-1]
    graph.values[stack] = Value(stack, stacked)
    axis = join.op.axis % type_.rank
    if axis:
        perm = (*range(1, axis + 1), 0, *range(axis + 1, type_.rank + 1))
        at += 1
        stack = graph.add(ops.Transpose(perm=perm), [stack], name=f"{whole}/turned", at=at)
    sizes = type_.static_shape
    target = (*sizes[:axis], -1, *sizes[axis + 1 :])
    rows = graph.add(ops.Reshape(shape=target), [stack], name=f"{whole}/joined", at=at + 1)
    graph.nodes.insert(at + 2, Node(ops.Concat(axis=axis), (start, rows), (whole,), whole))
