"""Rules that a decoded header must keep; the writer and the reader apply the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from struct import unpack

import numpy as np

from linnet.panels import LANE, packed_bytes
from linnet.types import DType

from .header import GraphRecord, Header, NodeRecord, QuantizationRecord, ValueRecord
from .layout import ALIGNMENT, MAX_TENSOR_BYTES, align, problem


def check_header(header: Header, data_bytes: int) -> None:
    """Check everything that the header says against itself and the bytes of the tensor sections.

    Parameters
    ----------
    header : Header
    data_bytes : int
        Bytes from the start of the first section to the end of the file.

    Raises
    ------
    FormatError
        At the first rule that is broken.
    """
    _check_sections(header, data_bytes)
    used = [False] * len(header.sections)
    _check_graph("", header, header, used)
    for index, graph in enumerate(header.graphs):
        _check_graph(f"graphs[{index}] ", graph, header, used)
    _check_scales(header)
    if not all(used):
        raise problem(f"sections[{used.index(False)}]", "no value that reads it", "one or more")
    count = len(header.values)
    for index, state in enumerate(header.states):
        initial = () if state.initial is None else (state.initial,)
        _check_references(f"states[{index}]", (state.input, state.output, *initial), count)


def _check_graph(
    inside: str, graph: Header | GraphRecord, header: Header, used: list[bool]
) -> None:
    names: set[str] = set()
    for index, value in enumerate(graph.values):
        where = f"{inside}values[{index}] '{value.name}'"
        if value.name in names:
            raise problem(where, "the name twice", "unique names")
        names.add(value.name)
        _check_value(where, value)
        if value.section is not None:
            _check_content(where, value, value.section, header)
            used[value.section] = True
    count = len(graph.values)
    _check_references(f"{inside}inputs", graph.inputs, count)
    _check_references(f"{inside}outputs", graph.outputs, count)
    for index, node in enumerate(graph.nodes):
        where = inside + node_label(index, node, graph)
        _check_references(f"{where} inputs", node.inputs, count)
        _check_references(f"{where} outputs", node.outputs, count)


def node_label(index: int, node: NodeRecord, graph: Header | GraphRecord) -> str:
    """Return how messages call a node."""
    name = node.name
    if name is None and node.outputs and 0 <= node.outputs[0] < len(graph.values):
        name = graph.values[node.outputs[0]].name
    return f"nodes[{index}] {node.op}" + (f" '{name}'" if name else "")


def _check_sections(header: Header, data_bytes: int) -> None:
    end = 0
    for index, section in enumerate(header.sections):
        where = f"sections[{index}]"
        if section.offset != align(end):
            rule = f"{align(end)} (sections follow each other, {ALIGNMENT}-byte aligned)"
            raise problem(f"{where} offset", section.offset, rule)
        end = section.offset + section.size
        if end > data_bytes:
            raise problem(f"{where} end", end, f"at most {data_bytes}", "it is beyond the file")
    if end != data_bytes:
        raise problem("tensor data", f"{data_bytes} bytes", f"{end}, the end of the last section")


def _check_value(where: str, value: ValueRecord) -> None:
    known = [dim or 1 for dim in value.shape if isinstance(dim, int)]
    # NumPy refuses a shape whose non-zero dimensions overflow, even when another one is zero.
    if math.prod(known) * value.dtype.itemsize > MAX_TENSOR_BYTES:
        raise problem(f"{where} shape", value.shape, f"at most {MAX_TENSOR_BYTES} bytes")
    if value.section is not None and len(known) != len(value.shape):
        raise problem(f"{where} shape", value.shape, "numbers only, it is a constant")
    if value.layout is not None and value.section is None:
        raise problem(f"{where} layout", "no section", "a constant")
    if value.quantization is not None:
        _check_quantization(f"{where} quantization", value, value.quantization)


def _check_quantization(where: str, value: ValueRecord, record: QuantizationRecord) -> None:
    count, odd = divmod(len(record.scale), 4)
    if odd:
        raise problem(f"{where} scale", f"{len(record.scale)} bytes", "a multiple of 4")
    if record.zero_point is not None and len(record.zero_point) != len(record.scale):
        found = f"{len(record.zero_point)} bytes"
        raise problem(f"{where} zero_point", found, f"{len(record.scale)}, one for each scale")
    if record.axis is None and count != 1:
        raise problem(f"{where} scale", f"{count} scales without axis", "one")
    if record.axis is not None:
        if record.axis >= len(value.shape):
            raise problem(f"{where} axis", record.axis, f"below the rank {len(value.shape)}")
        dim = value.shape[record.axis]
        if isinstance(dim, int) and count != dim:
            raise problem(f"{where} scale", f"{count} scales", f"{dim}, the size of its axis")
    if record.zero_point is not None and value.dtype.is_integer:
        zeros, info = unpack(f"<{count}i", record.zero_point), np.iinfo(value.dtype.numpy)
        if min(zeros) < info.min or max(zeros) > info.max:
            found = f"{min(zeros)} to {max(zeros)}"
            raise problem(f"{where} zero_point", found, f"{info.min} to {info.max}")


def _check_scales(header: Header) -> None:
    values = [*header.values, *(value for graph in header.graphs for value in graph.values)]
    records = [value.quantization for value in values if value.quantization is not None]
    # One look at all of them: a model has thousands, and NumPy's calls would cost milliseconds.
    scales = np.frombuffer(b"".join(record.scale for record in records), "<f4")
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        bad = scales[~(np.isfinite(scales) & (scales > 0))][0]
        raise problem("quantization scale", bad, "finite and positive ones")


def _check_content(where: str, value: ValueRecord, section: int, header: Header) -> None:
    if section >= len(header.sections):
        raise problem(f"{where} section", section, f"below {len(header.sections)}")
    dims = [dim for dim in value.shape if isinstance(dim, int)]
    size, expected = header.sections[section].size, math.prod(dims) * value.dtype.itemsize
    if value.layout is not None:
        _check_panels(where, value, dims)
        expected = packed_bytes(tuple(dims))
    if size != expected:
        of = f"{value.dtype.value}{dims}"
        raise problem(f"{where} section {section}", f"{size} bytes", f"{expected} for {of}")


def _check_panels(where: str, value: ValueRecord, dims: list[int]) -> None:
    fits = value.dtype is DType.INT8 and len(dims) > 1 and math.prod(dims) > 0
    if not fits or math.prod(dims[1:]) % LANE:
        found, expected = f"{value.dtype.value}{dims}", f"int8 with rows of whole {LANE} numbers"
        raise problem(f"{where} layout", found, expected)


def _check_references(where: str, references: Iterable[int], count: int) -> None:
    for reference in references:
        if reference >= count:
            raise problem(where, f"value {reference}", f"below {count}, the number of values")
