"""Write docs/operators-onnx.md and docs/operators-tflite.md: what converts, and what runs it.

``python tools/operators.py`` writes them; a test fails where they are out of date. Element types of
TFLite operators are those of the models that the tests hold against LiteRT, each loaded here to see
whether kernels serve it; those of linnet's own operators are those of the case table.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

COMMAND = "<!-- made by `python tools/operators.py`; do not edit -->"
Types = dict[str, dict[bool, set[str]]]


def first_line(function: Any) -> str:
    """Return what a rule's docstring says in its first line, without the operator's name."""
    text = (inspect.getdoc(function) or "").split("\n", 1)[0]
    text = re.sub(r"^(Take )?[A-Za-z0-9_]+: ", "", text) if ": " in text[:40] else text
    return text.rstrip(".")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a Markdown table."""
    heads = list(heads)
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def by_kernel(types: dict[bool, set[str]]) -> tuple[str, str]:
    """Return the element types that kernels serve, and those that references do."""
    served = sorted(types.get(True, set()))
    return ", ".join(served), ", ".join(sorted(types.get(False, set()) - set(served)))


def has_kernel(data: bytes) -> bool | None:
    """Return whether kernels alone run a model; None where nothing is left to run."""
    import linnet

    session = linnet.load(linnet.convert(data), threads=1)
    spans = session.plan().spans
    return not any(span.host for span in spans) if spans else None


def tflite_types() -> Types:
    """Return the element types of each operator, by whether kernels serve them."""
    from linnet.converters.tflite.reader import read_model
    from linnet.errors import LinnetError
    from tests.converters.test_tflite_count import cases, models

    found: Types = defaultdict(lambda: defaultdict(set))
    for case in cases():
        kind = case.custom or case.kind
        operand = next((o for o in case.operands if o is not None and not o.constant), None)
        dtype = case.output[0][0] if operand is None else operand.content.dtype.name
        try:
            served = has_kernel(case.model([()] * len(case.output)))
        except LinnetError:
            continue
        if served is not None:
            found[kind][served].add(dtype)
    for data in models():
        main, *others = read_model(data).subgraphs
        first, *more = main.operators
        first_type = main.tensors[first.inputs[0]].dtype if first.inputs else None
        if others or more or first_type is None:
            continue
        found[first.kind][bool(has_kernel(data))].add(first_type.value)
    return found


def tflite_page() -> list[str]:
    """Return the lines of the TFLite page."""
    import tflite

    from linnet.converters.tflite.operators import CONVERTERS, CUSTOM, REFUSED

    names = {k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    builtin = sorted(n for n in names if not n.startswith(("STABLEHLO", "PLACEHOLDER")))
    types = tflite_types()
    rows, missing = [], []
    for name in [*builtin, *sorted(CUSTOM)]:
        rule = CONVERTERS.get(name) or CUSTOM.get(name)
        if rule is None:
            missing.append((f"`{name}`", REFUSED.get(name, "{} has no rule").format(name)))
            continue
        note = first_line(rule) if rule.__name__ != "convert" else ""
        rows.append((f"`{name}`", *by_kernel(types[name]), note))
    return [
        "# TFLite operators",
        COMMAND,
        "",
        f"{len(rows)} operators convert, whatever their version in schema 3. Element types are",
        "those of the first operand in the models that the tests hold against LiteRT. uint8 runs",
        "as int8. Other types may work too: what an operator refuses, `linnet check` says. A test",
        "fails where an operator that converts has no model that is held against LiteRT.",
        "",
        *table(("Operator", "Kernels", "Host steps", "Notes"), rows),
        "",
        "## Refused",
        "",
        *table(("Operator", "Why"), missing),
        "",
        "StableHLO operators are refused as well.",
        "",
    ]


def onnx_rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the ONNX table."""
    import onnx.defs

    import linnet.ops
    from linnet.converters.onnx.importer import import_onnx  # noqa: F401
    from linnet.converters.onnx.registry import HANDLERS

    versions: dict[tuple[str, str], set[int]] = defaultdict(set)
    for schema in onnx.defs.get_all_schemas_with_history():
        versions["" if schema.domain == "ai.onnx" else schema.domain, schema.name].add(
            schema.since_version
        )
    for (domain, kind), handler in sorted(HANDLERS.items()):
        made = set(re.findall(r"\bops\.([A-Z]\w+)", inspect.getsource(handler)))
        made = {name for name in made if hasattr(linnet.ops, name)}
        since = ", ".join(map(str, sorted(versions[domain, kind])))
        note = first_line(handler) if handler.__name__ != "convert" else ""
        label = f"`{domain}:{kind}`" if domain else f"`{kind}`"
        yield label, since, ", ".join(sorted(made)), note


def op_rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield a row per operator of linnet: element types by the case table."""
    from cases import CASES

    from linnet.ops import Op

    types: Types = defaultdict(lambda: defaultdict(set))
    for case in CASES.values():
        array = next((a for a in case.arrays if a is not None), None)
        if array is not None:
            types[type(case.op).__name__][bool(case.kernels)].add(array.dtype.name)
    for name, op in sorted(Op.registry.items()):
        yield (f"`{name}`", *by_kernel(types[name]), first_line(op))


def onnx_page() -> list[str]:
    """Return the lines of the ONNX page."""
    rows = list(onnx_rows())
    return [
        "# ONNX operators",
        COMMAND,
        "",
        f"{len(rows)} operators convert, in the versions listed (opset 7 and later); functions are",
        "expanded. The operators of linnet that they become are in the second table, with the",
        "element types that kernels serve and those that run as host steps by their references.",
        "",
        *table(("Operator", "Versions", "Becomes", "Notes"), rows),
        "",
        "## Operators of linnet",
        "",
        *table(("Operator", "Kernels", "Host steps", "What it computes"), op_rows()),
        "",
    ]


def pages() -> dict[Path, str]:
    """Return every page's content by its path."""
    made = {"operators-onnx.md": onnx_page(), "operators-tflite.md": tflite_page()}
    return {ROOT / "docs" / name: "\n".join(lines) for name, lines in made.items()}


def main() -> int:
    """Write the pages."""
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
