"""Cases of pooling."""

from __future__ import annotations

from linnet.ops import AveragePool2D, MaxPool2D, Op
from linnet.types import Quantization

from .case import SUMS, Case, case, floats, stored

X, Y = Quantization(0.05, -7), Quantization(0.04, 9)
CLAMP = (-2.0, 3.0)


def both(name: str, op: Op, shape: tuple[int, ...], bench: bool = False) -> list[Case]:
    """Return the float32 and the int8 case of a pool."""
    largest = isinstance(op, MaxPool2D)
    kind = "max" if largest else "average"
    return [
        case(
            f"{name} float",
            op,
            floats(*shape),
            kernels=f"{kind}_pool_f32",
            noise=0.0 if largest else SUMS,
            bench=bench,
        ),
        case(
            f"{name} int8",
            op,
            stored(*shape),
            quantizations=(X,),
            output_quantization=X if largest else Y,
            kernels=f"{kind}_pool_s8",
            bench=bench,
        ),
    ]


CASES: list[Case] = [
    *both(
        "MaxPool2D dilated",
        MaxPool2D(kernel=(2, 3), strides=(2, 1), dilations=(3, 2), pads=(1, 2, 2, 1), clamp=CLAMP),
        (2, 9, 8, 37),
    ),
    *both(
        "MaxPool2D same",
        MaxPool2D(kernel=(3, 3), strides=(2, 2), auto_pad="same_lower"),
        (1, 9, 12, 5),
    ),
    *both(
        "AveragePool2D counts padding",
        AveragePool2D(
            kernel=(3, 2), strides=(2, 3), pads=(1, 0, 2, 1), count_include_pad=True, clamp=CLAMP
        ),
        (2, 9, 8, 37),
    ),
    *both(
        "AveragePool2D ceil",
        AveragePool2D(kernel=(3, 3), strides=(2, 2), ceil_mode=True),
        (1, 8, 12, 5),
    ),
    *both(
        "MaxPool2D ceil",
        MaxPool2D(kernel=(3, 2), strides=(2, 2), ceil_mode=True),
        (1, 8, 7, 5),
    ),
    *both(
        "AveragePool2D dilated same",
        AveragePool2D(kernel=(3, 2), dilations=(2, 3), auto_pad="same_upper"),
        (1, 8, 12, 5),
    ),
    *(
        case(
            f"AveragePool2D {rounding} to {zero} int8",
            AveragePool2D(kernel=(2, 2), strides=(2, 2), rounding=rounding),
            stored(1, 8, 10, 37),
            quantizations=(X,),
            output_quantization=Quantization(0.05, zero),
            kernels="average_pool_s8",
        )
        for rounding, zero in (("half_up", -7), ("half_away", -7), ("half_away", 5))
    ),
    case("MaxPool2D plain bytes", MaxPool2D(kernel=(2, 2)), stored(1, 5, 6, 7)),
    *both(
        "MaxPool2D large",
        MaxPool2D(kernel=(3, 3), strides=(2, 2), auto_pad="same_upper"),
        (1, 56, 56, 64),
        bench=True,
    ),
    *both(
        "AveragePool2D large",
        AveragePool2D(kernel=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1)),
        (1, 56, 56, 64),
        bench=True,
    ),
]
