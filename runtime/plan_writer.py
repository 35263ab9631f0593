"""Storing a plan: what `plan_store` reads."""

from __future__ import annotations

import contextlib
import marshal
import mmap
import os
import secrets
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np

from .plan_store import (
    ALIGNMENT,
    ARENA,
    BLOB,
    CHECKED_FROM,
    MAGIC,
    MODEL,
    PROLOGUE_BYTES,
    PlanStore,
    address_of,
    blob_start,
    checksum,
    is_private,
)
from .spec import Array, Quantization, TensorSpec

# Addresses are at least as large, sizes and numbers below; elsewhere nothing is stored.
_LEAST_ADDRESS = 1 << 32
# Kernels may read this far past packed weights.
_SLACK = 64
_MOST_BYTES = 256 << 20
_MOST_PLANS = 4
_MOST_STAMPS = 8
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class _Unstorable(Exception):
    """Something in a plan has a meaning in this process only."""


def write_plan(store: PlanStore, graph: Any, inputs: Mapping[str, Any], plan: Any) -> None:
    """Store a plan, and that its model was checked; leave it where that cannot be done.

    Parameters
    ----------
    store : PlanStore
    graph : Graph
    inputs : mapping of str to TensorType
        What the plan was made for.
    plan : Plan
        Bound with its calls recorded, not run yet.
    """
    if plan.calls is None or plan.has_host_steps:
        return
    # What such ops keep from run to run is shared by all plans of a session.
    if not all(span.item.pure for span in plan.spans):
        return
    shapes = [inputs[name].static_shape for name in graph.inputs]
    with contextlib.suppress(OSError, ValueError, _Unstorable):
        os.makedirs(store.folder, 0o700, exist_ok=True)
        if not is_private(os.stat(store.folder)):
            return
        suffix = store.suffix(shapes)
        if len(_other_plans(store, suffix)) >= _MOST_PLANS:
            return
        memory = _Memory(store, plan)
        calls = [memory.call(*call) for call in plan.calls]
        ports = [[memory.port(*port) for port in p] for p in (plan.inputs, plan.outputs)]
        content = (store.about, tuple(shapes), plan.memory.arena_bytes, *ports, calls)
        _write(store, suffix, content, memory.arrays)
        _write_head(store, graph)


def _other_plans(store: PlanStore, suffix: str) -> list[str]:
    start, own = f"{store.stem}-", os.path.basename(store.path(suffix))
    names = [n for n in os.listdir(store.folder) if n.startswith(start) and n != own]
    return [name for name in names if name.endswith(".plan")]


def _write_head(store: PlanStore, graph: Any) -> None:
    def spec(name: str) -> tuple[Any, ...]:
        type_ = graph.type_of(name)
        found = TensorSpec(name, type_.shape, type_.dtype.numpy, type_.quantization)
        return (name, found.shape, found.dtype.str, _quantization(found.quantization))

    stamps = [store.model.identity]
    with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
        about, before, *_ = store._read("head")[0]
        if about == store.about:
            stamps += [s for s in before if s != store.model.identity][: _MOST_STAMPS - 1]
    specs = [[spec(n) for n in names] for names in (graph.inputs, graph.outputs)]
    states = [(s.input, s.output, _initial(graph, s.initial)) for s in graph.states]
    _write(store, "head", (store.about, stamps, *specs, states), [])


def _initial(graph: Any, name: str) -> tuple[str, tuple[int, ...], bytes] | None:
    if not name:
        return None
    content = graph.constant(name)
    return content.dtype.str, content.shape, content.tobytes()


def _quantization(quantization: Quantization | None) -> tuple[bytes, bytes, int | None] | None:
    if quantization is None:
        return None
    scale = quantization.scale.astype("<f4").tobytes()
    return scale, quantization.zero_point.astype("<i4").tobytes(), quantization.axis


