"""Whole models: the examples of this repository, and the real ones where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linnet
from linnet.benchmarks.peers.compare import case_of
from linnet.kernels import _core
from linnet.opening import open_graph
from linnet.types import Array

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits"
REAL = Path(os.environ.get("LINNET_MODELS", ROOT.parent / "shared" / "models"))
NAMES = (
    "mlperf_ad_int8", "mlperf_kws_int8", "mlperf_vww_int8", "mlperf_ic_resnet8_int8",
    "mobilenet_v1_025_224_fp32", "mobilenet_v2_ptq_int8", "stories260k_prefill",
)  # fmt: skip
MODELS = [*sorted(DIGITS.glob("*.onnx")), *(REAL / n for n in NAMES if (REAL / n).is_dir())]


def model_and_feeds(path: Path) -> tuple[str, dict[str, Array]]:
    """Return a model's file and its inputs."""
    if path.is_dir():
        file, feeds, _ = case_of(path)
        return file, feeds
    return str(path), {"image": np.load(DIGITS / "heldout.npz")["images"][:1]}


@pytest.mark.parametrize("threads", sorted({1, _core.usable_cpus()}))
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
@pytest.mark.benchmark(group="models", max_time=0.1, warmup=True, warmup_iterations=3)
def test_model(benchmark: Any, path: Path, threads: int) -> None:
    """Time a run, inputs handed in and outputs taken out."""
    file, feeds = model_and_feeds(path)
    session = linnet.load(open_graph(file), threads=threads)
    assert benchmark(session.run, feeds)
    benchmark.extra_info["isa"] = session.plan({n: a.shape for n, a in feeds.items()}).program.isa


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
@pytest.mark.benchmark(group="models: load", max_time=0.1)
def test_load_model(benchmark: Any, path: Path, tmp_path: Path) -> None:
    """Time opening a file: reading, checking, planning, packing, binding."""
    target = tmp_path / "model.linnet"
    linnet.save(open_graph(model_and_feeds(path)[0]), target)
    assert benchmark(linnet.load, target, threads=1)
