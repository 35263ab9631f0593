"""Reading the real models' cases and judging outputs by them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

QUANTIZED = ("int8", "dynamic range", "QDQ", "QOperator", "hybrid", "int4", "int16")


@dataclass(frozen=True)
class Cases:
    """One model folder: its file, and inputs and reference outputs per case."""

    folder: Path
    about: dict[str, Any]
    arrays: Any
    spread: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Cases:
        about = json.loads((folder / "cases.json").read_text())
        spread = json.loads((folder / "spread.json").read_text())["outputs"]
        return cls(folder, about, np.load(folder / "cases.npz"), spread)

    @property
    def model(self) -> Path:
        return self.folder / self.about["model"]

    @property
    def quantized(self) -> bool:
        return any(word in self.about["kind"] for word in QUANTIZED)

    def feeds(self, case: dict[str, Any]) -> dict[str, np.ndarray]:
        names = [tensor["name"] for tensor in self.about["inputs"]]
        return {name: self.arrays[f"{case['id']}_in{k}"] for k, name in enumerate(names)}

    def run(self, session: Any, case: dict[str, Any]) -> dict[str, np.ndarray]:
        """Run a case from the initial state; stateful models get their inputs step by step."""
        session.reset()
        feeds = self.feeds(case)
        if not self.about["stateful"]:
            return session.run(feeds)
        count = len(next(iter(feeds.values())))
        steps = [session.run({name: a[i] for name, a in feeds.items()}) for i in range(count)]
        return {name: np.stack([step[name] for step in steps]) for name in steps[0]}

    def problems(self, case: dict[str, Any], outputs: dict[str, np.ndarray]) -> list[str]:
        """Return what is wrong with the outputs of one case; empty where all is right."""
        found = []
        for k, tensor in enumerate(self.about["outputs"]):
            got = outputs.get(tensor["name"], list(outputs.values())[k])
            want = self.arrays[f"{case['id']}_out{k}"]
            if list(got.shape) != list(case["out_shapes"][k]) or str(got.dtype) != tensor["dtype"]:
                found.append(f"{tensor['name']}: {got.dtype}{list(got.shape)}")
                continue
            stride = case.get("sampled", {}).get(f"out{k}")
            got = got.reshape(-1)[::stride] if stride else got
            gap, allowed = self.distance(k, got, want)
            if gap > allowed:
                found.append(f"{tensor['name']}: off by {gap:.4g}, allowed {allowed:.4g}")
        return found

    def distance(self, k: int, got: np.ndarray, want: np.ndarray) -> tuple[float, float]:
        """Return how far an output is from its reference and how far it may be.

        The allowance is what the reference runtime's own optimized kernels stray, or one step of
        a quantized output, or 1e-4 of the largest value of a float one.
        """
        left, right = got.astype("f8").reshape(-1), want.astype("f8").reshape(-1)
        stray = self.spread.get(f"out{k}", {}).get("max_abs_diff", 0.0) or 0.0
        if want.dtype.kind in "iu" and want.dtype.itemsize >= 4:
            return float((left != right).mean()), 0.01 if self.quantized else 0.001
        if not np.isfinite(left).all() and np.isfinite(right).all():
            return float("inf"), 0.0
        gap = float(np.abs(left - right).max(initial=0.0))
        top = float(np.abs(right).max(initial=1e-9))
        if not self.quantized:
            return gap, max(3 * stray, 1e-4 * top)
        if want.dtype.kind in "iu":
            return gap, max(stray, 1.0)
        return gap, max(1.5 * stray, 0.01 * top)
