"""The graph: named values in single assignment, nodes in topological order.

Owns structure and its rules. Knows nothing of files, plans or sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from .errors import GraphError, LinnetError
from .ops import Body, Op
from .types import Array, Quantization, TensorType


class Value(msgspec.Struct):
    """One tensor of a graph: its name, type and, for constants, content."""

    name: str
    type: TensorType
    data: Array | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the content is part of the model."""
        return self.data is not None


class Node(msgspec.Struct):
    """One operator applied to values; an empty input name is an absent optional input."""

    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""

    def __str__(self) -> str:
        """Show as ``Conv2D 'name'``."""
        return f"{type(self.op).__name__} '{self.name}'"


class State(msgspec.Struct, frozen=True):
    """A value that a session keeps from one run to the next.

    Parameters
    ----------
    input, output : str
        A graph input that a run reads it from, and the graph output that it becomes. Callers
        neither give the one nor get the other.
    initial : str
        A constant with the content before the first run; "" for zeros.
    """

    input: str
    output: str
    initial: str = ""


class Graph(Body):
    """A model: inputs, outputs, values by name, nodes in the order they run.

    Parameters
    ----------
    name : str
        Name of the model.
    inputs, outputs : list of str
        Names of values, in the model's order.
    values : dict of str to Value
        Every tensor, constants among them.
    nodes : list of Node
        In topological order.
    metadata : dict of str to str
        Free text: source, licence, labels.
    states : list of State
        Pairs of an input and an output that belong to the session instead of the caller.

    Examples
    --------
    >>> from linnet.ops import Clip
    >>> from linnet.types import DType, TensorType
    >>> graph = Graph("relu")
    >>> x = graph.add_input("x", TensorType(DType.FLOAT32, ("n", 4)))
    >>> graph.outputs = [graph.add(Clip(minimum=0.0), [x], name="relu")]
    >>> graph.validate()
    >>> str(graph.values["relu"].type)
    'float32[n,4]'
    """

    values: dict[str, Value]
    nodes: list[Node]

    def __init__(
        self,
        name: str = "model",
        inputs: list[str] | None = None,
        outputs: list[str] | None = None,
        values: dict[str, Value] | None = None,
        nodes: list[Node] | None = None,
        metadata: dict[str, str] | None = None,
        states: list[State] | None = None,
    ) -> None:
        self.name = name
        self.inputs = [] if inputs is None else inputs
        self.outputs = [] if outputs is None else outputs
        self.values = {} if values is None else values
        self.nodes = [] if nodes is None else nodes
        self.metadata = {} if metadata is None else metadata
        self.states = [] if states is None else states

    @property
    def caller_inputs(self) -> list[str]:
        """Inputs that are no state: what a run is given."""
        kept = {state.input for state in self.states}
        return [name for name in self.inputs if name not in kept]

    @property
    def caller_outputs(self) -> list[str]:
        """Outputs that are no state: what a run returns."""
        kept = {state.output for state in self.states}
        return [name for name in self.outputs if name not in kept]

    def unique(self, name: str) -> str:
        """Return the name itself, or with a number appended where it is taken."""
        if name and name not in self.values:
            return name
        number = 1
        while f"{name}_{number}" in self.values:
            number += 1
        return f"{name}_{number}"

    def add_input(self, name: str, type_: TensorType) -> str:
        """Declare a graph input and return its name."""
        self._declare(Value(name, type_))
        self.inputs.append(name)
        return name

    def add_constant(self, name: str, data: Array, quantization: Quantization | None = None) -> str:
        """Add a constant under a free name like ``name`` and return that name.

        Truth values of any bytes but 0 and 1, as damaged files have them, become 1.
        """
        if data.dtype == bool and data.size and data.view(np.uint8).max() > 1:
            data = data.view(np.uint8) != 0
        name = self.unique(name)
        type_ = TensorType.of(data, quantization).with_(value=None)
        self._declare(Value(name, type_, data))
        return name

    def add(
        self,
        op: Op,
        inputs: Sequence[str],
        name: str = "",
        outputs: Sequence[str] | None = None,
        quantization: Quantization | Sequence[Quantization | None] | None = None,
        at: int | None = None,
    ) -> str:
        """Append a node, infer its output types, declare its outputs; return the first one's name.

        Parameters
        ----------
        op : Op
        inputs : sequence of str
            Names of declared values; "" for an absent optional input.
        name : str
            Name of the node, for messages.
        outputs : sequence of str, optional
            Names of the outputs; made from ``name`` where absent.
        quantization : Quantization or sequence, optional
            Declared quantization of the outputs where the op does not decide it itself.
        at : int, optional
            Position in ``nodes``; appended where absent.

        Raises
        ------
        GraphError, ShapeError, QuantizationError
            If an input is unknown or the types do not fit.
        """
        unknown = [i for i in inputs if i and i not in self.values]
        if unknown:
            raise GraphError(f"{type(op).__name__} '{name}' reads unknown values {unknown}")
        kind = type(op).__name__
        types = self._infer(op, inputs, name)
        if outputs is None:
            stem = name or kind.lower()
            outputs = [self.unique(stem if i == 0 else f"{stem}:{i}") for i in range(len(types))]
        if len(outputs) != len(types):
            raise GraphError(f"{kind} '{name}' has {len(types)} outputs, got {len(outputs)} names")
        declared = (
            list(quantization)
            if isinstance(quantization, Sequence)
            else [quantization] * len(types)
        )
        for output, inferred, given in zip(outputs, types, declared, strict=True):
            if output:
                kept = inferred.quantization if inferred.quantization is not None else given
                self._declare(Value(output, inferred.with_(quantization=kept, value=None)))
        node = Node(op, tuple(inputs), tuple(outputs), name or outputs[0])
        self.nodes.insert(len(self.nodes) if at is None else at, node)
        return outputs[0]

    def _declare(self, value: Value) -> None:
        if value.name in self.values:
            raise GraphError(f"value '{value.name}' is defined twice")
        self.values[value.name] = value

    def _infer(self, op: Op, inputs: Iterable[str], name: str) -> tuple[TensorType, ...]:
        types = [self.known_type(i) if i else None for i in inputs]
        while types and types[-1] is None:
            types.pop()
        least, most = op.arity
        if not least <= len(types) <= most:
            raise GraphError(
                f"{type(op).__name__} '{name}' has {len(types)} inputs; expected {least} to {most}"
            )
        try:
            return op.infer(*types)
        except LinnetError as error:
            shown = ", ".join(str(t) for t in types)
            raise type(error)(f"{type(op).__name__} '{name}' on ({shown}): {error}") from error
        except Exception as error:
            # Attributes and shapes out of a hostile file can take an op's arithmetic anywhere.
            what = f"{type(error).__name__}: {error}"
            raise GraphError(
                f"{type(op).__name__} '{name}' does not fit its inputs: {what}"
            ) from error

    def known_type(self, name: str) -> TensorType:
        """Return a value's type, its content attached where it is a constant."""
        value = self.values[name]
        return value.type if value.data is None else value.type.with_(value=value.data)

    def type_of(self, name: str) -> TensorType:
        """Return a value's type."""
        return self.values[name].type

    def constant(self, name: str) -> Array | None:
        """Return a constant's content, None for anything else (absent inputs too)."""
        return self.values[name].data if name else None

    def producers(self) -> dict[str, Node]:
        """Return the node that makes each computed value."""
        return {output: node for node in self.nodes for output in node.outputs if output}

    def consumers(self) -> dict[str, list[Node]]:
        """Return the nodes that read each value; graph outputs are not nodes."""
        readers: dict[str, list[Node]] = {name: [] for name in self.values}
        for node in self.nodes:
            for name in dict.fromkeys(i for i in node.inputs if i):
                readers[name].append(node)
        return readers

    def replace(self, old: str, new: str) -> None:
        """Let every reader of ``old``, the graph outputs among them, read ``new``."""
        for node in self.nodes:
            if old in node.inputs:
                node.inputs = tuple(new if i == old else i for i in node.inputs)
        self.reroute({old: new})

    def reroute(self, instead: Mapping[str, str]) -> None:
        """Let the graph outputs, and the states that they become, be other values."""
        self.outputs = [instead.get(o, o) for o in self.outputs]
        self.states = [
            State(s.input, instead.get(s.output, s.output), s.initial) for s in self.states
        ]

    def rename(self, old: str, new: str) -> None:
        """Rename a value everywhere."""
        if new in self.values:
            raise GraphError(f"cannot rename '{old}': value '{new}' exists")
        value = self.values.pop(old)
        value.name = new
        self.values[new] = value
        for node in self.nodes:
            node.inputs = tuple(new if i == old else i for i in node.inputs)
            node.outputs = tuple(new if o == old else o for o in node.outputs)
        self.inputs = [new if i == old else i for i in self.inputs]
        self.outputs = [new if o == old else o for o in self.outputs]
        self.states = [
            State(*(new if n == old else n for n in (s.input, s.output, s.initial)))
            for s in self.states
        ]

    def prune(self) -> int:
        """Remove nodes and values that no output needs; return how many nodes went."""
        needed = set(self.outputs)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed.intersection(o for o in node.outputs if o):
                kept.append(node)
                needed.update(i for i in node.inputs if i)
        removed = len(self.nodes) - len(kept)
        self.nodes = kept[::-1]
        produced = {o for node in self.nodes for o in node.outputs if o}
        keep = needed | produced | set(self.inputs) | {s.initial for s in self.states}
        self.values = {name: value for name, value in self.values.items() if name in keep}
        return removed

    def sort(self) -> None:
        """Put the nodes in topological order, keeping the present order where it is one.

        Raises
        ------
        GraphError
            If the graph has a cycle; the message names the nodes on it.
        """
        produced_by = self.producers()
        ready = {n for n in self.values if n not in produced_by}
        waiting, ordered = list(self.nodes), []
        while waiting:
            later = []
            for node in waiting:
                if all(not i or i in ready for i in node.inputs):
                    ordered.append(node)
                    ready.update(node.outputs)
                else:
                    later.append(node)
            if len(later) == len(waiting):
                names = ", ".join(str(n) for n in later[:5])
                raise GraphError(f"cycle or missing input among {len(later)} nodes: {names}")
            waiting = later
        self.nodes = ordered

    def copy(self) -> Graph:
        """Return an independent graph that shares the constants' memory."""
        return Graph(
            self.name,
            list(self.inputs),
            list(self.outputs),
            {n: Value(v.name, v.type, v.data) for n, v in self.values.items()},
            [Node(_copied(n.op), n.inputs, n.outputs, n.name) for n in self.nodes],
            dict(self.metadata),
            list(self.states),
        )

    def validate(self) -> None:
        """Check every structural rule and every type.

        Raises
        ------
        GraphError
            With the full list of problems: unknown or doubly assigned values, order, arity,
            declared types that differ from what the ops infer, constants that differ from theirs.
        """
        problems = [*self._structure_problems(), *self._state_problems()]
        if not problems:
            problems = [*self._type_problems()]
        if problems:
            raise GraphError(problems)

    def _structure_problems(self) -> Iterable[str]:
        for name, value in self.values.items():
            if name != value.name or not name:
                yield f"value '{value.name}' is filed under '{name}'"
            data = value.data
            if data is not None and TensorType.of(data) != value.type.with_(quantization=None):
                yield f"constant '{name}' is {TensorType.of(data)} but declared {value.type}"
        assigned = set(self.inputs) | {n for n, v in self.values.items() if v.is_constant}
        for kind, names in (("input", self.inputs), ("output", self.outputs)):
            for name in names:
                if name not in self.values:
                    yield f"graph {kind} '{name}' is not a value of the graph"
        if len(set(self.inputs)) != len(self.inputs):
            yield "two graph inputs share a name"
        for node in self.nodes:
            for name in node.inputs:
                if name and name not in assigned:
                    yield f"{node} reads '{name}' before it is computed"
            for name in node.outputs:
                if name and name not in self.values:
                    yield f"{node} writes '{name}', which is not declared"
                elif name and name in assigned:
                    yield f"{node} writes '{name}', which is already assigned"
                assigned.add(name)
        for name in self.outputs:
            if name in self.values and name not in assigned:
                yield f"graph output '{name}' is never computed"

    def _state_problems(self) -> Iterable[str]:
        for kind, names, listed in (
            ("input", [s.input for s in self.states], self.inputs),
            ("output", [s.output for s in self.states], self.outputs),
        ):
            for name in dict.fromkeys(names):
                if name not in listed or name not in self.values:
                    yield f"state {kind} '{name}' is no {kind} of the graph"
                elif names.count(name) > 1 or listed.count(name) > 1:
                    yield f"'{name}' is the {kind} of two states, or twice an {kind} of the graph"
        for state in self.states:
            known = self.values.get(state.initial)
            if state.initial and (known is None or not known.is_constant):
                yield f"initial content '{state.initial}' of a state is no constant"
            given = self.values.get(state.input)
            for name in (state.output, state.initial):
                other = self.values.get(name)
                if given and other and not _agrees(given.type, other.type):
                    yield f"state '{state.input}' is {given.type}, '{name}' is {other.type}"

    def _type_problems(self) -> Iterable[str]:
        for node in self.nodes:
            inner = [*_body_problems(node)]
            if inner:
                yield from inner
                continue
            try:
                types = self._infer(node.op, node.inputs, node.name)
            except LinnetError as error:
                yield str(error)
                continue
            if len(types) != len(node.outputs):
                yield f"{node} has {len(node.outputs)} outputs, its op makes {len(types)}"
                continue
            for name, inferred in zip(node.outputs, types, strict=True):
                if name and not _agrees(self.values[name].type, inferred):
                    declared = self.values[name].type
                    yield (
                        f"{node} makes {inferred} {inferred.quantization or ''} for '{name}', "
                        f"declared {declared} {declared.quantization or ''}"
                    )


def _body_problems(node: Node) -> Iterable[str]:
    for body in node.op.bodies:
        try:
            body.validate()
        except GraphError as error:
            yield from (f"{node}: in '{body.name}': {p}" for p in error.problems)


def _copied(op: Op) -> Op:
    """Return an op with copies of its bodies; one without any is its own copy."""
    if not op.bodies:
        return op
    bodies = {f: getattr(op, f) for f in op.__struct_fields__}
    return msgspec.structs.replace(
        op, **{f: body.copy() for f, body in bodies.items() if isinstance(body, Graph)}
    )


def _agrees(declared: TensorType, inferred: TensorType) -> bool:
    if declared.dtype != inferred.dtype or declared.rank != inferred.rank:
        return False
    for left, right in zip(declared.shape, inferred.shape, strict=True):
        if isinstance(left, int) and isinstance(right, int) and left != right:
            return False
    return inferred.quantization is None or declared.quantization == inferred.quantization
