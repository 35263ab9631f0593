"""Which nodes of a float graph compute in integers, and which values need a range.

Products with constant weights always do, unless the caller keeps them in float. Cheap ops between
them follow where that saves a conversion: all their inputs are integers already and somebody reads
the result as integers. Ops that only move elements, or pick among them, follow their input.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from linnet import ops
from linnet.converters.passes.families import MEANS, MOVES, PAIRS, SELECTIONS, WEIGHTED
from linnet.errors import QuantizationError
from linnet.graph import Graph, Node, Value
from linnet.types import DType

from .weights import float_operands

# Functions whose results an int8 table holds well: bounded, or growing no faster than x.
_FUNCTIONS: tuple[type[ops.Op], ...] = (
    ops.Abs,
    ops.Clip,
    ops.Elu,
    ops.Gelu,
    ops.HardSigmoid,
    ops.HardSwish,
    ops.LeakyRelu,
    ops.Neg,
    ops.Sigmoid,
    ops.Silu,
    ops.Swish,
    ops.Softmax,
    ops.Tanh,
)
# Ops whose output has the scale and zero point of their first input.
KEEPING = (*MOVES, *SELECTIONS)


@dataclass
class Plan:
    """The decision for one graph.

    Parameters
    ----------
    nodes : dict of str to DType
        Storage type of the activations of every node that computes in integers, by first output.
    observed : list of str
        Values that need a range, in graph order.
    root : dict of str to str
        For every value in integers the one whose range it has.
    """

    nodes: dict[str, DType] = field(default_factory=dict)
    observed: list[str] = field(default_factory=list)
    root: dict[str, str] = field(default_factory=dict)

    def type_of(self, node: Node) -> DType | None:
        """Return the storage type of a node's activations, None where it stays in float."""
        return self.nodes.get(node.outputs[0])


def matches(node: Node, patterns: Iterable[str]) -> bool:
    """Whether a pattern names a node: its name, first output or op, with * and ? as wildcards."""
    names = (node.name, node.outputs[0], type(node.op).__name__)
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def check_patterns(graph: Graph, patterns: Iterable[str], option: str) -> None:
    """Check that every pattern names a node.

    Raises
    ------
    QuantizationError
        If one does not.
    """
    for pattern in patterns:
        if not any(matches(node, (pattern,)) for node in graph.nodes):
            raise QuantizationError(f"{option}: '{pattern}' names no node of '{graph.name}'")


def make_plan(graph: Graph, keep: Iterable[str], wide: Iterable[str], dtype: DType) -> Plan:
    """Decide node by node.

    Parameters
    ----------
    graph : Graph
    keep : iterable of str
        Patterns of nodes that stay in float.
    wide : iterable of str
        Patterns of nodes with int16 activations.
    dtype : DType
        Storage type of the other activations.

    Raises
    ------
    QuantizationError
        If nothing is left to quantize.
    """
    keep, wide = tuple(keep), tuple(wide)
    check_patterns(graph, keep, "keep")
    check_patterns(graph, wide, "wide")
    chosen: dict[str, DType] = {}
    for node in graph.nodes:
        if not matches(node, keep) and _possible(graph, node):
            chosen[node.outputs[0]] = DType.INT16 if matches(node, wide) else dtype
    plan = plan_of(graph, chosen)
    if plan is None:
        raise QuantizationError(
            f"'{graph.name}' has no convolution or matrix product in float32 to quantize"
            + (" besides those kept in float" if keep else "")
            + ("; it is quantized already" if any(map(_integer, graph.values.values())) else "")
        )
    return plan


def _integer(value: Value) -> bool:
    return value.data is None and value.type.is_quantized


def plan_of(graph: Graph, chosen: dict[str, DType]) -> Plan | None:
    """Return the plan of candidates less those that would cost more than they save.

    Parameters
    ----------
    graph : Graph
    chosen : dict of str to DType
        Storage types by the first output of nodes that could compute in integers; changed.

    Returns
    -------
    Plan or None
        None where no product is left.
    """
    _settle(graph, chosen)
    if not any(is_product(graph, n) for n in graph.nodes if n.outputs[0] in chosen):
        return None
    return _observed(graph, Plan(chosen))


