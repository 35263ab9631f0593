"""What a case is: one op, its attributes, seeded inputs, and what is expected of its kernels."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linnet.ops import Op
from linnet.types import Quantization

Make = Callable[[np.random.Generator], np.ndarray]
# Float sums of up to some thousand terms, relative to the largest output.
SUMS = 2e-6


@dataclass(frozen=True)
class Case:
    """One call of an op.

    Parameters
    ----------
    name : str
        Unique in the table; seeds the inputs.
    op : Op
    inputs : tuple
        One function of a generator per input (see `floats`, `stored`, ...), None where absent.
    quantizations : tuple, optional
        Of the inputs; may be shorter.
    output_quantization : Quantization or sequence, optional
        Declared for the outputs.
    constants : tuple of int
        Inputs that are part of the model.
    kernels : frozenset of str
        Kernel rows that serve the case at every ISA; empty where the op runs as a host step.
    shared : frozenset of str
        Kernel rows with several threads, where they are others.
    bound, noise : float
        Largest error of a float output, relative to the element and to the largest element. Other
        outputs are equal bit for bit.
    bench : bool
        Whether the benchmarks run it.
    """

    name: str
    op: Op
    inputs: tuple[Make | None, ...]
    quantizations: tuple[Quantization | None, ...] = ()
    output_quantization: Quantization | Sequence[Quantization | None] | None = None
    constants: tuple[int, ...] = ()
    kernels: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    bound: float = 0.0
    noise: float = 0.0
    bench: bool = False

    @property
    def arrays(self) -> list[np.ndarray | None]:
        """The inputs, made anew: the same ones every time."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [None if make is None else make(rng) for make in self.inputs]

    def rows(self, threads: int) -> frozenset[str]:
        """Return the kernel rows that serve it."""
        return self.shared if threads > 1 and self.shared else self.kernels

    @property
    def call(self) -> dict[str, Any]:
        """The keyword arguments of `harness.expected`."""
        return {
            "quantizations": self.quantizations,
            "output_quantization": self.output_quantization,
        }

    def check(self, found: np.ndarray, wanted: np.ndarray) -> None:
        """Compare one output with the reference's."""
        assert found.dtype == wanted.dtype
        if wanted.dtype.kind != "f" or not (self.bound or self.noise):
            np.testing.assert_array_equal(found, wanted, strict=True)
            return
        largest = np.max(np.abs(wanted), initial=0.0, where=np.isfinite(wanted))
        absolute = self.noise * float(largest)
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=self.bound, atol=absolute)


def case(
    name: str, op: Op, *inputs: Make | None, kernels: str | Sequence[str] = (), **fields: Any
) -> Case:
    """Return a case; its inputs are positional, its kernels a name or some."""
    rows = frozenset([kernels] if isinstance(kernels, str) else kernels)
    return Case(name, op, inputs, kernels=rows, **fields)


def floats(*shape: int, spread: float = 1.0, middle: float = 0.0) -> Make:
    """Return a maker of normal float32 numbers."""
    return lambda rng: np.asarray(rng.standard_normal(shape) * spread + middle, np.float32)


def positive(*shape: int) -> Make:
    """Return a maker of float32 numbers from 0.25 to 4."""
    return lambda rng: np.asarray(rng.uniform(0.25, 4.0, shape), np.float32)


def stored(*shape: int, dtype: Any = np.int8) -> Make:
    """Return a maker of integers of the whole range of a type, both ends among them."""

    def make(rng: np.random.Generator) -> np.ndarray:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
        if values.size > 1:
            values.flat[0], values.flat[-1] = info.min, info.max
        return values

    return make


def below(limit: int, *shape: int, low: int = 0, dtype: Any = np.int64) -> Make:
    """Return a maker of integers from `low` to `limit` - 1."""
    return lambda rng: np.asarray(rng.integers(low, limit, shape), dtype)


def booleans(*shape: int) -> Make:
    """Return a maker of truth values."""
    return lambda rng: np.asarray(rng.random(shape) < 0.5)


def just(values: Any, dtype: Any = np.int64) -> Make:
    """Return a maker of given values."""
    return lambda rng: np.array(values, dtype)


def per_channel(count: int, axis: int, low: float = 0.002, high: float = 0.02) -> Quantization:
    """Return symmetric quantization with a scale per channel."""
    return Quantization(np.geomspace(low, high, count), 0, axis)


def sums(scale: float, depth: int) -> float:
    """Return an output scale that products of full-range bytes, `depth` of them, spread over."""
    return scale * 74.0 * 74.0 * depth**0.5 / 40.0
