"""What a session keeps between runs: declared by the graph, or bound by the caller.

Owns the contents of states. Knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .spec import Array

if TYPE_CHECKING:
    from .graph import State
    from .types import TensorType


class StateMemory:
    """The states of one session and their contents.

    Parameters
    ----------
    graph : Graph or StoredGraph
        Its own states are hidden from callers; those bound later stay among the outputs.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._pairs = list(graph.states)
        self._hidden = {state.output for state in graph.states}
        self._contents: dict[str, Array] = {}
        self._becomes: dict[str, Array] | None = None

    def __bool__(self) -> bool:
        """Whether there is any state."""
        return bool(self._pairs)

    @property
    def inputs(self) -> list[str]:
        """Graph inputs that states serve."""
        return [state.input for state in self._pairs]

    @property
    def pairs(self) -> list[State]:
        """Every state."""
        return list(self._pairs)

    def bind(self, pairs: Mapping[str, str]) -> None:
        """Add states, from output names to input names; all of them or none."""
        from .errors import InputError
        from .graph import State

        graph, made = self._graph, []
        inputs, outputs = {s.input for s in self._pairs}, {s.output for s in self._pairs}
        for output, input_ in pairs.items():
            if output not in graph.outputs:
                raise InputError(f"no output '{output}'; the model has {graph.outputs}")
            if input_ not in graph.inputs:
                raise InputError(f"no input '{input_}'; the model has {graph.inputs}")
            if output in outputs or input_ in inputs:
                raise InputError(f"'{output}' or '{input_}' is bound to a state already")
            given, becomes = graph.type_of(input_), graph.type_of(output)
            if not _fits(given, becomes):
                raise InputError(f"state '{input_}' is {given}, but '{output}' is {becomes}")
            inputs.add(input_)
            outputs.add(output)
            made.append(State(input_, output))
        self._pairs += made
        self._becomes = None

    def go_on(self, before: StateMemory) -> None:
        """Take the contents that another memory of the same model held."""
        self._contents = before._contents
        self._becomes = None

    def reset(self) -> None:
        """Forget the contents: the next run reads the initial ones."""
        self._contents.clear()
        self._becomes = None

    @property
    def hidden(self) -> set[str]:
        """Outputs that callers do not see."""
        return self._hidden

    def in_place(self) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """Return the contents by input name and the same arrays by the outputs that renew them.

        None where the size of one is not known before a run. A run may overwrite the arrays.
        """
        if len(self._contents) != len(self._pairs) and not self._start():
            return None
        if self._becomes is None:
            self._becomes = {s.output: self._contents[s.input] for s in self._pairs}
        return self._contents, self._becomes

    def _start(self) -> bool:
        """Give every state its initial content; False where one has no fixed shape."""
        declared = {s.input: self._graph.type_of(s.input) for s in self._pairs}
        if not all(isinstance(dim, int) for type_ in declared.values() for dim in type_.shape):
            return False
        for state in self._pairs:
            if state.input not in self._contents:
                initial = self._initial(state, declared[state.input], {})
                self._contents[state.input] = initial.copy()
        return True

    def contents(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
        """Return the array of every state; the shapes of inputs tell the size of new ones."""
        sizes: dict[str, int] = {}
        for name, shape in shapes.items():
            for dim, size in zip(self._graph.type_of(name).shape, shape, strict=True):
                if isinstance(dim, str):
                    sizes[dim] = size
        return {s.input: self._content(s, sizes) for s in self._pairs}

    def _content(self, state: State, sizes: Mapping[str, int]) -> Array:
        declared = self._graph.type_of(state.input)
        kept = self._contents.get(state.input)
        if kept is None:
            return self._initial(state, declared, sizes)
        for dim, size in zip(declared.shape, kept.shape, strict=True):
            wanted = sizes.get(dim, size) if isinstance(dim, str) else dim
            if wanted != size:
                from .errors import InputError

                raise InputError(
                    f"state '{state.input}' has shape {kept.shape}, but {dim} is {wanted} in this "
                    "run's inputs; call reset() before a sequence of another size"
                )
        return kept

    def _initial(self, state: State, declared: TensorType, sizes: Mapping[str, int]) -> Array:
        if state.initial:
            initial = np.asarray(self._graph.constant(state.initial))
            return np.ascontiguousarray(initial).reshape(initial.shape)
        shape = tuple(sizes.get(d, 0) if isinstance(d, str) else d for d in declared.shape)
        zero = declared.quantization.zero_point[0] if declared.quantization is not None else 0
        return np.full(shape, zero, np.dtype(declared.dtype))

    def take(self, results: dict[str, Array]) -> dict[str, Array]:
        """Keep what the states became and return the outputs that are the caller's."""
        self._becomes = None
        for state in self._pairs:
            hidden = state.output in self._hidden
            content = results[state.output]
            self._contents[state.input] = content if hidden else content.copy()
        return {name: array for name, array in results.items() if name not in self._hidden}

    def get(self) -> dict[str, Array]:
        """Return copies of the contents by input name; states that no run has read are absent."""
        return {name: content.copy() for name, content in self._contents.items()}


def _fits(given: TensorType, becomes: TensorType) -> bool:
    if (given.dtype, given.rank, given.quantization) != (
        becomes.dtype,
        becomes.rank,
        becomes.quantization,
    ):
        return False
    pairs = zip(given.shape, becomes.shape, strict=True)
    return all(a == b or isinstance(a, str) or isinstance(b, str) for a, b in pairs)
