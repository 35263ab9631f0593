"""Format, lint, types, spelling: the tools' own verdicts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT, TOP_FOLDERS

BIN = Path(sys.executable).parent


def tool(*command: str, **environment: str) -> None:
    path = shutil.which(command[0], path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    assert path, f"{command[0]} is not installed: pip install '.[dev]'"
    result = subprocess.run(
        [path, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def cpp_files() -> list[str]:
    folder = ROOT / "kernels" / "src"
    return [str(p) for p in sorted(folder.rglob("*")) if p.suffix in {".cpp", ".h"}]


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
def test_ruff(arguments):
    tool("ruff", *arguments, ".")


def test_clang_format():
    tool("clang-format", "--dry-run", "-Werror", *cpp_files())


def test_codespell():
    tool("codespell", *TOP_FOLDERS.values(), "tests", "examples")


def test_mypy_strict():
    subprocess.run([sys.executable, "setup.py", "-q", "mirror"], cwd=ROOT, check=True)
    tool("mypy", "--strict", "-p", "linnet", MYPYPATH="build/tree")


def test_no_machine_paths_in_tracked_text():
    texts = [p for p in ROOT.rglob("*") if p.suffix in {".py", ".md", ".toml", ".h", ".cpp"}]
    found = []
    for path in texts:
        parts = path.relative_to(ROOT).parts
        if parts[0] in {".venv", "build", "dist", ".git"}:
            continue
        for word in tuple(f"/{name}/" for name in ("root", "work", "home")):
            if word in path.read_text(errors="replace"):
                found.append(f"{path.relative_to(ROOT)}: {word}")
    assert not found
