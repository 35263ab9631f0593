"""Cases of quantization, dequantization and casts."""

from __future__ import annotations

import numpy as np

from linnet.ops import Cast, Dequantize, Quantize
from linnet.types import DType, Quantization

from .case import Case, Make, below, booleans, case, floats, stored

TENSOR = Quantization(0.037, 5)
CHANNELS = Quantization(np.geomspace(0.01, 0.1, 19), np.arange(19) - 9, 2)
MIDDLE = Quantization(np.geomspace(0.01, 0.1, 5), 3, 1)
TYPES = ("float32", "int32", "int64", "int8", "uint8", "bool")
UNSIGNED = Quantization(0.037, 133)


def source_of(source: str, target: str) -> Make:
    """Return a maker of a type's numbers: wide ones, but some zeros where only those matter."""
    if source == "bool":
        return booleans(5, 27)
    if target == "bool":
        return below(3, 5, 27, dtype=source)
    return floats(5, 27, spread=200.0) if source == "float32" else stored(5, 27, dtype=source)


def casts() -> list[Case]:
    """Return the cases from every common type to every other."""
    return [
        case(
            f"Cast {source} to {target}",
            Cast(to=DType(target)),
            source_of(source, target),
            kernels="cast",
        )
        for source in TYPES
        for target in TYPES
        if target != source
    ]


def affine(name: str, q: Quantization, shape: tuple[int, ...], bench: bool = False) -> list[Case]:
    """Return the cases from float32 to int8 and back."""
    return [
        case(
            f"Quantize {name}",
            Quantize(),
            floats(*shape, spread=2.0),
            output_quantization=q,
            kernels="quantize_f32",
            bench=bench,
        ),
        case(
            f"Dequantize {name}",
            Dequantize(),
            stored(*shape),
            quantizations=(q,),
            kernels="dequantize",
            bench=bench,
        ),
    ]


def change(name: str, to: DType, source, given, wanted, kernel, shape=(7, 73), **fields) -> Case:
    """Return the case of a quantized input to another scale, zero point or storage type."""
    return case(
        f"Quantize {name}",
        Quantize(dtype=to),
        stored(*shape, dtype=source),
        quantizations=(given,),
        output_quantization=wanted,
        kernels=kernel,
        **fields,
    )


CASES: list[Case] = [
    *casts(),
    case("Cast to half", Cast(to=DType.FLOAT16), floats(3, 7)),
    *affine("tensor", TENSOR, (3, 5, 19)),
    *affine("last axis", CHANNELS, (3, 5, 19)),
    *affine("middle axis", MIDDLE, (3, 5, 19)),
    change("to unsigned", DType.UINT8, np.int8, TENSOR, UNSIGNED, "flip_u8"),
    change("to signed", DType.INT8, np.uint8, UNSIGNED, TENSOR, "flip_u8"),
    change("to another scale", DType.INT8, np.int8, TENSOR, Quantization(0.05, -3), "table_u8"),
    change("to 16 bits", DType.INT16, np.int8, TENSOR, Quantization(0.001, 0), "table_s16"),
    case(
        "Dequantize unsigned",
        Dequantize(),
        stored(3, 35, dtype=np.uint8),
        quantizations=(UNSIGNED,),
        kernels="dequantize",
    ),
    *affine("large", TENSOR, (1, 56, 56, 64), bench=True),
    change(
        "to signed large",
        DType.INT8,
        np.uint8,
        UNSIGNED,
        TENSOR,
        "flip_u8",
        (1, 224, 224, 3),
        bench=True,
    ),
    case(
        "Cast large",
        Cast(to=DType.FLOAT32),
        stored(1, 224, 224, 3, dtype=np.uint8),
        kernels="cast",
        bench=True,
    ),
]
