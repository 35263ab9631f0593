"""linnet beside its peers: same model, same input, same run, taking turns round by round.

Every engine runs in a process of its own, so that none disturbs another's threads or memory, and a
drifting machine drifts for all of them. Outputs are compared before anything is timed: an engine
whose answer is not the reference's takes no part, because a wrong answer must not win. Turns count
in which every engine met a free core, because a shared one slows engines down differently.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from linnet.types import Array

from ..latency.spread import ratio_interval
from .agreement import compare_outputs
from .engines import ENGINES, OWNERS, installed, suits
from .turns import take_turns
from .worker import Worker

Share = Callable[[float], None]
# Of the interval: the time of either engine differs by this much from one process to the next.
PROCESSES_DIFFER = 0.03


def compare(
    path: str,
    feeds: dict[str, Array],
    threads: int,
    rounds: int,
    seconds: float,
    *,
    expected: list[Array] | None = None,
    tolerance: float = 0.0,
    engines: list[str] | None = None,
    share: Share = lambda done: None,
) -> dict[str, Any]:
    """Time every engine that reads a model and agrees on its answer.

    Parameters
    ----------
    path : str
        An ONNX or TFLite model, or a ``.linnet`` file (then linnet is alone).
    feeds : dict of str to ndarray
    threads, rounds : int
        Rounds are turns of each engine that count; more are taken where some do not.
    seconds : float
        Per engine and turn.
    expected : list of ndarray, optional
        The right outputs; by default what the format's own runtime gives.
    tolerance : float
        Allowed difference, see `linnet.benchmarks.peers.agreement`; 0 takes the usual one.
    engines : list of str, optional
        By default all that are installed and read the format.
    share : callable
        Told the share done, 0 to 1.

    Returns
    -------
    dict
        ``engines``: per engine ``status`` ("timed", "differs", "failed"), ``reason``,
        ``agreement``, ``median``, ``best``, ``rounds`` (medians, seconds), ``first`` (load and
        first run); ``reference``: who said what is right; ``ratio``: linnet over the fastest peer
        with ``low``, ``high`` and ``best`` (of best rounds); ``turns`` taken; ``valid``,
        ``problems``, ``warnings``.
    """
    chosen = [e for e in engines or ENGINES if installed(e) and suits(e, path)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "feeds.npz"
        np.savez(file, **feeds)  # type: ignore[arg-type]
        workers = {engine: Worker(engine, path, file, threads) for engine in chosen}
        try:
            report = _start(workers, path, expected, tolerance)
            timed = [w for e, w in workers.items() if report["engines"][e]["status"] == "timed"]
            turns = take_turns(timed, threads, rounds, seconds, share)
        finally:
            for worker in workers.values():
                worker.stop()
    for engine, worker in workers.items():
        found = report["engines"][engine]
        if worker.failed and found["status"] == "timed":
            found |= {"status": "failed", "reason": worker.failed}
        elif worker in timed:
            medians = turns.medians(worker)
            best = min(medians)
            found |= {"median": statistics.median(medians), "best": best, "rounds": medians}
    report |= turns.judge()
    report["ratio"] = _ratio(report["engines"])
    return report


def _start(
    workers: dict[str, Worker], path: str, expected: list[Array] | None, tolerance: float
) -> dict[str, Any]:
    """Wait for the first runs and hold the outputs against the reference."""
    # Engines load one after the other in their own time; the reading below puts them in order.
    said = {engine: worker.answer() for engine, worker in workers.items()}
    owner = OWNERS.get(Path(path).suffix.lower(), "")
    reference, right = "the given outputs", expected
    if right is None:
        names = [e for e in (owner, *workers) if e in workers and said[e]]
        reference = names[0] if names else "nobody"
        right = workers[names[0]].outputs() if names else []
    found: dict[str, Any] = {}
    for engine, worker in workers.items():
        if not said[engine]:
            found[engine] = {"status": "failed", "reason": worker.failed}
            continue
        quantized = said[engine].get("quantized", False) or _is_quantized(workers, said)
        agreement = compare_outputs(right, worker.outputs(), quantized, tolerance)
        found[engine] = {
            "status": "timed" if agreement.agrees else "differs",
            "reason": agreement.reason,
            "agreement": agreement.as_dict(),
            "first": said[engine]["first"],
        }
    return {"reference": reference, "engines": found}


def _is_quantized(workers: dict[str, Worker], said: dict[str, dict[str, Any]]) -> bool:
    mine = said.get("linnet") or {}
    if mine:
        return bool(mine["quantized"])
    return any(o.dtype.kind in "iu" for e in workers if said[e] for o in workers[e].outputs())


def _ratio(engines: dict[str, Any]) -> dict[str, Any] | None:
    """Return linnet's time over that of the fastest peer, round by round."""
    timed = {e: found for e, found in engines.items() if found["status"] == "timed"}
    mine = timed.pop("linnet", None)
    if mine is None or not timed:
        return None
    peer = min(timed, key=lambda e: timed[e]["median"])
    middle, low, high = ratio_interval(timed[peer]["rounds"], mine["rounds"], paired=True)
    least = 1 + PROCESSES_DIFFER
    low, high = min(low, middle / least), max(high, middle * least)
    best = mine["best"] / min(found["best"] for found in timed.values())
    return {"peer": peer, "ratio": middle, "low": low, "high": high, "best": best}


def inputs_of(path: Path) -> tuple[str, dict[str, Array]]:
    """Return a model's file and inputs: `case_of` without the expected outputs."""
    file, feeds, _ = case_of(path)
    return file, feeds


def case_of(path: Path) -> tuple[str, dict[str, Array], list[Array] | None]:
    """Return a model's file, inputs, and right outputs where they are known.

    A folder with ``cases.json`` gives its first case; a model file gets seeded random inputs.
    """
    if not path.is_dir():
        from linnet.commands.models import random_array
        from linnet.opening import open_graph

        graph = open_graph(str(path))
        generator = np.random.default_rng(0)
        names = graph.caller_inputs
        feeds = {name: random_array(graph.type_of(name), {}, generator) for name in names}
        return str(path), feeds, None
    about = json.loads((path / "cases.json").read_text())
    first = about["cases"][0]
    case, one_step = first["id"], about.get("stateful", False)
    with np.load(path / "cases.npz") as arrays:
        feeds = {t["name"]: arrays[f"{case}_in{k}"] for k, t in enumerate(about["inputs"])}
        count = sum(name.startswith(f"{case}_out") for name in arrays)
        outputs = [arrays[f"{case}_out{k}"] for k in range(count)]
    if one_step:
        return str(path / about["model"]), {name: a[0] for name, a in feeds.items()}, None
    return str(path / about["model"]), feeds, None if "sampled" in first else outputs
