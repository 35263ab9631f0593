"""Nothing is left out: every op has a case, every kernel row a case and a benchmark."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec
from cases import CASES
from paths import ROOT

from linnet import ops
from linnet.kernels import _core
from linnet.ops import Op

OPS = ROOT / "runtime" / "ops"


def rows_of(cases) -> set[str]:
    """The rows that cases say they execute; tests/ops/test_cases.py holds them to it."""
    return {row for case in cases for row in case.kernels | case.shared}


def test_every_op_has_a_case():
    covered = {type(case.op) for case in CASES.values()}
    missing = [name for name, op in Op.registry.items() if op not in covered]
    assert not missing, f"no case in tests/cases for the ops {missing}"


def test_every_attribute_is_set_by_a_case():
    """A case with the default alone would not notice an attribute that is ignored."""
    missing = []
    for name, op in Op.registry.items():
        made = [case.op for case in CASES.values() if type(case.op) is op]
        for field in msgspec.structs.fields(op):
            if all(getattr(one, field.name) == field.default for one in made):
                missing.append(f"{name}.{field.name}")
    assert not missing, f"no case in tests/cases sets the attributes {missing}"


def served_rows() -> set[str]:
    """Kernel rows that ops bind; those that measure the machine have tests/kernels/test_peak.py."""
    return {row for row in _core.kernel_rows() if not row.startswith("peak_")}


def test_every_kernel_row_has_a_case():
    missing = sorted(served_rows() - rows_of(CASES.values()))
    assert not missing, f"no case in tests/cases executes the kernel rows {missing}"
    unknown = sorted(rows_of(CASES.values()) - set(_core.kernel_rows()))
    assert not unknown, f"cases in tests/cases name kernel rows that do not exist: {unknown}"


def test_every_kernel_row_has_a_benchmark():
    benched = rows_of(case for case in CASES.values() if case.bench)
    missing = sorted(served_rows() - benched)
    assert not missing, f"no case in tests/cases with bench=True executes {missing}"


def test_every_benchmark_runs_a_kernel():
    idle = [name for name, case in CASES.items() if case.bench and not case.kernels]
    assert not idle, f"cases with bench=True run as host steps: {idle}"


def siblings(path: Path) -> Iterator[str]:
    """Modules of the same folder that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from [node.module] if node.module else [alias.name for alias in node.names]


def test_every_file_of_ops_is_imported():
    found, waiting = {"__init__"}, ["__init__"]
    while waiting:
        for name in siblings(OPS / f"{waiting.pop()}.py"):
            if name not in found:
                found.add(name)
                waiting.append(name)
    left = sorted(path.name for path in OPS.glob("*.py") if path.stem not in found)
    assert not left, f"runtime/ops/__init__.py does not lead to {left}"


def test_the_table_of_families_is_true():
    """Ops are found by it before their file is read."""
    files = {path.stem for path in OPS.glob("*.py")} - {"__init__", "base"}
    modules = {name: import_module(f"linnet.ops.{name}") for name in sorted(files)}
    defined: dict[str, list[str]] = {}
    for name, op in Op.registry.items():
        family = op.__module__.rpartition(".")[2]
        if modules.get(family) is not None:
            defined.setdefault(family, []).append(name)
    listed = {family: sorted(names.split()) for family, names in ops.FAMILIES.items()}
    assert listed == {family: sorted(names) for family, names in defined.items()}


def test_every_op_is_public():
    hidden = [name for name, op in Op.registry.items() if getattr(ops, name, None) is not op]
    assert not hidden, f"linnet.ops does not offer {hidden}: add them to their file's __all__"


def test_every_family_of_cases_is_in_the_table():
    folder = ROOT / "tests" / "cases"
    listed = set(siblings(folder / "__init__.py"))
    left = sorted(p.name for p in folder.glob("*.py") if p.stem not in listed | {"__init__"})
    assert not left, f"tests/cases/__init__.py does not import {left}"


def test_ops_that_came_after_revision_1_say_so():
    listed = ROOT / "tests" / "golden" / "revision1_ops.txt"
    first = set(listed.read_text(encoding="utf-8").split())
    wrong = [name for name, op in Op.registry.items() if (op.since == 1) != (name in first)]
    assert not wrong, f"give these ops `since: ClassVar[int] = 2` (FORMAT.md, Revisions): {wrong}"