def is_product(graph: Graph, node: Node) -> bool:
    """Whether a node multiplies by constant weights, or two activations."""
    if isinstance(node.op, ops.MatMul):
        left, right = (graph.values[name] for name in node.inputs)
        simple = right.data is None or (right.type.rank == 2 and right.data.dtype.kind == "f")
        return left.data is None and not node.op.transpose_a and simple
    return isinstance(node.op, WEIGHTED) and float_operands(graph, node) is not None


def _possible(graph: Graph, node: Node) -> bool:
    op, types = node.op, [graph.type_of(n) for n in (*node.inputs[:1], *node.outputs) if n]
    if not node.inputs or not all(t.dtype is DType.FLOAT32 for t in types):
        return False
    if graph.constant(node.inputs[0]) is not None and not isinstance(op, PAIRS):
        return False
    if is_product(graph, node):
        return True
    if isinstance(op, ops.Pad):
        return op.mode != "constant" or op.value == 0.0
    if isinstance(op, ops.Concat):
        return all(graph.constant(name) is None for name in node.inputs)
    if isinstance(op, PAIRS):
        return all(graph.type_of(name).dtype is DType.FLOAT32 for name in node.inputs)
    return isinstance(op, (*_FUNCTIONS, *MEANS, *KEEPING))


def _settle(graph: Graph, chosen: dict[str, DType]) -> None:
    """Take the cheap ops out again that would cost a conversion instead of saving one."""
    makers, readers = graph.producers(), graph.consumers()

    def available(name: str, dtype: DType) -> bool:
        if name in graph.inputs or graph.constant(name) is not None:
            return True
        maker = makers.get(name)
        return maker is not None and chosen.get(maker.outputs[0]) == dtype

    def fits(node: Node) -> bool:
        dtype = chosen[node.outputs[0]]
        if is_product(graph, node):
            return True
        count = len(node.inputs) if isinstance(node.op, (*PAIRS, ops.Concat)) else 1
        if not all(available(name, dtype) for name in node.inputs[:count]):
            return False
        if isinstance(node.op, KEEPING) and node.inputs[0] not in graph.inputs:
            return True
        return any(chosen.get(r.outputs[0]) == dtype for o in node.outputs if o for r in readers[o])

    while True:
        gone = [n.outputs[0] for n in graph.nodes if n.outputs[0] in chosen and not fits(n)]
        if not gone:
            return
        for name in gone:
            del chosen[name]


def data_inputs(node: Node) -> tuple[str, ...]:
    """Return the inputs of a quantized node that hold activations."""
    if isinstance(node.op, (*PAIRS, ops.Concat, ops.MatMul)):
        return node.inputs
    return node.inputs[:1]


def _observed(graph: Graph, plan: Plan) -> Plan:
    """Fill in the values that need a range: declared outputs, and floats that integers are of."""
    wanted: dict[str, None] = {}
    for node in graph.nodes:
        if plan.type_of(node) is None:
            continue
        for name in data_inputs(node):
            if graph.constant(name) is None and name not in plan.root:
                plan.root[name] = name
                wanted[name] = None
        keeps = isinstance(node.op, KEEPING)
        for name in node.outputs:
            plan.root[name] = plan.root[node.inputs[0]] if keeps else name
            if not keeps:
                wanted[name] = None
    plan.observed = list(wanted)
    return plan


def joined(graph: Graph, plan: Plan) -> list[tuple[list[str], str]]:
    """Return the roots of the inputs and the output of every quantized Concat, in order."""
    return [
        ([plan.root[name] for name in node.inputs], node.outputs[0])
        for node in graph.nodes
        if isinstance(node.op, ops.Concat) and plan.type_of(node) is not None
    ]


def conversions(graph: Graph, plan: Plan) -> tuple[list[str], list[str]]:
    """Return the values that are quantized from floats, and those dequantized to floats."""
    stored = {o for n in graph.nodes if plan.type_of(n) is not None for o in n.outputs if o}
    down: dict[str, None] = {}
    up: dict[str, None] = dict.fromkeys(o for o in graph.outputs if o in stored)
    for node in graph.nodes:
        read = node.inputs if plan.type_of(node) is None else data_inputs(node)
        for name in read:
            if not name or graph.constant(name) is not None:
                continue
            if plan.type_of(node) is None and name in stored:
                up[name] = None
            elif plan.type_of(node) is not None and name not in stored:
                down[name] = None
    return list(down), list(up)
