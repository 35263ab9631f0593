"""What int8 would bring a model on this machine: time and error of every layer, and the best mix.

The float model and its int8 form are timed node by node, in turns. Any mix of both is then the sum
of its nodes' times and of the conversions where floats and integers meet, so that mixes need not
be built to be judged; the one recommended is built and measured. The error of a layer is that of
the model's outputs when it alone computes in integers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import ops
from .binding import NodeSpan
from .comparison import base, plain
from .converters.quantization import Samples
from .converters.quantization.methods import Job
from .converters.quantization.observe import output_errors
from .converters.quantization.plan import Plan, conversions
from .converters.quantization.sensitive import layer_error, products_of
from .converters.quantization.static import Calibrated, Settings
from .graph import Graph
from .profile import profile_nodes
from .session import Session
from .types import Array, DType, TensorType

_ROUNDS = 5
# A change must save this much to be made.
_WORTH = 0.995
Progress = Callable[[float], None]


@dataclass
class LayerAdvice:
    """One product of the model: what it costs in float and in int8.

    ``float_seconds`` and ``int8_seconds`` are those of the node alone, ``saves`` what int8 in this
    one place changes in all, conversions included; ``error`` the noise-to-signal ratio that it
    gives the outputs.
    """

    name: str
    op: str
    value: str
    float_seconds: float
    int8_seconds: float
    saves: float = 0.0
    error: float = 0.0
    int8: bool = True


@dataclass
class Point:
    """One mix: its products in float, its predicted time and error."""

    keep: tuple[str, ...]
    seconds: float
    error: float
    front: bool = False


@dataclass
class Advice:
    """Everything that `advise` found."""

    layers: list[LayerAdvice]
    points: list[Point]
    chosen: Point
    predicted: float
    measured: dict[str, float]
    graph: Graph | None
    error: float = 0.0
    words: list[str] = field(default_factory=list)

    @property
    def faster(self) -> bool:
        """Whether the recommended model is faster than the float one."""
        return self.graph is not None and self.measured["mixed"] < self.measured["float"]


class Times:
    """Times of the nodes of a float graph and of its int8 form, and of conversions between.

    Parameters
    ----------
    graph : Graph
        In float.
    nodes : dict
        For "float" and "int8": the time of every node, by the name of its first output.
    totals : dict
        For both: the time of a run.
    convert : callable
        ``convert(kind, value)`` returns the time to quantize ("down") or dequantize ("up") one.
    """

    def __init__(
        self,
        graph: Graph,
        nodes: dict[str, dict[str, float]],
        totals: dict[str, float],
        convert: Callable[[str, str], float],
    ) -> None:
        self.graph, self.nodes, self.totals, self.convert = graph, nodes, totals, convert

    def node(self, key: str, name: str) -> float:
        """Return the time of a node in one of the forms, by its first output."""
        return self.nodes[key].get(name, 0.0)

    def predict(self, plan: Plan | None) -> float:
        """Return the time of a mix; None is all float."""
        sums = {"float": 0.0, "int8": 0.0}
        for node in self.graph.nodes:
            key = "float" if plan is None or plan.type_of(node) is None else "int8"
            sums[key] += self.node(key, node.outputs[0])
        if plan is not None:
            down, up = conversions(self.graph, plan)
            sums["int8"] += sum(self.convert("down", name) for name in down)
            sums["int8"] += sum(self.convert("up", name) for name in up)
        return sum(part * self._rest(key) for key, part in sums.items())

    def _rest(self, key: str) -> float:
        """Return what a run takes in all over the sum of its nodes' times."""
        total = sum(self.nodes[key].values())
        return self.totals[key] / total if total > 0.0 else 1.0


def measure_times(graph: Graph, made: Graph, feeds: dict[str, Array], threads: int) -> Times:
    """Measure a float graph and its int8 form node by node, in turns.

    Parameters
    ----------
    graph, made : Graph
    feeds : dict of str to ndarray
    threads : int
    """
    sessions = {"float": Session(graph, threads), "int8": Session(made, threads)}
    totals = {key: typical(s, feeds) for key, s in sessions.items()}
    rounds: dict[str, list[dict[str, float]]] = {"float": [], "int8": []}
    for _ in range(_ROUNDS):
        for key, session in sessions.items():
            runs = max(3, min(200, int(0.03 / max(totals[key], 1e-6))))
            rounds[key].append(node_times(session, feeds, runs))
    nodes = {key: _median(rows) for key, rows in rounds.items()}
    again = {key: typical(s, feeds) for key, s in sessions.items()}
    totals = {key: min(t, again[key]) for key, t in totals.items()}
    sizes = {
        name: span.item.types.outputs[k].size
        for span in sessions["float"].plan({n: a.shape for n, a in feeds.items()}).spans
        for k, name in enumerate(span.item.node.outputs)
    } | {name: array.size for name, array in feeds.items()}
    known: dict[tuple[str, int], float] = {}

    def convert(kind: str, name: str) -> float:
        key = kind, sizes[name]
        if key not in known:
            known[key] = _conversion_time(*key, threads)
        return known[key]

    return Times(graph, nodes, totals, convert)


