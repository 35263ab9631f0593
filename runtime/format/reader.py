"""`.linnet` bytes -> Graph. Nothing is believed before it has been held against the file's size."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterable

import msgspec
import numpy as np

from linnet.errors import FormatError, GraphError, LinnetError, UnsupportedError
from linnet.graph import Graph, Node, State, Value
from linnet.ops import Op
from linnet.types import Array, Quantization, TensorType

from .check import check_header, node_label
from .digests import Digests
from .header import Header, NodeRecord, QuantizationRecord, StateRecord, ValueRecord
from .layout import ALIGNMENT, PROLOGUE_BYTES, Prologue, problem, read_prologue

Source = str | os.PathLike[str] | bytes | bytearray | memoryview

_decoder = msgspec.msgpack.Decoder(Header)


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
        label, data = os.fspath(source), _map(source)
    else:
        label, data = "model in memory", _aligned(source)
    try:
        return _read(data, verify)
    except UnsupportedError as error:
        raise UnsupportedError([f"{label}: {reason}" for reason in error.reasons]) from error
    except LinnetError as error:
        raise FormatError(f"{label}: {error}") from error


def _map(path: str | os.PathLike[str]) -> Array:
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FormatError(f"{os.fspath(path)} is not a regular file")
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return np.empty(0, np.uint8)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


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


def _read(data: Array, verify: bool) -> Graph:
    view = data.data
    prologue = read_prologue(view)
    end = PROLOGUE_BYTES + prologue.header_bytes
    header = _decode(view[PROLOGUE_BYTES:end])
    check_header(header, len(view) - prologue.data_start)
    _check_padding(view, prologue, header)
    tensors = data[prologue.data_start :]
    with Digests(tensors.data, header.sections if verify else ()):
        graph = _build(header, tensors, prologue.revision)
        _validate(graph)
    return graph


def _decode(packed: memoryview) -> Header:
    try:
        return _decoder.decode(packed)
    except RecursionError:
        raise problem("header", "too deep a nesting", "flat records") from None
    except (ValueError, OverflowError) as error:
        raise FormatError(f"header: {error}") from error


def _check_padding(view: memoryview, prologue: Prologue, header: Header) -> None:
    end = PROLOGUE_BYTES + prologue.header_bytes
    starts = [prologue.data_start + section.offset for section in header.sections]
    ends = [start + section.size for start, section in zip(starts, header.sections, strict=True)]
    for left, right in zip([end, *ends], [*starts, len(view)], strict=True):
        if any(view[left:right]):
            raise problem(f"padding at bytes {left} to {right - 1}", "other bytes", "zeros only")


def _build(header: Header, tensors: Array, revision: int) -> Graph:
    arrays = [tensors[s.offset : s.offset + s.size] for s in header.sections]
    stored = {record.quantization for record in header.values}
    shared = {record: _quantization(record) for record in stored if record is not None}
    values = [_value(record, arrays, shared) for record in header.values]
    names = [value.name for value in values]
    if header.states and revision < 2:
        raise problem("states", f"format revision {revision}", "2 or later")
    ops, reasons = [], []
    for index, record in enumerate(header.nodes):
        try:
            ops.append(_op(record, revision, node_label(index, record, header)))
        except UnsupportedError as error:
            reasons += error.reasons
    if reasons:
        raise UnsupportedError(reasons)
    nodes = [_node(op, record, names) for op, record in zip(ops, header.nodes, strict=True)]
    return Graph(
        header.name,
        [names[i] for i in header.inputs],
        [names[i] for i in header.outputs],
        dict(zip(names, values, strict=True)),
        nodes,
        dict(header.metadata),
        [_state(record, names) for record in header.states],
    )


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
    data = content.view(record.dtype.numpy.newbyteorder("<")).reshape(type_.static_shape)
    return Value(record.name, type_, data)


def _quantization(record: QuantizationRecord) -> Quantization:
    scale = np.frombuffer(record.scale, "<f4")
    zero = 0 if record.zero_point is None else np.frombuffer(record.zero_point, "<i4")
    return Quantization(scale, zero, record.axis)


def _op(record: NodeRecord, revision: int, where: str) -> Op:
    kind = Op.registry.get(record.op)
    if kind is None:
        raise UnsupportedError(f"{where}: this linnet has no op {record.op}; upgrade linnet")
    if kind.since > revision:
        raise problem(where, f"format revision {revision}", f"{kind.since} or later for this op")
    failure: Exception | None = None
    try:
        op = msgspec.msgpack.decode(record.attributes, type=kind)
        # msgspec takes the tag of a struct, "type", as one of its keys; the format does not.
        if b"type" not in bytes(record.attributes):
            return op
    except (ValueError, OverflowError, RecursionError) as error:
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
    except (ValueError, RecursionError):
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
