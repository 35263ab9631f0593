"""ONNX's own backend suite: every case passes or is refused, and the refused ones are listed."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linnet
from linnet.errors import UnsupportedError

from .backend_excluded import EXCLUDED
from .texts import decoded, encoded

onnx = pytest.importorskip("onnx")

KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
LEAST = 1900


@functools.cache
def cases() -> list[Any]:
    """Return the cases of all kinds."""
    from onnx.backend.test import loader

    warnings.simplefilter("ignore")
    with contextlib.redirect_stderr(io.StringIO()):
        return [case for kind in KINDS for case in loader.load_model_tests(kind=kind)]


def array(item: Any) -> Any:
    """Return the content of a message; sequences as lists."""
    from onnx import numpy_helper

    if isinstance(item, onnx.TensorProto):
        return numpy_helper.to_array(item)
    return [array(i) for i in item] if isinstance(item, list | tuple) else item


def fed(model: Any) -> list[str]:
    """Return the names of a model's inputs that have no content of their own."""
    own = {tensor.name for tensor in model.graph.initializer}
    return [info.name for info in model.graph.input if info.name not in own]


def read(path: Path) -> Any:
    """Return the tensor of a file."""
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return array(tensor)


def content(case: Any) -> tuple[Any, list[tuple[list[Any], list[Any]]]] | None:
    """Return a case's model and its inputs and outputs; None where its files are not there."""
    if case.model is not None:
        return case.model, [([*map(array, i)], [*map(array, o)]) for i, o in case.data_sets]
    folder = Path(case.model_dir or "")
    if not (folder / "model.onnx").is_file():
        return None
    model, sets = onnx.load(folder / "model.onnx"), []
    for data in sorted(folder.glob("test_data_set_*")):
        counts = (("input", len(fed(model))), ("output", len(model.graph.output)))
        both = [[read(data / f"{kind}_{i}.pb") for i in range(n)] for kind, n in counts]
        sets.append((both[0], both[1]))
    return model, sets


def is_narrow(found: np.ndarray) -> bool:
    """Whether elements have a type that NumPy has not: linnet holds them in wider ones."""
    return found.dtype.type.__module__ == "ml_dtypes"


def differs(case: Any, got: Any, wanted: Any) -> str:
    """Return how an output differs, "" where it does not."""
    wanted = np.asarray(wanted)
    if got.shape != wanted.shape or not (got.dtype == wanted.dtype or is_narrow(wanted)):
        return f"{got.dtype}{got.shape}, expected {wanted.dtype}{wanted.shape}"
    if wanted.dtype == np.object_:
        return "" if np.array_equal(got, wanted) else "texts differ"
    pair = got.astype(np.float64), wanted.astype(np.float64)
    if not np.allclose(*pair, case.rtol, case.atol, True):
        return f"numbers differ by up to {np.nanmax(np.abs(pair[0] - pair[1]))}"
    return ""


def outcome(case: Any) -> str:
    """Return "pass", "absent", "refused: ..." or what is wrong."""
    found = content(case)
    if found is None:
        return "absent"
    model, sets = found
    try:
        graph = linnet.convert(model)
        session = linnet.load(graph)
    except UnsupportedError as error:
        return f"refused: {error}"
    types = {spec.name: spec.dtype for spec in session.inputs}
    for inputs, outputs in sets:
        feeds = {}
        for name, item in zip(fed(model), inputs, strict=True):
            given = encoded(graph, name, item)
            if name in types:
                feeds[name] = given.astype(types[name]) if is_narrow(given) else given
        try:
            made = session.run(feeds)
        except UnsupportedError as error:
            return f"refused: {error}"
        for info, wanted in zip(model.graph.output, outputs, strict=True):
            wrong = differs(case, decoded(graph, info.name, made[info.name]), wanted)
            if wrong:
                return f"wrong: {info.name} {wrong}"
    return "pass"


def test_every_case_passes_or_is_on_the_list() -> None:
    """No case is wrong; what is refused is listed with a reason, and nothing else is."""
    excluded = {name: reason for reason, names in EXCLUDED.items() for name in names.split()}
    passed, problems, refused = 0, [], set()
    for case in cases():
        result = outcome(case)
        passed += result == "pass"
        if result.startswith("refused"):
            refused.add(case.name)
            if case.name not in excluded:
                problems.append(f"{case.name}: {result}")
        elif result == "pass" and case.name in excluded:
            problems.append(f"{case.name} passes; take it off the list")
        elif result.startswith("wrong"):
            problems.append(f"{case.name}: {result}")
    assert not problems, "\n".join(problems)
    assert passed >= LEAST, passed
