"""Static quantization: ranges from sample data, weights per channel, integer arithmetic between.

What is decided where: `plan` which nodes compute in integers, `observe` what the activations are,
`ranges` their scales, `rewrite` the new graph. This module is their order and their options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from linnet.errors import QuantizationError
from linnet.graph import Graph, Node
from linnet.types import Array, DType, Quantization

from .methods import Job, register
from .observe import Statistics, output_errors, watch
from .plan import Plan, joined, make_plan, plan_of
from .ranges import CALIBRATORS, Range, choose, parameters
from .rewrite import Recipe, rewrite
from .rounding import Grams
from .sensitive import protect
from .sequence import correct_biases
from .smooth import equalize, smooth, smoothable

_JOINED_SHARE = 0.5
_TRIED = ("minmax", "percentile", "mse", "entropy")
_CORRECTIONS: dict[str | bool, str] = {
    True: "auto", False: "none", "mean": "mean", "sequential": "sequential"
}  # fmt: skip
_TYPES = {"int8": DType.INT8, "int16": DType.INT16}


@register(
    "static",
    "int8 weights and activations, scales fixed from calibration data: fastest",
    needs_data=True,
)
def static(
    graph: Graph,
    job: Job,
    *,
    calibrator: str = "auto",
    percentile: float = 99.99,
    activations: str = "int8",
    symmetric: bool = False,
    per_channel: bool = True,
    weight_bits: int = 8,
    keep: Iterable[str] = (),
    wide: Iterable[str] = (),
    bias_correction: str | bool = "auto",
    smoothing: float = 0.0,
    equalization: bool = False,
    rounding: str = "nearest",
    least_sqnr: float = 0.0,
    sensitive: str = "float",
) -> Graph:
    """Quantize weights and activations; inputs and outputs of the model stay float.

    Parameters
    ----------
    graph : Graph
    job : Job
    calibrator : {"auto", "minmax", "percentile", "mse", "entropy"}
        How ranges follow from the samples; see `ranges`. "auto" tries them and takes
        the one whose model is nearest to the float one on (at most 32 of) the samples.
    percentile : float
        Percentage of the values inside the range of calibrator "percentile".
    activations : {"int8", "int16"}
        Storage type of activations.
    symmetric : bool
        Give activations the zero point 0.
    per_channel : bool
        One weight scale per output channel instead of one per tensor.
    weight_bits : int
        2 to 8; stored as int8 whatever it is.
    keep : iterable of str
        Names (or op names) of nodes to keep in float, with * and ? as wildcards.
    wide : iterable of str
        The same for nodes with int16 activations.
    bias_correction : {"auto", "mean", "sequential", "none"}
        Take mean errors out of the biases: "mean" those that rounded weights make of the mean
        inputs, "sequential" those seen in each layer's output behind corrected layers; "auto"
        takes the better of both on the samples (True), "none" neither (False).
    smoothing : float
        SmoothQuant's alpha, 0 for none: scales moved from normalizations into linear layers.
    equalization : bool
        Equalize weight ranges over pairs of layers first.
    rounding : {"nearest", "adaptive"}
        "adaptive" rounds the weights of matrix products up or down, as keeps their outputs best.
    least_sqnr : float
        Decibels that the outputs keep on the samples, by widening the layers that int8 hurts most;
        0 quantizes all.
    sensitive : {"float", "int16"}
        What those layers compute in: int16 activations take up to twice the time of int8 ones, and
        keep int8 weights.
    """
    check_choice("sensitive", sensitive, ("float", "int16"))
    if not 0.0 <= smoothing <= 1.0:
        raise QuantizationError(f"smoothing is {smoothing}; expected 0 to 1")
    if equalization:
        job.record["equalized"] = equalize(graph)
    if smoothing:
        job.record["smoothed"] = _smooth(graph, job, smoothing)
    calibrated = Calibrated(
        graph,
        job,
        Settings(
            calibrator=calibrator,
            percentile=percentile,
            activations=activations,
            symmetric=symmetric,
            per_channel=per_channel,
            weight_bits=weight_bits,
            bias_correction=_CORRECTIONS.get(bias_correction, str(bias_correction)),
            rounding=rounding,
        ),
        _patterns(keep),
        _patterns(wide),
    )
    best = calibrated.best()
    plan, hurt = calibrated.plan, list[str]()
    if least_sqnr > 0.0:
        wider = DType.INT16 if sensitive == "int16" else None
        plan, hurt = protect(calibrated, best, least_sqnr, wider)
    made, job.record["bias_correction"], error = calibrated.corrected(best, plan)
    job.record["sqnr"] = round(-10.0 * float(np.log10(max(error, 1e-15))), 2)
    ranges = calibrated.ranges(best)
    job.record["sensitive"] = hurt
    job.record["calibrator"] = best
    job.record["ranges"] = {n: [_short(low), _short(high)] for n, (low, high) in ranges.items()}
    job.record["float_nodes"] = [n.name for n in graph.nodes if plan.type_of(n) is None]
    return made


@dataclass(frozen=True)
class Settings:
    """Options of `static` by their names."""

    calibrator: str = "auto"
    percentile: float = 99.99
    activations: str = "int8"
    symmetric: bool = False
    per_channel: bool = True
    weight_bits: int = 8
    bias_correction: str = "auto"
    rounding: str = "nearest"

    def __post_init__(self) -> None:
        check_choice("rounding", self.rounding, ("nearest", "adaptive"))
        check_choice("calibrator", self.calibrator, ("auto", *CALIBRATORS))
        check_choice("activations", self.activations, _TYPES)
        check_choice("bias_correction", self.bias_correction, _CORRECTIONS.values())
        if not 2 <= self.weight_bits <= 8:
            raise QuantizationError(f"weight_bits is {self.weight_bits}; expected 2 to 8")


class Calibrated:
    """A float graph with what its samples say, from which quantized graphs are made.

    Parameters
    ----------
    graph : Graph
    job : Job
    settings : Settings
    keep, wide : tuple of str
        Patterns of nodes that stay in float, or get int16 activations.
    """

    def __init__(
        self,
        graph: Graph,
        job: Job,
        settings: Settings,
        keep: tuple[str, ...] = (),
        wide: tuple[str, ...] = (),
    ) -> None:
        self.graph, self.job, self.settings, self.wide = graph, job, settings, wide
        self.dtype = _TYPES[settings.activations]
        self.plan = make_plan(graph, keep, wide, self.dtype)
        by_means = settings.bias_correction in ("auto", "mean")
        means = _product_inputs(graph, self.plan) if by_means else []
        self.statistics = Statistics(self.plan.observed, means)
        watch(graph, job, [*self.plan.observed, *means], self.statistics.see, 0.8)
        self.grams: Grams | None = None
        if settings.rounding == "adaptive":
            self.grams = Grams(graph, self.plan)
            if self.grams.names:
                watch(graph, job, self.grams.names, self.grams.see, 0.9)
        self._ranges: dict[str, dict[str, Range]] = {}
        self._rounded: dict[tuple[str, bytes], Array] = {}

    def best(self) -> str:
        """Return the calibrator: the one set, or that of the nearest model where it is "auto"."""
        if self.settings.calibrator != "auto":
            return self.settings.calibrator
        tried = {by: self.make(by)[0] for by in _TRIED}
        errors = output_errors(self.graph, self.job, tried)
        return min(errors, key=lambda by: errors[by])

    def ranges(self, by: str) -> dict[str, Range]:
        """Return the range of every observed value by a calibrator."""
        if by not in self._ranges:
            levels = 65536 if self.dtype is DType.INT16 else 256
            made = {
                name: choose(histogram, by, levels, self.settings.percentile)
                for name, histogram in self.statistics.histograms.items()
            }
            _join_ranges(self.graph, self.plan, made)
            self._ranges[by] = made
        return self._ranges[by]

    def corrected(self, by: str, plan: Plan) -> tuple[Graph, str, float]:
        """Return the quantized graph with its biases corrected, how, and the outputs' error."""
        kind = self.settings.bias_correction
        made = {}
        if kind != "sequential":
            made["mean" if kind == "auto" else kind] = self.make(by, plan)[0]
        if kind in ("auto", "sequential"):
            made["sequential"] = self.make(by, plan, means=False)[0]
            correct_biases(self.graph, made["sequential"], self.job)
        errors = output_errors(self.graph, self.job, made)
        kind = min(errors, key=lambda name: errors[name])
        return made[kind], kind, errors[kind]

    def make(
        self, by: str, plan: Plan | None = None, means: bool = True
    ) -> tuple[Graph, dict[str, Range]]:
        """Return the quantized graph and its ranges, by another plan where one is given.

        ``means`` says whether biases take up what rounded weights make of the mean inputs.
        """
        ranges = self.ranges(by)

        def pair(name: str, dtype: DType) -> Quantization:
            known = name if name in ranges else self.plan.root[name]
            return parameters(ranges[known], dtype, self.settings.symmetric)

        recipe = Recipe(
            plan=plan or self.plan,
            pair=pair,
            per_channel=self.settings.per_channel,
            bits=self.settings.weight_bits,
            mean=self.statistics.mean if means else lambda name: None,
            round=self._round if self.grams is not None else None,
        )
        return rewrite(self.graph, recipe), ranges

    def _round(self, node: Node, weights: Array, scale: Array, axis: int) -> Array:
        """Round a node's weights adaptively, once for all calibrators."""
        assert self.grams is not None
        key = node.outputs[0], scale.tobytes()
        if key not in self._rounded:
            bits = self.settings.weight_bits
            self._rounded[key] = self.grams.round(self.graph, node, weights, scale, axis, bits)
        return self._rounded[key]

    def narrowed(self, keep: Iterable[str]) -> Plan | None:
        """Return the plan less nodes given by first output; None where no product is left."""
        kept = set(keep)
        chosen = {name: dtype for name, dtype in self.plan.nodes.items() if name not in kept}
        return plan_of(self.graph, chosen)


