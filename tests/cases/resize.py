"""Cases of image resizing."""

from __future__ import annotations

import numpy as np

from linnet.ops import Resize
from linnet.types import Quantization

from .case import Case, case, floats, just, stored

X = Quantization(0.05, -7)


def both(name: str, shape: tuple[int, ...], bench: bool = False, **fields) -> list[Case]:
    """Return the float32 and the int8 case of a resize."""
    op = Resize(**fields)
    nearest = op.mode == "nearest"
    return [
        case(
            f"Resize {name} float",
            op,
            floats(*shape),
            kernels="resize_nearest" if nearest else "resize_linear_f32",
            bench=bench,
        ),
        case(
            f"Resize {name} int8",
            op,
            stored(*shape),
            quantizations=(X,),
            kernels="resize_nearest" if nearest else "resize_linear_s8",
            bench=bench,
        ),
    ]


IMAGE = (2, 5, 7, 19)
LARGE = (1, 28, 28, 64)
CASES: list[Case] = [
    *both("nearest up", IMAGE, size=(11, 9), nearest="ceil"),
    *both("nearest down", IMAGE, scales=(0.6, 0.7), coordinates="asymmetric", nearest="floor"),
    *both("linear up", IMAGE, mode="linear", scales=(2.5, 1.5)),
    *both("linear corners", IMAGE, mode="linear", size=(3, 13), coordinates="align_corners"),
    *both("linear one row", IMAGE, mode="linear", size=(1, 9), coordinates="pytorch_half_pixel"),
    *both("nearest multiply", IMAGE, size=(11, 9), arithmetic="multiply"),
    *both("linear multiply", IMAGE, mode="linear", size=(11, 9), arithmetic="multiply"),
    *both("linear fixed", IMAGE, mode="linear", size=(11, 4), arithmetic="fixed"),
    case(
        "Resize by input",
        Resize(nearest="round_prefer_ceil"),
        floats(*IMAGE),
        just([10, 3]),
        constants=(1,),
        kernels="resize_nearest",
    ),
    case(
        "Resize linear int16",
        Resize(mode="linear", size=(9, 3)),
        stored(*IMAGE, dtype=np.int16),
        quantizations=(X,),
    ),
    *both("nearest large", LARGE, bench=True, size=(56, 56)),
    *both("linear large", LARGE, bench=True, mode="linear", size=(56, 56)),
]
