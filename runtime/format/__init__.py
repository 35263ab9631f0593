"""The `.linnet` model file, as FORMAT.md specifies it: `encode`, `write` and `read` a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .layout import MAGIC as MAGIC
from .layout import REVISION as REVISION
from .pages import release_pages as release_pages
from .reader import read as read

if TYPE_CHECKING:
    from .writer import encode as encode
    from .writer import write as write


def __getattr__(name: str) -> Any:
    """Return what only writing needs: a device that runs models does not import it."""
    if name in ("encode", "write"):
        from . import writer

        return getattr(writer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
