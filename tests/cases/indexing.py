"""Cases of ops that read or write at positions given as data."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.types import Quantization

from .case import Case, below, case, floats, just, stored

X = Quantization(0.05, -7)
SCATTER = ("copy_strided", "scatter_elements")


def places(*limits: int, count: tuple[int, ...], dtype=np.int64):
    """Return a maker of different index tuples, counted from either end."""

    def make(rng: np.random.Generator) -> np.ndarray:
        flat = rng.permutation(int(np.prod(limits)))[: int(np.prod(count))]
        tuples = np.stack(np.unravel_index(flat, limits), -1)
        return (
            (tuples - np.where(rng.random(tuples.shape) < 0.3, limits, 0))
            .reshape(*count, len(limits))
            .astype(dtype)
        )

    return make


CASES: list[Case] = [
    case("Gather float", ops.Gather(axis=1), floats(3, 7, 5), below(7, 2, 4, low=-7),
         kernels="gather_runs"),
    case("Gather int8", ops.Gather(axis=-1), stored(3, 37), below(37, 11, dtype=np.int32),
         quantizations=(X,), kernels="gather_runs"),
    case("Gather batches float", ops.Gather(axis=2, batch_dims=1), floats(3, 2, 7, 5),
         below(7, 3, 4), kernels="gather_runs"),
    case("GatherElements float", ops.GatherElements(axis=1), floats(3, 7, 5),
         below(7, 3, 9, 5, low=-7), kernels="gather_elements"),
    case("GatherElements int8", ops.GatherElements(axis=0), stored(7, 19),
         below(7, 4, 19, dtype=np.int32), quantizations=(X,), kernels="gather_elements"),
    case("GatherND float", ops.GatherND(batch_dims=1), floats(3, 7, 5, 4),
         below(5, 3, 6, 2, low=-5), kernels="gather_nd"),
    case("GatherND int8", ops.GatherND(), stored(5, 6, 7), below(5, 9, 2, dtype=np.int32),
         quantizations=(X,), kernels="gather_nd"),
    case("ScatterND float", ops.ScatterND(), floats(5, 7, 3), places(5, 7, count=(2, 4)),
         floats(2, 4, 3), kernels=("copy_strided", "scatter_nd")),
    case("ScatterND int8", ops.ScatterND(), stored(9, 37), places(9, count=(4,), dtype=np.int32),
         stored(4, 37), quantizations=(X, None, X), kernels=("copy_strided", "scatter_nd")),
    *(
        one
        for reduction in ("add", "mul", "min", "max")
        for one in (
            case(f"ScatterND {reduction}", ops.ScatterND(reduction=reduction), floats(5, 7),
                 below(5, 9, 1), floats(9, 7), kernels=("copy_strided", "combine_nd")),
            case(f"ScatterND {reduction} integers", ops.ScatterND(reduction=reduction),
                 stored(5, 7, dtype=np.int32), below(5, 9, 1), stored(9, 7, dtype=np.int32),
                 kernels=("copy_strided", "combine_nd")),
            case(f"ScatterElements {reduction}", ops.ScatterElements(axis=1, reduction=reduction),
                 floats(5, 7, 3), below(7, 4, 9, 3, low=-7), floats(4, 9, 3), kernels=SCATTER),
            case(f"ScatterElements {reduction} long", ops.ScatterElements(reduction=reduction),
                 stored(5, 7, dtype=np.int64), below(5, 4, 7), stored(4, 7, dtype=np.int64),
                 kernels=SCATTER),
        )
    ),
    case("ScatterND add doubles", ops.ScatterND(reduction="add"),
         lambda rng: rng.random((5, 7)), below(5, 9, 1), lambda rng: rng.random((9, 7))),
    *(
        case(f"ScatterElements {np.dtype(dtype)}", ops.ScatterElements(axis=-1),
             stored(5, 37, dtype=dtype), below(37, 5, 9, dtype=np.int32), stored(5, 9, dtype=dtype),
             kernels=SCATTER)
        for dtype in (np.int8, np.int16, np.int32, np.int64)
    ),
    *(
        case(f"OneHot {np.dtype(dtype)}", ops.OneHot(axis=1), below(7, 3, 5, low=-8), just(6),
             just([1, 2], dtype), constants=(1, 2), kernels="one_hot")
        for dtype in (np.float32, np.int64, np.uint8, np.int16)
    ),
    case("OneHot large", ops.OneHot(), below(1000, 128), just(1000), just([0, 1], "f4"),
         constants=(1, 2), kernels="one_hot", bench=True),
    case("ScatterElements large", ops.ScatterElements(axis=1), floats(64, 512),
         below(512, 64, 256), floats(64, 256), kernels=SCATTER, bench=True),
    case("ScatterND add large", ops.ScatterND(reduction="add"), floats(64, 64, 16),
         below(64, 1000, 2), floats(1000, 16), kernels=("copy_strided", "combine_nd"), bench=True),
    case("Gather large", ops.Gather(), floats(2000, 64), below(2000, 128), kernels="gather_runs",
         bench=True),
    case("GatherElements large", ops.GatherElements(axis=1), floats(64, 512), below(512, 64, 256),
         kernels="gather_elements", bench=True),
    case("GatherND large", ops.GatherND(), floats(64, 64, 16), below(64, 1000, 2),
         kernels="gather_nd", bench=True),
    case("ScatterND large", ops.ScatterND(), floats(64, 64, 16), places(64, 64, count=(1000,)),
         floats(1000, 16), kernels=("copy_strided", "scatter_nd"), bench=True),
]  # fmt: skip
