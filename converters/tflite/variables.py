"""Variable tensors of a TFLite file: state that a session keeps between runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linnet.graph import State
from linnet.ops import Identity
from linnet.types import Shape

if TYPE_CHECKING:
    from .importer import TfliteImporter


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
        """Return the name of what a variable holds now; zeros before anything was written."""
        if index not in self._current:
            name = self._importer.names[index]
            declared = self._importer.declared(index)
            self._importer.graph.add_input(name, declared.with_(shape=shape or declared.shape))
            self._current[index] = self._inputs[index] = name
        return self._current[index]

    def write(self, index: int, name: str) -> None:
        """Let a variable that was read before hold another value."""
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
