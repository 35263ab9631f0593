"""Release wheels run with glibc 2.17: what is newer has a form in old_glibc.cpp that does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest
from paths import ROOT

from linnet.kernels import _core

OLDEST = (2, 17)
# Of the static unwinder, which release wheels do without.
UNWINDER = {"_dl_find_object"}


def wrapped() -> set[str]:
    """Return the names that setup.py wraps."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WRAPPED":
            return set(ast.literal_eval(node.value))
    raise AssertionError("setup.py has no WRAPPED")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_kernels_need_no_newer_glibc_than_release_wheels_promise():
    command = ["nm", "-D", "--undefined-only", _core.__file__]
    listing = subprocess.check_output(command, text=True)
    needed = re.findall(r" U (\w+)@GLIBC_([\d.]+)", listing)
    newer = {name for name, version in needed if tuple(map(int, version.split("."))) > OLDEST}
    assert "pthread_create" in {name for name, _ in needed}, listing
    source = (ROOT / "kernels" / "src" / "core" / "old_glibc.cpp").read_text()
    replaced = {name for name in newer if f" {name} = " in source}
    left = sorted(newer - wrapped() - replaced - UNWINDER)
    assert not left, f"release wheels would need a glibc newer than 2.17 for {left}: see WRAPPED"
