"""Who may import whom: ARCHITECTURE.md's table, checked against every import statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from paths import ROOT, TOP_FOLDERS

# Module prefix -> prefixes of linnet that it may import; the longest matching row counts.
MAY_IMPORT = {
    "linnet.errors": (),
    "linnet.spec": ("linnet.errors",),
    "linnet.panels": ("linnet.spec",),
    "linnet.types": ("linnet.errors", "linnet.panels", "linnet.spec"),
    "linnet.model_file": ("linnet.errors", "linnet.spec"),
    "linnet.plan_store": (
        "linnet.kernels", "linnet.model_file", "linnet.spec", "linnet.plan_writer",
    ),
    "linnet.plan_writer": ("linnet.plan_store", "linnet.spec"),
    "linnet.dims": ("linnet.types", "linnet.errors"),
    "linnet.ops": (
        "linnet.ops", "linnet.types", "linnet.errors", "linnet.dims", "linnet.panels",
    ),
    "linnet.graph": ("linnet.ops", "linnet.types", "linnet.errors"),
    "linnet.planner": ("linnet.types", "linnet.errors"),
    "linnet.plan_check": ("linnet.errors",),
    "linnet.specialize": ("linnet.graph", "linnet.ops", "linnet.types", "linnet.errors"),
    "linnet.byte_function": ("linnet.ops", "linnet.types"),
    "linnet.fusion": (
        "linnet.byte_function", "linnet.graph", "linnet.specialize", "linnet.types",
    ),
    "linnet.buffers": ("linnet.planner", "linnet.specialize", "linnet.types"),
    "linnet.reference": ("linnet.graph", "linnet.ops", "linnet.types"),
    "linnet.format": (
        "linnet.format", "linnet.graph", "linnet.ops", "linnet.types", "linnet.errors",
        "linnet.model_file", "linnet.panels",
    ),
    "linnet.kernels": ("linnet.kernels",),
    "linnet.converters": (
        "linnet.converters", "linnet.graph", "linnet.ops", "linnet.types", "linnet.errors",
        "linnet.dims", "linnet.format.writer", "linnet.reference", "linnet.specialize",
    ),
    "linnet.binding": (
        "linnet.kernels", "linnet.buffers", "linnet.errors", "linnet.fusion", "linnet.graph",
        "linnet.plan_check", "linnet.planner", "linnet.specialize", "linnet.types", "linnet.ops",
    ),
    "linnet.executor": (
        "linnet.kernels", "linnet.binding", "linnet.errors", "linnet.graph", "linnet.ops",
        "linnet.plan_store", "linnet.specialize", "linnet.types",
    ),
    "linnet.session": (
        "linnet.kernels", "linnet.binding", "linnet.errors", "linnet.executor", "linnet.format",
        "linnet.feeds", "linnet.graph", "linnet.model_file", "linnet.plan_store", "linnet.spec",
        "linnet.state", "linnet.types",
    ),
    "linnet.feeds": ("linnet.errors", "linnet.spec"),
    "linnet.state": ("linnet.graph", "linnet.spec", "linnet.types", "linnet.errors"),
    "linnet": ("linnet",),
    "linnet.benchmarks": ("linnet",),
}  # fmt: skip
# The device side needs nothing else.
THIRD_PARTY = {
    "linnet": {
        "numpy",
        "msgspec",
        "rich",
        "PIL",
        "onnxruntime",
        "ai_edge_litert",
        "tflite_runtime",
    },
    "linnet.commands": {
        "tokenizers",
        "numpy",
        "msgspec",
        "rich",
        "onnxruntime",
        "ai_edge_litert",
        "tflite_runtime",
        "PIL",
    },
    "linnet.ops": {"numpy", "msgspec"},
    "linnet.format": {"numpy", "msgspec"},
    "linnet.kernels": {"numpy"},
    "linnet.converters": {
        "numpy",
        "msgspec",
        "onnx",
        "tflite",
        "flatbuffers",
        "ml_dtypes",
        "google",
    },
    "linnet.benchmarks": None,
}


def modules() -> Iterator[tuple[str, bool, Path]]:
    for package, folder in TOP_FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            yield ".".join((package, *(parts[:-1] if is_package else parts))), is_package, path


def imports(name: str, is_package: bool, path: Path) -> Iterator[tuple[str, int]]:
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{stem}.{alias.name}", node.lineno


def row(table: dict, name: str):
    while name not in table:
        name = name.rpartition(".")[0]
    return table[name]


def covered(target: str, allowed: tuple[str, ...]) -> bool:
    return any(target == p or target.startswith(p + ".") for p in allowed)


def test_imports_follow_the_table():
    broken = []
    for name, is_package, path in modules():
        for target, line in imports(name, is_package, path):
            if target.split(".")[0] == "linnet" and not covered(target, row(MAY_IMPORT, name)):
                broken.append(f"{path.relative_to(ROOT)}:{line}: {name} imports {target}")
    assert not broken, "\n".join(broken)


def test_the_device_side_needs_numpy_and_msgspec_only():
    import sys

    broken = []
    for name, is_package, path in modules():
        allowed = row(THIRD_PARTY, name)
        for target, line in imports(name, is_package, path):
            top = target.split(".")[0]
            if top == "linnet" or top in sys.stdlib_module_names or allowed is None:
                continue
            if top not in allowed:
                broken.append(f"{path.relative_to(ROOT)}:{line}: {name} imports {target}")
    assert not broken, "\n".join(broken)


def test_top_folders_are_never_imported_by_their_own_names():
    names = set(TOP_FOLDERS.values())
    broken = []
    for path in [*(ROOT / "tests").rglob("*.py"), *(p for _, _, p in modules())]:
        for node in ast.walk(ast.parse(path.read_text())):
            found = []
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found = [node.module or ""]
            broken += [f"{path}:{node.lineno}: {f}" for f in found if f.split(".")[0] in names]
    assert not broken, "\n".join(broken)