def measure_models(
    graphs: dict[str, Graph], feeds: dict[str, Array], threads: int
) -> dict[str, float]:
    """Return the time of a run of each graph, measured in turns."""
    sessions = {key: Session(graph, threads) for key, graph in graphs.items()}
    turns: dict[str, list[float]] = {key: [] for key in sessions}
    for _ in range(_ROUNDS):
        for key, session in sessions.items():
            turns[key].append(typical(session, feeds, 0.05))
    return {key: float(np.median(times)) for key, times in turns.items()}


def typical(session: Session, feeds: dict[str, Array], seconds: float = 0.15) -> float:
    """Return the time of a run: the lower quartile over a short while, after warming up."""
    session.run(feeds)
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while len(spent) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        session.run(feeds)
        spent.append(time.perf_counter() - start)
    return float(np.quantile(spent, 0.25))


def node_times(session: Session, feeds: dict[str, Array], runs: int) -> dict[str, float]:
    """Return the time of every node, by its first output's name in the float graph."""
    spans = session.plan({name: array.shape for name, array in feeds.items()}).spans
    rows = profile_nodes(session, feeds, runs)
    pairs = zip(spans, rows, strict=True)
    return {
        plain(span.item.node.outputs[0]) + _kind(span): float(r["seconds"]) for span, r in pairs
    }


def _kind(span: NodeSpan) -> str:
    """Return what tells conversions apart from the nodes whose values they convert."""
    converts = isinstance(span.item.node.op, (ops.Quantize, ops.Dequantize))
    return f" {type(span.item.node.op).__name__}" if converts else ""


def _median(rows: list[dict[str, float]]) -> dict[str, float]:
    names = {name for row in rows for name in row}
    return {name: float(np.median([row.get(name, 0.0) for row in rows])) for name in names}


def _conversion_time(kind: str, size: int, threads: int) -> float:
    """Return the time to convert a number of values, measured on a graph of that alone."""
    from .types import Quantization

    graph, q = Graph("conversion"), Quantization(0.05, 3)
    there: ops.Op = ops.Quantize() if kind == "down" else ops.Dequantize()
    type_ = TensorType(DType.FLOAT32 if kind == "down" else DType.INT8, (size,))
    x = graph.add_input("x", type_ if kind == "down" else type_.with_(quantization=q))
    graph.outputs = [graph.add(there, [x], name="y", quantization=q if kind == "down" else None)]
    session = Session(graph, threads)
    feeds = {"x": np.zeros(size, type_.dtype.numpy)}
    return min(float(profile_nodes(session, feeds, 20)[0]["seconds"]) for _ in range(3))


