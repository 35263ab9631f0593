"""Small helpers for graph rewrites: who reads a value, folding, replacing nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from linnet import ops
from linnet.errors import LinnetError
from linnet.graph import Graph, Node
from linnet.ops import Op
from linnet.types import Array, Dim, NodeTypes, Quantization, Shape, TensorType

FOLD_LIMIT = 1 << 20


class Links:
    """Producers and readers of a graph's values at one moment; `refresh` after changes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers: dict[str, Node] = {}
        self.readers: defaultdict[str, list[Node]] = defaultdict(list)
        self.kept: set[str] = set()
        self._seen: dict[int, tuple[Node, tuple[str, ...], tuple[str, ...]]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the nodes that came, went or changed their inputs or outputs."""
        now = {id(node): node for node in self.graph.nodes}
        for key in self._seen.keys() - now.keys():
            self._forget(key)
        for key, node in now.items():
            seen = self._seen.get(key)
            if seen is None:
                self._learn(node)
            elif seen[1] is not node.inputs or seen[2] is not node.outputs:
                self._forget(key)
                self._learn(node)
        self.kept = set(self.graph.outputs)

    def touch(self, *nodes: Node) -> None:
        """Read again nodes that are new, or whose inputs or outputs changed."""
        for node in nodes:
            if id(node) in self._seen:
                self._forget(id(node))
            self._learn(node)

    def drop(self, *nodes: Node) -> None:
        """Forget nodes that went."""
        for node in nodes:
            self._forget(id(node))

    def release(self, names: Sequence[str]) -> None:
        """Forget the nodes that made values nobody reads any more, and what only they read.

        The nodes stay in the graph until it is pruned.
        """
        waiting = list(names)
        while waiting:
            node = self.makers.get(waiting.pop())
            if node is None or any(self.readers[o] or o in self.kept for o in node.outputs):
                continue
            self.drop(node)
            waiting.extend(i for i in node.inputs if i)

    def knows(self, node: Node) -> bool:
        """Whether a node is one of the graph's that was not forgotten."""
        return id(node) in self._seen

    def _learn(self, node: Node) -> None:
        self._seen[id(node)] = (node, node.inputs, node.outputs)
        for name in dict.fromkeys(node.inputs):
            if name:
                self.readers[name].append(node)
        for name in node.outputs:
            if name:
                self.makers[name] = node

    def _forget(self, key: int) -> None:
        node, inputs, outputs = self._seen.pop(key)
        for name in dict.fromkeys(inputs):
            if name:
                self.readers[name] = [r for r in self.readers[name] if r is not node]
        for name in outputs:
            if self.makers.get(name) is node:
                del self.makers[name]

    def maker(self, name: str, *kinds: type[Op]) -> Node | None:
        """Return the node that makes a value if its op is one of the kinds (any where none)."""
        node = self.makers.get(name)
        return node if node is not None and (not kinds or isinstance(node.op, kinds)) else None

    def only_reader(self, name: str, *kinds: type[Op]) -> Node | None:
        """Return the one node that reads a value once, if nothing else does and its op fits."""
        readers = self.readers.get(name, [])
        if len(readers) != 1 or name in self.kept or readers[0].inputs.count(name) != 1:
            return None
        return readers[0] if not kinds or isinstance(readers[0].op, kinds) else None

    def private(self, name: str) -> bool:
        """Whether a value has one reader and is no graph output."""
        return self.only_reader(name) is not None


def node_types(graph: Graph, node: Node) -> NodeTypes:
    """Return the declared types of a node, constants with their content."""
    inputs = tuple(graph.known_type(i) if i else None for i in node.inputs)
    return NodeTypes(inputs, tuple(graph.type_of(o) for o in node.outputs if o))


def evaluate(graph: Graph, node: Node) -> list[Array] | None:
    """Compute a node whose inputs are constants; None where that is impossible or too large."""
    arrays = [graph.constant(i) for i in node.inputs]
    if not node.op.pure or not all(node.outputs):
        return None
    if any(a is None and i for a, i in zip(arrays, node.inputs, strict=True)):
        return None
    types = node_types(graph, node)
    read = sum(a.size for a in arrays if a is not None)
    try:
        sizes = [t.size for t in (*types.outputs, *_inferred(node, types))]
        if max(sizes, default=0) > max(FOLD_LIMIT, read):
            return None
        made = node.op.reference(types, *arrays)
    except (LinnetError, TypeError):
        return None
    return [np.ascontiguousarray(m).reshape(m.shape) for m in made]


def _inferred(node: Node, types: NodeTypes) -> tuple[TensorType, ...]:
    """Return the output types that the inputs' contents lead to; declared ones may be older."""
    present = types.inputs
    while present and present[-1] is None:
        present = present[:-1]
    return node.op.infer(*present)


def turn_constant(graph: Graph, node: Node, arrays: Sequence[Array]) -> None:
    """Replace a node by the constants it makes."""
    for name, array in zip(node.outputs, arrays, strict=True):
        value = graph.values[name]
        value.type = TensorType.of(array, value.type.quantization).with_(value=None)
        value.data = array
    remove(graph, node)


def position(graph: Graph, node: Node) -> int:
    """Return a node's index, by identity; the last node is found at once."""
    if graph.nodes[-1] is node:
        return len(graph.nodes) - 1
    return next(i for i, other in enumerate(graph.nodes) if other is node)


def remove(graph: Graph, node: Node) -> None:
    """Remove a node, by identity; its outputs stay declared."""
    del graph.nodes[position(graph, node)]


def absorb(graph: Graph, links: Links, maker: Node, node: Node) -> None:
    """Let a node's maker, whose op now computes both, give what the node gave; remove the node."""
    for name in maker.outputs:
        del graph.values[name]
    remove(graph, node)
    maker.outputs = node.outputs
    links.drop(node)
    links.touch(maker)


def bypass(graph: Graph, node: Node) -> bool:
    """Remove a node whose output equals its first input; return whether that was possible.

    Where the output is one of the graph's, its name stays: the input takes it, unless the input is
    the graph's own, a constant, or already an output.
    """
    source, result = node.inputs[0], node.outputs[0]
    is_output = result in graph.outputs
    fixed = source in graph.inputs or source in graph.outputs
    if is_output and (fixed or graph.values[source].is_constant):
        return False
    remove(graph, node)
    graph.replace(result, source)
    del graph.values[result]
    if is_output:
        graph.rename(source, result)
    return True


def substitute(graph: Graph, instead: Mapping[str, str], gone: Iterable[Node] = ()) -> None:
    """Let every reader of some values read others, and remove nodes, in one go.

    Parameters
    ----------
    graph : Graph
    instead : mapping of str to str
        From values, which go, to those read instead; chains are followed.
    gone : iterable of Node
    """

    def final(name: str) -> str:
        while name in instead:
            name = instead[name]
        return name

    removed = {id(node) for node in gone}
    graph.nodes = [node for node in graph.nodes if id(node) not in removed]
    for node in graph.nodes:
        if any(name in instead for name in node.inputs):
            node.inputs = tuple(final(name) for name in node.inputs)
    graph.reroute({name: final(name) for name in instead})
    for name in instead:
        del graph.values[name]


def rebuild(
    graph: Graph,
    node: Node,
    op: Op,
    inputs: Sequence[str],
    perms: Sequence[tuple[int, ...] | None],
) -> None:
    """Replace a node by an op on other inputs and a Transpose after each of its outputs.

    Parameters
    ----------
    graph : Graph
    node : Node
    op : Op
        Makes each output with its axes in another order.
    inputs : sequence of str
    perms : sequence of tuple of int or None
        Per output the order that gives the old output back; None where the order is the same.
    """
    at = position(graph, node)
    del graph.nodes[at]
    old = [graph.values.pop(name).type for name in node.outputs if name]
    inner, declared = [], []
    types = iter(old)
    for name, perm in zip(node.outputs, perms, strict=True):
        q = next(types).quantization if name else None
        inner.append(graph.unique(f"{name}/moved") if name and perm else name)
        if q is not None and q.axis is not None and perm is not None:
            q = Quantization(q.scale, q.zero_point, perm[q.axis])
        declared.append(q)
    graph.add(op, inputs, name=node.name, outputs=inner, quantization=declared, at=at)
    for name, source, perm in zip(node.outputs, inner, perms, strict=True):
        if name and perm is not None:
            at += 1
            graph.add(ops.Transpose(perm=perm), [source], name=name, outputs=[name], at=at)


def before(graph: Graph, node: Node, op: Op, inputs: Sequence[str], name: str = "") -> str:
    """Insert an op before a node and return the name of what it makes."""
    made = graph.unique(name or f"{node.name}/{type(op).__name__}")
    return graph.add(op, inputs, name=made, outputs=[made], at=position(graph, node))


def new_constant(graph: Graph, like: str, data: Array, q: Quantization | None = None) -> str:
    """Add a constant named after another value."""
    return graph.add_constant(f"{like}/changed", np.ascontiguousarray(data), q)


def same_shape(left: Shape, right: Shape) -> bool:
    """Whether shapes are equal for sure: dimensions that only the data tells never are."""
    return left == right and not any(made_up(dim) for dim in left)


def made_up(dim: Dim) -> bool:
    """Whether a dimension is a stand-in for one that only the data tells."""
    return isinstance(dim, str) and "?" in dim


def reshape_target(source: Shape, shape: Shape) -> tuple[int, ...] | None:
    """Return the target of a Reshape from one shape to another, None where it cannot be told."""
    if 0 in source or 0 in shape:
        return None
    target: list[int] = []
    for index, dim in enumerate(shape):
        if isinstance(dim, int):
            target.append(dim)
        elif index < len(source) and source[index] == dim and not made_up(dim):
            target.append(0)
        else:
            target.append(-1)
    return tuple(target) if target.count(-1) <= 1 else None


def late(graph: Graph, op: Op, inputs: Sequence[str], names: Sequence[str]) -> Op:
    """Return an op that reads attributes from inputs behind its own.

    Parameters
    ----------
    graph : Graph
    op : Op
        With stand-ins for the attributes, of the right length.
    inputs : sequence of str
        What the op reads.
    names : sequence of str
        The attributes, in the order of the inputs that give them.
    """
    body = Graph(type(op).__name__)
    for index, name in enumerate(inputs):
        type_ = graph.type_of(name)
        shape = tuple(f"d{index}_{axis}" for axis in range(type_.rank))
        body.add_input(f"x{index}", type_.with_(shape=shape, value=None))
    outputs = [f"y{index}" for index in range(op.outputs)]
    body.add(op, body.inputs, outputs=outputs)
    body.outputs = outputs
    return ops.Late(body=body, names=tuple(names))
