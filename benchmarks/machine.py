"""Facts about this machine and what is installed: every result carries them."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.kernels import _core

PEERS = ("onnx", "onnxruntime", "ai-edge-litert", "tflite-runtime", "tflite", "openvino", "rich")


def describe_machine() -> dict[str, Any]:
    """Return CPU, kernel level, operating system and versions as plain data."""
    return {
        "cpu": cpu_model(),
        "architecture": platform.machine(),
        "features": _core.cpu_features(),
        "isa": _core.default_isa(),
        "isas": _core.available_isas(),
        "cpus": _core.usable_cpus(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "linnet": linnet.__version__,
        "extras": [f"{name} {v}" for name in PEERS if (v := _version(name)) is not None],
    }


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the CPU's name as the kernel tells it; the board's model where that says more."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown CPU"
    pairs = (line.partition(":") for line in reversed(lines))
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    return fields.get("model name") or fields.get("Model") or platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