class Adviser:
    """Finds the fastest mix of float and int8 products, and what accuracy costs.

    Parameters
    ----------
    graph : Graph
        In float.
    samples : Samples
    threads : int
    progress : callable
    """

    def __init__(self, graph: Graph, samples: Samples, threads: int = 1,
                 progress: Progress = lambda share: None) -> None:  # fmt: skip
        self.graph, self.progress = graph, progress
        self.job = Job(lambda g: Session(g, threads).run, samples)
        self.threads = threads
        self.calibrated = Calibrated(graph, self.job, Settings())
        self.by = self.calibrated.best()
        self.feeds = next(iter(samples))
        progress(0.3)
        made = self.calibrated.make(self.by)[0]
        self.times = measure_times(graph, made, self.feeds, threads)
        progress(0.5)
        self.products = products_of(self.calibrated)

    def plan(self, keep: Iterable[str]) -> Plan | None:
        """Return the plan that keeps some products in float."""
        return self.calibrated.narrowed(keep)

    def layers(self) -> list[LayerAdvice]:
        """Return time and error of every product."""
        makers, rows = self.graph.producers(), []
        whole = self.times.predict(self.plan(()))
        for index, value in enumerate(self.products):
            node = makers[value]
            rows.append(
                LayerAdvice(
                    name=node.name,
                    op=type(node.op).__name__,
                    value=value,
                    float_seconds=self.times.node("float", value),
                    int8_seconds=self.times.node("int8", value),
                    saves=self.times.predict(self.plan((value,))) - whole,
                    error=layer_error(self.calibrated, self.by, self.products, value),
                )
            )
            self.progress(0.5 + 0.4 * (index + 1) / len(self.products))
        return rows

    def fastest(self) -> tuple[str, ...]:
        """Return the products to keep in float for the least predicted time.

        Products move to float, one or two neighbors at a time, while that saves time, from all in
        int8; and the other way round from all in float. The better end counts.
        """
        keep, other = (self._descend(set(start)) for start in ((), self.products))
        times = [self.times.predict(self.plan(kept)) for kept in (keep, other)]
        keep = other if times[1] < times[0] * _WORTH else keep
        return tuple(p for p in self.products if p in keep)

    def _descend(self, keep: set[str]) -> set[str]:
        moves = [{p} for p in self.products]
        moves += [set(pair) for pair in zip(self.products, self.products[1:], strict=False)]
        time_now = self.times.predict(self.plan(keep))
        while True:
            tried = [
                (self.times.predict(self.plan(keep ^ move)), i) for i, move in enumerate(moves)
            ]
            best, index = min(tried, default=(time_now, 0))
            if best >= time_now * _WORTH:
                return keep
            keep, time_now = keep ^ moves[index], best

    def points(self, layers: list[LayerAdvice], fastest: tuple[str, ...]) -> list[Point]:
        """Return mixes from the fastest to all float, the most error saved per time lost first."""
        errors = {row.value: row.error for row in layers}
        keep = set(fastest)
        found = [self._point(keep, errors)]
        while len(keep) < len(self.products):
            options = []
            for value in self.products:
                if value not in keep:
                    lost = self.times.predict(self.plan(keep | {value})) - found[-1].seconds
                    options.append((errors[value] / max(lost, 1e-9), value))
            keep.add(max(options)[1])
            found.append(self._point(keep, errors))
        for point in found:
            point.front = not any(
                (o.seconds <= point.seconds and o.error < point.error)
                or (o.seconds < point.seconds and o.error <= point.error)
                for o in found
            )  # fmt: skip
        return found

    def _point(self, keep: set[str], errors: dict[str, float]) -> Point:
        error = sum(e for value, e in errors.items() if value not in keep)
        kept = tuple(p for p in self.products if p in keep)
        return Point(kept, self.times.predict(self.plan(kept)), error)

    def advise(self, least_sqnr: float | None = None) -> Advice:
        """Return the advice: the fastest mix, or the fastest of at least a signal-to-noise ratio.

        Parameters
        ----------
        least_sqnr : float, optional
            Decibels that the outputs must keep, as predicted from the layers' errors.
        """
        layers = self.layers()
        points = self.points(layers, self.fastest())
        bound = np.inf if least_sqnr is None else 10.0 ** (-least_sqnr / 10.0)
        chosen = min((p for p in points if p.error <= bound), key=lambda p: p.seconds)
        for row in layers:
            row.int8 = row.value not in chosen.keep
        plan = self.plan(chosen.keep)
        graph = None if plan is None else self.calibrated.corrected(self.by, plan)[0]
        measured, error = self._measure(graph)
        # The machine's speed may have changed since the nodes were timed; float tells by how much.
        predicted = chosen.seconds * measured["float"] / self.times.totals["float"]
        advice = Advice(layers, points, chosen, predicted, measured, graph, error)
        advice.words = words(advice)
        self.progress(1.0)
        return advice

    def _measure(self, graph: Graph | None) -> tuple[dict[str, float], float]:
        """Measure the float model, the int8 one and the mix; return times and the mix's error."""
        graphs = {"float": self.graph, "int8": self.calibrated.make(self.by)[0]}
        if graph is None:
            measured = measure_models(graphs, self.feeds, self.threads)
            return measured | {"mixed": measured["float"]}, 0.0
        measured = measure_models(graphs | {"mixed": graph}, self.feeds, self.threads)
        return measured, output_errors(self.graph, self.job, {"": graph})[""]


def words(advice: Advice) -> list[str]:
    """Return the advice in plain words."""
    times, said = advice.measured, []
    slower = [row for row in advice.layers if not row.int8]
    count = len(advice.layers)
    if advice.graph is None:
        said.append("Keep the model in float: no layer gains from int8 on this machine.")
    elif not slower:
        said.append(f"Quantize all {count} layers.")
    else:
        names = ", ".join(base(row.name) for row in slower[:5])
        more = f" and {len(slower) - 5} more" if len(slower) > 5 else ""
        said.append(
            f"Quantize {count - len(slower)} of {count} layers; keep in float: {names}{more}."
        )
    gain = times["float"] / times["mixed"]
    if advice.faster:
        said.append(f"That is {gain:.2f} times as fast as float.")
    else:
        said.append("int8 is not faster than float on this machine.")
    if advice.graph is not None and advice.error > 0.0:
        said.append(f"The outputs keep {-10 * np.log10(advice.error):.1f} dB.")
    worst = max(advice.layers, key=lambda row: row.error, default=None)
    if worst is not None and worst.error > 0.0 and worst.int8:
        total = sum(row.error for row in advice.layers if row.int8)
        said.append(
            f"'{base(worst.name)}' loses the most accuracy "
            f"({100 * worst.error / total:.0f} % of the error)."
        )
    return said


def recipe(advice: Advice) -> dict[str, Any]:
    """Return the options of ``linnet.quantize`` that make the recommended model."""
    return {"method": "static", "keep": [row.name for row in advice.layers if not row.int8]}
