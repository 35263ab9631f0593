"""Cases of attention."""

from __future__ import annotations

from linnet.ops import Attention, CachedAttention

from .case import Case, below, booleans, case, floats, just

# Scores, exponentials and the sums over keys.
NOISE = 5e-6
FEW = ("attention_few", "attention_join")
# Three roundings to 1/255 and less, of scores and of weights; tests/kernels has the bound.
BYTES = 0.03


def attend(name: str, op: Attention, sizes: tuple[int, ...], *mask, **fields) -> Case:
    """Return a case; sizes are batch, heads, key heads, queries, keys, depth, value depth.

    With ``heads_last`` heads and rows change places.
    """
    batch, heads, kv_heads, length, keys, depth, value_depth = sizes
    return case(
        name,
        op,
        floats(batch, heads, length, depth),
        floats(batch, kv_heads, keys, depth),
        floats(batch, kv_heads, keys, value_depth),
        *mask,
        **{"kernels": "attention_f32", "noise": NOISE, **fields},
    )


CASES: list[Case] = [
    attend("attention causal", Attention(scale=0.3, causal=True), (2, 3, 3, 19, 19, 13, 17)),
    attend("attention hidden keys", Attention(), (1, 4, 2, 7, 33, 8, 8), booleans(1, 1, 7, 33)),
    attend("attention added mask", Attention(), (2, 2, 1, 5, 70, 16, 9), floats(2, 1, 1, 70)),
    attend(
        "attention window and cap",
        Attention(causal=True, from_end=True, window=9, softcap=2.0),
        (2, 4, 2, 11, 40, 16, 16),
        None,
        below(41, 2, low=11),
    ),
    attend(
        "attention heads last",
        Attention(heads_last=True),
        (1, 24, 24, 4, 4, 32, 32),
    ),
    attend(
        "attention on bytes",
        Attention(heads_last=True, bytes=True),
        (1, 128, 128, 12, 12, 32, 32),
        kernels="attention_s8",
        noise=BYTES,
        bench=True,
    ),
    attend(
        "attention on bytes long",
        Attention(bytes=True),
        (1, 8, 8, 512, 512, 64, 64),
        kernels="attention_s8",
        noise=BYTES,
        bench=True,
    ),
    attend("attention large", Attention(), (1, 4, 4, 196, 196, 64, 64), bench=True),
    attend("attention token", Attention(), (1, 8, 2, 1, 512, 64, 64), kernels=FEW, bench=True),
    attend(
        "attention few rows",
        Attention(causal=True, from_end=True, window=300, softcap=3.0),
        (2, 6, 2, 2, 600, 21, 70),
        floats(1, 6, 1, 600),
        below(600, 2, low=400),
        kernels=FEW,
    ),
]


def cached(name: str, op: CachedAttention, batch, heads, kv_heads, length, depth, start, **fields):
    """Return a case of a new cache, `start` rows of which are zero."""
    shapes = [(batch, heads, length, depth), *[(batch, kv_heads, length, depth)] * 2]
    if op.heads_last:
        shapes = [(b, n, h, d) for b, h, n, d in shapes]
    return case(
        name,
        op,
        *(floats(*shape) for shape in shapes),
        just([start]),
        kernels=("cache_append", *(FEW if heads // kv_heads * length <= 8 else ("attention_f32",))),
        noise=NOISE,
        **fields,
    )


CASES += [
    cached("cached attention", CachedAttention(capacity=200, scale=0.2), 2, 4, 2, 7, 16, 90),
    cached(
        "cached attention windowed",
        CachedAttention(capacity=64, window=5, softcap=3.0, heads_last=True),
        *(1, 4, 1, 9, 12, 20),
    ),
    cached(
        "cached attention token", CachedAttention(capacity=512), 1, 8, 2, 1, 64, 300, bench=True
    ),
    *(
        cached(
            f"cached attention {stored} {length}",
            CachedAttention(capacity=600, stored=stored, heads_last=True),
            *(2, 6, 2, length, 37, 20),
        )
        for stored in ("float16", "int8")
        for length in (1, 290)
    ),
]
