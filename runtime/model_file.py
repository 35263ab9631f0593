"""A ``.linnet`` file mapped into memory, and which file that is."""

from __future__ import annotations

import mmap
import os
import stat
import time
from collections.abc import Iterable

import numpy as np

from .spec import Array

MAGIC = b"\x89LINNET\n"
_PROLOGUE_BYTES = 64
_DIGEST = slice(32, 64)
# Systems move times on 100 times a second at least; some file systems keep two seconds.
FINE_NANOSECONDS, _COARSE_NANOSECONDS = 20_000_000, 2_100_000_000
_PART = np.dtype([("start", "<u8"), ("size", "<u8"), ("digest", "V32")])


class ModelFile:
    """A mapped file.

    Parameters
    ----------
    path : path

    Attributes
    ----------
    path : str
    data : ndarray of uint8
        The content, read-only; keeps the file mapped.
    digest : bytes
        What the prologue gives as the model's digest; b"" where this is no ``.linnet`` file.
    identity : tuple of int
        Device, number, size and times of the file: another content has another one.
    parts : bytes
        What the reader checked, for `holds`; b"" before.

    Raises
    ------
    FormatError
        If this is no regular file.
    OSError
        If the path cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        if not stat.S_ISREG(os.stat(path).st_mode):
            from .errors import FormatError

            raise FormatError(f"{self.path} is not a regular file")
        with open(path, "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            start = file.read(_PROLOGUE_BYTES)
            self.data: Array = np.empty(0, np.uint8)
            if found.st_size:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self.data = np.frombuffer(mapped, np.uint8)
        whole = len(start) == _PROLOGUE_BYTES and start.startswith(MAGIC)
        self.digest = start[_DIGEST] if whole else b""
        self.parts = b""
        self.identity = (
            found.st_dev,
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )

    def describe(self, parts: Iterable[tuple[int, int, bytes]]) -> None:
        """Set `parts` from first byte, size and SHA-256 of each."""
        self.parts = np.array(list(parts), _PART).tobytes()

    def holds(self, parts: bytes) -> bool:
        """Return whether this file has the content that another one's `parts` describe."""
        # Takes longer to import than a plan to restore.
        from hashlib import sha256

        for start, size, digest in np.frombuffer(parts, _PART).tolist():
            content = self.data[start : start + size]
            if content.size != size or sha256(content.data).digest() != digest:
                return False
        return bool(parts)

    @property
    def settled(self) -> bool:
        """Whether a later change of the file would show in its identity."""
        *_, size, modified, changed = self.identity
        coarse = modified % 1_000_000 == 0
        wait = _COARSE_NANOSECONDS if coarse else FINE_NANOSECONDS
        return size > 0 and time.time_ns() - max(modified, changed) > wait
