"""Time per node of a session's runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .session import Session
from .types import Array


def profile_nodes(session: Session, feeds: Mapping[str, Array], runs: int) -> list[dict[str, Any]]:
    """Return the mean time of every node over some runs.

    Parameters
    ----------
    session : Session
    feeds : mapping of str to ndarray
    runs : int
        Runs to average over.

    Returns
    -------
    list of dict
        Per node in running order: ``name``, ``op``, ``kernel`` ("host step" where the NumPy
        reference ran, "view" where nothing had to run), ``seconds``, ``macs``, ``bytes``.
    """
    session.run(feeds)
    plan = session.plan({name: array.shape for name, array in feeds.items()})
    hosts = [0.0] * len(plan.spans)
    plan.program.profile(True)
    try:
        for _ in range(runs):
            for index, span in enumerate(plan.spans):
                if span.host is None:
                    plan.program.run(span.begin, span.end)
                    continue
                start = time.perf_counter()
                span.host()
                hosts[index] += time.perf_counter() - start
        times = plan.program.times
    finally:
        plan.program.profile(False)
    rows = []
    for index, span in enumerate(plan.spans):
        native = sum(times[span.begin : span.end]) * 1e-9
        names = [plan.program.steps[i][0] for i in range(span.begin, span.end)]
        cost = span.item.node.op.cost(span.item.types)
        rows.append(
            {
                "name": span.item.node.name,
                "op": type(span.item.node.op).__name__,
                "kernel": "host step" if span.host else "+".join(names) or "view",
                "seconds": (native + hosts[index]) / runs,
                "macs": int(cost.macs),
                "bytes": int(cost.bytes),
            }
        )
    return rows
