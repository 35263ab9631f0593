"""SHA-256 of the tensor sections, computed by threads while the graph is being built."""

from __future__ import annotations

import contextlib
import hashlib
import os
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Sequence
from types import TracebackType

from .header import Section
from .layout import problem

# Below this a thread costs more than it saves.
_THREADED_BYTES = 1 << 18
_MAX_THREADS = 4


class Digests:
    """Hash sections in the background of a ``with`` block; raise at its end if one is damaged.

    Parameters
    ----------
    data : memoryview of bytes
        The tensor sections, from the first one's start.
    sections : sequence of Section
        Those to check.
    """

    def __init__(self, data: memoryview, sections: Sequence[Section]) -> None:
        self._data = data
        self._sections = sections
        self._found: list[bytes | None] = [None] * len(sections)
        # Between sections a thread waits long for the interpreter: it should have few.
        self._order = sorted(range(len(sections)), key=lambda i: -sections[i].size)
        self._next = 0
        self._lock = allocate_lock()
        # Each is held by a thread until it ends.
        self._threads: list[LockType] = []

    def __enter__(self) -> None:
        if sum(section.size for section in self._sections) < _THREADED_BYTES:
            return
        count = min(_MAX_THREADS, len(self._sections), os.cpu_count() or 1)
        # A process may be out of threads; the one that leaves the block hashes what is left.
        with contextlib.suppress(RuntimeError):
            for _ in range(count):
                running = allocate_lock()
                running.acquire()
                start_new_thread(self._work, (running,))
                self._threads.append(running)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hash()
        for running in self._threads:
            running.acquire()
        for index, (section, found) in enumerate(zip(self._sections, self._found, strict=True)):
            if found != section.sha256:
                shown = found.hex() if found else "none"
                hint = "the file is damaged; copy it again"
                where = f"sections[{index}] SHA-256"
                raise problem(where, shown, section.sha256.hex(), hint) from error

    def _take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1

    def _work(self, running: LockType) -> None:
        try:
            self._hash()
        finally:
            running.release()

    def _hash(self) -> None:
        while (turn := self._take()) < len(self._sections):
            index = self._order[turn]
            section = self._sections[index]
            content = self._data[section.offset : section.offset + section.size]
            self._found[index] = hashlib.sha256(content).digest()
