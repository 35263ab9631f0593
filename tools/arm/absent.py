"""Pytest plugin of test.sh: skips what needs a package that the machine has no wheel of.

And what reads its own memory map, which 32-bit emulation shows with the emulator's addresses.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

import pytest

PEERS = ("onnx", "onnxruntime", "ai_edge_litert")
READS_ITS_MAP = "test_pages.py"


class Absent:
    """The last importer asked: nobody else has found the package."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Skip the test, or the module, that imports it."""
        if name in PEERS:
            reason = f"PyPI has no wheel of {name} for {platform.machine()}"
            pytest.skip(reason, allow_module_level=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that read their memory map, where the emulator shows another."""
    for item in items:
        if sys.maxsize < 2**32 and item.path.name == READS_ITS_MAP:
            item.add_marker(pytest.mark.skip(reason="/proc/self/smaps is the emulator's"))


sys.meta_path.append(Absent())
