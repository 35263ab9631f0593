"""Model files made by hand: FORMAT.md written once more, without the writer's checks."""

from __future__ import annotations

import copy
import hashlib
import struct
from typing import Any

import msgspec
import numpy as np
import pytest

from linnet.errors import FormatError, LinnetError
from linnet.format import encode, read
from linnet.graph import Graph
from linnet.ops import Add, Clip, Conv2D, FullyConnected, MaxPool2D, Reshape, Softmax
from linnet.types import DType, Quantization, TensorType

MAGIC = b"\x89LINNET\n"


def sample() -> Graph:
    """Return a small quantized network with sections of several dtypes and sizes."""
    random = np.random.default_rng(11)
    graph = Graph("sample", metadata={"licence": "Apache-2.0"})
    x = graph.add_input("x", TensorType(DType.INT8, ("n", 4, 4, 2), Quantization(0.5, -3)))
    w = random.integers(-127, 128, (3, 3, 3, 2), np.int8)
    w = graph.add_constant("w", w, Quantization([0.25, 0.5, 1.0], axis=0))
    b = graph.add_constant("b", np.arange(3, dtype=np.int32))
    conv = Conv2D(pads=(1, 1, 1, 1), clamp=(0.0, 6.0))
    y = graph.add(conv, [x, w, b], name="conv", quantization=Quantization(0.05, -128))
    y = graph.add(MaxPool2D(kernel=(4, 4)), [y], name="pool")
    shape = graph.add_constant("shape", np.array([-1, 3]))
    y = graph.add(Reshape(), [y, shape], name="flat")
    w = graph.add_constant("fc.w", np.eye(4, 3, dtype=np.int8), Quantization(0.1))
    y = graph.add(FullyConnected(), [y, w, ""], name="fc", quantization=Quantization(0.1, 4))
    graph.outputs = [graph.add(Softmax(), [y], name="p", quantization=Quantization(1 / 256, -128))]
    graph.outputs.append(y)
    graph.validate()
    return graph


def real_sample() -> Graph:
    """Return a small float graph with a mask, an unused constant and a zero-size one."""
    graph = Graph("real")
    x = graph.add_input("x", TensorType(DType.FLOAT32, ("n", 3)))
    c = graph.add_constant("c", np.linspace(-1, 1, 3, dtype=np.float32))
    graph.add_constant("mask", np.array([True, False, True]))
    graph.add_constant("none", np.zeros((0, 3), np.float64))
    y = graph.add(Add(clamp=(0.0, 6.0)), [x, c], name="add")
    graph.outputs = [graph.add(Clip(maximum=2.5), [y], name="clip")]
    graph.validate()
    return graph


def packed_sample(
    rows: int = 24, groups: int = 1, zero_point: int = 0, shape: tuple[int, ...] = (1, 3, 8)
) -> Graph:
    """Return a quantized convolution whose weights may be stored in panels."""
    graph = Graph("packed")
    x = TensorType(DType.INT8, (1, 6, 5, shape[2] * groups), Quantization(0.05, 3))
    graph.add_input("x", x)
    random = np.random.default_rng(5)
    w = random.integers(-127, 128, (rows, *shape), np.int8)
    w = graph.add_constant("w", w, Quantization(0.01, zero_point))
    b = graph.add_constant("b", random.integers(-500, 500, rows, np.int32))
    y = graph.add(Conv2D(groups=groups), ["x", w, b], "y", quantization=Quantization(0.05, 3))
    graph.outputs = [y]
    graph.validate()
    return graph


def align(offset: int) -> int:
    """Return the next multiple of 64."""
    return (offset + 63) // 64 * 64


def prologue(header: bytes, file_bytes: int, **changes: Any) -> bytes:
    """Return a sealed prologue; keyword arguments overwrite its fields before sealing."""
    fields = {
        "magic": MAGIC,
        "revision": 1,
        "reserved": 0,
        "header_bytes": len(header),
        "file_bytes": file_bytes,
    } | changes
    packed = struct.pack("<8sIIQQ", *fields.values())
    return packed + hashlib.sha256(packed + header).digest()


def join(header: Any, data: bytes, **changes: Any) -> bytes:
    """Return a file of a header (plain objects or packed bytes) and its tensor sections."""
    packed = header if isinstance(header, bytes) else msgspec.msgpack.encode(header)
    start = align(64 + len(packed))
    changes.setdefault("file_bytes", start + len(data))
    return prologue(packed, **changes) + packed + bytes(start - 64 - len(packed)) + data


def split(encoded: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header as plain objects, and the tensor sections."""
    packed = split_packed(encoded)
    return msgspec.msgpack.decode(packed), encoded[align(64 + len(packed)) :]


def split_packed(encoded: bytes) -> bytes:
    """Return the packed header."""
    (length,) = struct.unpack_from("<Q", encoded, 16)
    return encoded[64 : 64 + length]


class Forgery:
    """A valid file taken apart: change ``header`` and ``data``, then `seal`."""

    def __init__(self, graph: Graph | None = None) -> None:
        encoded = encode(graph if graph is not None else sample())
        self.header, self.data = split(encoded)
        self.revision = encoded[8]

    def seal(self, **changes: Any) -> bytes:
        """Return the file with correct lengths and a correct header digest."""
        changes.setdefault("revision", self.revision)
        return join(self.header, self.data, **changes)

    def value(self, name: str) -> dict[str, Any]:
        """Return a value's record."""
        return next(record for record in self.header["values"] if record["name"] == name)

    def node(self, op: str) -> dict[str, Any]:
        """Return the record of the first node of an op."""
        return next(record for record in self.header["nodes"] if record["op"] == op)

    def copy(self) -> Forgery:
        """Return an independent copy."""
        return copy.deepcopy(self)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything inside plain objects."""
    found = [path] if path else []
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            found += places(tree[key], (*path, key))
    return found


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    """Return what a path leads to."""
    for key in path:
        tree = tree[key]
    return tree


def refuse(forgery: Forgery, match: str, error: type[LinnetError] = FormatError) -> None:
    """Assert that a sealed forgery is refused, whether sections are verified or not."""
    for verify in (True, False):
        with pytest.raises(error, match=match):
            read(forgery.seal(), verify=verify)
