"""Pruning: channels that matter least are cut out of a float graph, which becomes smaller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from linnet import ops
from linnet.errors import CalibrationError, UnsupportedError
from linnet.graph import Graph
from linnet.types import Array

from ..quantization.methods import Job
from ..quantization.observe import watch
from .channels import Channels, Space, magnitude
from .counts import Chooser, Ranked, Times
from .refit import refit
from .shrink import Moments as Moments
from .shrink import shrink

RECORD = "pruning"
IMPORTANCE = ("magnitude", "activation")
READERS = (ops.Conv2D, ops.FullyConnected)


def prune_channels(
    graph: Graph,
    share: float,
    importance: str = "magnitude",
    job: Job | None = None,
    align: int = 0,
    times: Times | None = None,
) -> Graph:
    """Remove the least important channels of every layer whose channels can go.

    Parameters
    ----------
    graph : Graph
        In float; it is not changed.
    share : float
        Share of the channels to remove of each layer, from 0 up to 1.
    importance : {"magnitude", "activation"}
        Norm of a channel's weights, or of its activations times the weights that read them.
    job : Job, optional
        Samples and what runs a graph; needed by "activation". With it, the remaining weights are
        fitted to what the whole graph makes of the samples.
    align : int
        Keep a multiple of this many channels, at least as many as the share leaves. 0 keeps the
        nearest number that fills the int8 kernels' vectors; see `aligned`.
    times : callable, optional
        What a node takes by its numbers of channels. With it the share is that of all channels, and
        layers lose what saves most time for the least importance; see `counts`.

    Returns
    -------
    Graph
        Its metadata entry "pruning" says what was done.

    Raises
    ------
    UnsupportedError
        If no layer has channels that can go.
    CalibrationError
        If ``importance`` needs samples and there are none.
    """
    if not 0.0 <= share < 1.0 or importance not in IMPORTANCE or align < 0:
        raise UnsupportedError(
            f"share {share}, importance '{importance}', align {align}; expected a share from 0 "
            f"below 1, one of {', '.join(IMPORTANCE)}, and no negative number"
        )
    channels = Channels(graph)
    spaces = channels.spaces()
    if not spaces:
        raise UnsupportedError(f"'{graph.name}' has no layer whose channels can be removed")
    known: Mapping[str, Moments] = {}
    if job is not None:
        read = {n.inputs[0] for n in graph.nodes if isinstance(n.op, READERS)}
        read |= {node.outputs[0] for space in spaces for node in space.nodes}
        known = _moments(
            graph, {n: channels.labels[n].size for n in channels.labels if n in read}, job
        )
    elif importance == "activation":
        raise CalibrationError("importance 'activation' needs data; give some samples")
    ranked = [_ranked(channels, space, importance, known) for space in spaces]
    if times is not None:
        counts = Chooser(channels, ranked, times).choose(share)
    else:
        sizes = [len(space.classes) for space in ranked]
        counts = [n - aligned(max(n - int(n * share + 1e-9), 1), n, align) for n in sizes]
    pairs = zip(ranked, counts, strict=True)
    gone = {int(cls) for space, count in pairs for cls in space.classes[:count]}
    made = shrink(channels, gone, known)
    record: dict[str, Any] = {"share": share, "importance": importance, "removed": len(gone)}
    if job is not None:
        kept = {name: ~np.isin(found, list(gone)) for name, found in channels.classes.items()}
        record["refitted"] = refit(graph, made, kept, job)
    made.metadata[RECORD] = json.dumps(record)
    return made


def _moments(graph: Graph, sizes: dict[str, int], job: Job) -> dict[str, Moments]:
    """Return the moments of some values over all samples."""
    moments = {name: Moments(size) for name, size in sizes.items()}

    def see(values: Mapping[str, Array]) -> None:
        for name, moment in moments.items():
            moment.add(values[name])

    watch(graph, job, sizes, see, 0.0)
    return moments


def _ranked(
    channels: Channels, space: Space, importance: str, known: Mapping[str, Moments]
) -> Ranked:
    """Return the classes of a space in the order of their importance."""
    scores: dict[int, float] = dict.fromkeys((int(c) for c in space.classes), 0.0)
    for node in space.nodes:
        name = node.outputs[0]
        if importance == "activation" and name in known:
            values = _activation(channels, name, known[name].power)
        else:
            values = magnitude(channels.graph, node)
        for cls, score in zip(channels.classes[name], values, strict=True):
            if int(cls) in scores:
                scores[int(cls)] += float(score)
    ordered = sorted(scores, key=lambda cls: scores[cls])
    return Ranked(np.array(ordered), np.array([scores[cls] for cls in ordered]))


def aligned(keep: int, size: int, align: int = 0) -> int:
    """Return how many of a layer's channels to keep, where a share of them would leave ``keep``.

    int8 kernels compute 16 outputs at a time from 4 inputs at a time: channels beyond a multiple
    cost what the next multiple does. By default layers keep the nearest multiple of 16, those of
    less than 48 channels the nearest multiple of 4; where that removes nothing, ``keep``.

    Examples
    --------
    >>> aligned(45, 64), aligned(13, 18), aligned(6, 8), aligned(45, 64, align=32)
    (48, 12, 6, 64)
    """
    if align:
        return min(-(-keep // align) * align, size)
    unit = 16 if size >= 48 else 4
    nearest = max(round(keep / unit), 1) * unit
    return nearest if nearest < size else keep


def _activation(channels: Channels, name: str, square: Array) -> Array:
    """Return the power of a value's channels times that of the weights which read them."""
    graph = channels.graph
    power = np.zeros(square.size)
    for node in graph.consumers()[name]:
        weights = graph.constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if weights is not None and weights.ndim > 1 and weights.shape[-1] == square.size:
            power += np.square(weights, dtype=np.float64).reshape(-1, square.size).sum(axis=0)
    scores = np.sqrt(square * (power if power.any() else 1.0))
    return np.asarray(scores / max(float(scores.mean()), 1e-30))


def zeros(graph: Graph) -> tuple[int, int]:
    """Return how many of the weights in matrices and kernels are exactly zero, and how many are."""
    arrays = [v.data for v in graph.values.values() if v.data is not None and v.data.ndim > 1]
    arrays = [a for a in arrays if a.dtype.kind in "fi"]
    return sum(int(a.size - np.count_nonzero(a)) for a in arrays), sum(a.size for a in arrays)
