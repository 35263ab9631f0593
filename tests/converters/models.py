"""Real models outside the repository, their stored cases and the tolerances to hold them to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linnet.types import Array

FOLDER = Path(os.environ.get("LINNET_MODELS", Path(__file__).parents[3] / "shared" / "models"))
_QUANTIZED = ("int8", "dynamic range", "QDQ", "QOperator", "hybrid", "int4", "int16")
Runner = Callable[[dict[str, Array]], dict[str, Array]]


def model_path(name: str) -> Path:
    """Return a model's file; the test is skipped where the models are not there."""
    folder = FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set LINNET_MODELS to the folder of real models")
    return folder / str(json.loads((folder / "cases.json").read_text())["model"])


def check_cases(name: str, run: Runner, limit: int | None = None) -> list[str]:
    """Run the stored cases of a model and return every output that strays too far."""
    folder = FOLDER / name
    about = json.loads((folder / "cases.json").read_text())
    spread = json.loads((folder / "spread.json").read_text())["outputs"]
    arrays = np.load(folder / "cases.npz")
    quantized = any(word in about["kind"] for word in _QUANTIZED)
    problems = []
    for case in about["cases"][:limit]:
        feeds = {t["name"]: arrays[f"{case['id']}_in{k}"] for k, t in enumerate(about["inputs"])}
        made = run(feeds)
        for k, output in enumerate(about["outputs"]):
            got = made.get(output["name"], list(made.values())[k])
            expected = arrays[f"{case['id']}_out{k}"]
            where = f"case {case['id']} output {output['name']}"
            if list(got.shape) != list(case["out_shapes"][k]) or str(got.dtype) != output["dtype"]:
                problems.append(
                    f"{where}: {got.dtype}{got.shape}, expected {case['out_shapes'][k]}"
                )
                continue
            step = case.get("sampled", {}).get(f"out{k}")
            got = got.reshape(-1)[::step] if step else got
            stray = spread.get(f"out{k}", {}).get("max_abs_diff") or 0.0
            off, allowed = _distance(got, expected, stray, quantized)
            if not off <= allowed:
                problems.append(f"{where}: off by {off:.4g}, allowed {allowed:.4g}")
    return problems


def _distance(got: Array, expected: Array, stray: float, quantized: bool) -> tuple[float, float]:
    """Return how far an output is off and how far it may be."""
    g, r = got.astype(np.float64).reshape(-1), expected.astype(np.float64).reshape(-1)
    if not r.size:
        return 0.0, 0.0
    if expected.dtype.kind in "iu" and expected.dtype.itemsize >= 4:
        return float((g != r).mean()), 0.01 if quantized else 0.001
    top = max(float(np.abs(r).max()), 1e-9)
    off = float(np.abs(g - r).max())
    if not quantized:
        return off, max(3 * stray, 1e-4 * top)
    if expected.dtype.kind in "iu":
        return off, max(stray, 1.0)
    return off, max(1.5 * stray, 0.01 * top)
