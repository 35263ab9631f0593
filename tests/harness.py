"""Run one op's kernels on arrays, without planner or session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from linnet.binding import Binder, Frame
from linnet.buffers import assign_buffers
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.ops import Op
from linnet.specialize import specialize
from linnet.types import NodeTypes, Quantization, TensorType

SLACK = 256
GUARD = 0xA5


class NotBound(AssertionError):
    """The op has no kernel for these types."""


def aligned(nbytes: int) -> np.ndarray:
    """Return bytes at a 64-byte boundary, `SLACK` readable guard bytes behind them."""
    raw = np.full(nbytes + SLACK + 64, GUARD, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes + SLACK]


@dataclass
class HarnessStep:
    """What `Op.bind` gets in tests."""

    name: str
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    program: Any
    kept: list[Any]
    bodies: Sequence[Any] = ()

    @property
    def types(self) -> NodeTypes:
        return NodeTypes(
            tuple(None if i is None else i.type for i in self.inputs),
            tuple(o.type for o in self.outputs),
        )

    @property
    def has_bodies(self) -> bool:
        return bool(self.bodies)

    def bind_body(self, index: int, inputs: Sequence[int]) -> list[Any]:
        return self.bodies[index].bind_all(inputs)

    def keep(self, item: Any) -> Any:
        self.kept.append(item)
        return item

    def cached(self, key: str, make: Any) -> Any:
        return self.keep(make())


def _buffer(array: np.ndarray, type_: TensorType, constant: bool) -> SimpleNamespace:
    memory = aligned(array.nbytes)
    memory[: array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    view = memory[: array.nbytes].view(array.dtype).reshape(array.shape)
    return SimpleNamespace(
        type=type_.with_(value=view if constant else None),
        pointer=memory.ctypes.data,
        array=view if constant else None,
        memory=memory,
    )


def declared(
    op: Op,
    types: Sequence[TensorType | None],
    output_quantization: Quantization | Sequence[Quantization | None] | None,
) -> tuple[TensorType, ...]:
    """Return the inferred output types, quantized as declared where the op leaves that open."""
    outs = op.infer(*types)
    given = (
        list(output_quantization)
        if isinstance(output_quantization, Sequence)
        else [output_quantization] * len(outs)
    )
    return tuple(
        o.with_(quantization=o.quantization or q) for o, q in zip(outs, given, strict=True)
    )


def typed(
    arrays: Sequence[np.ndarray | None], quantizations: Sequence[Quantization | None]
) -> list[TensorType | None]:
    """Return the arrays' types; quantizations may be fewer."""
    given = list(quantizations) + [None] * (len(arrays) - len(quantizations))
    return [None if a is None else TensorType.of(a, q) for a, q in zip(arrays, given, strict=True)]


def bind_op(
    op: Op,
    arrays: Sequence[np.ndarray | None],
    *,
    quantizations: Sequence[Quantization | None] = (),
    output_quantization: Quantization | Sequence[Quantization | None] | None = None,
    constants: Sequence[int] = (),
    isa: str = "",
    threads: int = 1,
    forced: bool = True,
) -> HarnessStep:
    """Bind `op` to copies of the arrays and return the step; `step.program` is ready to run.

    `constants` lists the inputs that are part of the model. With threads > 1 the steps are split
    for real because `program` is told so, whatever their size, unless `forced` is False.
    """
    types = typed(arrays, quantizations)
    known = [
        None if t is None else (t if i in constants else t.with_(value=None))
        for i, t in enumerate(types)
    ]
    outs = [o.with_(value=None) for o in declared(op, known, output_quantization)]
    program = _core.Program(0, isa, threads)
    if forced:
        program.force_threads(threads)
    step = HarnessStep(
        "test",
        tuple(
            None if a is None else _buffer(a, t, i in constants)
            for i, (a, t) in enumerate(zip(arrays, types, strict=True))
        ),
        tuple(_buffer(np.empty(o.static_shape, o.dtype.numpy), o, False) for o in outs),
        program,
        [],
    )
    if op.runs_bodies:
        step.bodies = nested(op, known, step)
    if not op.bind(step):
        raise NotBound(f"{op} has no kernel for {step.types}")
    return step


def nested(op: Op, types: Sequence[TensorType | None], step: HarnessStep) -> list[Any]:
    """Return what binds the bodies of control flow into the step's program."""
    graph = Graph("one node")
    names = [f"x{i}" * (t is not None) for i, t in enumerate(types)]
    known = {name: t for name, t in zip(names, types, strict=True) if t is not None}
    for name, type_ in known.items():
        graph.add_input(name, type_.with_(value=None))
    graph.outputs = [f"y{i}" for i in range(op.outputs)]
    graph.add(op, names, outputs=list(graph.outputs))
    concrete = specialize(graph, known)
    nests = assign_buffers(concrete, graph.inputs, graph.outputs).nests
    if not nests:
        return []
    room = step.keep(aligned(max(plan.arena_bytes for plan in nests[0].plans)))
    frame, (item,) = Frame(step.program, {}, None), concrete.nodes
    frame.kept = step.kept
    return [
        Binder(frame, *parts, room.ctypes.data, body=body)
        for *parts, body in zip(
            item.bodies, nests[0].bodies, nests[0].plans, op.bodies, strict=True
        )
    ]


def run_step(step: HarnessStep) -> tuple[np.ndarray, ...]:
    """Run a bound step and return copies of its outputs; check the guard bytes."""
    failed = step.program.run()
    assert failed == -1, f"step {failed} of {step.program.steps} reported bad data"
    for buffer in (*step.inputs, *step.outputs):
        if buffer is not None:
            assert (buffer.memory[-SLACK:] == GUARD).all(), "a kernel wrote past the end"
    return tuple(
        o.memory[: o.type.nbytes].view(o.type.dtype.numpy).reshape(o.type.static_shape).copy()
        for o in step.outputs
    )


def run_op(op: Op, arrays: Sequence[np.ndarray | None], **call: Any) -> tuple[np.ndarray, ...]:
    """Bind `op` to the arrays as `bind_op` does, run its program, return the outputs."""
    return run_step(bind_op(op, arrays, **call))


def expected(
    op: Op,
    arrays: Sequence[np.ndarray | None],
    *,
    quantizations: Sequence[Quantization | None] = (),
    output_quantization: Quantization | Sequence[Quantization | None] | None = None,
) -> tuple[np.ndarray, ...]:
    """Return what `op.reference` gives for the same call (every input's value is known)."""
    types = tuple(typed(arrays, quantizations))
    outs = declared(op, types, output_quantization)
    return op.reference(NodeTypes(types, outs), *arrays)


def levels() -> Iterator[tuple[str, int]]:
    """Every ISA of this CPU with one thread and two."""
    for isa in _core.available_isas():
        for threads in (1, 2):
            yield isa, threads


def equals_reference(
    op: Op,
    arrays: Sequence[np.ndarray | None],
    quantizations: Sequence[Quantization | None],
    output: Quantization | None,
    constants: Sequence[int] = (1, 2),
) -> np.ndarray:
    """Require the reference's bytes at every ISA and thread count; return them."""
    want = expected(op, arrays, quantizations=quantizations, output_quantization=output)[0]
    for isa, threads in levels():
        got = run_op(
            op,
            arrays,
            quantizations=quantizations,
            output_quantization=output,
            constants=constants,
            isa=isa,
            threads=threads,
        )[0]
        np.testing.assert_array_equal(got, want, err_msg=f"{op} {isa} {threads} threads")
    return want
