"""Profiled runs as a Chrome trace: chrome://tracing, ui.perfetto.dev."""

from __future__ import annotations

from typing import Any

from linnet.profile import Profile


def chrome_trace(profile: Profile) -> dict[str, Any]:
    """Return a profile's traced runs in the Trace Event Format; microseconds from the first.

    References
    ----------
    Trace Event Format, "Complete Events" (``ph`` "X").
    """
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": name}}
        for tid, name in ((1, "runs"), (2, "nodes"))
    ]
    begin = profile.events[0][0] if profile.events else 0.0
    for index, (start, seconds, nodes) in enumerate(profile.events):
        run = {"ph": "X", "pid": 1, "cat": "run", "args": {}}
        times = {"ts": 1e6 * (start - begin), "dur": 1e6 * seconds}
        events.append({**run, **times, "tid": 1, "name": f"run {index}"})
        for event in nodes:
            row = profile.rows[event.node]
            events.append(
                {
                    **run,
                    "cat": row["op"],
                    "tid": 2,
                    "name": row["name"] or row["op"],
                    "ts": 1e6 * (event.start - begin),
                    "dur": 1e6 * event.seconds,
                    "args": {name: row[name] for name in ("op", "kernel", "macs", "bytes")},
                }
            )
    return {"traceEvents": events, "displayTimeUnit": "ns"}
