"""Graph -> `.linnet` bytes: the same bytes for equal graphs, whatever order they were built in."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal

import msgspec
import numpy as np

from linnet.errors import FormatError, LinnetError, UnsupportedError
from linnet.graph import Graph, Node, State, Value
from linnet.ops import Body, Op
from linnet.panels import pack
from linnet.types import Array, Quantization

from .check import check_header
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
from .layout import MAX_HEADER_BYTES, MAX_NESTING, PROLOGUE_BYTES, Prologue, align, problem
from .packing import read_in_panels


def encode(graph: Graph) -> bytes:
    """Return the graph as the bytes of a `.linnet` file.

    Raises
    ------
    GraphError
        If the graph is not valid.
    FormatError
        If something in it has no place in the format, such as a negative quantization axis.
    UnsupportedError
        If an op is not registered.

    Examples
    --------
    >>> from linnet.format import read
    >>> read(encode(Graph("empty"))).name
    'empty'
    """
    return b"".join(_chunks(graph))


def write(graph: Graph, target: str | os.PathLike[str] | BinaryIO) -> None:
    """Write the graph to a file.

    Parameters
    ----------
    graph : Graph
    target : path or binary file
        A path gets the whole new content or keeps its old one, whatever happens in between:
        the bytes go to a temporary file beside it, which is synced and then renamed.

    Raises
    ------
    GraphError, FormatError, UnsupportedError
        As `encode`; nothing is written then.
    OSError
        If the file system refuses.
    """
    chunks = _chunks(graph)
    first = next(chunks)
    if not isinstance(target, str | os.PathLike):
        target.write(first)
        for chunk in chunks:
            target.write(chunk)
        return
    path = os.path.realpath(target)
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise FormatError(
            f"{path} is not a regular file; give a path, or an open file to stream to"
        )
    partial = f"{path}.{secrets.token_hex(6)}.tmp"
    try:
        with open(partial, "xb") as file:
            file.write(first)
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise
    _sync_folder(os.path.dirname(path))


def _sync_folder(folder: str) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _chunks(graph: Graph) -> Iterator[Any]:
    graph.validate()
    graphs = _nested(graph)
    orders = [_canonical_order(g) for g in graphs]
    panels = {id(graph.values[name]) for name in read_in_panels(graph)}
    sections, contents, places = _sections([value for order in orders for value in order], panels)
    records = [
        _graph_record(g, order, graphs, places, panels)
        for g, order in zip(graphs, orders, strict=True)
    ]
    own, index = records[0], {value.name: i for i, value in enumerate(orders[0])}
    header = Header(
        name=own.name,
        inputs=own.inputs,
        outputs=own.outputs,
        values=own.values,
        nodes=own.nodes,
        sections=sections,
        metadata=dict(sorted(graph.metadata.items())),
        states=tuple(_state_record(state, index) for state in graph.states),
        graphs=tuple(records[1:]),
    )
    packed = _pack(header)
    data_bytes = sections[-1].offset + sections[-1].size if sections else 0
    data_start = align(PROLOGUE_BYTES + len(packed))
    sinces = [node.op.since for g in graphs for node in g.nodes]
    revision = max([*sinces, 2 if graph.states or len(graphs) > 1 or panels else 1])
    yield Prologue(revision, len(packed), data_start + data_bytes).pack(packed)
    yield packed
    yield bytes(data_start - PROLOGUE_BYTES - len(packed))
    end = 0
    for section, content in zip(sections, contents, strict=True):
        yield bytes(section.offset - end)
        yield content.data
        end = section.offset + section.size


def _pack(header: Header) -> bytes:
    try:
        packed = msgspec.msgpack.encode(header)
        # What the writer lets through, the reader must accept: the same types and rules.
        header = msgspec.msgpack.decode(packed, type=Header)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"the graph cannot be stored: {error}") from error
    last = header.sections[-1] if header.sections else None
    check_header(header, last.offset + last.size if last else 0)
    if len(packed) > MAX_HEADER_BYTES:
        raise problem("header", f"{len(packed)} bytes", f"at most {MAX_HEADER_BYTES}")
    return packed


def _nested(graph: Graph) -> list[Graph]:
    """Return a graph, then those inside of it, each before its own."""
    found, nesting = [graph], {id(graph): 1}
    for outer in found:
        for body in (b for node in outer.nodes for b in node.op.bodies):
            if not isinstance(body, Graph) or id(body) in nesting:
                raise FormatError(f"nested graph '{body.name}' is used twice, or is no graph")
            nesting[id(body)] = nesting[id(outer)] + 1
            if nesting[id(body)] > MAX_NESTING:
                raise UnsupportedError(f"control flow is nested deeper than {MAX_NESTING} levels")
            found.append(body)
    return found


def _graph_record(
    graph: Graph,
    values: list[Value],
    graphs: list[Graph],
    places: dict[int, int],
    panels: set[int],
) -> GraphRecord:
    index = {value.name: i for i, value in enumerate(values)}
    numbers = {id(g): i - 1 for i, g in enumerate(graphs)}
    return GraphRecord(
        name=graph.name,
        inputs=tuple(index[name] for name in graph.inputs),
        outputs=tuple(index[name] for name in graph.outputs),
        values=tuple(
            _value_record(value, places.get(id(value)), id(value) in panels) for value in values
        ),
        nodes=tuple(_node_record(node, index, numbers) for node in graph.nodes),
    )


def _canonical_order(graph: Graph) -> list[Value]:
    order = dict.fromkeys(graph.inputs)
    for node in graph.nodes:
        order.update(dict.fromkeys(node.inputs))
        order.update(dict.fromkeys(node.outputs))
    order.update(dict.fromkeys(sorted(graph.values)))
    order.pop("", None)
    return [graph.values[name] for name in order]


def _sections(
    values: list[Value], panels: set[int]
) -> tuple[tuple[Section, ...], list[Array], dict[int, int]]:
    sections: list[Section] = []
    contents: list[Array] = []
    found: dict[tuple[bytes, int], int] = {}
    places: dict[int, int] = {}
    end = 0
    for value in values:
        if value.data is None:
            continue
        content = pack(value.data) if id(value) in panels else _little_endian(value.data)
        key = (hashlib.sha256(content.data).digest(), content.size)
        if key not in found:
            found[key] = len(sections)
            sections.append(Section(align(end), content.size, key[0]))
            contents.append(content)
            end = align(end) + content.size
        places[id(value)] = found[key]
    return tuple(sections), contents, places


def _little_endian(array: Array) -> Array:
    stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return stored.reshape(-1).view(np.uint8)


def _value_record(value: Value, section: int | None, in_panels: bool) -> ValueRecord:
    quantization = value.type.quantization
    record = _quantization_record(quantization) if quantization is not None else None
    layout: Literal["panels"] | None = "panels" if in_panels else None
    return ValueRecord(value.name, value.type.dtype, value.type.shape, record, section, layout)


def _quantization_record(quantization: Quantization) -> QuantizationRecord:
    zero = quantization.zero_point
    return QuantizationRecord(
        quantization.scale.astype("<f4").tobytes(),
        zero.astype("<i4").tobytes() if zero.any() else None,
        quantization.axis,
    )


def _state_record(state: State, index: dict[str, int]) -> StateRecord:
    initial = index[state.initial] if state.initial else None
    return StateRecord(index[state.input], index[state.output], initial)


def _node_record(node: Node, index: dict[str, int], graphs: dict[int, int]) -> NodeRecord:
    first = node.outputs[0] if node.outputs else ""
    return NodeRecord(
        op=type(node.op).__name__,
        inputs=tuple(index[name] if name else -1 for name in node.inputs),
        outputs=tuple(index[name] if name else -1 for name in node.outputs),
        name=None if node.name == first else node.name,
        attributes=_attributes(node, graphs),
    )


def _attributes(node: Node, graphs: dict[int, int]) -> msgspec.Raw:
    kind = type(node.op)
    if Op.registry.get(kind.__name__) is not kind:
        raise UnsupportedError(f"{node}: the op is not registered, no reader would know it")
    try:
        bodies = {graphs[id(body)]: body for body in node.op.bodies}
        plain: dict[str, Any] = {"type": kind.__name__}
        for name, key in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
            given = getattr(node.op, name)
            index = isinstance(given, Body)
            plain[key] = graphs[id(given)] if index else msgspec.to_builtins(given)
        # Puts every attribute into its declared type: 0 in a float field is 0.0 in the file.
        exact = msgspec.convert(plain, kind, dec_hook=lambda _, number: bodies[number])
        changed = {}
        for field in msgspec.structs.fields(kind):
            given = getattr(exact, field.name)
            value = msgspec.msgpack.encode(graphs[id(given)] if isinstance(given, Body) else given)
            if value != _default(field):
                changed[field.encode_name] = msgspec.Raw(value)
        return msgspec.Raw(msgspec.msgpack.encode(changed)) if changed else NO_ATTRIBUTES
    except LinnetError:
        raise
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{node}: an attribute cannot be stored: {error}") from error


def _default(field: msgspec.structs.FieldInfo) -> bytes | None:
    if field.default is not msgspec.NODEFAULT:
        return msgspec.msgpack.encode(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.msgpack.encode(field.default_factory())
    return None
