"""Two graphs of one model held against each other, layer by layer, on the same samples.

A layer is a value that both graphs compute under one name. Each is judged twice: by the error that
has come together in it over all the layers before (`Layer.total`), and by the error that it makes
itself (`Layer.own`): its node of the second graph against its node of the first on equal inputs,
those that the second graph's node reads. What its number format alone explains is computed too, so
that a fault, such as a wrong scale or too few bits, stands out from the price of int8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import ops
from .graph import Graph, Node
from .types import Array, DType, NodeTypes, TensorType

Run = Callable[[Mapping[str, Array]], dict[str, Array]]
Runner = Callable[[Graph], Run]
Feeds = Mapping[str, Array]

# Endings that converters put on the name of a value in another form.
_FORMS = (":int8", ":int16", ":float")
_ENDINGS = (*_FORMS, "_QuantizeLinear_Output", "/stored", "/moved")
_PRODUCTS = (ops.Conv2D, ops.ConvTranspose2D, ops.DepthwiseConv2D, ops.FullyConnected)
# Beyond this many times the noise that its number format explains, a layer is a suspect.
SUSPECT = 8.0


@dataclass
class Error:
    """Sums over all samples of a wanted tensor and what was found instead."""

    signal: float = 0.0
    noise: float = 0.0
    product: float = 0.0
    found: float = 0.0
    largest: float = 0.0

    def add(self, wanted: Array, found: Array) -> None:
        """Take in the tensors of one sample."""
        left, right = wanted.astype(np.float64).ravel(), found.astype(np.float64).ravel()
        gap = right - left
        self.signal += float(left @ left)
        self.noise += float(gap @ gap)
        self.product += float(left @ right)
        self.found += float(right @ right)
        self.largest = max(self.largest, float(np.abs(gap).max(initial=0.0)))

    @property
    def sqnr(self) -> float:
        """Signal-to-noise ratio in decibels."""
        if self.noise == 0.0:
            return float("inf")
        return 10.0 * float(np.log10(max(self.signal, 1e-300) / self.noise))

    @property
    def cosine(self) -> float:
        """Cosine of the angle between both."""
        norms = float(np.sqrt(self.signal * self.found))
        return self.product / norms if norms > 0.0 else 1.0


@dataclass
class Layer:
    """One value that both graphs compute."""

    name: str
    op: str
    dtype: str
    total: Error = field(default_factory=Error)
    own: Error | None = None
    weight_noise: float = 0.0
    nonzero: int = 0
    step: float = 0.0
    low: float = 0.0
    high: float = 0.0
    range: tuple[float, float] = (-np.inf, np.inf)

    @property
    def finding(self) -> str:
        """What is wrong with the layer, in words; "" where nothing stands out."""
        slack = 0.25 * (self.high - self.low)  # calibrators cut a tail on purpose
        if self.low < self.range[0] - slack or self.high > self.range[1] + slack:
            return (
                f"values {self.low:.4g} to {self.high:.4g} do not fit its range "
                f"{self.range[0]:.4g} to {self.range[1]:.4g}"
            )
        if not self.suspect:
            return ""
        if self.coarse**2 > SUSPECT:
            return f"its scale is {self.coarse:.1f} times what its values need"
        return f"{self.excess:.0f} times the noise that int8 explains"

    @property
    def coarse(self) -> float:
        """The step of a layer that rounds, over the step that its values need in 8 bits."""
        needed = (self.high - self.low) / 255.0
        if self.own is None or self.own.noise == 0.0 or needed <= 0.0:
            return 0.0
        return self.step / needed

    @property
    def excess(self) -> float:
        """The layer's own noise over what its number format explains; 0 where neither is known."""
        if self.own is None or self.step <= 0.0:
            return 0.0
        rounding = ((self.high - self.low) / 255.0) ** 2 / 12.0 * self.nonzero
        explained = rounding + self.weight_noise
        return max(self.own.noise / explained, self.coarse**2) if explained > 0.0 else 0.0

    @property
    def suspect(self) -> bool:
        """Whether its number format does not explain the layer's noise."""
        return self.excess > SUSPECT

    def damage(self) -> tuple[float, float]:
        """Return a sort key: suspects first, by how far they are off, then by their own SQNR."""
        own = self.own.sqnr if self.own is not None else self.total.sqnr
        return (-self.excess if self.suspect else 0.0, own)


def base(name: str) -> str:
    """Return a value's name without the endings of its other forms.

    Examples
    --------
    >>> base("relu_1:int8")
    'relu_1'
    """
    for ending in _ENDINGS:
        if name.endswith(ending):
            return base(name[: -len(ending)])
    return name


def plain(name: str) -> str:
    """Return a value's name without the ending that quantization gives its other forms."""
    for ending in _FORMS:
        name = name.removesuffix(ending)
    return name


def real(array: Array, type_: TensorType) -> Array:
    """Return stored values as real numbers."""
    if type_.quantization is None:
        return array
    types = NodeTypes((type_.with_(shape=array.shape),), ())
    return ops.Dequantize().reference(types, array)[0]


