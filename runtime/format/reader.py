"""`.linnet` bytes -> Graph. Nothing is believed before it has been held against the file's size."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from linnet.errors import FormatError, GraphError, LinnetError, UnsupportedError
from linnet.graph import Graph, Node, State, Value
from linnet.model_file import ModelFile
from linnet.ops import Op
from linnet.types import Array, Panels, Quantization, TensorType

from .check import check_header, node_label
from .digests import Digests
from .header import (
    NO_ATTRIBUTES,
    GraphRecord,
    Header,
    NodeRecord,
    QuantizationRecord,
    Section,
    StateRecord,
    ValueRecord,
)
from .layout import ALIGNMENT, MAX_NESTING, PROLOGUE_BYTES, Prologue, problem, read_prologue
from .packing import read_in_panels, unpack

Source = str | os.PathLike[str] | bytes | bytearray | memoryview

_decoder = msgspec.msgpack.Decoder(Header)
_EMPTY = bytes(NO_ATTRIBUTES)
# What bytes that are no record raise. Errors of msgspec before 0.20 are no ValueError; on 32-bit
# systems a length of 2**32 - 1 is a SystemError.
_DAMAGE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, SystemError)


def read(source: Source, verify: bool = True) -> Graph:
    """Return the graph of a `.linnet` file; its constants are read-only views of the file.

    Parameters
    ----------
    source : path, bytes or buffer
        A path is mapped into memory and stays mapped as long as an array of the graph lives;
        replace such a file by renaming another over it, never in place. A buffer is used as it
        is where it is read-only and 64-byte aligned, else copied once.
    verify : bool
        Whether to hold every tensor section against its SHA-256. The header always is.

    Raises
    ------
    FormatError
        If the file is damaged, truncated or breaks a rule of the format.
    UnsupportedError
        If it needs a newer linnet: a later revision, an unknown operator or attribute.
    OSError
        If the path cannot be read.
    """
    if isinstance(source, str | os.PathLike):
        return read_file(ModelFile(source), verify)
    return _labeled("model in memory", _aligned(source), verify)[0]


def read_file(file: ModelFile, verify: bool = True, panels: bool = False) -> Graph:
    """Return the graph of a file that is mapped already, as `read` does.

    With ``panels``, packed constants that only kernels read stay `Panels`.
    """
    graph, sections = _labeled(file.path, file.data, verify, panels)
    start = file.data.size - (sections[-1].offset + sections[-1].size if sections else 0)
    head = sha256(file.data[:start].data).digest()
    file.describe([(0, start, head), *((start + s.offset, s.size, s.sha256) for s in sections)])
    return graph


def _labeled(
    label: str, data: Array, verify: bool, panels: bool = False
) -> tuple[Graph, tuple[Section, ...]]:
    """Return the graph and the sections of its file, errors with the file's name."""
    try:
        return _read(data, verify, panels)
    except UnsupportedError as error:
        raise UnsupportedError([f"{label}: {reason}" for reason in error.reasons]) from error
    except LinnetError as error:
        raise FormatError(f"{label}: {error}") from error


def _aligned(source: bytes | bytearray | memoryview) -> Array:
    view = memoryview(source)
    if not view.c_contiguous:
        raise FormatError("model in memory: found a strided buffer, expected a contiguous one")
    data: Array = np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)
    if view.readonly and data.ctypes.data % ALIGNMENT == 0:
        return data
    room = np.empty(data.size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + data.size]
    copy[:] = data
    copy.flags.writeable = False
    return copy


def _read(data: Array, verify: bool, panels: bool) -> tuple[Graph, tuple[Section, ...]]:
    view = data.data
    prologue = read_prologue(view)
    end = PROLOGUE_BYTES + prologue.header_bytes
    header = _decode(view[PROLOGUE_BYTES:end])
    check_header(header, len(view) - prologue.data_start)
    _check_padding(view, prologue, header)
    tensors = data[prologue.data_start :]
    with Digests(tensors.data, header.sections if verify else ()):
        graph = _build(header, tensors, prologue.revision, panels)
        _validate(graph)
    return graph, header.sections


def _decode(packed: memoryview) -> Header:
    try:
        return _decoder.decode(packed)
    except RecursionError:
        raise problem("header", "too deep a nesting", "flat records") from None
    except SystemError:
        raise problem("header", "a length of 4294967295", "what the file holds") from None
    except _DAMAGE as error:
        raise FormatError(f"header: {error}") from error


def _check_padding(view: memoryview, prologue: Prologue, header: Header) -> None:
    end = PROLOGUE_BYTES + prologue.header_bytes
    starts = [prologue.data_start + section.offset for section in header.sections]
    ends = [start + section.size for start, section in zip(starts, header.sections, strict=True)]
    for left, right in zip([end, *ends], [*starts, len(view)], strict=True):
        if any(view[left:right]):
            raise problem(f"padding at bytes {left} to {right - 1}", "other bytes", "zeros only")


def _build(header: Header, tensors: Array, revision: int, panels: bool) -> Graph:
    packed = any(value.layout for value in header.values)
    if revision < 2 and (header.states or header.graphs or packed):
        raise problem("states, graphs or layouts", f"format revision {revision}", "2 or later")
    work = _Builder(header, tensors, revision)
    for index in range(len(header.graphs) - 1, -1, -1):
        work.nested[index] = work.graph(header.graphs[index], index)
    graph = work.graph(header, -1)
    unpack(graph, read_in_panels(graph) if panels else set())
    if work.reasons:
        raise UnsupportedError(work.reasons)
    if work.nested:
        raise problem("graphs", f"{len(work.nested)} that no op refers to", "one reference each")
    names = [value.name for value in header.values]
    graph.metadata = dict(header.metadata)
    graph.states = [_state(record, names) for record in header.states]
    return graph


