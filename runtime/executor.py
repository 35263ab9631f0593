"""Running a graph for whatever shapes come: plans per shape, stages where shapes depend on data.

Where only the data tells a shape, a graph runs in stages: what can be planned runs, then the nodes
whose shapes are open, by their references, then the rest, planned for the shapes that they made.
Ops of control flow run their bodies by executors of their own. Plans that never run at the same
time share one arena, so memory does not grow with the number of shapes.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from linnet.kernels import _core
from linnet.kernels._runner import Runner

from .binding import Cache, Plan, bind_concrete
from .errors import InputError, LinnetError, PlanError, UnsupportedError
from .graph import Graph, Value
from .ops import Body, Op
from .plan_store import PlanStore
from .specialize import ConcreteGraph, ConcreteNode, specialize
from .types import Array, TensorType

PLAN_LIMIT = 8
Hosts = dict[int, Callable[[], None]]
# Plans of what follows open shapes; there may be one such executor for each plan before it.
_REST_LIMIT = 2
_HEADROOM = 8


class AnyRunner(Protocol):
    """What runs a plan on arrays."""

    def run(self, feeds: dict[str, Any]) -> dict[str, Array] | int | None:
        """Return the outputs, None where the feeds do not fit, -1 - step on bad data."""
        ...


class SharedArena:
    """One block of memory for the plans of executors that take turns."""

    def __init__(self) -> None:
        self._block: Any = None
        self._users: weakref.WeakSet[Executor] = weakref.WeakSet()

    def join(self, user: Executor) -> None:
        """Tell an executor, from now on, when its plans' memory was replaced."""
        self._users.add(user)

    def reserve(self, nbytes: int) -> Any:
        """Return a block of at least so many bytes; plans in a smaller one are dropped.

        Raises
        ------
        PlanError
            If the system has no such memory.
        """
        if self._block is None:
            self._block = _arena(nbytes)
        elif self._block.bytes < nbytes:
            for user in self._users:
                user.forget()
            self._block = None
            self._block = _arena(nbytes + nbytes // _HEADROOM)
        return self._block


def _arena(nbytes: int) -> Any:
    try:
        return _core.Arena(nbytes)
    except MemoryError as error:
        raise PlanError(
            f"the plan needs {nbytes} bytes of memory, which the system does not give; run smaller "
            "inputs"
        ) from error


class Settings:
    """What all executors of a session share.

    Parameters
    ----------
    threads : int
    isa : str

    Attributes
    ----------
    arenas : list of SharedArena
        One for each depth of nesting.
    bodies : dict
        Executors of nested graphs by identity; the graphs live as long as the session's.
    """

    def __init__(self, threads: int, isa: str) -> None:
        self.threads = threads
        self.isa = isa
        self.arenas: list[SharedArena] = []
        self.bodies: dict[int, Executor] = {}

    def arena(self, depth: int) -> SharedArena:
        """Return the arena of a depth of nesting."""
        while len(self.arenas) <= depth:
            self.arenas.append(SharedArena())
        return self.arenas[depth]


class Executor:
    """Plans and runs one graph.

    Parameters
    ----------
    graph : Graph
    settings : Settings
    cache : dict, optional
        Packed weights, shared with the executor of an earlier stage.
    depth : int
        How many ops of control flow the graph is inside of.
    limit : int
        How many plans are kept.
    store : PlanStore, optional
        Keeps plans for later processes.
    """

    def __init__(
        self,
        graph: Graph,
        settings: Settings,
        cache: Cache | None = None,
        depth: int = 0,
        limit: int = PLAN_LIMIT,
        store: PlanStore | None = None,
    ) -> None:
        self.graph = graph
        self.settings = settings
        self.plans: OrderedDict[tuple[tuple[int, ...], ...], tuple[Plan, AnyRunner]] = OrderedDict()
        self.current: AnyRunner | None = None
        self._cache: Cache = {} if cache is None else cache
        self._depth = depth
        self._limit = limit
        self._ports: list[tuple[str, np.dtype[Any]]] = []
        self._store = store
        settings.arena(depth).join(self)

    def forget(self) -> None:
        """Drop every plan."""
        self.plans.clear()
        self.current = None

    def run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Run on contiguous arrays of the right dtypes.

        Raises
        ------
        InputError
            If a value is out of the range that an operator accepts.
        """
        runner = self.current
        results = None if runner is None else runner.run(feeds)
        if results is None:
            results = self.plan_for({n: a.shape for n, a in feeds.items()})[1].run(feeds)
        if results is None:
            raise LinnetError("a plan does not accept the inputs that it was made for")
        if not isinstance(results, dict):
            raise self.bad_data(-1 - results)
        return results

    def run_known(self, feeds: dict[str, Any]) -> dict[str, Array] | None:
        """Run on the plan that the feeds fit, None where there is none.

        Raises
        ------
        InputError
            If a value is out of the range that an operator accepts.
        """
        for key, (_, runner) in self.plans.items():
            results = runner.run(feeds) if isinstance(runner, Runner) else None
            if results is not None:
                self.plans.move_to_end(key)
                self.current = runner
                if not isinstance(results, dict):
                    raise self.bad_data(-1 - results)
                return results
        return None

    def call(self, arrays: Sequence[Array]) -> list[Array]:
        """Run on arrays in the order of the graph's inputs, of any layout."""
        if not self._ports:
            self._ports = [(n, self.graph.type_of(n).dtype.numpy) for n in self.graph.inputs]
        feeds = {}
        for (name, dtype), array in zip(self._ports, arrays, strict=True):
            fits = array.dtype == dtype and array.flags.c_contiguous
            feeds[name] = (
                array if fits else np.ascontiguousarray(array, dtype).reshape(np.shape(array))
            )
        results = self.run(feeds)
        return [results[name] for name in self.graph.outputs]

    def plan_for(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Plan, AnyRunner]:
        """Return the plan for input shapes, made where there is none."""
        key = tuple(tuple(shapes[name]) for name in self.graph.inputs)
        found = self.plans.get(key)
        if found is None:
            types = {n: self.graph.type_of(n).with_(shape=tuple(shapes[n])) for n in shapes}
            found = self._plan(types)
            self.plans[key] = found
            if len(self.plans) > self._limit:
                self.plans.popitem(last=False)
        self.plans.move_to_end(key)
        self.current = found[1]
        return found

    def exchange(self, plan: Plan, runner: AnyRunner) -> AnyRunner:
        """Let another runner run a plan (the first stage of some); return the one that did."""
        key = next(key for key, found in self.plans.items() if found[0] is plan)
        usual = self.plans[key][1]
        if isinstance(usual, _Stages):
            usual.first, runner = runner, usual.first
            return runner
        self.plans[key] = (plan, runner)
        self.current = runner
        return usual

    def _plan(self, types: Mapping[str, TensorType]) -> tuple[Plan, AnyRunner]:
        graph = self.graph
        concrete = specialize(graph, types)
        if not concrete.open:
            plan = self._bind(concrete, graph.outputs)
            if self._store is not None:
                self._store.save(graph, types, plan)
            return plan, make_runner(plan)
        made = {o for item in concrete.nodes for o in item.node.outputs}
        wanted = [
            name
            for name in concrete.needed(graph.outputs)
            if concrete.types[name].value is None and name in made
        ]
        plan = self._bind(concrete, wanted)
        plan.later = [*(item.node for item in concrete.open), *concrete.later]
        rest = self._rest(concrete, made)
        return plan, _Stages(make_runner(plan), concrete, self.control, rest, graph.outputs)

    def _bind(self, concrete: ConcreteGraph, outputs: Sequence[str]) -> Plan:
        return bind_concrete(
            concrete,
            self.graph.inputs,
            outputs,
            threads=self.settings.threads,
            isa=self.settings.isa,
            cache=self._cache,
            arena=self.settings.arena(self._depth),
            control=self.control,
            record=self._store is not None,
        )

    def _rest(self, concrete: ConcreteGraph, made: set[str]) -> Executor | None:
        """Return the executor of what follows the open nodes."""
        if not concrete.later:
            return None
        open_ = {o: t for item in concrete.open for o, t in _outputs(item)}
        rest = Graph(self.graph.name, nodes=list(concrete.later))
        for node in concrete.later:
            for name in (*node.inputs, *node.outputs):
                if name and name not in rest.values:
                    rest.values[name] = _rest_value(name, concrete, open_)
        after = {o for node in concrete.later for o in node.outputs}
        rest.inputs = [n for n, v in rest.values.items() if v.data is None and n not in after]
        rest.outputs = [n for n in dict.fromkeys(self.graph.outputs) if n in after]
        return Executor(rest, self.settings, self._cache, self._depth, _REST_LIMIT)

    def control(self, op: Op) -> Callable[..., tuple[Array, ...]]:
        """Return the function that computes an op of control flow by executors of its bodies."""
        return partial(op.execute, self._call_body)

    def _call_body(self, body: Body, arrays: Sequence[Array]) -> list[Array]:
        executor = self.settings.bodies.get(id(body))
        if executor is None:
            if not isinstance(body, Graph):
                raise LinnetError(f"'{body.name}' is no graph")
            executor = Executor(body, self.settings, depth=self._depth + 1)
            self.settings.bodies[id(body)] = executor
        return executor.call(arrays)

    def bad_data(self, step: int) -> InputError:
        """Return the error for a program step that met an index out of range."""
        for plan, runner in self.plans.values():
            if runner is self.current:
                for span in plan.spans:
                    if span.begin <= step < span.end:
                        return InputError(f"{span.item.node}: an index is out of range")
        return InputError(f"program step {step} met an index out of range")


class _Stages:
    """A plan, then nodes of open shapes, then an executor for what follows."""

    def __init__(
        self,
        first: AnyRunner,
        concrete: ConcreteGraph,
        control: Callable[[Op], Callable[..., tuple[Array, ...]]],
        rest: Executor | None,
        outputs: Sequence[str],
    ) -> None:
        self.first = first
        self._known = {
            n: np.asarray(t.value) for n, t in concrete.types.items() if t.value is not None
        }
        self._open = [
            (item, control(item.node.op) if _is_control(item) else _reference(item))
            for item in concrete.open
        ]
        self._rest = rest
        self._outputs = outputs

    def run(self, feeds: dict[str, Any]) -> dict[str, Array] | int | None:
        """Run every stage."""
        made = self.first.run(feeds)
        if type(made) is not dict:
            return made
        values: dict[str, Any] = {**self._known, **feeds, **made}
        for item, compute in self._open:
            results = compute(*(values[i] if i else None for i in item.node.inputs))
            for (name, type_), result in zip(_outputs(item), results, strict=True):
                if name:
                    values[name] = _checked(item, type_, result)
        if self._rest is not None:
            made |= self._rest.run({n: values[n] for n in self._rest.graph.inputs})
            values |= made
        return {n: values[n] if n in made else np.array(values[n]) for n in self._outputs}


def _is_control(item: ConcreteNode) -> bool:
    return item.node.op.runs_bodies


def _reference(item: ConcreteNode) -> Callable[..., tuple[Array, ...]]:
    return partial(item.node.op.reference, item.types)


def _checked(item: ConcreteNode, type_: TensorType, result: Array) -> Array:
    fits = result.dtype == type_.dtype.numpy and result.ndim == type_.rank
    if not fits:
        raise UnsupportedError(
            f"{item.node} made {result.dtype}{list(result.shape)}, expected {type_}"
        )
    return np.ascontiguousarray(result).reshape(result.shape)


def _outputs(item: ConcreteNode) -> list[tuple[str, TensorType]]:
    return list(zip(item.node.outputs, item.types.outputs, strict=True))


def _rest_value(name: str, concrete: ConcreteGraph, open_: Mapping[str, TensorType]) -> Value:
    if name in concrete.types:
        type_ = concrete.types[name]
        return Value(name, type_.with_(value=None), type_.value)
    if name in open_:
        return Value(name, open_[name].with_(value=None))
    return concrete.values[name]


def make_runner(plan: Plan, hosts: Hosts | None = None) -> Runner:
    """Return what runs a plan, by other functions in place of its host steps where given."""

    def ports(
        tensors: list[tuple[str, TensorType, int]],
    ) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int]]:
        return [(name, t.dtype.numpy, t.static_shape, address) for name, t, address in tensors]

    inputs, outputs = ports(plan.inputs), ports(plan.outputs)
    return Runner(plan.program, inputs, outputs, plan.hosts if hosts is None else hosts)
