"""Images sampled between their pixels: without host steps, and like ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.types import Array

from .onnx_builder import build, holds, node, runtime_outputs

SAMPLERS = (ops.GridSample, ops.RoiAlign, ops.DeformConv)
REGIONS = np.array([[-3, -3, 2, 4], [1, 1, 5, 5], [4, 4, 20, 20], [2, 3, 2.5, 3.1], [30, 9, 40, 9]])


def real(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def check(made: Any, feeds: dict[str, Array], opset: int, **constants: Array) -> None:
    """Hold a node against ONNX Runtime; where only the batch is open no sampling op may be left."""
    holds([made], feeds, "y", constants, opset, known=(4, 6, 12))
    shapes = {n: ((f"n{len(a)}", *a.shape[1:]), a.dtype) for n, a in feeds.items()}
    model = build([made], shapes, "y", constants, opset)
    graph = linnet.convert(model)
    assert not [n.op for n in graph.nodes if isinstance(n.op, SAMPLERS)]
    found = linnet.load(graph, threads=1).run(feeds)["y"]
    np.testing.assert_allclose(found, runtime_outputs(model, feeds)[0], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_grids(padding: str, corners: int, batch: int) -> None:
    made = node("GridSample", "x g", "y", padding_mode=padding, align_corners=corners)
    check(made, {"x": real(batch, 5, 9, 7), "g": real(batch, 6, 4, 2)}, 16)


def test_places_that_are_no_numbers_are_no_pixels() -> None:
    made = build([node("GridSample", "x g", "y")], {"x": (1, 2, 3, 3), "g": (1, 1, 4, 2)}, "y")
    grid = np.zeros((1, 1, 4, 2), np.float32)
    grid[0, 0, 1:, 0] = np.nan, np.inf, 1e30
    found = linnet.load(linnet.convert(made)).run({"x": real(1, 2, 3, 3), "g": grid})["y"]
    assert np.isfinite(found[..., 0]).all() and not found[..., 3].any()


@pytest.mark.parametrize(("opset", "half"), [(10, None), (16, "half_pixel")])
def test_regions(opset: int, half: str | None) -> None:
    how = {"coordinate_transformation_mode": half} if half else {}
    made = node(
        "RoiAlign", "x r i", "y", output_height=3, output_width=4, sampling_ratio=2,
        spatial_scale=0.9, **how,
    )  # fmt: skip
    feeds = {"x": real(2, 5, 9, 7), "r": REGIONS.astype(np.float32), "i": np.array([0, 1, 0, 1, 1])}
    check(made, feeds, opset)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("batch", "step", "dilation", "pad"), [(1, 1, 1, 0), (2, 2, 1, 1)])
def test_moved_taps(batch: int, step: int, dilation: int, pad: int, masked: bool) -> None:
    made = node(
        "DeformConv", f"x w o b {'m' if masked else ''}", "y", strides=[step, step],
        dilations=[dilation, dilation], pads=[pad] * 4,
    )  # fmt: skip
    high, wide = ((n + 2 * pad - dilation * (k - 1) - 1) // step + 1 for n, k in ((9, 3), (8, 2)))
    feeds = {"x": real(batch, 4, 9, 8), "o": real(batch, 12, high, wide)}
    feeds |= {"m": real(batch, 6, high, wide)} if masked else {}
    check(made, feeds, 19, w=real(5, 4, 3, 2), b=real(5))
