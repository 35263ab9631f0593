"""Cases of matrix products."""

from __future__ import annotations

import numpy as np

from linnet.ops import FullyConnected, MatMul
from linnet.types import Quantization

from .case import SUMS, Case, below, case, floats, per_channel, stored, sums


def dense(name: str, rows: int, depth: int, channels: int, bench: bool = False) -> list[Case]:
    """Return the float and the int8 case of a `FullyConnected` with bias."""
    op = FullyConnected(clamp=(-2.0, 5.0))
    plain = case(
        f"{name} float",
        op,
        floats(rows, depth),
        floats(channels, depth, spread=depth**-0.5),
        floats(channels),
        constants=(1, 2),
        kernels="gemm_f32",
        noise=SUMS,
        bench=bench,
    )
    quantized = case(
        f"{name} int8",
        op,
        stored(rows, depth),
        stored(channels, depth),
        below(900, channels, low=-900, dtype=np.int32),
        quantizations=(Quantization(0.001, 5), per_channel(channels, 0)),
        output_quantization=Quantization(sums(0.001 * 0.008, depth), -4),
        constants=(1, 2),
        kernels="conv_s8",
        bench=bench,
    )
    return [plain, quantized]


def blocky(channels: int, depth: int, share: float = 0.7):
    """Return what makes weights of which a share of the blocks, 16 outputs by 4 k, are zero."""

    def make(rng: np.random.Generator) -> np.ndarray:
        weights = rng.standard_normal((channels, depth)).astype(np.float32) * depth**-0.5
        kept = rng.random((-(-channels // 16), -(-depth // 4))) >= share
        return weights * np.repeat(np.repeat(kept, 16, 0), 4, 1)[:channels, :depth]

    return make


def sparse(name: str, rows: int, depth: int, channels: int, bench: bool = False) -> Case:
    """Return the case of a `FullyConnected` with block-sparse weights."""
    return case(
        name,
        FullyConnected(clamp=(-2.0, 5.0)),
        floats(rows, depth),
        blocky(channels, depth),
        floats(channels),
        constants=(1, 2),
        kernels="sparse_f32",
        noise=SUMS,
        bench=bench,
    )


def sparse_int8(name: str, rows: int, depth: int, channels: int, bench: bool = False) -> Case:
    """Return the int8 case of a `FullyConnected` with block-sparse weights."""
    weights = blocky(channels, depth)
    return case(
        name,
        FullyConnected(clamp=(-2.0, 5.0)),
        stored(rows, depth),
        lambda rng: np.clip(weights(rng) * 40 * depth**0.5, -127, 127).astype(np.int8),
        below(900, channels, low=-900, dtype=np.int32),
        quantizations=(Quantization(0.001, 5), per_channel(channels, 0)),
        output_quantization=Quantization(sums(0.001 * 0.008, depth), -4),
        constants=(1, 2),
        kernels="conv_s8",
        bench=bench,
    )


def product(name: str, op: MatMul, a: tuple[int, ...], b: tuple[int, ...], bench: bool = False):
    """Return the float and the int8 case of a product of activations."""
    depth = a[-1]
    output = Quantization(sums(0.02 * 0.03, depth), 2)
    return [
        case(
            f"{name} float",
            op,
            floats(*a),
            floats(*b),
            kernels="gemm_f32",
            noise=SUMS,
            bench=bench,
        ),
        case(
            f"{name} int8",
            op,
            stored(*a),
            stored(*b),
            quantizations=(Quantization(0.02, -9), Quantization(0.03, 5)),
            output_quantization=output,
            kernels="matmul_s8",
            bench=bench,
        ),
    ]


CASES: list[Case] = [
    *dense("dense", 13, 35, 37),
    *dense("dense row", 1, 130, 70),
    *dense("dense row large", 1, 1024, 1000, bench=True),
    *dense("dense large", 64, 512, 512, bench=True),
    sparse("block-sparse", 13, 35, 37),
    sparse("block-sparse without tail", 70, 64, 32),
    sparse("block-sparse large", 64, 512, 512, bench=True),
    sparse_int8("block-sparse int8", 13, 35, 37),
    sparse_int8("block-sparse int8 row", 1, 64, 48),
    sparse_int8("block-sparse int8 large", 64, 512, 512, bench=True),
    *product("matmul batches", MatMul(), (2, 1, 7, 9), (3, 9, 20)),
    *product("matmul transposed", MatMul(transpose_b=True), (13, 33), (35, 33)),
    *product("matmul large", MatMul(), (4, 64, 64), (4, 64, 64), bench=True),
    case(
        "matmul both transposed float",
        MatMul(transpose_a=True, transpose_b=True),
        floats(3, 11, 9),
        floats(3, 18, 11),
        kernels="gemm_f32",
        noise=SUMS,
    ),
    case(
        "matmul both transposed int8",
        MatMul(transpose_a=True, transpose_b=True),
        stored(3, 11, 9),
        stored(3, 18, 11),
        quantizations=(Quantization(0.02, -9), Quantization(0.03, 5)),
        output_quantization=Quantization(sums(0.0006, 11), 2),
    ),
    case(
        "matmul weights float",
        MatMul(),
        floats(2, 5, 21),
        floats(21, 30),
        constants=(1,),
        kernels="gemm_f32",
        noise=SUMS,
    ),
    case(
        "matmul weights int8",
        MatMul(),
        stored(2, 5, 21),
        stored(21, 30),
        quantizations=(Quantization(0.02, 3), per_channel(30, 1)),
        output_quantization=Quantization(sums(0.02 * 0.008, 21), 2),
        constants=(1,),
        kernels="conv_s8",
    ),
    case(
        "matmul integers",
        MatMul(),
        below(100, 4, 5, low=-100, dtype=np.int32),
        below(100, 5, 3, low=-100, dtype=np.int32),
    ),
]
