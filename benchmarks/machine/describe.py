"""Facts about this machine and what is installed: every result carries them."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import numpy as np

import linnet
from linnet.kernels import _core

from .system import System

PEERS = (
    "onnx", "onnxruntime", "ai-edge-litert", "tflite-runtime", "tflite", "openvino", "ncnn", "rich",
)  # fmt: skip


def describe_machine(system: System | None = None) -> dict[str, Any]:
    """Return CPU, kernel level, operating system, settings and versions as plain data."""
    machine = system or System()
    allowed, possible = machine.frequency_limits()
    return {
        "cpu": machine.cpu_model(),
        "architecture": platform.machine(),
        "features": _core.cpu_features(),
        "isa": _core.default_isa(),
        "isas": _core.available_isas(),
        "cpus": _core.usable_cpus(),
        "affinity": sorted(machine.cpus),
        "quota": machine.quota(),
        "governors": machine.governors(),
        "frequency_limits_khz": [allowed, possible],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "linnet": linnet.__version__,
        "extras": [f"{name} {v}" for name in PEERS if (v := _version(name)) is not None],
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
