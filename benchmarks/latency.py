"""Latency of one model: load, first run, a distribution of runs, time per node."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import linnet
from linnet.graph import Graph
from linnet.profile import profile_nodes
from linnet.types import Array

Share = Callable[[float], None]


def measure(
    graph: Graph,
    feeds: dict[str, Array],
    threads: int,
    seconds: float,
    warmup: float,
    share: Share = lambda done: None,
) -> dict[str, Any]:
    """Time a model.

    Parameters
    ----------
    graph : Graph
    feeds : dict of str to ndarray
    threads : int
    seconds, warmup : float
        Seconds of measured runs and of runs before them. At least ten runs are measured.
    share : callable
        Told the share done, 0 to 1.

    Returns
    -------
    dict
        Seconds: ``load``, ``first``, ``min``, ``mean``, ``p50``, ``p90``, ``p95``, ``p99``;
        ``variation`` (standard deviation over mean), ``runs``, ``samples`` (every run),
        ``arena_bytes``, ``nodes`` (seconds per node of a separate, profiled set of runs).
    """
    start = time.perf_counter()
    session = linnet.load(graph, threads=threads)
    loaded = time.perf_counter()
    session.run(feeds)
    first = time.perf_counter() - loaded
    repeat(lambda: session.run(feeds), warmup, 1)
    samples = repeat(lambda: session.run(feeds), seconds, 10, share)
    nodes = profile_nodes(session, feeds, max(1, min(len(samples) // 4, 200)))
    plan = session.plan({name: array.shape for name, array in feeds.items()})
    return {
        "threads": threads,
        "load": loaded - start,
        "first": first,
        **summarize(samples),
        "arena_bytes": plan.memory.arena_bytes,
        "samples": samples.tolist(),
        "nodes": nodes,
    }


def repeat(
    run: Callable[[], object], seconds: float, least: int, share: Share = lambda done: None
) -> Array:
    """Return the duration of each run, repeated for a time and at least ``least`` times."""
    samples: list[float] = []
    begin = time.perf_counter()
    shown = begin
    while True:
        start = time.perf_counter()
        run()
        end = time.perf_counter()
        samples.append(end - start)
        if end - begin >= seconds and len(samples) >= least:
            return np.array(samples)
        if end - shown > 0.1:
            shown = end
            share(min((end - begin) / max(seconds, 1e-9), 1.0))


def summarize(samples: Array) -> dict[str, float]:
    """Return the distribution's figures, in seconds.

    Examples
    --------
    >>> summarize(np.array([1.0, 2.0, 3.0]))["p50"]
    2.0
    """
    p50, p90, p95, p99 = (float(v) for v in np.percentile(samples, [50, 90, 95, 99]))
    mean = float(samples.mean())
    return {
        "min": float(samples.min()),
        "mean": mean,
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "variation": float(samples.std() / mean) if mean > 0 else 0.0,
        "runs": len(samples),
    }