class _Builder:
    """Builds the graphs of a file, the innermost first: an op's bodies come after its own graph."""

    def __init__(self, header: Header, tensors: Array, revision: int) -> None:
        self.arrays = [tensors[s.offset : s.offset + s.size] for s in header.sections]
        self.revision = revision
        self.reasons: list[str] = []
        self.nested: dict[int, Graph] = {}
        self.depth: dict[int, int] = {}
        values = [*header.values, *(v for nested in header.graphs for v in nested.values)]
        stored = {value.quantization for value in values}
        self.shared = {record: _quantization(record) for record in stored if record is not None}

    def graph(self, record: Header | GraphRecord, index: int) -> Graph:
        """Build the graph at an index of the table, -1 for the file's own."""
        values = [_value(value, self.arrays, self.shared) for value in record.values]
        names = [value.name for value in values]
        nodes, deepest = [], 0
        for place, node in enumerate(record.nodes):
            where = node_label(place, node, record)
            try:
                op = _op(node, self.revision, where, self.take)
            except UnsupportedError as error:
                self.reasons += error.reasons
                continue
            if op.bodies:
                deepest = max(deepest, *(self.depth[id(body)] for body in op.bodies))
            nodes.append(_node(op, node, names))
        if deepest + 1 > MAX_NESTING:
            raise problem("graphs", f"a nesting of {deepest + 1}", f"at most {MAX_NESTING}")
        graph = Graph(
            record.name,
            [names[i] for i in record.inputs],
            [names[i] for i in record.outputs],
            dict(zip(names, values, strict=True)),
            nodes,
        )
        self.depth[id(graph)] = deepest + 1
        if index >= 0:
            unpack(graph, set())
        return graph

    def take(self, kind: type[Any], reference: Any) -> Any:
        """Return the nested graph that an attribute refers to; each is referred to once."""
        if type(reference) is not int:
            raise ValueError(f"expected the index of a graph, got {type(reference).__name__}")
        if reference not in self.nested:
            raise ValueError(f"graph {reference} is not after its op's, or referred to twice")
        return self.nested.pop(reference)


def _state(record: StateRecord, names: list[str]) -> State:
    initial = "" if record.initial is None else names[record.initial]
    return State(names[record.input], names[record.output], initial)


def _value(
    record: ValueRecord, arrays: list[Array], shared: dict[QuantizationRecord, Quantization]
) -> Value:
    quantization = shared[record.quantization] if record.quantization is not None else None
    type_ = TensorType(record.dtype, record.shape, quantization)
    if record.section is None:
        return Value(record.name, type_)
    content = arrays[record.section]
    if record.dtype.numpy == np.bool_ and content.size and content.max() > 1:
        raise problem(f"constant '{record.name}'", f"a bool of {content.max()}", "0 or 1")
    data = content.view(record.dtype.numpy.newbyteorder("<"))
    if record.layout is None:
        try:
            return Value(record.name, type_, data.reshape(type_.static_shape))
        except ValueError:  # an empty array may promise more than 32-bit systems can count
            where, shape = f"constant '{record.name}'", f"the shape {list(type_.static_shape)}"
            raise problem(where, shape, "one that this system can address") from None
    panels: Any = Panels(data, type_.static_shape)
    if panels.padding.any():
        raise problem(f"constant '{record.name}'", "numbers behind its last row", "zeros")
    return Value(record.name, type_, panels)


def _quantization(record: QuantizationRecord) -> Quantization:
    return Quantization.of_bytes(record.scale, record.zero_point, record.axis)


def _op(
    record: NodeRecord, revision: int, where: str, nested: Callable[[type[Any], Any], Any]
) -> Op:
    kind = Op.registry.get(record.op)
    if kind is None:
        raise UnsupportedError(f"{where}: this linnet has no op {record.op}; upgrade linnet")
    if kind.since > revision:
        raise problem(where, f"format revision {revision}", f"{kind.since} or later for this op")
    failure: Exception | None = None
    if bytes(record.attributes) == _EMPTY:
        with contextlib.suppress(TypeError):  # some attributes have no default
            return kind()
    try:
        op = msgspec.msgpack.decode(record.attributes, type=kind, dec_hook=nested)
        # msgspec takes the tag of a struct, "type", as one of its keys; the format does not.
        if b"type" not in bytes(record.attributes):
            return op
    except _DAMAGE as error:
        failure = error
    unknown = _unknown_attributes(record, kind)
    if unknown:
        raise UnsupportedError(
            f"{where}: this linnet's {record.op} has no attribute {', '.join(unknown)}; "
            "upgrade linnet"
        ) from failure
    if failure is not None:
        raise FormatError(f"{where} attributes: {failure}") from failure
    return op


def _unknown_attributes(record: NodeRecord, kind: type[Op]) -> list[str]:
    try:
        found = msgspec.msgpack.decode(record.attributes, type=dict[str, msgspec.Raw])
    except _DAMAGE:
        return []
    return sorted(set(found) - set(kind.__struct_encode_fields__))


def _node(op: Op, record: NodeRecord, names: list[str]) -> Node:
    inputs = _names(record.inputs, names)
    outputs = _names(record.outputs, names)
    first = outputs[0] if outputs else ""
    return Node(op, inputs, outputs, first if record.name is None else record.name)


def _names(references: Iterable[int], names: list[str]) -> tuple[str, ...]:
    return tuple(names[i] if i >= 0 else "" for i in references)


def _validate(graph: Graph) -> None:
    try:
        graph.validate()
    except GraphError as error:
        shown = "; ".join(error.problems[:10])
        raise FormatError(f"the graph breaks {len(error.problems)} rules: {shown}") from error
