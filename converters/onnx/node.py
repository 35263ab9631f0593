"""One ONNX node as the op functions see it: checked attributes, graph inputs, ways to emit.

Owns the reading of attributes and the naming of what a node makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from linnet import ops
from linnet.converters.dimensions import Entries, Known, note, number
from linnet.converters.passes.fold import fold_node
from linnet.converters.rewrite import late, turn_constant
from linnet.converters.texts import Texts
from linnet.errors import FormatError, UnsupportedError
from linnet.graph import Graph
from linnet.ops import Op
from linnet.types import Array, Dim, Quantization, TensorType

Declared = Quantization | Sequence[Quantization | None] | None


@dataclass(slots=True)
class State:
    """What the nodes of one import share.

    Parameters
    ----------
    graph : Graph
        The graph being built.
    bound : dict of str to str
        From ONNX names to graph values.
    known : Known
        Integer vectors that are followed as dimensions.
    nest : callable, optional
        Gives an importer of a graph inside of this one.
    shapes : dict of str to tuple
        Shapes that the model declares for values that nodes make; symbols as it names them.
    assume : "then" or "else"
        Which branch's ranks count where nothing else tells.
    lists : dict of str to tuple
        What the sequences hold that names stand for.
    texts : Texts
        Which values are texts, and their numbers.
    counters : dict of str to str, optional
        Generators' counters: the inputs that hold them and what they are after a run; None in
        nested graphs, which have no states.
    """

    graph: Graph
    bound: dict[str, str] = field(default_factory=lambda: {"": ""})
    known: Known = field(default_factory=Known)
    nest: Callable[..., Any] | None = None
    shapes: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    assume: Literal["then", "else"] = "then"
    lists: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    texts: Texts = field(default_factory=Texts)
    counters: dict[str, str] | None = None

    def listed(self, items: Sequence[Any]) -> str:
        """Return a name that stands for a sequence."""
        name = f"sequence {len(self.lists)}"
        self.lists[name] = tuple(items)
        return name

    def constant(self, name: str, array: Array) -> str:
        """Add a constant, which may hold texts."""
        if array.dtype != object:
            return self.graph.add_constant(name, array)
        made = self.graph.add_constant(name, self.texts.array(array))
        self.texts.values.add(made)
        return made

    def settle(self) -> None:
        """Replace the node added last by constants if its outputs are known already."""
        node = self.graph.nodes[-1]
        if fold_node(self.graph, node):
            return
        note(self.graph, node, self.known)
        data = number(self.graph, node.outputs[0], self.known) if node.outputs[0] else None
        if data is not None:
            turn_constant(self.graph, node, [data])


class OnnxNode:
    """One node of the model being imported.

    Parameters
    ----------
    state : State
        The graph being built, and what is known about its values.
    kind, domain : str
        Operator and its domain, "" for the standard one.
    name : str
        The node's name, made from its place where the model gives none.
    version : int
        Version of the domain's operator set.
    attributes : dict
        Decoded attributes.
    inputs : tuple of str
        Names of graph values; "" where absent.
    outputs : tuple of str
        Names of the values that the model wants; "" where it wants none.
    narrow : tuple of int
        Per input its ONNX element type where that is narrower than any of linnet's, else 0.
    """

    def __init__(
        self,
        state: State,
        kind: str,
        domain: str,
        name: str,
        version: int,
        attributes: dict[str, Any],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        narrow: tuple[int, ...] = (),
    ) -> None:
        self.state = state
        self.graph = state.graph
        self.bound = state.bound
        self.kind = kind
        self.domain = domain
        self.name = name
        self.version = version
        self.attributes = attributes
        self.inputs = inputs
        self.outputs = outputs
        self._narrow = narrow

    # Attributes

    def _get(self, name: str, kinds: type | tuple[type, ...], default: Any) -> Any:
        value = self.attributes.get(name, default)
        if value is None or isinstance(value, kinds):
            return value
        raise FormatError(f"attribute {name} is {type(value).__name__}, which ONNX does not allow")

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        return int(self._get(name, int, default))

    def real(self, name: str, default: float) -> float:
        """Return a float attribute."""
        return float(self._get(name, (int, float), default))

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        return str(self._get(name, str, default))

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
        """Return a list-of-integers attribute, the default where it is absent."""
        value = self._get(name, tuple, tuple(default) if default is not None else None)
        if value is not None and not all(isinstance(item, int) for item in value):
            raise FormatError(f"attribute {name} holds something else than integers")
        return value  # type: ignore[no-any-return]

    def has(self, name: str) -> bool:
        """Whether an attribute is given."""
        return name in self.attributes

    def only(self, name: str, *allowed: Any, hint: str = "") -> None:
        """Refuse the node where an attribute is given with none of the allowed values.

        Raises
        ------
        UnsupportedError
            Naming the attribute, its value and what is allowed.
        """
        value = self.attributes.get(name, allowed[0])
        if value not in allowed:
            wanted = " or ".join(map(repr, allowed))
            raise UnsupportedError(
                f"{name}={value!r}; only {wanted}" + (f"; {hint}" if hint else "")
            )

    # Inputs

    def input(self, index: int) -> str:
        """Return the name of an input that must be present."""
        name = self.optional(index)
        if not name:
            raise FormatError(f"input {index} is missing")
        return name

    def optional(self, index: int) -> str:
        """Return the name of an input, "" where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def type(self, index: int) -> TensorType:
        """Return the type of an input."""
        return self.graph.type_of(self.input(index))

    def narrow(self, index: int) -> int:
        """Return an input's ONNX element type where that is narrower than linnet's, else 0."""
        return self._narrow[index] if index < len(self._narrow) else 0

    def rank(self, index: int = 0) -> int:
        """Return the number of dimensions of an input."""
        return self.type(index).rank

    def shape(self, index: int = 0) -> tuple[Dim, ...]:
        """Return the shape of an input."""
        return self.type(index).shape

    def is_text(self, index: int) -> bool:
        """Whether an input holds texts, as numbers."""
        return self.optional(index) in self.state.texts.values

    def constant(self, index: int) -> Array | None:
        """Return the content of an input where it is a constant."""
        return self.graph.constant(self.optional(index))

    def known(self, index: int, what: str) -> Array:
        """Return the content of an input that must be a constant.

        Raises
        ------
        UnsupportedError
            If it is computed at run time.
        """
        value = self.graph.constant(self.input(index))
        if value is None:
            raise UnsupportedError(f"{what} is computed at run time; make it a constant")
        return value

    def dimensions(self, index: int) -> Entries | None:
        """Return the entries of an integer vector computed from shapes, where they are known."""
        return self.state.known.get(self.input(index))

    def own_dimensions(self, index: int = 0) -> Entries:
        """Return an input's shape as vectors computed from it would show it."""
        return self.state.known.shape(self.graph, self.input(index))

    def known_integers(self, index: int, attribute: str) -> tuple[int, ...] | None:
        """Return integers given by an attribute (older opsets) or a constant input, else None."""
        if self.has(attribute):
            return self.integers(attribute)
        if not self.optional(index):
            return None
        return tuple(int(item) for item in self.known(index, attribute).reshape(-1))

    def axis(self, default: int, rank: int, name: str = "axis") -> int:
        """Return the axis attribute as a number >= 0."""
        return normalized(self.integer(name, default), rank)

    def wants(self, index: int) -> bool:
        """Whether the model uses an output."""
        return index < len(self.outputs) and bool(self.outputs[index])

    # Making

    def constant_like(
        self, array: Array, suffix: str, quantization: Quantization | None = None
    ) -> str:
        """Add a constant named after the node."""
        return self.graph.add_constant(f"{self.name}/{suffix}", array, quantization)

    def number(self, value: float, index: int = 0) -> str:
        """Add a scalar constant of an input's element type."""
        return self.constant_like(np.array(value, self.type(index).dtype.numpy), "number")

    def counted(self, index: int, axis: int) -> str:
        """Return 0, 1, ... for each place of an input's axis."""
        return self.counted_rows(self.input(index), axis)

    def counted_rows(self, name: str, axis: int) -> str:
        """Return 0, 1, ... for each place of a value's axis."""
        dim = self.graph.type_of(name).shape[axis]
        if isinstance(dim, int):
            return self.constant_like(np.arange(dim, dtype=np.int64), "places")
        zero, one = (self.constant_like(np.array(i, np.int64), "step") for i in (0, 1))
        length = self.emit(ops.Shape(start=axis, end=axis + 1), name)
        return self.emit(ops.Range(), zero, self.emit(ops.Reshape(shape=()), length), one)

    def emit(self, op: Op, *inputs: str, quantization: Declared = None) -> str:
        """Add an op whose result only this node uses; return its name."""
        name = self.graph.unique(f"{self.name}/{type(op).__name__}")
        made = self.graph.add(op, inputs, name=name, quantization=quantization)
        self.state.settle()
        return made

    def late(self, op: Op, inputs: Sequence[str], given: Mapping[str, str]) -> Op:
        """Return an op that reads attributes from inputs, to emit with those after its own.

        Parameters
        ----------
        op : Op
            With stand-ins for the attributes, of the right length.
        inputs : sequence of str
            What the op reads.
        given : mapping of str to str
            From attributes to values.
        """
        return late(self.graph, op, inputs, tuple(given))

    def finish(self, op: Op, *inputs: str, quantization: Declared = None) -> None:
        """Add the op that makes the node's outputs."""
        count = op.outputs
        wanted = [*self.outputs, *[""] * count][:count]
        names = [self.graph.unique(w or f"{self.name}:{i}") for i, w in enumerate(wanted)]
        self.graph.add(op, inputs, name=self.name, outputs=names, quantization=quantization)
        self.state.settle()
        self.give(*names)

    def hold_texts(self, index: int = 0) -> None:
        """Say that an output, which is there already, holds texts."""
        self.state.texts.values.add(self.bound.get(self.outputs[index], ""))

    def give(self, *names: str) -> None:
        """Bind the node's outputs to values that exist."""
        for wanted, name in zip(self.outputs, names, strict=False):
            if wanted:
                self.bound[wanted] = name


def normalized(axis: int, rank: int) -> int:
    """Return an axis as a number >= 0.

    Raises
    ------
    FormatError
        If it lies outside the rank.
    """
    if not -rank <= axis < max(rank, 1):
        raise FormatError(f"axis {axis} is outside rank {rank}")
    return axis + rank if axis < 0 else axis
