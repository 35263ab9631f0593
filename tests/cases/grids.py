"""Cases of ops that look where data says."""

from __future__ import annotations

import numpy as np

from linnet import ops

from .case import Case, case, floats, just

PLACES = floats(2, 4, 3, 2, spread=0.8)
REGIONS = just([[0.5, 1, 6.2, 7], [3, 2, 4.5, 9], [-2, -1, 20, 3]], np.float32)

CASES: list[Case] = [
    case("GridSample", ops.GridSample(), floats(2, 3, 5, 6), PLACES),
    case("GridSample border", ops.GridSample(mode="nearest", padding="border", corners=True),
         floats(2, 3, 5, 6), PLACES),
    case("GridSample reflected", ops.GridSample(mode="cubic", padding="reflection"),
         floats(2, 3, 5, 6), PLACES),
    case("GridSample volumes", ops.GridSample(padding="reflection", corners=True),
         floats(1, 2, 3, 4, 5), floats(1, 2, 2, 3, 3)),
    case("RoiAlign", ops.RoiAlign(size=(3, 2)), floats(2, 3, 8, 10), REGIONS, just([1, 0, 1])),
    case("RoiAlign largest",
         ops.RoiAlign(size=(2, 2), ratio=2, scale=0.5, half_pixel=False, largest=True),
         floats(2, 3, 8, 10), REGIONS, just([1, 0, 1])),
    case("RoiPool", ops.RoiPool(size=(3, 2), scale=0.5), floats(2, 3, 8, 10), REGIONS,
         just([1, 0, 1])),
    case("DeformConv", ops.DeformConv(), floats(1, 2, 5, 5), floats(3, 2, 3, 3),
         floats(1, 18, 3, 3)),
    case("DeformConv everything",
         ops.DeformConv(strides=(2, 1), dilations=(1, 2), pads=(1, 0, 1, 2), groups=2,
                        offset_groups=2),
         floats(1, 4, 6, 6), floats(6, 2, 3, 2), floats(1, 24, 3, 6), floats(6),
         floats(1, 12, 3, 6)),
    case("ColumnsToImage",
         ops.ColumnsToImage(sizes=(5, 6), kernel=(2, 3), strides=(2, 1), dilations=(1, 2),
                            pads=(1, 0, 0, 1)),
         floats(2, 12, 9)),
    case("PoolIndices", ops.PoolIndices(kernel=(2, 3)), floats(2, 3, 5, 6)),
    case("PoolIndices everything",
         ops.PoolIndices(kernel=(3, 2), strides=(2, 2), pads=(1, 0, 0, 1), dilations=(1, 2),
                         ceil_mode=True, columns_first=True),
         floats(1, 2, 7, 6)),
    case("PoolIndices same", ops.PoolIndices(kernel=(3,), strides=(2,), auto_pad="same_lower"),
         floats(1, 2, 8)),
]  # fmt: skip
