"""The table from ONNX operators to the functions that import them."""

from __future__ import annotations

from collections.abc import Callable

from .node import OnnxNode

Handler = Callable[[OnnxNode], None]
MICROSOFT = "com.microsoft"
HANDLERS: dict[tuple[str, str], Handler] = {}


def handles(*kinds: str, domain: str = "") -> Callable[[Handler], Handler]:
    """Register a function as the importer of some operators."""

    def register(function: Handler) -> Handler:
        for kind in kinds:
            if (domain, kind) in HANDLERS:
                raise TypeError(f"importer of {domain}:{kind} is defined twice")
            HANDLERS[domain, kind] = function
        return function

    return register