def _smooth(graph: Graph, job: Job, alpha: float) -> int:
    """Smooth by the largest magnitudes that the samples show."""
    largest: dict[str, Array] = {}

    def see(values: Mapping[str, Array]) -> None:
        for name, array in values.items():
            peak = np.abs(array).reshape(-1, array.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, peak), peak)

    names = list(smoothable(graph))
    if not names:
        return 0
    watch(graph, job, names, see, 0.2)
    return smooth(graph, largest, alpha)


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Check an option against its choices.

    Raises
    ------
    QuantizationError
        If the value is not one of them.
    """
    if value not in choices:
        raise QuantizationError(f"{option} is '{value}'; expected one of {', '.join(choices)}")


def _patterns(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _product_inputs(graph: Graph, plan: Plan) -> list[str]:
    """Return the activations that constant weights multiply."""
    return [
        node.inputs[0]
        for node in graph.nodes
        if plan.type_of(node) is not None
        and len(node.inputs) > 1
        and graph.constant(node.inputs[1]) is not None
        and graph.constant(node.inputs[0]) is None
    ]


def _join_ranges(graph: Graph, plan: Plan, ranges: dict[str, Range]) -> None:
    """Give what a Concat joins one range, where that costs no input more than a bit."""
    pairs = joined(graph, plan)
    for _ in range(3):
        for roots, output in pairs:
            low = min(ranges[root][0] for root in (*roots, output))
            high = max(ranges[root][1] for root in (*roots, output))
            for root in roots:
                width = ranges[root][1] - ranges[root][0]
                if width >= _JOINED_SHARE * (high - low):
                    ranges[root] = low, high
            ranges[output] = low, high


def _short(value: float) -> float:
    return float(f"{value:.7g}")
