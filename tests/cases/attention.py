"""Cases of attention."""

from __future__ import annotations

from linnet.ops import Attention

from .case import Case, booleans, case, floats

# Scores, exponentials and the sums over keys.
NOISE = 5e-6


def attend(name: str, op: Attention, sizes: tuple[int, ...], *mask, **fields) -> Case:
    """Return a case; sizes are batch, heads, key heads, queries, keys, depth, value depth."""
    batch, heads, kv_heads, length, keys, depth, value_depth = sizes
    return case(
        name,
        op,
        floats(batch, heads, length, depth),
        floats(batch, kv_heads, keys, depth),
        floats(batch, kv_heads, keys, value_depth),
        *mask,
        kernels="attention_f32",
        noise=NOISE,
        **fields,
    )


CASES: list[Case] = [
    attend("attention causal", Attention(scale=0.3, causal=True), (2, 3, 3, 19, 19, 13, 17)),
    attend("attention hidden keys", Attention(), (1, 4, 2, 7, 33, 8, 8), booleans(1, 1, 7, 33)),
    attend("attention added mask", Attention(), (2, 2, 1, 5, 70, 16, 9), floats(2, 1, 1, 70)),
    attend("attention large", Attention(), (1, 4, 4, 196, 196, 64, 64), bench=True),
    attend("attention token", Attention(), (1, 8, 2, 1, 512, 64, 64), bench=True),
]
