"""The registry of quantization methods: each turns a float graph into a smaller, faster one.

A method is a function in a module of this package, registered under the name by which
``linnet.quantize`` and ``linnet quantize --method`` know it. Its keyword-only parameters are the
options that it takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from linnet.errors import QuantizationError
from linnet.graph import Graph
from linnet.types import Array

from .samples import Samples

Run = Callable[[Mapping[str, Array]], dict[str, Array]]
Runner = Callable[[Graph], Run]
Progress = Callable[[float], None]


@dataclass
class Job:
    """What a method gets beside the graph.

    Parameters
    ----------
    runner : callable
        Makes a function that runs a graph on feeds, ``{name: array}`` in and out.
    samples : Samples or None
        Checked calibration data; None where the caller gave none.
    progress : callable
        Shows the share done, 0 to 1.
    record : dict
        What the method wants kept in the file beside its options: ranges, choices.
    """

    runner: Runner
    samples: Samples | None = None
    progress: Progress = lambda share: None
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> Samples:
        """The calibration data.

        Raises
        ------
        CalibrationError
            If there is none.
        """
        from linnet.errors import CalibrationError

        if self.samples is None:
            raise CalibrationError("no calibration data; give some samples of the model's inputs")
        return self.samples


@dataclass(frozen=True, slots=True)
class Method:
    """One way to quantize.

    Parameters
    ----------
    name, help : str
    run : callable
        ``run(graph, job, **options)``: may change the graph, returns the quantized one.
    needs_data : bool
        Whether it calibrates.
    """

    name: str
    help: str
    run: Callable[..., Graph]
    needs_data: bool

    @property
    def options(self) -> dict[str, Any]:
        """The names of the options with their defaults."""
        parameters = inspect.signature(self.run).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def check(self, options: Mapping[str, Any]) -> None:
        """Check the names of options.

        Raises
        ------
        QuantizationError
            If the method does not take one; the message lists those that it takes.
        """
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            taken = ", ".join(self.options) or "none"
            raise QuantizationError(
                f"method '{self.name}' has no options {unknown}; it has {taken}"
            )


METHODS: dict[str, Method] = {}


def register(
    name: str, help: str, needs_data: bool = False
) -> Callable[[Callable[..., Graph]], Callable[..., Graph]]:
    """Return a decorator that registers a method under a name."""

    def add(run: Callable[..., Graph]) -> Callable[..., Graph]:
        if name in METHODS:
            raise QuantizationError(f"quantization method '{name}' is registered twice")
        METHODS[name] = Method(name, help, run, needs_data)
        return run

    return add


def find(name: str) -> Method:
    """Return a method by name.

    Raises
    ------
    QuantizationError
        If there is none; the message lists those there are.
    """
    method = METHODS.get(name)
    if method is None:
        known = ", ".join(sorted(METHODS))
        raise QuantizationError(f"unknown quantization method '{name}'; expected one of {known}")
    return method
