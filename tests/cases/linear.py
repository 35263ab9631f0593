"""Cases of linear layers with integer weights, and of embeddings."""

from __future__ import annotations

import numpy as np

from linnet.ops import BlockLinear, DynamicLinear, Embedding, RotaryEmbedding
from linnet.types import Quantization

from .case import SUMS, Case, below, case, floats, just, per_channel, stored

# The activations' polynomials on top of the sums.
NOISE = 4e-6


def dynamic(name: str, op: DynamicLinear, rows, depth: int, outputs: int, *rest, **fields) -> Case:
    """Return a case; `rest` are bias and residual."""
    weights = Quantization(np.geomspace(0.002, 0.02, outputs) * depth**-0.5, 0, 0)
    return case(
        name,
        op,
        floats(*rows, depth, middle=0.2),
        stored(outputs, depth),
        *rest,
        quantizations=(None, fields.pop("weights", weights)),
        constants=(1, 2) if rest and rest[0] is not None else (1,),
        kernels=("dynamic_linear", "range_f32") if op.per_tensor else "dynamic_linear",
        noise=NOISE,
        **fields,
    )


CASES: list[Case] = [
    dynamic("dynamic linear", DynamicLinear(), (7,), 33, 21, floats(21)),
    dynamic(
        "dynamic linear gelu",
        DynamicLinear(activation="gelu"),
        (2, 64),
        384,
        1536,
        floats(1536),
        bench=True,
    ),
    dynamic(
        "dynamic linear residual",
        DynamicLinear(),
        (2, 64),
        1536,
        384,
        floats(384),
        floats(2, 64, 384),
        bench=True,
    ),
    dynamic("dynamic linear splits", DynamicLinear(splits=(20, 33, 7)), (5,), 24, 60, floats(60)),
    dynamic("dynamic linear token", DynamicLinear(), (1,), 512, 512, bench=True),
    dynamic(
        "dynamic linear per tensor",
        DynamicLinear(activation="silu", per_tensor=True),
        (5, 3),
        70,
        40,
        None,
        floats(5, 3, 40),
        weights=Quantization(0.01, 3),
        bench=True,
    ),
    case(
        "embedding",
        Embedding(),
        stored(1000, 384),
        below(1000, 2, 64, low=-1000),
        quantizations=(per_channel(1000, 0),),
        constants=(0,),
        kernels="embedding_s8",
        bound=SUMS,
        bench=True,
    ),
    case(
        "embedding with one scale",
        Embedding(),
        stored(17, 19),
        below(17, 5, dtype=np.int32),
        quantizations=(Quantization(0.3, -4),),
        constants=(0,),
        kernels="embedding_s8",
        bound=SUMS,
    ),
]


def halves(*shape: int):
    """Return a maker of bytes that hold two 4-bit numbers each."""
    return stored(*shape, dtype=np.uint8)


CASES += [
    case(
        "block linear",
        BlockLinear(),
        floats(5, 90),
        halves(37, 3, 16),
        floats(37, 3, spread=0.01),
        None,
        floats(37),
        constants=(1, 2, 4),
        kernels="block_linear",
        noise=NOISE,
    ),
    case(
        "block linear with zeros",
        BlockLinear(),
        floats(1, 2048),
        halves(2048, 64, 16),
        floats(2048, 64, spread=0.01),
        below(16, 2048, 64, dtype=np.uint8),
        constants=(1, 2, 3),
        kernels="block_linear",
        noise=NOISE,
        bench=True,
    ),
    case(
        "block linear of whole rows",
        BlockLinear(whole=True),
        floats(6, 90),
        halves(37, 3, 16),
        floats(37, 3, spread=0.01),
        None,
        floats(37),
        constants=(1, 2, 4),
        kernels="block_linear",
        noise=NOISE,
    ),
    case(
        "block linear of bytes",
        BlockLinear(bits=8),
        floats(3, 90),
        halves(37, 3, 32),
        floats(37, 3, spread=0.001),
        constants=(1, 2),
        kernels="block_linear",
        noise=NOISE,
    ),
    case(
        "block linear of bytes, whole rows, zeros",
        BlockLinear(bits=8, whole=True),
        floats(1, 1024),
        halves(1024, 32, 32),
        floats(1024, 32, spread=0.001),
        below(256, 1024, 32, dtype=np.uint8),
        constants=(1, 2, 3),
        kernels="block_linear",
        noise=NOISE,
        bench=True,
    ),
    case(
        "rotary",
        RotaryEmbedding(),
        floats(2, 3, 5, 16),
        floats(20, 8),
        floats(20, 8),
        just([7]),
        kernels="rotary_f32",
        noise=1e-6,
    ),
    case(
        "rotary by entry",
        RotaryEmbedding(),
        floats(3, 2, 4, 12),
        floats(20, 4),
        floats(20, 4),
        just([0, 16, 5]),
        kernels="rotary_f32",
        noise=1e-6,
    ),
    case(
        "rotary interleaved",
        RotaryEmbedding(interleaved=True, heads_last=True),
        floats(1, 64, 8, 64),
        floats(128, 24),
        floats(128, 24),
        just(3),
        kernels="rotary_f32",
        noise=1e-6,
        bench=True,
    ),
]
