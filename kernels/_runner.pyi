from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Port = tuple[str, np.dtype[Any], tuple[int, ...], int]

class Runner:
    def __init__(
        self,
        program: Any,
        inputs: Sequence[Port],
        outputs: Sequence[Port],
        hosts: dict[int, Callable[[], None]],
    ) -> None: ...
    def fits(self, feeds: dict[str, Any]) -> bool: ...
    def run(
        self,
        feeds: dict[str, Any],
        kept: dict[str, npt.NDArray[Any]] | None = None,
        hidden: Container[str] = (),
    ) -> dict[str, npt.NDArray[Any]] | int | None: ...

class Lock:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...

class Caller:
    _lock: Lock
    _source: Any
    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]: ...
