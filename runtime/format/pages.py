"""Pages of a mapped file: back to the system once what they hold has been packed."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterable
from typing import Any

from linnet.types import Array


def release_pages(arrays: Iterable[Array]) -> None:
    """Let the system take back the pages of the files that arrays are mapped from.

    Their content stays: whoever reads it again gets it from the file.

    Parameters
    ----------
    arrays : iterable of ndarray
        Constants of a graph; those that are not mapped stay as they are.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    for mapped in {id(found): found for found in map(_mapping, arrays) if found}.values():
        with contextlib.suppress(OSError, ValueError):
            mapped.madvise(mmap.MADV_DONTNEED)


def _mapping(array: Any) -> mmap.mmap | None:
    """Return the mapped file under an array, if any."""
    owner = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner
