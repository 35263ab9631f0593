"""Sessions: a loaded model that runs."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from linnet.kernels import _core
from linnet.kernels._runner import Runner

from .binding import Cache, Plan, bind_graph
from .errors import InputError, LinnetError
from .format import read
from .graph import Graph
from .state import StateMemory
from .types import Array, TensorSpec, TensorType

PLAN_LIMIT = 8
Segments = list[tuple[int, int, Callable[[], None] | None]]


class Session:
    """A model ready to run.

    Parameters
    ----------
    graph : Graph
        A valid graph.
    threads : int, optional
        Threads that one run may use; by default what the affinity mask and the cgroup allow.
    isa : str, optional
        Instruction set to use instead of the CPU's best.

    Notes
    -----
    Runs of one session take turns; results do not depend on the number of threads. What the graph
    declares as state, or `bind_state` binds, is kept from run to run until `reset`.
    """

    def __init__(self, graph: Graph, threads: int | None = None, isa: str = "") -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads={threads}; expected at least 1")
        self.graph = graph
        self.threads = threads or _core.usable_cpus()
        self.isa = isa
        self.states = StateMemory(graph)
        self.inputs = tuple(_spec(graph, name) for name in graph.caller_inputs)
        self.outputs = tuple(_spec(graph, name) for name in graph.caller_outputs)
        self._cache: Cache = {}
        self._plans: OrderedDict[tuple[tuple[int, ...], ...], tuple[Plan, Runner]] = OrderedDict()
        self._lock = threading.Lock()
        self._current: Runner | None = None
        if all(graph.type_of(name).is_static for name in graph.inputs):
            self._plan_for({name: graph.type_of(name) for name in graph.inputs})

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            One array per input, of the dtype and shape that `inputs` declares.

        Returns
        -------
        dict of str to ndarray
            Fresh arrays, in the order of `outputs`.

        Raises
        ------
        InputError
            If a name is missing or unknown, a dtype or shape does not fit, or a value is out of
            the range that an operator accepts (an index beyond its table).
        """
        feeds = inputs if type(inputs) is dict else dict(inputs)
        with self._lock:
            if self.states:
                return self._run_stateful(feeds)
            runner = self._current
            results = runner.run(feeds) if runner is not None else None
            if results is None:
                results = self._run_other(feeds)
            if type(results) is dict:
                return results
        raise self._bad_data(-1 - results)  # type: ignore[operator]

    def bind_state(self, pairs: Mapping[str, str]) -> None:
        """Let outputs of a run be inputs of the next one; the inputs are given no more.

        Parameters
        ----------
        pairs : mapping of str to str
            From the name of an output to the name of the input that it becomes. The first run
            reads zeros; a symbolic dimension that no other input fixes begins at 0.

        Raises
        ------
        InputError
            If a name is unknown or bound already, or dtype and shape do not agree.

        Examples
        --------
        >>> session.bind_state({"h_out": "h_in"})  # doctest: +SKIP
        """
        with self._lock:
            self.states.bind(pairs)
            self.inputs = tuple(s for s in self.inputs if s.name not in self.states.inputs)

    def reset(self) -> None:
        """Put every state back to its initial content."""
        with self._lock:
            self.states.reset()

    def plan(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Plan:
        """Return the plan for the given input shapes (needed where inputs are dynamic)."""
        with self._lock:
            given = {name: tuple(shape) for name, shape in (shapes or {}).items()}
            given |= {n: a.shape for n, a in self.states.contents(given).items() if n not in given}
            types = {}
            for name in self.graph.inputs:
                type_ = self.graph.type_of(name)
                types[name] = type_.with_(shape=given.get(name, type_.shape))
            return self._plan_for(types)[0]

    @contextmanager
    def using(self, plan: Plan, runner: Runner) -> Iterator[None]:
        """Let another runner run a plan while the block lasts: one with clocks, for a profile."""
        with self._lock:
            key = next(key for key, found in self._plans.items() if found[0] is plan)
            usual, self._plans[key] = self._plans[key], (plan, runner)
            self._current = runner
        try:
            yield
        finally:
            with self._lock:
                self._plans[key] = usual
                self._current = usual[1]

    def _run_stateful(self, feeds: dict[str, Any]) -> dict[str, Array]:
        """Run with the states among the inputs, and keep what they became."""
        checked = self._check(feeds)
        checked.update(self.states.contents({n: array.shape for n, array in checked.items()}))
        runner = self._current
        results = runner.run(checked) if runner is not None else None
        if results is None:
            results = self._run_planned(checked)
        if type(results) is not dict:
            raise self._bad_data(-1 - results)  # type: ignore[operator]
        return self.states.take(results)

    def _run_other(self, feeds: dict[str, Any]) -> dict[str, Array] | int:
        """Run with inputs that the current plan does not fit: check them, take another plan."""
        return self._run_planned(self._check(feeds))

    def _run_planned(self, checked: dict[str, Array]) -> dict[str, Array] | int:
        types = {
            name: self.graph.type_of(name).with_(shape=array.shape)
            for name, array in checked.items()
        }
        _, runner = self._plan_for(types)
        results = runner.run(checked)
        if results is None:
            raise LinnetError("a plan does not accept the inputs that it was made for")
        return results

    def _plan_for(self, types: dict[str, TensorType]) -> tuple[Plan, Runner]:
        key = tuple(types[name].static_shape for name in self.graph.inputs)
        if key in self._plans:
            self._plans.move_to_end(key)
        else:
            plan = bind_graph(
                self.graph, types, threads=self.threads, isa=self.isa, cache=self._cache
            )
            self._plans[key] = (plan, make_runner(plan))
            if len(self._plans) > PLAN_LIMIT:
                self._plans.popitem(last=False)
        found = self._plans[key]
        self._current = found[1]
        return found

    def _check(self, feeds: dict[str, Any]) -> dict[str, Array]:
        """Return contiguous arrays of the declared dtypes, or raise with what is wrong."""
        names = [spec.name for spec in self.inputs]
        unknown = sorted(set(feeds) - set(names))
        missing = [name for name in names if name not in feeds]
        if unknown or missing:
            raise InputError(
                f"inputs missing: {missing or 'none'}, unknown: {unknown or 'none'}; "
                f"the model takes {names}"
            )
        checked = {}
        symbols: dict[str, int] = {}
        for spec in self.inputs:
            array = np.asarray(feeds[spec.name])
            if array.dtype != spec.dtype:
                raise InputError(
                    f"input '{spec.name}' is {array.dtype}; expected {spec.dtype}: "
                    f"convert it with .astype('{spec.dtype}')"
                    + (" after quantizing" if spec.quantization is not None else "")
                )
            _check_shape(spec, array.shape, symbols)
            checked[spec.name] = np.ascontiguousarray(array).reshape(array.shape)
        return checked

    def _bad_data(self, step: int) -> InputError:
        for plan, runner in self._plans.values():
            if runner is self._current:
                for span in plan.spans:
                    if span.begin <= step < span.end:
                        return InputError(f"{span.item.node}: an index is out of range")
        return InputError(f"program step {step} met an index out of range")


def load(
    source: str | os.PathLike[str] | bytes | Graph, threads: int | None = None, isa: str = ""
) -> Session:
    """Load a model.

    Parameters
    ----------
    source : path, bytes or Graph
        A ``.linnet`` file, its content, or a converted graph.
    threads : int, optional
        Threads that one run may use; by default what the affinity mask and the cgroup allow.
    isa : str, optional
        Instruction set to use instead of the CPU's best.

    Raises
    ------
    FormatError
        If the file is damaged or not a ``.linnet`` file.
    UnsupportedError
        If the file needs a newer linnet.

    Examples
    --------
    >>> import linnet
    >>> session = linnet.load("model.linnet", threads=2)  # doctest: +SKIP
    """
    if isinstance(source, Graph):
        source.validate()
        return Session(source, threads, isa)
    return Session(read(source), threads, isa)


def _spec(graph: Graph, name: str) -> TensorSpec:
    type_ = graph.type_of(name)
    return TensorSpec(name, type_.shape, type_.dtype.numpy, type_.quantization)


def make_runner(plan: Plan, segments: Segments | None = None) -> Runner:
    """Return what runs a plan's segments, or others in their place, between the plan's tensors."""

    def ports(
        tensors: list[tuple[str, TensorType, int]],
    ) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int]]:
        return [(name, t.dtype.numpy, t.static_shape, address) for name, t, address in tensors]

    parts = plan.segments() if segments is None else segments
    return Runner(plan.program, ports(plan.inputs), ports(plan.outputs), parts)


def _check_shape(spec: TensorSpec, shape: tuple[int, ...], symbols: dict[str, int]) -> None:
    fits = len(shape) == len(spec.shape)
    for found, expected in zip(shape, spec.shape, strict=False):
        wanted = symbols.setdefault(expected, found) if isinstance(expected, str) else expected
        fits = fits and found == wanted
    if not fits:
        shown = ", ".join(str(dim) for dim in spec.shape)
        raise InputError(f"input '{spec.name}' has shape {tuple(shape)}; expected ({shown})")
