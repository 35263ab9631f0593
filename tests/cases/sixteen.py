"""Cases of int16 activations: kernels of their own, and TFLite's functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.types import DType, Quantization

from .case import Case, Make, below, case, per_channel, stored

UNIT = Quantization(1 / 32768)
X, Y = Quantization(0.0007), Quantization(0.0009)


def words(*shape: int) -> Make:
    """Return a maker of int16 numbers of the whole range."""
    return stored(*shape, dtype=np.int16)


def product(
    name: str,
    op: ops.Op,
    x: tuple[int, ...],
    w: tuple[int, ...],
    channels: int,
    row: str = "conv_s16",
    zero: int = 0,
    **fields: Any,
) -> Case:
    """Return a case of int8 weights, one scale per channel, and a bias."""
    axis = 3 if isinstance(op, ops.DepthwiseConv2D) else 0
    depth = int(np.prod(w)) // channels
    spread = 0.0007 * 0.007 * 74 * 19000 * depth**0.5
    return case(
        name,
        op,
        words(*x),
        stored(*w),
        below(200_000, channels, low=-200_000),
        quantizations=(Quantization(0.0007, zero), per_channel(w[axis], axis)),
        output_quantization=Quantization(spread / 20000, zero),
        constants=(1, 2),
        kernels=row,
        **fields,
    )


def pool(name: str, op: ops.Op, shape: tuple[int, ...], row: str, bench: bool = False) -> Case:
    """Return a case of pooling or reducing numbers around a zero point."""
    same = row.startswith("max") or isinstance(op, ops.ReduceMax | ops.ReduceMin)
    given = Quantization(0.0007, 9)
    return case(
        name,
        op,
        words(*shape),
        quantizations=(given,),
        output_quantization=given if same else Quantization(0.0005, -300),
        kernels=row,
        bench=bench,
    )


def two(name: str, op: ops.Op, *shapes: tuple[int, ...], **fields: Any) -> Case:
    """Return a case of two operands."""
    fields = {
        "quantizations": (X, Y),
        "output_quantization": Quantization(0.0012),
        "kernels": "binary_s16",
        **fields,
    }
    return case(name, op, *(words(*shape) for shape in shapes), **fields)


RELU6 = (0.0, 6.0)
CASES: list[Case] = [
    product("conv 3x3 int16", ops.Conv2D(pads=(1, 0, 1, 2), strides=(2, 1), clamp=(0.0, 900.0)),
            (2, 7, 9, 5), (18, 3, 3, 5), 18),
    product("conv groups int16", ops.Conv2D(dilations=(2, 3), groups=3, auto_pad="same_lower"),
            (1, 8, 9, 12), (21, 3, 2, 4), 21, zero=-77),
    product("conv 1x1 int16", ops.Conv2D(), (1, 5, 7, 19), (33, 1, 1, 19), 33),
    product("conv long int16", ops.Conv2D(), (1, 3, 5, 1600), (19, 1, 1, 1600), 19, zero=5),
    product("transposed int16", ops.ConvTranspose2D(strides=(2, 3), pads=(1, 2, 0, 1), groups=2),
            (1, 5, 4, 6), (9, 4, 5, 6), 18),
    product("dense int16", ops.FullyConnected(clamp=(-300.0, 600.0)), (7, 45), (37, 45), 37),
    product("depthwise int16", ops.DepthwiseConv2D(strides=(2, 2), pads=(0, 1, 1, 0)),
            (2, 9, 15, 37), (1, 3, 3, 37), 37, "depthwise_s16"),
    product("depthwise multiplier int16",
            ops.DepthwiseConv2D(dilations=(2, 1), auto_pad="same_upper", clamp=(0.0, 300.0)),
            (1, 7, 11, 5), (1, 3, 5, 15), 15, "depthwise_s16", zero=1000),
    product("conv large int16", ops.Conv2D(pads=(1, 1, 1, 1)), (1, 28, 28, 64), (64, 3, 3, 64), 64,
            bench=True),
    product("depthwise large int16", ops.DepthwiseConv2D(pads=(1, 1, 1, 1)), (1, 28, 28, 192),
            (1, 3, 3, 192), 192, "depthwise_s16", bench=True),
    two("Add int16", ops.Add(clamp=RELU6), (3, 7, 21), (7, 1), bench=False),
    two("Add zero points int16", ops.Add(), (5, 40), (5, 40),
        quantizations=(Quantization(0.0007, 9000), Quantization(0.001, -20000)),
        output_quantization=Quantization(0.0012, 31)),
    two("Sub int16", ops.Sub(), (1, 4), (90, 4)),
    two("Mul int16", ops.Mul(clamp=(-300.0, 200.0)), (3, 7, 21), (3, 7, 21),
        output_quantization=Quantization(0.01, 12)),
    two("Mul repeated int16", ops.Mul(), (70,), (), output_quantization=Quantization(0.01)),
    two("Minimum int16", ops.Minimum(), (3, 70), (70,), quantizations=(X, X),
        output_quantization=X),
    two("Maximum int16", ops.Maximum(), (), (70,), quantizations=(X, X), output_quantization=X),
    two("Add large int16", ops.Add(), (1, 56, 56, 64), (1, 56, 56, 64), bench=True),
    pool("MaxPool2D int16", ops.MaxPool2D(kernel=(2, 3), strides=(2, 1), pads=(1, 2, 2, 1),
                                          clamp=(-2.0, 3.0)), (2, 9, 8, 37), "max_pool_s16"),
    pool("AveragePool2D int16", ops.AveragePool2D(kernel=(3, 2), strides=(2, 3), pads=(1, 0, 2, 1),
                                                  clamp=(-2.0, 3.0)),
         (2, 9, 8, 37), "average_pool_s16"),
    pool("AveragePool2D half away int16", ops.AveragePool2D(
        kernel=(2, 2), strides=(2, 2), rounding="half_away"), (1, 8, 8, 5), "average_pool_s16"),
    pool("ReduceMean int16", ops.ReduceMean(axes=(1, 2), keepdims=False), (2, 5, 7, 37),
         "reduce_s16"),
    pool("ReduceMean rows int16", ops.ReduceMean(axes=(1,)), (9, 70), "reduce_s16"),
    pool("ReduceMax int16", ops.ReduceMax(axes=(0, 2)), (3, 4, 41), "reduce_s16"),
    pool("ReduceMin int16", ops.ReduceMin(axes=(0,)), (7, 41), "reduce_s16"),
    pool("MaxPool2D large int16", ops.MaxPool2D(kernel=(2, 2), strides=(2, 2)), (1, 56, 56, 64),
         "max_pool_s16", bench=True),
    pool("AveragePool2D large int16", ops.AveragePool2D(kernel=(7, 7)), (1, 7, 7, 1280),
         "average_pool_s16", bench=True),
    pool("ReduceMean large int16", ops.ReduceMean(axes=(1, 2)), (1, 7, 7, 1280), "reduce_s16",
         bench=True),
    case(
        "Lookup",
        ops.Lookup(),
        words(56, 56, 16),
        words(65536),
        quantizations=(UNIT,),
        output_quantization=UNIT,
        constants=(1,),
        kernels="table_s16",
        bench=True,
    ),
    case(
        "Quantize int16 to int8",
        ops.Quantize(),
        words(3, 50),
        quantizations=(X,),
        output_quantization=Quantization(0.2, 3),
        kernels="table_s16",
    ),
    case(
        "Quantize to int16",
        ops.Quantize(dtype=DType.INT16),
        lambda rng: rng.normal(0, 9, (3, 51)).astype(np.float32),
        output_quantization=Quantization(0.0007, 40),
        kernels="quantize_f32",
    ),
    case(
        "Dequantize int16",
        ops.Dequantize(),
        words(3, 51),
        quantizations=(Quantization(0.0007, 40),),
        kernels="dequantize",
    ),
    case(
        "IntegerSoftmax",
        ops.IntegerSoftmax(beta=0.5),
        words(64, 100),
        quantizations=(X,),
        output_quantization=UNIT,
        kernels="softmax_s16",
        bench=True,
    ),
    case(
        "IntegerSoftmax flat",
        ops.IntegerSoftmax(),
        below(900, 3, 700, low=-900, dtype=np.int16),
        quantizations=(Quantization(1e-5),),
        output_quantization=UNIT,
        kernels="softmax_s16",
    ),
]  # fmt: skip
