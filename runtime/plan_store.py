"""Plans that an earlier process made, kept in the user's cache folder.

Loading a model means checking and planning it, packing its weights and choosing kernels. What came
out of that is stored: the tape of the calls that filled a program, and the packed weights, which
later processes map and use in place. A plan is used where the file is the very one that was
checked, or a copy that has the digests it had, and linnet, instruction set and input shapes are the
same; what is absent, damaged or of another owner is ignored, and made again. `LINNET_CACHE=off`
switches the store off.

Whoever can write into the folder can let linnet compute anything, as with Python's own compiled
files: what is used belongs to the user or to root, and nobody else may write it.
"""

from __future__ import annotations

import contextlib
import marshal
import mmap
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linnet.kernels import _core
from linnet.kernels._runner import Runner

from .model_file import ModelFile
from .spec import Array, Quantization, TensorSpec

SCHEMA = 4
MAGIC = b"LNTPLAN\n"
ALIGNMENT = 64
PROLOGUE_BYTES = 64
# Magic, checksum of what follows it, then the bytes of the content and of the file.
CHECKED_FROM = 16
# Where a region of a tape begins, when not in the stored file itself: the numbers in its list.
ARENA, MODEL, NOWHERE = -1, -2, -3
_MOST_RESTORED = 8
# Folders whose sources decide what a plan is.
_FOLDERS = ("ops", "format")
_FAILURES = (OSError, ValueError, TypeError, AttributeError, LookupError, EOFError)


# A runner and what it needs alive.
Restored = tuple[Runner, list[Any]]
# A mapped file, and where its tape and packed weights begin.
Stored = tuple[mmap.mmap, int]


class StoredState:
    """A pair of input and output that a session keeps; see `State`."""

    def __init__(self, input_: str, output: str, initial: str) -> None:
        self.input, self.output, self.initial = input_, output, initial


