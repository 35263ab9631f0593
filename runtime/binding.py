"""From a graph and input shapes to a plan: memory placed, weights packed, kernels chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np

from linnet.kernels import _core

from .buffers import BufferMap, assign_buffers
from .errors import InputError, UnsupportedError
from .fusion import fuse_bytes
from .graph import Graph, Node
from .ops import Body, Op
from .plan_check import check_plan
from .planner import MemoryPlan, plan_memory
from .specialize import ConcreteGraph, ConcreteNode, specialize
from .types import Array, NodeTypes, Panels, TensorType

Cache = dict[tuple[Any, ...], Any]
Control = Callable[[Op], Callable[..., tuple[Array, ...]]]


class BoundBuffer(msgspec.Struct):
    """A tensor with an address; ``array`` is set for constants."""

    type: TensorType
    pointer: int
    array: Array | None = None


class BoundStep(msgspec.Struct):
    """One node being bound: its buffers, and the program that its kernels go to."""

    name: str
    inputs: tuple[BoundBuffer | None, ...]
    outputs: tuple[BoundBuffer, ...]
    program: Any
    types: NodeTypes
    kept: list[Any]
    cache: Cache
    identity: tuple[str, ...] | None
    nested: list[Binder]

    @property
    def has_bodies(self) -> bool:
        """Whether the bodies' shapes are known."""
        return bool(self.nested)

    def bind_body(self, index: int, inputs: Sequence[int]) -> list[BoundBuffer]:
        """Add a body's steps, its inputs at the given addresses; return the outputs' buffers."""
        return self.nested[index].bind_all(inputs)

    def keep(self, item: Any) -> Any:
        """Keep an object alive as long as the program."""
        self.kept.append(item)
        return item

    def cached(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` gave for this node, made once per session: packed weights, tables.

        What is made must not depend on shapes. Constants that came from folding do not outlive
        their plan, so nothing made from them is shared.
        """
        if self.identity is None:
            return self.keep(make())
        full = (*self.identity, key)
        if full not in self.cache:
            self.cache[full] = make()
        return self.keep(self.cache[full])


class NodeSpan(msgspec.Struct, frozen=True):
    """Which program steps belong to a node.

    ``host`` tells that a reference runs among them, ``joined`` that its kernel goes on with pieces
    of what the node before makes.
    """

    item: ConcreteNode
    begin: int
    end: int
    host: bool = False
    joined: bool = False


class Plan(msgspec.Struct):
    """A bound graph for one set of input shapes; ``later`` is planned when the data tells them.

    ``hosts`` are the functions of the program's host steps.
    """

    program: Any
    memory: MemoryPlan
    spans: list[NodeSpan]
    inputs: list[tuple[str, TensorType, int]]
    outputs: list[tuple[str, TensorType, int]]
    hosts: dict[int, Callable[[], None]]
    kept: list[Any] = msgspec.field(default_factory=list)
    later: list[Node] = msgspec.field(default_factory=list)

    @property
    def has_host_steps(self) -> bool:
        """Whether some node runs its NumPy reference."""
        return bool(self.hosts)


def bind_graph(
    graph: Graph,
    inputs: Mapping[str, TensorType],
    *,
    threads: int,
    isa: str = "",
    cache: Cache | None = None,
) -> Plan:
    """Plan and bind a graph for concrete input types.

    Parameters
    ----------
    graph : Graph
        A valid graph.
    inputs : mapping of str to TensorType
        Static type of every graph input.
    threads : int
        Threads that one run may use.
    isa : str
        Forced instruction set; "" takes the CPU's best (or ``LINNET_ISA``).
    cache : dict, optional
        Packed weights shared between the plans of a session.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    UnsupportedError
        If the shape of a value depends on data: such graphs run in a session only.
    InputError
        If ``LINNET_ISA`` names an instruction set that this CPU lacks.
    """
    concrete = specialize(graph, inputs)
    if concrete.open:
        first = concrete.open[0].node
        raise UnsupportedError(f"{first}: the shapes of its outputs depend on data")
    return bind_concrete(
        concrete, graph.inputs, graph.outputs, threads=threads, isa=isa, cache=cache
    )


def bind_concrete(
    concrete: ConcreteGraph,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    threads: int,
    isa: str = "",
    cache: Cache | None = None,
    arena: Any = None,
    control: Control | None = None,
    record: bool = False,
) -> Plan:
    """Plan and bind the nodes of a specialized graph.

    Parameters
    ----------
    concrete : ConcreteGraph
    inputs, outputs : sequence of str
        What a run is given, and what it returns.
    threads, isa, cache
        As `bind_graph`.
    arena : object with ``reserve(nbytes)``, optional
        Gives the memory, shared with plans that never run at the same time.
    control : callable, optional
        Gives the function that computes an op of control flow; its reference where absent.
    record : bool
        Whether the program is to keep a tape of the calls that fill it.
    """
    concrete = fuse_bytes(concrete, outputs)
    buffers = assign_buffers(concrete, inputs, outputs)
    memory = plan_memory(buffers.requests())
    _check(buffers, memory)
    room = memory.arena_bytes if arena is None else arena.reserve(memory.arena_bytes)
    try:
        program = _core.Program(room, isa, threads)
    except ValueError as error:
        raise InputError(str(error)) from error
    if record:
        program.record()
    shared = {} if cache is None else cache
    binder = Binder(Frame(program, shared, control), concrete, buffers, memory, program.arena)
    spans = [binder.bind(step, item) for step, item in enumerate(concrete.nodes)]
    return Plan(
        program,
        memory,
        spans,
        [(name, concrete.types[name], binder.buffer(name).pointer) for name in inputs],
        [(name, concrete.types[name], binder.buffer(name).pointer) for name in outputs],
        binder.frame.hosts,
        binder.frame.kept,
    )


def _check(buffers: BufferMap, memory: MemoryPlan, elsewhere: int = 0) -> None:
    """Hold a memory plan and those of nested graphs against the lifetimes."""
    requests = buffers.requests(elsewhere)
    check_plan([(r.nbytes, r.first, r.last) for r in requests], memory.offsets, memory.arena_bytes)
    for nest in buffers.nests.values():
        for body, plan in zip(nest.bodies, nest.plans, strict=True):
            _check(body, plan, len(body.buffers) - len(plan.offsets))


class Frame:
    """What a plan's graph and the graphs nested in it have in common."""

    def __init__(self, program: Any, cache: Cache, control: Control | None) -> None:
        self.program = program
        self.cache = cache
        self.control = control
        self.kept: list[Any] = []
        self.hosts: dict[int, Callable[[], None]] = {}


class Binder:
    """Binds the nodes of one graph.

    Parameters
    ----------
    frame : Frame
    concrete : ConcreteGraph
    buffers : BufferMap
    memory : MemoryPlan
    base : int
        Address of the memory that was planned.
    within : tuple of str, optional
        Tells a nested graph from others of the plan.
    body : Body, optional
        The nested graph.
    """

    def __init__(
        self,
        frame: Frame,
        concrete: ConcreteGraph,
        buffers: BufferMap,
        memory: MemoryPlan,
        base: int,
        within: tuple[str, ...] = (),
        body: Body | None = None,
    ) -> None:
        self.frame = frame
        self.concrete = concrete
        self.buffers = buffers
        self.base = base
        self.within = within
        self.body = body
        self.offsets = memory.offsets
        self.given: dict[str, int] = {}
        # Where in the program what one step made alone ends, its address and size.
        self.made: tuple[int, int, int] | None = None

    def buffer(self, name: str) -> BoundBuffer:
        """Return a value's buffer: in the arena, where it was given, or a constant's own memory."""
        type_ = self.concrete.types[name]
        if isinstance(type_.value, Panels):
            # Nobody but who asks for panels reads such a constant in place.
            return BoundBuffer(type_, 0, type_.value)
        if type_.value is not None:
            array = np.ascontiguousarray(type_.value).reshape(type_.value.shape)
            self.frame.kept.append(array)
            return BoundBuffer(type_, array.ctypes.data, array)
        if name in self.given:
            return BoundBuffer(type_, self.given[name])
        return BoundBuffer(type_, self.base + self.offsets[self.buffers.index[name]])

    def bind_all(self, inputs: Sequence[int]) -> list[BoundBuffer]:
        """Bind a nested graph whose inputs are at the given addresses; return its outputs."""
        assert self.body is not None
        self.given = dict(zip(self.body.inputs, inputs, strict=True))
        owned = [name for name in self.body.inputs if name in self.buffers.index]
        self.offsets = (*(self.given[name] - self.base for name in owned), *self.offsets)
        for step, item in enumerate(self.concrete.nodes):
            self.bind(step, item)
        return [self.buffer(name) for name in self.body.outputs]

    def bind(self, place: int, item: ConcreteNode) -> NodeSpan:
        """Bind one node, at a place in the order: its kernels, or its reference as a host step."""
        program = self.frame.program
        begin, known = len(program), len(self.frame.hosts)
        inputs = tuple(self.buffer(i) if i else None for i in item.node.inputs)
        outputs = tuple(
            self.buffer(o) if o else self._discarded(t)
            for o, t in zip(item.node.outputs, item.types.outputs, strict=True)
        )
        step = BoundStep(
            item.node.name,
            inputs,
            outputs,
            program,
            item.types,
            self.frame.kept,
            self.frame.cache,
            self._identity(item),
            self._nested(place, item),
        )
        if item.node.op.alias and inputs[0] is not None and inputs[0].pointer == outputs[0].pointer:
            return NodeSpan(item, begin, begin)
        if not item.node.op.bind(step):
            self.frame.hosts[begin] = self._host_step(item, inputs, outputs)
            program.host()
        joined = self._join(item, begin, outputs)
        return NodeSpan(item, begin, len(program), len(self.frame.hosts) > known, joined)

    def _join(self, item: ConcreteNode, begin: int, outputs: tuple[BoundBuffer, ...]) -> bool:
        """Let an elementwise node's step go on with pieces of what the step before makes.

        Nothing runs between the two and the output takes the place of what the first one makes, so
        nobody else reads that.
        """
        program, (made, *others) = self.frame.program, outputs
        alone = len(program) == begin + 1 and not others
        here = begin, made.pointer, made.type.size
        if alone and item.node.op.elementwise and self.made == here and program.join():
            return True
        self.made = (begin + 1, *here[1:]) if alone else None
        return False

    def _nested(self, place: int, item: ConcreteNode) -> list[Binder]:
        nest = self.buffers.nests.get(place)
        if nest is None:
            return []
        base = self.base + self.offsets[nest.buffer]
        found = []
        for index, body in enumerate(item.node.op.bodies):
            within = (*self.within, *item.node.outputs, str(index))
            found.append(
                Binder(
                    self.frame,
                    item.bodies[index],
                    nest.bodies[index],
                    nest.plans[index],
                    base,
                    within,
                    body,
                )
            )
        return found

    def _identity(self, item: ConcreteNode) -> tuple[str, ...] | None:
        """Return a key for what is packed from this node's constants; None where not to share."""
        pairs = zip(item.node.inputs, item.types.inputs, strict=True)
        known = [name for name, t in pairs if t is not None and t.value is not None]
        shared = all(name in self.concrete.constants for name in known)
        return (*self.within, *item.node.outputs) if shared else None

    def _discarded(self, type_: TensorType) -> BoundBuffer:
        memory = np.zeros(type_.nbytes + 64, np.uint8)
        self.frame.kept.append(memory)
        return BoundBuffer(type_, memory.ctypes.data)

    def _host_step(
        self,
        item: ConcreteNode,
        inputs: tuple[BoundBuffer | None, ...],
        outputs: tuple[BoundBuffer, ...],
    ) -> Callable[[], None]:
        kept, control = self.frame.kept, self.frame.control
        views = [None if b is None else _view(b, kept) for b in inputs]
        targets = [_view(b, kept) for b in outputs]
        compute: Callable[..., tuple[Array, ...]] = partial(item.node.op.reference, item.types)
        if control is not None and item.node.op.runs_bodies:
            compute = control(item.node.op)

        def run() -> None:
            for target, result in zip(targets, compute(*views), strict=True):
                if result.shape != target.shape:
                    raise UnsupportedError(
                        f"{item.node} made shape {result.shape}; expected {target.shape}"
                    )
                np.copyto(target, result, casting="no")

        return run


def _view(buffer: BoundBuffer, kept: list[Any]) -> Array:
    """Return an array over a buffer's memory."""
    if buffer.array is not None:
        return np.asarray(buffer.array)
    return _core_view(buffer.pointer, buffer.type, kept)


def _core_view(pointer: int, type_: TensorType, kept: list[Any]) -> Array:
    interface = {
        "shape": type_.static_shape,
        "typestr": type_.dtype.numpy.str,
        "data": (pointer, False),
        "version": 3,
    }
    holder = type("ArenaView", (), {"__array_interface__": interface})()
    kept.append(holder)
    return np.asarray(holder)
