"""Pytest plugin of test.sh: skips what needs a package that the machine has no wheel of.

And what reads its own memory map, which 32-bit emulation shows with the emulator's addresses, and
what starts a browser, which would be the host's.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

import pytest

PEERS = ("onnx", "onnxruntime", "ai_edge_litert")
READS_ITS_MAP = "test_pages.py"
STARTS_A_BROWSER = "test_the_page_shows_its_charts_in_a_browser"


class Absent:
    """The last importer asked: nobody else has found the package."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Skip the test, or the module, that imports it."""
        if name in PEERS:
            reason = f"PyPI has no wheel of {name} for {platform.machine()}"
            pytest.skip(reason, allow_module_level=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that meet the host instead of the board."""
    for item in items:
        if item.name == STARTS_A_BROWSER:
            item.add_marker(pytest.mark.skip(reason="the browser here is the host's"))
        if sys.maxsize < 2**32 and item.path.name == READS_ITS_MAP:
            item.add_marker(pytest.mark.skip(reason="/proc/self/smaps is the emulator's"))


sys.meta_path.append(Absent())
