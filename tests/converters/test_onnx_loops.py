"""Loops of ONNX whose carried values change shape or rank, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.errors import UnsupportedError
from linnet.types import Array

from .onnx_builder import onnx, runtime_outputs

X = np.random.default_rng(3).standard_normal((2, 4)).astype(np.float32)
HEAD = '<ir_version: 8, opset_import: ["" : {opset}]> g'
START = "bool t={1}, float[1] nothing={0.0}, int64[1] one={1}"


def model(text: str, opset: int = 17) -> Any:
    """Return the model of a text, of ``(inputs) => (outputs) <constants> {nodes}``."""
    return onnx.parser.parse_model(HEAD.replace("{opset}", str(opset)) + text)


def agree(made: Any, feeds: dict[str, Array]) -> None:
    """Hold a run against ONNX Runtime's."""
    found = linnet.load(linnet.convert(made), threads=1).run(feeds)
    for got, wanted in zip(found.values(), runtime_outputs(made, feeds), strict=True):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def replaced(limit: str) -> str:
    """Return a loop whose second value begins as one number and is a row of matrices then."""
    return f"""(float[2,4] x{limit}) => (float[a,b] h, float[c,d,e] y) <{START}> {{
    h, y = Loop(n, t, x, nothing) <body = b (int64 i, bool go, float[2,4] p, float q)
    => (bool on, float[2,4] r, float s) {{
      on = Identity(go)  k = Cast<to=1>(i)  r = Add(p, k)  s = Unsqueeze(r, one) }}> }}"""


@pytest.mark.parametrize("count", [1, 3])
def test_a_value_may_begin_with_another_rank(count: int) -> None:
    agree(model(replaced(", int64 n")), {"x": X, "n": np.array(count)})
    known = replaced("").replace("<bool", f"<int64 n={{{count}}}, bool")
    graph = linnet.convert(model(known))
    assert not any(isinstance(node.op, ops.If) for node in graph.nodes)
    agree(model(known), {"x": X})


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("count", [1, 4])
def test_slices_are_stacked_beside_a_value_of_another_rank(count: int, opset: int) -> None:
    text = f"""(float[2,4] x) => (float[a,b] h, float[c,d,e] y, float[f,2,4] z)
    <int64 n={{{count}}}, {START}, int64[3] sizes={{2, 1, 4}}> {{
    h, y, z = Loop(n, t, x, nothing) <body = b (int64 i, bool go, float[2,4] p, float q)
    => (bool on, float[2,4] r, float s, float[2,4] u) {{
      on = Identity(go)  k = Cast<to=1>(i)  r = Add(p, k)  s = Reshape(r, sizes)
      u = Neg(r) }}> }}"""
    agree(model(text, opset), {"x": X})


def test_a_loop_that_may_not_run_does_not_stack_beside_it() -> None:
    text = f"""(float[2,4] x, int64 n) => (float[c,d,e] y, float[f,2,4] z) <{START}> {{
    y, z = Loop(n, t, nothing) <body = b (int64 i, bool go, float q)
    => (bool on, float s, float[2,4] u) {{
      on = Identity(go)  u = Neg(x)  s = Unsqueeze(u, one) }}> }}"""
    with pytest.raises(UnsupportedError, match="may not run"):
        linnet.convert(model(text))


def test_a_rank_that_goes_on_changing_is_refused() -> None:
    text = f"""(float[2,4] x) => (float[c,d,e,f] y) <int64 n={{2}}, {START}> {{
    y = Loop(n, t, x) <body = b (int64 i, bool go, float q) => (bool on, float s) {{
      on = Identity(go)  s = Unsqueeze(q, one) }}> }}"""
    with pytest.raises(UnsupportedError, match="a carried value goes in as"):
        linnet.convert(model(text))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_joined_parts_are_stacked(axis: int, count: int) -> None:
    text = f"""(float[2,4] x, int64 n) => (float[2,4] h, float[c,d] y) <{START}> {{
    h, y = Loop(n, t, x, x) <body = b (int64 i, bool go, float[2,4] p, float[f,g] q)
    => (bool on, float[2,4] r, float[h,j] s) {{
      on = Identity(go)  k = Cast<to=1>(i)  r = Add(p, k)  s = Concat<axis={axis}>(q, r) }}> }}"""
    made = model(text)
    (loop,) = (n.op for n in linnet.convert(made).nodes if isinstance(n.op, ops.Loop))
    assert loop.carried == 1
    agree(made, {"x": X, "n": np.array(count)})


def test_what_a_loop_reads_while_it_grows_stays() -> None:
    text = f"""(float[2,4] x, int64 n) => (float[c,4] y) <{START}, int64[1] zero={{0}}> {{
    y = Loop(n, t, x) <body = b (int64 i, bool go, float[f,4] q) => (bool on, float[h,4] s) {{
      on = Identity(go)  m = ReduceMean<axes=[0], keepdims=1>(q)  s = Concat<axis=0>(q, m) }}> }}"""
    agree(model(text), {"x": X, "n": np.array(3)})
