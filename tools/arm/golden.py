"""The same int8 bytes on every machine: recorded on this one, checked under emulation.

golden.py record FOLDER [MODEL...]: convert models, run them at every ISA of this CPU, keep inputs
and outputs. Real models where they are found, and the repository's own always.
golden.py check FOLDER [MODEL...]: run the recorded models at every ISA of this CPU with one and two
threads. Integer outputs must be the same bytes; float outputs may differ by rounding.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.kernels import _core

TOP = Path(__file__).resolve().parent.parent.parent
MODELS = Path(os.environ.get("LINNET_MODELS", TOP.parent / "shared" / "models"))
TOLERANCE = 1e-3  # of the largest output, where that is float


def filled(rng: Any, spec: Any) -> Any:
    """Return a random input of a small size for every symbolic dimension."""
    shape = [d if isinstance(d, int) else 2 for d in spec.shape]
    kind = spec.dtype
    if np.issubdtype(kind, np.integer):
        info = np.iinfo(kind)
        return rng.integers(max(info.min, -128), min(info.max, 127) + 1, shape).astype(kind)
    return rng.standard_normal(shape).astype(kind)


def sources(wanted: list[str]) -> dict[str, Path]:
    """Return model files by name: the real ones, and those that the repository holds."""
    own = {f"own_{p.stem}": p for p in sorted((TOP / "tests" / "golden").glob("*.linnet"))}
    real = {}
    if MODELS.is_dir():
        files = [*MODELS.glob("*/model.tflite"), *MODELS.glob("*/model.onnx")]
        real = {file.parent.name: file for file in sorted(files)}
    return {n: p for n, p in (own | real).items() if not wanted or n in wanted or n in own}


def record(folder: Path, wanted: list[str]) -> None:
    """Convert and run every model that linnet takes."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for name, source in sources(wanted).items():
        try:
            graph = linnet.convert(source) if source.suffix != ".linnet" else source
            session = linnet.load(graph, threads=1)
        except linnet.LinnetError as refused:
            print(f"{name}: not recorded: {str(refused).splitlines()[0]}")
            continue
        rng = np.random.default_rng(7)
        feeds = {spec.name: filled(rng, spec) for spec in session.inputs}
        try:
            runs = [
                linnet.load(graph, threads=1, isa=isa).run(feeds) for isa in _core.available_isas()
            ]
        except linnet.LinnetError as refused:
            print(f"{name}: not recorded: {str(refused).splitlines()[0]}")
            continue
        for found in runs[1:]:
            compare(name, found, runs[0])
        if source.suffix == ".linnet":
            (folder / f"{name}.linnet").write_bytes(source.read_bytes())
        else:
            linnet.save(graph, folder / f"{name}.linnet")
        arrays = {f"in {k}": v for k, v in feeds.items()} | {
            f"out {k}": v for k, v in runs[0].items()
        }
        np.savez(folder / f"{name}.npz", **arrays)
        kept.append(name)
    print(f"recorded {len(kept)} models at {', '.join(_core.available_isas())}")


def compare(name: str, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise AssertionError where outputs differ by more than they may."""
    for key, value in expected.items():
        if np.issubdtype(value.dtype, np.inexact):
            bound = TOLERANCE * max(float(np.abs(value).max(initial=0)), 1e-6)
            np.testing.assert_allclose(found[key], value, rtol=0, atol=bound, err_msg=name)
        else:
            np.testing.assert_array_equal(found[key], value, err_msg=name)


def check(folder: Path, wanted: list[str]) -> None:
    """Run what was recorded at every level; fail on the first difference."""
    count = 0
    for path in sorted(folder.glob("*.npz")):
        if wanted and path.stem not in wanted:
            continue
        arrays = np.load(path)
        feeds = {k[3:]: arrays[k] for k in arrays.files if k.startswith("in ")}
        expected = {k[4:]: arrays[k] for k in arrays.files if k.startswith("out ")}
        for isa in _core.available_isas():
            for threads in (1, 2):
                session = linnet.load(folder / f"{path.stem}.linnet", threads=threads, isa=isa)
                compare(f"{path.stem} at {isa}", session.run(feeds), expected)
        count += 1
    if not count:
        raise SystemExit(f"no recorded models in {folder}")
    print(f"{count} models give the same bytes at {', '.join(_core.available_isas())}")


if __name__ == "__main__":
    {"record": record, "check": check}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3:])
