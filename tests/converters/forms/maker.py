"""Draws random models of one ONNX node: shapes, attributes, which inputs are constants."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from linnet.types import Array

Recipe = Callable[["Maker"], None]
RECIPES: dict[str, Recipe] = {}
# Operators whose inputs behind the first keep fixed shapes: they decide ranks and kernels.
_FIXED = (
    "Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "ConvInteger", "QLinearConv", "GatherND",
    "ScatterND", "NonMaxSuppression", "GridSample", "RoiAlign", "MatMulInteger", "Reshape",
    "Expand", "ConstantOfShape", "Squeeze", "Unsqueeze",
)  # fmt: skip
# Axes of the first input that stay numbers.
_NUMBERS = {
    "NonMaxSuppression": (2,), "GridSample": (3,), "LRN": (1,), "Conv": (1,), "ConvTranspose": (1,),
    "ConvInteger": (1,), "QLinearConv": (1,), "ConstantOfShape": (0,),
}  # fmt: skip
_SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0)


def recipe(*kinds: str) -> Callable[[Recipe], Recipe]:
    """Register a function that draws nodes of some kinds, with their domain where it has one."""

    def register(function: Recipe) -> Recipe:
        RECIPES.update(dict.fromkeys(kinds, function))
        return function

    return register


class Maker:
    """One model being drawn.

    Attributes
    ----------
    feeds, constants : dict of str to ndarray
        Inputs of the model, and of the node only.
    attrs : dict
        Attributes of the node.
    odd : bool
        Whether axes of no length, infinities and NaN occur.
    """

    def __init__(self, seed: int, kind: str, opset: int, odd: bool | None = None) -> None:
        self.r = random.Random(seed)
        self.np = np.random.default_rng(seed)
        self.domain, _, self.kind = kind.rpartition(":")
        self.opset = opset
        self.feeds: dict[str, Array] = {}
        self.constants: dict[str, Array] = {}
        self.inputs: list[str] = []
        self.outputs = ["y"]
        self.attrs: dict[str, Any] = {}
        self.dynamic = self.chance(0.4)
        self.odd = self.chance(0.25) if odd is None else odd
        RECIPES[kind](self)

    def pick(self, *items: Any) -> Any:
        """Return one of the items."""
        return self.r.choice(items)

    def chance(self, share: float) -> bool:
        """Return true in a share of cases."""
        return self.r.random() < share

    def dim(self, low: int = 1, high: int = 5) -> int:
        """Return the length of an axis."""
        if self.odd and low <= 1 and self.chance(0.12):
            return 0
        return self.r.randint(low, high)

    def shape(self, low: int = 0, high: int = 4) -> tuple[int, ...]:
        """Return a shape of some rank."""
        return tuple(self.dim() for _ in range(self.r.randint(low, high)))

    def floats(self, shape: Sequence[int], dtype: Any = np.float32, special: bool = True) -> Array:
        """Return random real numbers."""
        drawn = np.asarray(self.np.standard_normal(shape) * self.pick(1, 1, 3, 0.1)).astype(dtype)
        if special and self.odd and drawn.size and self.chance(0.4):
            for _ in range(self.r.randint(1, 3)):
                drawn.reshape(-1)[self.r.randrange(drawn.size)] = self.pick(*_SPECIAL)
        return drawn

    def ints(self, shape: Sequence[int], low: int, high: int, dtype: Any = np.int64) -> Array:
        """Return random whole numbers from low up to, but without, high."""
        return np.asarray(self.np.integers(low, high, shape)).astype(dtype)

    def data(self, shape: Sequence[int], dtype: Any = np.float32) -> Array:
        """Return random elements of a type."""
        kind = np.dtype(dtype).kind
        if kind == "f":
            return self.floats(shape, dtype)
        if kind == "b":
            return self.ints(shape, 0, 2, bool)
        return self.ints(shape, 0 if kind == "u" else -20, 21, dtype)

    def add(self, array: Any, constant: bool | None = None) -> None:
        """Add an input of the node; a constant where it is said, or drawn."""
        name = f"x{len(self.inputs)}"
        self.inputs.append(name)
        fixed = self.chance(0.3) if constant is None else constant
        (self.constants if fixed else self.feeds)[name] = np.asarray(array)

    def skip(self) -> None:
        """Leave an input out."""
        self.inputs.append("")

    def small(self, array: Any, share: float = 0.85) -> None:
        """Add an input that is a constant in most models."""
        self.add(array, self.chance(share))

    def broad(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return a shape that broadcasts with one."""
        found = [1 if self.chance(0.25) else dim for dim in shape]
        cut = self.r.randint(0, len(found)) if self.chance(0.35) else 0
        return tuple(found[cut:])

    def axis(self, rank: int) -> int:
        """Return an axis, counted from either end."""
        return self.r.randint(-rank, rank - 1)

    def model(self) -> Any:
        """Return the model; some axes of its inputs are symbols."""
        node = helper.make_node(
            self.kind, self.inputs, self.outputs, "n", domain=self.domain, **self.attrs
        )
        inputs = [
            helper.make_tensor_value_info(
                name,
                helper.np_dtype_to_tensor_dtype(array.dtype),
                [self._dimension(name, axis, size) for axis, size in enumerate(array.shape)],
            )
            for name, array in self.feeds.items()
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in self.outputs if name]
        tensors = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        imports = [helper.make_opsetid("", self.opset)]
        if self.domain:
            imports.append(helper.make_opsetid(self.domain, 1))
        return helper.make_model(
            helper.make_graph([node], "drawn", inputs, outputs, tensors),
            opset_imports=imports,
            ir_version=8 if self.opset < 19 else 10,
        )

    def _dimension(self, name: str, axis: int, size: int) -> int | str:
        fixed = name != "x0" and self.kind in _FIXED
        if not self.dynamic or fixed or axis in _NUMBERS.get(self.kind, ()):
            return size
        return f"{name}d{axis}" if self.chance(0.6) else size

    def __str__(self) -> str:
        """Show the node as one line."""
        arrays = {**self.feeds, **self.constants}
        shown = [f"{n}:{arrays[n].dtype}{list(arrays[n].shape)}" if n else "-" for n in self.inputs]
        return f"{self.kind} opset {self.opset} {self.attrs} of {' '.join(shown)}"