class Comparison:
    """The layers that two graphs share, and what came of them.

    Parameters
    ----------
    first, second : Graph
        The graph that counts as right, and the one that is judged.
    runner : callable
        Makes a function that runs a graph.
    """

    def __init__(self, first: Graph, second: Graph, runner: Runner) -> None:
        self.first, self.second = first, second
        self.pairs = _pairs(first, second)
        makers = second.producers()
        self.layers = {
            name: Layer(name, type(makers[other].op).__name__, _kind(second, other))
            for name, other in self.pairs.items()
        }
        self._isolated = _Isolated(first, second, self.pairs)
        for name in self._isolated.judged:
            self.layers[name].own = Error()
            type_ = second.type_of(self.pairs[name])
            self.layers[name].step = _step(type_)
            self.layers[name].range = _range(type_)
        self._run_first = runner(_showing(first, [*self.pairs, *self._isolated.floats]))
        self._run_second = runner(_showing(second, self.pairs.values()))
        isolated = self._isolated.graph
        self._run_isolated = runner(isolated) if self._isolated.judged else None

    def add(self, feeds: Feeds, other: Feeds | None = None) -> None:
        """Run one sample through both graphs.

        Parameters
        ----------
        feeds : mapping of str to ndarray
            Inputs of the first graph.
        other : mapping of str to ndarray, optional
            Inputs of the second graph where they differ.
        """
        wanted = {**feeds, **self._run_first(feeds)}
        found = self._run_second(feeds if other is None else other)
        for name, layer in self.layers.items():
            there = self.pairs[name]
            values = real(found[there], self.second.type_of(there))
            layer.total.add(real(wanted[name], self.first.type_of(name)), values)
        if self._run_isolated is None:
            return
        given = {name: wanted[name] for name in self._isolated.graph.inputs}
        alone = self._run_isolated(given)
        for name, (left, right) in self._isolated.judged.items():
            layer = self.layers[name]
            assert layer.own is not None
            layer.own.add(alone[left], alone[right])
            layer.weight_noise += self._isolated.weight_noise(name, alone[left], wanted)
            layer.nonzero += int(np.count_nonzero(alone[left]))
            layer.low = min(layer.low, float(alone[left].min(initial=0.0)))
            layer.high = max(layer.high, float(alone[left].max(initial=0.0)))

    def rows(self) -> list[Layer]:
        """Return the layers, the most damaging one first."""
        return sorted(self.layers.values(), key=Layer.damage)


def _kind(graph: Graph, name: str) -> str:
    return graph.type_of(name).dtype.value


def _step(type_: TensorType) -> float:
    q = type_.quantization
    return float(q.scale.max()) if q is not None and type_.dtype is DType.INT8 else 0.0


def _range(type_: TensorType) -> tuple[float, float]:
    """Return the least and the greatest number that a type holds."""
    if type_.quantization is None:
        return -np.inf, np.inf
    info = np.iinfo(type_.dtype.numpy)
    scale, zero = float(type_.quantization.scale[0]), int(type_.quantization.zero_point[0])
    return (info.min - zero) * scale, (info.max - zero) * scale


def _apart(name: str, type_: TensorType) -> TensorType:
    """Return a type whose dimensions that only data tells are this value's own."""
    shape = tuple(
        f"{name}?{axis}" if isinstance(dim, str) and "?" in dim else dim
        for axis, dim in enumerate(type_.shape)
    )
    return type_.with_(shape=shape)


def _showing(graph: Graph, names: Iterable[str]) -> Graph:
    """Return the graph with other outputs, states among them."""
    shown = graph.copy()
    kept = [state.output for state in graph.states]
    inputs = set(graph.inputs)
    shown.outputs = list(dict.fromkeys([*kept, *(n for n in names if n not in inputs)]))
    return shown


def _pairs(first: Graph, second: Graph) -> dict[str, str]:
    """Return the values that both compute, by the first one's name, in its order."""
    exact: dict[str, str] = {}
    loose: dict[str, str] = {}
    for node in second.nodes:
        if isinstance(node.op, (ops.Quantize, ops.Dequantize)):
            continue
        for name in node.outputs:
            if name:
                exact.setdefault(plain(name), name)
                loose.setdefault(base(name), name)
    pairs = {}
    for node in first.nodes:
        for name in node.outputs:
            other = exact.get(name, loose.get(base(name))) if name else None
            if other is not None and _alike(first.type_of(name), second.type_of(other)):
                pairs[name] = other
    return pairs


def _alike(left: TensorType, right: TensorType) -> bool:
    """Whether two types may be compared: real numbers of one shape."""
    numbers = all(t.dtype.is_float or t.is_quantized for t in (left, right))
    return numbers and left.rank == right.rank and left.shape == right.shape