class _Memory:
    """Where the addresses in a plan lead: the arena, the model file, arrays that were kept."""

    def __init__(self, store: PlanStore, plan: Any) -> None:
        file = store.model.data
        self._arena = (plan.program.arena, max(plan.memory.arena_bytes, 1))
        self._file = (address_of(file), file.size)
        found = {address_of(a): a for a in _arrays(plan.kept) if a.flags.c_contiguous}
        # Of arrays that begin at one place the largest counts.
        for array in _arrays(plan.kept):
            at = address_of(array)
            if array.flags.c_contiguous and array.nbytes > found[at].nbytes:
                found[at] = array
        self._starts = sorted(found)
        self._known = [found[start] for start in self._starts]
        self.arrays: list[tuple[int, Array]] = []
        self._places: dict[int, int] = {}
        self._end = 0
        if min(self._arena[0], self._file[0], id(self)) < _LEAST_ADDRESS:
            raise _Unstorable

    def place(self, address: int) -> tuple[int, int]:
        """Return the region of an address and where it is from the region's start."""
        for region, (start, size) in ((MODEL, self._file), (ARENA, self._arena)):
            if start <= address < start + size:
                return region, address - start
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            raise _Unstorable
        start, array = self._starts[index], self._known[index]
        if address >= start + max(array.nbytes, 1):
            raise _Unstorable
        return BLOB, self._stored(start, array) + address - start

    def _stored(self, start: int, array: Array) -> int:
        if start not in self._places:
            place = -(-self._end // ALIGNMENT) * ALIGNMENT + start % ALIGNMENT
            self._places[start] = place
            self.arrays.append((place, array))
            self._end = place + array.nbytes + _SLACK
        return self._places[start]

    def call(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Return a call with addresses replaced by places."""
        places = []
        plain: list[Any] = list(given)
        keyed = dict(named)
        arguments: list[tuple[int | str, Any]] = [*enumerate(given), *named.items()]
        for key, value in arguments:
            found = self._argument(value)
            if found[0] == "plain":
                value = found[1]
            else:
                places.append((key, found))
                value = None
            if isinstance(key, int):
                plain[key] = value
            else:
                keyed[key] = value
        return name, tuple(plain), keyed, places

    def port(self, name: str, type_: Any, address: int) -> tuple[Any, ...]:
        """Return an input or output as it is stored."""
        return name, type_.dtype.numpy.str, type_.static_shape, self.place(address)

    def _argument(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or type(value) in (bool, str, float):
            return "plain", value
        if isinstance(value, int):
            number = int(value)
            if number < _LEAST_ADDRESS:
                return "plain", number
            return "address", *self.place(number)
        if isinstance(value, np.ndarray):
            array = np.ascontiguousarray(value)
            start = address_of(array)
            if array is not value:
                # A copy lives as long as this object, and so does its address.
                region, place = BLOB, self._stored(start, array)
            else:
                region, place = self._whole(start, array)
            return "array", region, place, array.dtype.str, array.shape
        if isinstance(value, tuple | list):
            items = [self._argument(item) for item in value]
            if all(item[0] == "plain" for item in items):
                plain = [item[1] for item in items]
                return "plain", plain if isinstance(value, list) else tuple(plain)
            return "sequence", isinstance(value, list), items
        raise _Unstorable

    def _whole(self, start: int, array: Array) -> tuple[int, int]:
        """Return the place of all of an array, its own where no region holds it."""
        try:
            region, place = self.place(start)
            if region != BLOB and self.place(start + max(array.nbytes, 1) - 1)[0] == region:
                return region, place
        except _Unstorable:
            pass
        return BLOB, self._stored(start, array)


def _arrays(kept: Iterable[Any]) -> Iterable[Array]:
    for item in kept:
        if isinstance(item, np.ndarray):
            yield item
        elif isinstance(item, tuple | list):
            yield from _arrays(item)


def _write(store: PlanStore, suffix: str, content: Any, arrays: list[tuple[int, Array]]) -> None:
    """Write a file whole or not at all."""
    packed = marshal.dumps(content, 2)
    start = blob_start(len(packed))
    place, last = arrays[-1] if arrays else (0, np.empty(0, np.uint8))
    end = start + place + last.nbytes + (_SLACK if arrays else 0)
    if end > _MOST_BYTES // 2:
        return
    _make_room(store.folder, end)
    target = store.path(suffix)
    temporary = f"{target}.{secrets.token_hex(6)}"
    try:
        with open(os.open(temporary, _NEW_FILE, 0o600), "w+b") as file:
            file.seek(PROLOGUE_BYTES)
            file.write(packed)
            for place, array in arrays:
                file.seek(start + place)
                file.write(array.reshape(-1).view(np.uint8).data)
            file.truncate(end)
            file.seek(CHECKED_FROM)
            file.write(np.array([len(packed), end], "<u8").tobytes())
            _seal(file)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _seal(file: BinaryIO) -> None:
    """Write magic and checksum in front of a file that is complete otherwise."""
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        content = np.frombuffer(mapped, np.uint8)[CHECKED_FROM:]
        seal = checksum(content)
        del content
    file.seek(0)
    file.write(MAGIC + np.array([seal], "<u8").tobytes())


def _make_room(folder: str, needed: int) -> None:
    """Remove the oldest files until so many more bytes fit."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                about = entry.stat()
                found.append((about.st_mtime_ns, about.st_size, entry.path))
    total = sum(size for _, size, _ in found) + needed
    for _, size, path in sorted(found):
        if total <= _MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size
