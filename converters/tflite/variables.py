"""Variables of a TFLite file, tensors and resources: state that a session keeps between runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from linnet.errors import FormatError, LinnetError, UnsupportedError
from linnet.graph import State
from linnet.ops import Identity
from linnet.reference import evaluate
from linnet.types import Array, Shape, TensorType

if TYPE_CHECKING:
    from .importer import TfliteImporter
    from .reader import Subgraph


# Begins the names of variable tensors of subgraphs that others run: resources as long as those run.
INNER = "inner variable "


def variable_key(subgraph: Subgraph, index: int) -> str:
    """Return the resource's name of a variable tensor inside of a subgraph."""
    return f"{INNER}{subgraph.name}/{subgraph.tensors[index].name}:{index}"


@dataclass(frozen=True)
class Lent:
    """What an operator hands to the subgraphs that it runs.

    Attributes
    ----------
    handles : tuple of str
        Per operand the resource whose handle it is, or "".
    types : tuple of TensorType
        Of the other operands.
    resources : dict of str to TensorType
        Every resource that the subgraphs use.
    """

    handles: tuple[str, ...]
    types: tuple[TensorType, ...]
    resources: dict[str, TensorType]


class Variables:
    """What every variable tensor holds while operators are converted in the order they run.

    A variable becomes a graph input when it is first read, and a state of the graph at the end.

    Parameters
    ----------
    importer : TfliteImporter
    """

    def __init__(self, importer: TfliteImporter) -> None:
        self._importer = importer
        self._current: dict[int, str] = {}
        self._inputs: dict[int, str] = {}

    def read(self, index: int, shape: Shape | None = None) -> str:
        """Return the name of what a variable holds now; zeros before anything was written.

        One of a subgraph that another runs is a resource: its state lies outside.
        """
        if index not in self._current and len(self._importer.chain) > 1:
            name, type_ = variable_key(self._importer.main, index), self._importer.declared(index)
            return self._importer.resources.current(name, type_)
        if index not in self._current:
            name = self._importer.names[index]
            declared = self._importer.declared(index)
            self._importer.graph.add_input(name, declared.with_(shape=shape or declared.shape))
            self._current[index] = self._inputs[index] = name
        return self._current[index]

    def write(self, index: int, name: str) -> None:
        """Let a variable that was read before hold another value."""
        if len(self._importer.chain) > 1:
            return self._importer.resources.become(variable_key(self._importer.main, index), name)
        self._current[index] = name

    def finish(self) -> None:
        """Declare the states; their last values become graph outputs."""
        graph = self._importer.graph
        for index, first in self._inputs.items():
            last = self._current[index]
            if last in graph.outputs or last in graph.inputs:
                kept = self._importer.fresh(f"{first}:kept")
                last = graph.add(Identity(), [last], name=kept, outputs=[kept])
            graph.outputs.append(last)
            graph.states.append(State(first, last))


@dataclass
class _Resource:
    """One resource variable: what it holds before the first run, at its first read, and now."""

    initial: Array | None = None
    input: str = ""
    current: str = ""


class Resources:
    """Resource variables by name, while operators are converted in the order they run.

    A resource that is read before it is assigned becomes a graph input and a state.

    Parameters
    ----------
    importer : TfliteImporter
    outer : Resources, optional
        Those of the subgraph that runs this one.

    Attributes
    ----------
    tables : dict of str to tuple
        Keys and values of hash tables, which all subgraphs share.
    """

    def __init__(self, importer: TfliteImporter, outer: Resources | None = None) -> None:
        self._importer = importer
        self._names: dict[int, str] = {}
        self._kept: dict[str, _Resource] = {}
        self.tables: dict[str, tuple[Array, Array]] = outer.tables if outer else {}

    def handle(self, index: int, name: str) -> None:
        """Note that a tensor is the handle of a resource."""
        self._names[index] = name
        self._kept.setdefault(name, _Resource())

    def name(self, index: int) -> str:
        """Return the resource whose handle a tensor is, or ""."""
        return self._names.get(index, "")

    def borrow(self, name: str, type_: TensorType) -> None:
        """Let an input hold what a resource of the outer subgraph holds."""
        value = self._importer.fresh(name)
        self._importer.graph.add_input(value, type_.with_(value=None))
        self._kept[name] = _Resource(current=value)

    def _of(self, index: int) -> str:
        if index not in self._names:
            raise FormatError(f"tensor {index} is used as the handle of a variable, but is none")
        return self._names[index]

    def read(self, index: int, declared: TensorType) -> str:
        """Return the name of what the resource of a handle holds now."""
        return self.current(self._of(index), declared)

    def current(self, name: str, declared: TensorType, initial: Array | None = None) -> str:
        """Return the name of what a resource holds now.

        Parameters
        ----------
        name : str
        declared : TensorType
        initial : ndarray, optional
            Its content before the first run, where nothing has set it.
        """
        kept = self._kept.setdefault(name, _Resource(initial))
        if not kept.current:
            if len(self._importer.chain) > 1:
                raise UnsupportedError(
                    f"variable '{name}' of a subgraph that runs before all others"
                )
            if kept.initial is not None and declared.shape != kept.initial.shape:
                declared = declared.with_(shape=kept.initial.shape)
            kept.input = kept.current = self._importer.fresh(name)
            self._importer.graph.add_input(kept.input, declared)
        return kept.current

    def assign(self, index: int, value: str) -> None:
        """Let the resource of a handle hold a value from now on."""
        self.become(self._of(index), value)

    def become(self, name: str, value: str) -> None:
        """Let a resource hold a value from now on."""
        self._kept[name].current = value

    def initialize(self, subgraph: int) -> None:
        """Run a subgraph once, now, for what it assigns.

        Raises
        ------
        UnsupportedError
            If it needs more than constants.
        """
        inner = self._importer.nested(subgraph)
        inner.resources._kept = {name: _Resource(k.initial) for name, k in self._kept.items()}
        inner.convert_operators()
        for reason in inner.reasons:
            raise UnsupportedError(f"initialization: {reason}")
        graph = inner.graph
        if graph.inputs:
            raise UnsupportedError(f"initialization that reads {graph.inputs}")
        assigned = {n: k.current for n, k in inner.resources._kept.items() if k.current}
        graph.outputs = list(dict.fromkeys(assigned.values()))
        try:
            values = evaluate(graph, {})
        except LinnetError as error:
            raise UnsupportedError(f"initialization: {error}") from error
        for name, value in assigned.items():
            self._kept.setdefault(name, _Resource()).initial = values[value]

    def finish(self) -> None:
        """Declare the states; their last values become graph outputs."""
        graph = self._importer.graph
        for kept in self._kept.values():
            if not kept.input:
                continue
            last, initial = kept.current, ""
            if kept.initial is not None:
                declared = graph.type_of(kept.input)
                initial = self._importer.fresh(f"{kept.input}:initial")
                graph.add_constant(initial, kept.initial, declared.quantization)
            if last in graph.outputs or last in graph.inputs or graph.values[last].is_constant:
                name = self._importer.fresh(f"{kept.input}:kept")
                last = graph.add(Identity(), [last], name=name, outputs=[name])
            graph.outputs.append(last)
            graph.states.append(State(kept.input, last, initial))
