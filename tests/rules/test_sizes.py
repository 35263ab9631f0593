"""Small files: 600 lines at the very most, 400 as a rule."""

from __future__ import annotations

import subprocess

from paths import ROOT

ENDINGS = (".py", ".pyx", ".pyi", ".cpp", ".h", ".inc")
HARD, SOFT, SOFT_SHARE = 600, 400, 0.05


def sources() -> dict[str, int]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    if not listed:
        listed = [
            str(p.relative_to(ROOT))
            for folder in ("runtime", "kernels", "converters", "benchmarks", "tests")
            for p in (ROOT / folder).rglob("*")
        ]
    found = {}
    for name in listed:
        path = ROOT / name
        if name.endswith(ENDINGS) and path.is_file():
            found[name] = len(path.read_text().splitlines())
    return found


def test_no_file_is_longer_than_the_hard_limit():
    too_long = {name: lines for name, lines in sources().items() if lines > HARD}
    assert not too_long


def test_few_files_are_longer_than_the_soft_limit():
    sizes = sources()
    longer = {name: lines for name, lines in sizes.items() if lines > SOFT}
    assert len(sizes) > 50
    assert len(longer) <= SOFT_SHARE * len(sizes), longer