class _Isolated:
    """A graph of all layers, each twice and by itself, on equal inputs from outside.

    Its inputs are values of the first graph. Where the second graph's node reads integers, both
    nodes get the value as those integers mean it.
    """

    def __init__(self, first: Graph, second: Graph, pairs: Mapping[str, str]) -> None:
        self.first, self.second = first, second
        self.graph = Graph("isolated")
        self.judged: dict[str, tuple[str, str]] = {}
        self.floats: list[str] = []
        self.nodes: dict[str, tuple[Node, Node]] = {}
        left, right = first.producers(), second.producers()
        for name, other in pairs.items():
            one, two = left[name], right[other]
            if type(one.op) is not type(two.op) or len(one.inputs) > len(two.inputs):
                continue
            if len([o for o in one.outputs if o]) == 1 and self._fits(one, two):
                self._add(name, one, two)
        self.graph.outputs = [n for pair in self.judged.values() for n in pair]

    def _fits(self, one: Node, two: Node) -> bool:
        """Whether both nodes read the same values, activations in types that can be fed."""
        for a, b in zip(one.inputs, two.inputs, strict=False):
            if bool(a) != bool(b):
                return False
            if not a or self.first.constant(a) is not None:
                continue
            type_ = self.first.type_of(a)
            if base(a) != base(b) or type_.is_quantized or type_.dtype is DType.BOOL:
                return False
        return any(a and self.first.constant(a) is None for a in one.inputs)

    def _add(self, name: str, one: Node, two: Node) -> None:
        pairs = [
            self._operand(a, b) if a else ("", "")
            for a, b in zip(one.inputs, two.inputs, strict=False)
        ]
        rest = [self._constant(self.second, n) for n in two.inputs[len(one.inputs) :]]
        given = [*(b for _, b in pairs), *rest]
        if len(given) > 2 and isinstance(two.op, _PRODUCTS):
            given[2] = self._bias(given)
        target = self.second.type_of(two.outputs[0])
        wanted = self.graph.unique(f"{name}/wanted")
        found = self.graph.unique(f"{name}/found")
        self.graph.add(one.op, [a for a, _ in pairs], name=wanted, outputs=[wanted])
        self.graph.add(
            two.op, given, name=found, outputs=[found],
            quantization=target.quantization,
        )  # fmt: skip
        if target.is_quantized:
            stored, found = found, f"{found}/real"
            self.graph.add(ops.Dequantize(), [stored], name=found, outputs=[found])
        self.judged[name] = wanted, found
        self.nodes[name] = one, two

    def _operand(self, a: str, b: str) -> tuple[str, str]:
        """Return the names of an operand in the isolated graph for both nodes."""
        if self.first.constant(a) is not None:
            return self._constant(self.first, a), self._constant(self.second, b)
        if a not in self.graph.values:
            self.graph.add_input(a, _apart(a, self.first.type_of(a)))
            self.floats.append(a)
        type_ = self.second.type_of(b)
        if not type_.is_quantized:
            return a, a
        stored = f"{b}/given"
        if stored not in self.graph.values:
            op = ops.Quantize(dtype=type_.dtype)
            self.graph.add(op, [a], name=stored, outputs=[stored], quantization=type_.quantization)
            self.graph.add(ops.Dequantize(), [stored], name=f"{stored}/real")
        return f"{stored}/real", stored

    def _bias(self, given: list[str]) -> str:
        """Return an integer bias in the scale of what it is added to, if it declares another one.

        A wrong scale of the input would show here too, though the input's own layer is at fault.
        """
        x, w, b = (self.graph.type_of(name) if name else None for name in given[:3])
        data = self.graph.constant(given[2])
        if data is None or x is None or w is None or b is None:
            return given[2]
        if x.quantization is None or w.quantization is None or b.quantization is None:
            return given[2]
        scale = x.quantization.scale.astype(np.float64) * w.quantization.scale
        steps = np.rint(data * (b.quantization.scale / scale))
        fitted = np.clip(steps, -(2**31) + 1, 2**31 - 1).astype(data.dtype)
        return self.graph.add_constant(given[2], fitted)

    def _constant(self, graph: Graph, name: str) -> str:
        data = graph.constant(name) if name else None
        if data is None:
            return ""
        return self.graph.add_constant(name, data, graph.type_of(name).quantization)

    def weight_noise(self, name: str, wanted: Array, values: Mapping[str, Any]) -> float:
        """Return the noise that int8 weights with a scale per channel make of one sample.

        The variance of a uniform step times the power of what the weights multiply.
        """
        one = self.nodes[name][0]
        weights = self.first.constant(one.inputs[1]) if len(one.inputs) > 1 else None
        if weights is None or isinstance(one.op, (ops.Add, ops.Sub, ops.Mul, ops.PRelu)):
            return 0.0
        depthwise = isinstance(one.op, ops.DepthwiseConv2D)
        rows = np.moveaxis(weights, 3, 0) if depthwise else weights
        rows = rows.reshape(rows.shape[0], -1).astype(np.float64)
        steps = np.abs(rows).max(axis=1, initial=0.0) / 127.0
        power = float(np.mean(np.square(values[one.inputs[0]], dtype=np.float64)))
        return float((steps**2).mean() / 12.0 * rows.shape[1] * power * np.count_nonzero(wanted))
