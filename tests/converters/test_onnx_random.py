"""ONNX operators that draw random numbers: distributions, and numbers that come again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet.errors import UnsupportedError
from linnet.types import Array

from .onnx_builder import build, helper, node

SHAPE = (300, 200)
# The operator, its attributes, and the mean and deviation of what it draws.
KINDS: dict[str, tuple[dict[str, Any], float, float]] = {
    "RandomUniform": ({"low": -1.0, "high": 3.0}, 1.0, 4 / 12**0.5),
    "RandomNormal": ({"mean": 2.0, "scale": 3.0}, 2.0, 3.0),
    "RandomNormalLike": ({"seed": 5.0}, 0.0, 1.0),
}


def drawn(kind: str, attributes: dict[str, Any], runs: int = 2) -> list[Array]:
    """Return what a model of two such operators draws: the first one's, run by run."""
    like = kind.endswith("Like")
    given = "x" if like else ""
    attributes = attributes | ({} if like else {"shape": SHAPE})
    nodes = [node(kind, given, "y", **attributes), node(kind, given, "other", **attributes)]
    nodes.append(node("Identity", "x", "z"))
    model = build(nodes, {"x": SHAPE}, "y other z", opset=20)
    session = linnet.load(linnet.convert(model), threads=1)
    feeds = {"x": np.full(SHAPE, 0.25, np.float32)}
    found = [session.run(feeds) for _ in range(runs)]
    session.reset()
    np.testing.assert_array_equal(session.run(feeds)["y"], found[0]["y"])
    same = np.array_equal(found[0]["other"], found[0]["y"])
    assert same == ("seed" in attributes)
    return [made["y"] for made in found]


@pytest.mark.parametrize("kind", list(KINDS))
def test_numbers_have_the_distribution_and_come_again_after_reset(kind: str) -> None:
    attributes, mean, deviation = KINDS[kind]
    first, second = drawn(kind, attributes)
    assert first.dtype == np.float32 and first.shape == SHAPE
    assert abs(first.mean() - mean) < 0.02 * deviation
    assert abs(first.std() - deviation) < 0.02 * deviation
    assert not np.array_equal(first, second)


def test_categories_have_their_probabilities() -> None:
    chances = np.array([[0.5, 0.25, 0.25], [0.1, 0.9, 0.0]], np.float32)
    with np.errstate(divide="ignore"):
        logits = np.log(chances)
    model = build([node("Multinomial", "x", "y", sample_size=20_000, seed=3.0)], {"x": (2, 3)}, "y")
    found = linnet.load(linnet.convert(model), threads=1).run({"x": logits})["y"]
    assert found.dtype == np.int32
    shares = np.stack([np.bincount(row, minlength=3) / row.size for row in found])
    np.testing.assert_allclose(shares, chances, atol=0.02)


@pytest.mark.parametrize("kind", ["Bernoulli", "RandomUniformLike"])
def test_random_decisions_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedError, match="make the noise an input"):
        linnet.convert(build([node(kind, "x", "y")], {"x": (2, 3)}, "y"))


def test_nested_graphs_draw_no_numbers() -> None:
    branch = helper.make_graph(
        [helper.make_node("RandomNormal", [], ["r"], shape=[2])], "b", [],
        [helper.make_empty_tensor_value_info("r")],
    )  # fmt: skip
    choice = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    model = build([choice], {"c": ((), np.bool_)}, "y")
    with pytest.raises(UnsupportedError, match="nested graph"):
        linnet.convert(model)
