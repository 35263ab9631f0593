"""Control flow that is known before running: a branch takes the place of its node."""

from __future__ import annotations

from linnet import ops
from linnet.converters.rewrite import position
from linnet.graph import Graph
from linnet.specialize import inlined


def take_branches(graph: Graph) -> int:
    """Put the branch of a constant condition in place of its If; return how many.

    An op takes the place of a `Late` whose attributes became constants, too.
    """
    changes = 0
    for node in list(graph.nodes):
        if isinstance(node.op, ops.Late):
            op = node.op.settled([graph.constant(i) for i in node.inputs])
            if op is not None:
                node.inputs = node.inputs[: len(node.inputs) - len(node.op.names)]
                node.op = op
                changes += 1
            continue
        if not isinstance(node.op, ops.If):
            continue
        condition = graph.constant(node.inputs[0])
        if condition is None:
            continue
        nodes, values = inlined(node, node.op.branch(condition), graph.values)
        at = position(graph, node)
        graph.nodes[at : at + 1] = nodes
        graph.values.update(values)
        changes += 1
    return changes
