"""Static quantization: ranges from sample data, weights per channel, integer arithmetic between.

What is decided where: `plan` which nodes compute in integers, `observe` what the activations are,
`ranges` their scales, `rewrite` the new graph. This module is their order and their options.
"""

from __future__ import annotations

from collections.abc import Iterable

from linnet.errors import QuantizationError
from linnet.graph import Graph
from linnet.types import DType

from .methods import Job, register
from .observe import Statistics, output_errors, watch
from .plan import Plan, joined, make_plan
from .ranges import CALIBRATORS, Range, choose, parameters
from .rewrite import Recipe, rewrite

_JOINED_SHARE = 0.5
_TRIED = ("minmax", "percentile", "mse")
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
    bias_correction: bool = True,
) -> Graph:
    """Quantize weights and activations; inputs and outputs of the model stay float.

    Parameters
    ----------
    graph : Graph
    job : Job
    calibrator : {"auto", "minmax", "percentile", "mse", "entropy"}
        How ranges follow from the samples; see `ranges`. "auto" tries the first three and takes
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
    bias_correction : bool
        Take the mean error that rounded weights make out of the biases.
    """
    check_choice("calibrator", calibrator, ("auto", *CALIBRATORS))
    check_choice("activations", activations, _TYPES)
    if not 2 <= weight_bits <= 8:
        raise QuantizationError(f"weight_bits is {weight_bits}; expected 2 to 8")
    plan = make_plan(graph, _patterns(keep), _patterns(wide), _TYPES[activations])
    means = _product_inputs(graph, plan) if bias_correction else []
    statistics = Statistics(plan.observed, means)
    watch(graph, job, [*plan.observed, *means], statistics.see, 0.8)
    levels = 65536 if activations == "int16" else 256

    def make(by: str) -> tuple[Graph, dict[str, Range]]:
        ranges = {
            name: choose(histogram, by, levels, percentile)
            for name, histogram in statistics.histograms.items()
        }
        _join_ranges(graph, plan, ranges)
        recipe = Recipe(
            plan=plan,
            pair=lambda name, dtype: parameters(ranges[name], dtype, symmetric),
            per_channel=per_channel,
            bits=weight_bits,
            mean=statistics.mean,
        )
        return rewrite(graph, recipe), ranges

    tried = {by: make(by) for by in (_TRIED if calibrator == "auto" else (calibrator,))}
    best = calibrator
    if calibrator == "auto":
        errors = output_errors(graph, job, {by: made for by, (made, _) in tried.items()})
        best = min(errors, key=lambda by: errors[by])
        job.record["calibrator"] = best
    made, ranges = tried[best]
    job.record["ranges"] = {n: [_short(low), _short(high)] for n, (low, high) in ranges.items()}
    job.record["float_nodes"] = [n.name for n in graph.nodes if plan.type_of(n) is None]
    return made


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