class StoredModel:
    """What is stored of a model whatever the shapes: inputs, outputs, states.

    Parameters
    ----------
    ports : tuple
        Inputs, outputs and states as `plan_writer` writes them.
    plan : Restored, optional
        Where shapes are known, what runs the model.
    """

    def __init__(self, ports: tuple[Any, ...], plan: Restored | None) -> None:
        inputs, outputs, states = ports
        self._stored = {stored[0]: stored for stored in (*outputs, *inputs)}
        self._initial = {f"initial {taken}": initial for taken, _, initial in states}
        self.inputs = [stored[0] for stored in inputs]
        self.outputs = [stored[0] for stored in outputs]
        self.states = [
            StoredState(taken, given, "" if initial is None else f"initial {taken}")
            for taken, given, initial in states
        ]
        self.plan = plan

    @property
    def is_static(self) -> bool:
        """Whether the shapes of all inputs are known."""
        dims = (dim for name in self.inputs for dim in self._stored[name][1])
        return not any(isinstance(dim, str) for dim in dims)

    def type_of(self, name: str) -> TensorSpec:
        """Return the description of an input or output."""
        name, shape, dtype, quantization = self._stored[name]
        found = None if quantization is None else Quantization.of_bytes(*quantization)
        return TensorSpec(name, shape, np.dtype(dtype), found)

    def constant(self, name: str) -> Array:
        """Return the initial content of a state."""
        dtype, shape, content = self._initial[name]
        return np.frombuffer(content, np.dtype(dtype)).reshape(shape)

    def shown(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """Return inputs and outputs but those of states."""
        kept = {name for state in self.states for name in (state.input, state.output)}
        taken = tuple(self.type_of(name) for name in self.inputs if name not in kept)
        return taken, tuple(self.type_of(name) for name in self.outputs if name not in kept)


class RestoredPlans:
    """The plans that a session has taken from the store."""

    def __init__(self) -> None:
        self.current: Runner | None = None
        self._plans: list[Restored] = []

    def add(self, plan: Restored) -> None:
        """Take a plan as the one that runs next; forget the oldest of many."""
        self._plans = [plan, *self._plans[: _MOST_RESTORED - 1]]
        self.current = plan[0]

    def run_known(self, feeds: dict[str, Any]) -> dict[str, Array] | int | None:
        """Run on the plan that the feeds fit, None where there is none."""
        for runner, _ in self._plans:
            results = runner.run(feeds)
            if results is not None:
                self.current = runner
                return results
        return None


def folder() -> str:
    """Return the folder of stored plans; "" where there is none to be used."""
    chosen = os.environ.get("LINNET_CACHE", "")
    if chosen.lower() in ("off", "0", "no"):
        return ""
    if chosen:
        return chosen
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return ""
        base = os.path.join(home, ".cache")
    return os.path.join(base, "linnet", "plans")


def checksum(data: Array) -> int:
    """Return 64 bits that show damage."""
    return _core.checksum(address_of(data), data.size) if data.size else 0


def address_of(array: Array) -> int:
    """Return where an array lies."""
    return int(array.__array_interface__["data"][0])


class PlanStore:
    """The stored plans of one model file.

    Parameters
    ----------
    model : ModelFile
    isa : str
        Instruction set of the plans.
    """

    def __init__(self, model: ModelFile, isa: str) -> None:
        self.model = model
        self.isa = isa
        self.folder = folder()
        self.about = (SCHEMA, model.digest, isa, _fingerprint())
        key = marshal.dumps(self.about, 2)
        name = _core.checksum(address_of(np.frombuffer(key, np.uint8)), len(key))
        self.stem = f"{model.digest[:12].hex()}-{name:016x}"

    def open(self, threads: int) -> StoredModel | None:
        """Return what is stored of the model, None where its content was not checked yet."""
        try:
            about, (parts, ports), plan, stored = self._read("model")
            if about != self.about or not (self._is_marked() or self._is_copy(parts)):
                return None
            return StoredModel(ports, None if plan is None else self._runner(plan, stored, threads))
        except _FAILURES:
            return None

    def restore(self, shapes: Sequence[tuple[int, ...]], threads: int) -> Restored | None:
        """Return what runs the model on inputs of these shapes, None where no plan is stored."""
        try:
            about, planned, plan, stored = self._read(self.suffix(shapes))
            if about != self.about or planned != tuple(shapes):
                return None
            return self._runner(plan, stored, threads)
        except _FAILURES:
            return None

    def _runner(self, plan: tuple[Any, ...], stored: Stored, threads: int) -> Restored:
        mapped, begin = stored
        arena_bytes, inputs, outputs, places, tape_bytes = plan
        program = _core.Program(_core.Arena(arena_bytes), self.isa, threads)
        elsewhere = {ARENA: program.arena, MODEL: address_of(self.model.data), NOWHERE: 0}
        blob = np.frombuffer(mapped, np.uint8, offset=begin)
        start = address_of(blob)
        bases = [start + place if place >= 0 else elsewhere[place] for place in places]
        program.replay(memoryview(mapped)[begin : begin + tape_bytes], bases)
        if hasattr(mmap, "MADV_DONTNEED"):
            # All of it was read by now; runs read what they need again, from the same pages.
            mapped.madvise(mmap.MADV_DONTNEED)
        taken, given = (
            [
                (name, np.dtype(dtype), shape, bases[region] + offset)
                for name, dtype, shape, region, offset in ports
            ]
            for ports in (inputs, outputs)
        )
        return Runner(program, taken, given, {}), [self.model.data, blob]

    def suffix(self, shapes: Sequence[tuple[int, ...]]) -> str:
        """Return the name of the plan for these shapes."""
        return "x".join("_".join(map(str, shape)) for shape in shapes)[:100] + ".plan"

    def path(self, suffix: str) -> str:
        """Return where something about the model is stored."""
        return os.path.join(self.folder, f"{self.stem}-{suffix}")

    def save(self, graph: Any, inputs: Mapping[str, Any], plan: Any) -> None:
        """Store a plan, where that is possible and worth it."""
        if self.folder:
            from .plan_writer import write_plan

            write_plan(self, graph, inputs, plan)

    @property
    def _mark(self) -> str:
        """Where an empty file says that the model file was checked."""
        return self.path("-".join(f"{number:x}" for number in self.model.identity))

    def _is_marked(self) -> bool:
        with contextlib.suppress(OSError):
            return is_private(os.stat(self._mark))
        return False

    def _is_copy(self, parts: bytes) -> bool:
        """Return whether the content was checked in another file, or before this one settled."""
        found = self.model.holds(parts)
        if found:
            self.mark()
        return found

    def mark(self) -> None:
        """Remember that the model file was checked, if a change would show."""
        if self.model.settled:
            with contextlib.suppress(OSError):
                os.close(os.open(self._mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def _read(self, suffix: str) -> tuple[Any, Any, Any, Stored]:
        """Return what a stored file is about, its content and what is mapped, checked.

        Raises
        ------
        OSError, ValueError, EOFError
            If there is none, or it is damaged.
        """
        if not self.folder:
            raise OSError("no folder")
        with open(self.path(suffix), "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or not is_private(found):
                raise OSError("of another owner")
            # Kernels keep small tables of their own among the weights: changes stay private.
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        words = [mapped[at : at + 8] for at in range(0, CHECKED_FROM + 16, 8)]
        seal, content_bytes, file_bytes = (int.from_bytes(word, "little") for word in words[1:])
        start = blob_start(content_bytes)
        if words[0] != MAGIC or not start <= file_bytes == len(mapped):
            raise ValueError("no plan")
        if checksum(np.frombuffer(mapped, np.uint8, offset=CHECKED_FROM)) != seal:
            raise ValueError("damaged")
        about, content, plan = marshal.loads(
            mapped[PROLOGUE_BYTES : PROLOGUE_BYTES + content_bytes]
        )
        return about, content, plan, (mapped, start)


def blob_start(content_bytes: int) -> int:
    """Return where packed weights begin in a file."""
    return -(-(PROLOGUE_BYTES + content_bytes) // ALIGNMENT) * ALIGNMENT


def is_private(found: os.stat_result) -> bool:
    """Return whether only this user, or root, could have written a file or into a folder."""
    if not hasattr(os, "geteuid"):
        return True
    owned = found.st_uid in (0, os.geteuid())
    return owned and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _fingerprint() -> tuple[Any, ...]:
    """Return what tells this build of linnet from others.

    Installers replace whole files, which shows in the folders' times, of which images of containers
    keep the seconds; sources in a checkout are edited in place, so all of them are looked at.
    """
    here = os.path.dirname(__file__)
    core = os.stat(str(_core.__file__))
    python = sys.implementation.cache_tag, np.__version__, sys.byteorder
    count = newest = 0
    if "-packages" in here:
        times = [int(os.stat(os.path.join(here, name)).st_mtime) for name in ("", *_FOLDERS)]
        return (*times, core.st_size, int(core.st_mtime), *python)
    for name in ("", *_FOLDERS):
        with os.scandir(os.path.join(here, name)) as entries:
            for entry in entries:
                if entry.name.endswith((".py", ".so", ".pyd")):
                    found = entry.stat()
                    count += found.st_size
                    newest = max(newest, found.st_mtime_ns)
    return (count, newest, core.st_size, core.st_mtime_ns, *python)
