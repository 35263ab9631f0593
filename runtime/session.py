"""Sessions: a loaded model that runs."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from linnet.kernels import _core
from linnet.kernels._runner import Caller, Runner

from .model_file import ModelFile
from .plan_store import PlanStore, RestoredPlans, StoredModel
from .spec import Array, TensorSpec
from .state import StateMemory

if TYPE_CHECKING:
    from typing import Protocol

    from .binding import Plan
    from .executor import AnyRunner, Executor
    from .graph import Graph

    class _Source(Protocol):
        """What has plans."""

        @property
        def current(self) -> AnyRunner | None:
            """What ran last."""
            ...

        def run_known(self, feeds: dict[str, Any]) -> dict[str, Array] | int | None:
            """Run on the plan that the feeds fit, None where there is none."""
            ...


class Session(Caller):
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
        self._configure(threads, isa)
        self._graph: Graph | None = graph
        self.inputs = tuple(_spec(graph, name) for name in graph.caller_inputs)
        self.outputs = tuple(_spec(graph, name) for name in graph.caller_outputs)
        self._open()

    @classmethod
    def of_file(cls, model: ModelFile, threads: int | None = None, isa: str = "") -> Session:
        """Return a session of a ``.linnet`` file, made from stored plans where there are any."""
        self = cls.__new__(cls)
        self._configure(threads, isa)
        self._model = model
        self._store = _store_for(model, isa)
        stored = None if self._store is None else self._store.open(self.threads)
        if stored is None:
            self._read(verify=True)
        else:
            self._adopt(stored)
        return self

    def _configure(self, threads: int | None, isa: str) -> None:
        if threads is not None and threads < 1:
            from .errors import InputError

            raise InputError(f"threads={threads}; expected at least 1")
        self.threads = threads or _core.usable_cpus()
        self.isa = isa
        self._graph = None
        self._model: ModelFile | None = None
        self._store: PlanStore | None = None
        self._stored: StoredModel | None = None
        self._states: StateMemory | None = None
        self._planned: Executor | None = None
        self._restored = RestoredPlans()
        self._plans: _Source = self._restored
        self._source = self._restored

    def _read(self, verify: bool) -> None:
        """Read and plan the file."""
        from .format import read_file

        assert self._model is not None
        graph = read_file(self._model, verify, panels=True)
        self.inputs = tuple(_spec(graph, name) for name in graph.caller_inputs)
        self.outputs = tuple(_spec(graph, name) for name in graph.caller_outputs)
        self._plan_graph(graph)

    def _adopt(self, stored: StoredModel) -> None:
        """Take descriptions and, where shapes are known, the plan from the store."""
        self._stored = stored
        self.inputs, self.outputs = stored.shown()
        if stored.states:
            self._states = StateMemory(stored)
            self._source = RestoredPlans()
        if stored.plan is not None:
            self._restored.add(stored.plan)
        elif stored.is_static:
            self._open()

    def _restore_for(self, feeds: Mapping[str, Array]) -> bool:
        """Take the plan for the shapes of these arrays from the store; False where it has none."""
        if self._store is None or self._stored is None or self._planned is not None:
            return False
        if feeds.keys() != set(self._stored.inputs):
            return False
        with _no_collections():
            shapes = [feeds[name].shape for name in self._stored.inputs]
            found = self._store.restore(shapes, self.threads)
        if found is None:
            return False
        self._restored.add(found)
        return True

    @property
    def graph(self) -> Graph:
        """The model as a graph."""
        if self._graph is None:
            from .format import read_file

            assert self._model is not None
            # Its content was checked, now or before it came into the store.
            self._graph = read_file(self._model, verify=False)
        return self._graph

    @property
    def states(self) -> StateMemory:
        """What the session keeps between runs."""
        if self._states is None:
            self._open()
        assert self._states is not None
        return self._states

    @property
    def _executor(self) -> Executor:
        if self._planned is None:
            self._open()
        assert self._planned is not None
        return self._planned

    def _open(self) -> None:
        """Make what plans the graph, whose content was checked."""
        if self._model is None:
            self._plan_graph(self.graph)
            return
        from .format import read_file

        self._plan_graph(read_file(self._model, verify=False, panels=True))

    def _plan_graph(self, graph: Graph) -> None:
        """Make what plans a graph, and the plan where shapes are known."""
        from .executor import Executor, Settings
        from .format import release_pages

        states = StateMemory(graph)
        if self._states is not None:
            states.go_on(self._states)
        self._states = states
        self._planned = Executor(graph, Settings(self.threads, self.isa), store=self._store)
        self._plans = self._planned
        # Plans of a session with states run on what the states hold.
        self._source = RestoredPlans() if states else self._plans
        if all(graph.type_of(name).is_static for name in graph.inputs):
            self._planned.plan_for({n: graph.type_of(n).static_shape for n in graph.inputs})
            release_pages(v.data for v in graph.values.values() if v.data is not None)

    def _run_otherwise(self, feeds: dict[str, Any]) -> dict[str, Array]:
        """Run with states, with the plan for other shapes, or say what is wrong."""
        if self._states:
            return self._run_stateful(feeds)
        results = self._plans.run_known(feeds)
        if type(results) is dict:
            return results
        # What fits a stored plan needs no other check.
        if all(isinstance(array, np.ndarray) for array in feeds.values()) and self._restore_for(
            feeds
        ):
            results = self._plans.run_known(feeds)
            if type(results) is dict:
                return results
        return self._run_checked(self._checked(feeds))

    def _checked(self, feeds: dict[str, Any]) -> dict[str, Array]:
        from .feeds import check_feeds

        return check_feeds(self.inputs, feeds)

    def _run_checked(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Run on checked arrays; make a plan for their shapes where none in use serves them."""
        results = self._plans.run_known(feeds)
        if type(results) is dict:
            return results
        results = self._plans.run_known(feeds) if self._restore_for(feeds) else None
        return results if type(results) is dict else self._executor.run(feeds)

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
            if self._planned is None:
                self._open()
            self.states.bind(pairs)
            self._source = RestoredPlans()
            self.inputs = tuple(s for s in self.inputs if s.name not in self.states.inputs)

    def reset(self) -> None:
        """Put every state back to its initial content.

        Among them are those that `bind_state` binds, resource variables, and what TFLite's
        recurrent operators (LSTM, RNN, SVDF) and random numbers keep: call it between sequences.
        """
        with self._lock:
            if self._states is not None:
                self._states.reset()

    def plan(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Plan:
        """Return the plan for the given input shapes (needed where inputs are dynamic)."""
        with self._lock:
            given = {name: tuple(shape) for name, shape in (shapes or {}).items()}
            given |= {n: a.shape for n, a in self.states.contents(given).items() if n not in given}
            graph = self._executor.graph
            types = {n: graph.type_of(n) for n in graph.inputs}
            shapes = {n: t.static_shape for n, t in types.items() if n not in given}
            return self._executor.plan_for(shapes | {n: given[n] for n in types if n in given})[0]

    @contextmanager
    def using(self, plan: Plan, runner: Runner) -> Iterator[None]:
        """Let another runner run a plan while the block lasts: one with clocks, for a profile."""
        with self._lock:
            usual = self._executor.exchange(plan, runner)
        try:
            yield
        finally:
            with self._lock:
                self._executor.exchange(plan, usual)

    def _run_stateful(self, feeds: dict[str, Any]) -> dict[str, Array]:
        """Run with the states among the inputs, and keep what they became."""
        states, runner = self.states.in_place(), self._plans.current
        if states is not None and isinstance(runner, Runner):
            held, becomes = states
            given = feeds | held
            if len(given) == len(feeds) + len(held):
                results = runner.run(given, becomes, self.states.hidden)
                if type(results) is dict:
                    return results
        checked = self._checked(feeds)
        checked.update(self.states.contents({n: array.shape for n, array in checked.items()}))
        results = self._run_checked(checked)
        return self.states.take(results)


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
    if isinstance(source, str | os.PathLike):
        with _no_collections():
            return Session.of_file(ModelFile(source), threads, isa)
    from .graph import Graph

    if isinstance(source, Graph):
        source.validate()
        return Session(source, threads, isa)
    from .format import read

    return Session(read(source), threads, isa)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Put off searching for garbage: much is made in a short time, and all of it is kept."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _store_for(model: ModelFile, isa: str) -> PlanStore | None:
    try:
        store = PlanStore(model, isa or _core.default_isa())
    except (OSError, ValueError, RuntimeError):
        return None
    return store if model.digest and store.folder else None


def _spec(graph: Graph, name: str) -> TensorSpec:
    type_ = graph.type_of(name)
    return TensorSpec(name, type_.shape, type_.dtype.numpy, type_.quantization)
