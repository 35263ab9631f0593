"""ONNX's own node cases: every claimed operator gives the expected outputs, the rest is refused."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import warnings
from typing import Any

import numpy as np
import pytest

from linnet.converters.importer import import_model
from linnet.converters.onnx.registry import HANDLERS
from linnet.errors import UnsupportedError
from tests.evaluate import execute

onnx = pytest.importorskip("onnx")

# Cases of claimed operators that are refused: what the reason says -> why that is right.
EXCLUDED = {
    r"(is|are) computed at run time": "parameters that decide shapes must be constants",
    r"has element type (string|complex128)": "no such DType",
    r"quantizes to floats|is float8e5m2": "narrow floats come in, none are made",
    r"takes a diagonal|BRANCH_MEMBER|input is bool\[": "forms that no exporter was seen to make",
    r"is a (optional|sequence)_type": "only tensors are values",
    r"opset \d+: the oldest": "opset 7 is the oldest",
    r"input of rank \d": "images of one or two spatial axes only",
    r"the batched Scan|the nested graph": "Scan of opset 8; what nested graphs are refused for",
    r"training|Mean and InvStdDev|InvStdDev|output Indices": "training and statistics outputs",
    r"saturate=0|block_size=": "narrow floats and blocked scales",
    r"coordinate_transformation_mode=|antialias=|keep_aspect_ratio_policy=|mode='(cubic|wrap|CRD)'"
    r"|exclude_outside=|axis \d is resized": "resizing beyond Resize's contract",
    r"takes a diagonal": "Einsum of repeated labels",
    r"detect nothing": "IsInf that detects nothing",
    r"raised to a float power": "integers to a float power",
    r"only 1 can be removed|does not broadcast": "shape data that only a run knows",
}
# Cases whose numbers differ, and why.
DIFFERENT: dict[str, str] = {}


@functools.cache
def cases() -> dict[str, list[Any]]:
    """Return the node cases by the operator of their first node."""
    from onnx.backend.test import loader

    warnings.simplefilter("ignore")
    with contextlib.redirect_stderr(io.StringIO()):
        found = loader.load_model_tests(kind="node")
    grouped: dict[str, list[Any]] = {}
    for case in found:
        kind = case.model.graph.node[0].op_type if case.model.graph.node else ""
        grouped.setdefault(kind, []).append(case)
    return grouped


def is_narrow(array: np.ndarray) -> bool:
    """Whether elements have a type that NumPy has not: linnet holds them in wider ones."""
    return array.dtype.type.__module__ == "ml_dtypes"


def outcome(case: Any) -> str:
    """Return "pass", the reason of a refusal, or what is wrong."""
    model = case.model
    try:
        graph = import_model(model)
    except UnsupportedError as error:
        return f"refused: {error}"
    from onnx import numpy_helper

    def array(item: Any) -> Any:
        return numpy_helper.to_array(item) if isinstance(item, onnx.TensorProto) else item

    for inputs, outputs in case.data_sets:
        names = [i.name for i in model.graph.input]
        given = {n: np.asarray(array(v)) for n, v in zip(names, inputs, strict=True)}
        for name, item in given.items():
            if is_narrow(item):
                given[name] = item.astype(graph.type_of(name).dtype.numpy)
        made = execute(graph, given)
        for info, expected in zip(model.graph.output, outputs, strict=True):
            got, wanted = made[info.name], np.asarray(array(expected))
            same = got.dtype == wanted.dtype or is_narrow(wanted)
            if got.shape != wanted.shape or not same:
                return f"wrong: {got.dtype}{got.shape}, expected {wanted.dtype}{wanted.shape}"
            if not np.allclose(
                got.astype(np.float64), wanted.astype(np.float64), case.rtol, case.atol, True
            ):
                return f"wrong: output {info.name} differs"
    return "pass"


@pytest.mark.parametrize("kind", sorted(cases()))
def test_every_node_case_passes_or_is_refused_for_a_listed_reason(kind: str) -> None:
    problems = []
    for case in cases()[kind]:
        result = outcome(case)
        nodes = case.model.graph.node
        ops = {("" if n.domain == "ai.onnx" else n.domain, n.op_type) for n in nodes}
        if result == "pass":
            if case.name in DIFFERENT:
                problems.append(f"{case.name} passes; take it off the list")
        elif result.startswith("wrong"):
            if case.name not in DIFFERENT:
                problems.append(f"{case.name}: {result}")
        elif ops <= set(HANDLERS) and not any(re.search(p, result) for p in EXCLUDED):
            problems.append(f"{case.name}: {result}")
    assert not problems, "\n".join(problems)
