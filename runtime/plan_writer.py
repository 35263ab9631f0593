"""Storing a plan: what `plan_store` reads."""

from __future__ import annotations

import contextlib
import marshal
import mmap
import os
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .plan_store import (
    ALIGNMENT,
    ARENA,
    CHECKED_FROM,
    MAGIC,
    MODEL,
    NOWHERE,
    PROLOGUE_BYTES,
    PlanStore,
    address_of,
    blob_start,
    checksum,
    is_private,
)
from .spec import Array, Quantization

# Kernels may read this far past packed weights.
_SLACK = 64
MOST_PLAN_BYTES = 128 << 20
_MOST_BYTES = 2 * MOST_PLAN_BYTES
_MOST_PLANS = 4
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


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
    # What ops that are not pure keep from run to run is shared by all plans of a session.
    if plan.has_host_steps or not all(span.item.pure for span in plan.spans):
        return
    shapes = tuple(inputs[name].static_shape for name in graph.inputs)
    with contextlib.suppress(OSError, ValueError):
        os.makedirs(store.folder, 0o700, exist_ok=True)
        if not is_private(os.stat(store.folder)):
            return
        content, arrays = _stored(store, plan)
        known = store.model.parts, _ports(graph)
        if all(graph.type_of(name).is_static for name in graph.inputs):
            _write(store, "model", (store.about, known, content), arrays)
        elif len(_other_plans(store)) < _MOST_PLANS:
            _write(store, store.suffix(shapes), (store.about, shapes, content), arrays)
            _write(store, "model", (store.about, known, None), [])
        store.mark()


def _other_plans(store: PlanStore) -> list[str]:
    start = f"{store.stem}-"
    names = [name for name in os.listdir(store.folder) if name.startswith(start)]
    return [name for name in names if name.endswith(".plan")]


def _ports(graph: Any) -> tuple[Any, ...]:
    """Return inputs, outputs and states as they are stored."""

    def port(name: str) -> tuple[Any, ...]:
        type_ = graph.type_of(name)
        return name, type_.shape, type_.dtype.numpy.str, _quantization(type_.quantization)

    specs = [[port(name) for name in names] for names in (graph.inputs, graph.outputs)]
    return *specs, [(s.input, s.output, _initial(graph, s.initial)) for s in graph.states]


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


class _Region(NamedTuple):
    """Memory that addresses lead to: the arena, the model file, or an array that was kept."""

    start: int
    size: int
    kind: int
    array: Array | None = None


def _regions(store: PlanStore, plan: Any) -> list[_Region]:
    """Return all memory that a program may refer to, in order and apart."""
    file = store.model.data
    found = [
        _Region(plan.program.arena, max(plan.memory.arena_bytes, 1), ARENA),
        _Region(address_of(file), file.size, MODEL),
    ]
    for array in _arrays(plan.kept):
        if array.flags.c_contiguous:
            found.append(_Region(address_of(array), max(array.nbytes, 1), NOWHERE, array))
    found.sort(key=lambda region: (region.start, -region.size))
    apart = found[:1]
    for region in found[1:]:
        end = apart[-1].start + apart[-1].size
        if region.start >= end:
            apart.append(region)
        elif region.start + region.size > end:
            raise ValueError("two arrays overlap")
    return apart


def _arrays(kept: Iterable[Any]) -> Iterable[Array]:
    for item in kept:
        if isinstance(item, np.ndarray):
            yield item
        elif isinstance(item, tuple | list):
            yield from _arrays(item)


def _stored(store: PlanStore, plan: Any) -> tuple[tuple[Any, ...], list[tuple[int, Array]]]:
    """Return a plan as `plan_store` reads it, and the arrays it needs with their places."""
    regions = _regions(store, plan)
    tape, used = plan.program.tape([region[:2] for region in regions])

    def port(name: str, type_: Any, address: int) -> tuple[Any, ...]:
        for index, (start, size, *_) in enumerate(regions):
            if start <= address < start + size:
                used[index] = True
                return name, type_.dtype.numpy.str, type_.static_shape, index, address - start
        raise ValueError("an input or output lies nowhere")

    ports = [[port(*tensor) for tensor in tensors] for tensors in (plan.inputs, plan.outputs)]
    content = np.frombuffer(tape, np.uint8)
    arrays, places, end = [(0, content)], [], content.size
    for region, is_used in zip(regions, used, strict=True):
        place = region.kind
        if region.array is not None and is_used:
            place = -(-end // ALIGNMENT) * ALIGNMENT + region.start % ALIGNMENT
            arrays.append((place, region.array))
            end = place + region.size + _SLACK
        places.append(place)
    return (plan.memory.arena_bytes, *ports, places, len(tape)), arrays


def _write(store: PlanStore, suffix: str, content: Any, arrays: list[tuple[int, Array]]) -> None:
    """Write a file whole or not at all."""
    packed = marshal.dumps(content, 2)
    start = blob_start(len(packed))
    place, last = arrays[-1] if arrays else (0, np.empty(0, np.uint8))
    end = start + place + last.nbytes + (_SLACK if arrays else 0)
    if end > MOST_PLAN_BYTES:
        return
    _make_room(store.folder, end)
    target = store.path(suffix)
    temporary = f"{target}.{os.urandom(6).hex()}"
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
    """Remove files until so many more bytes fit, those first that nobody read for longest.

    Where the file system keeps no times of access, those that are oldest.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                about = entry.stat()
                used = max(about.st_mtime_ns, about.st_atime_ns)
                found.append((used, about.st_size, entry.path))
    total = sum(size for _, size, _ in found) + needed
    for _, size, path in sorted(found):
        if total <= _MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size
