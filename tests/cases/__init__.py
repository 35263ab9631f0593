"""The case table: every op and every kernel row, for tests, completeness and benchmarks."""

from __future__ import annotations

from . import (
    attention,
    binary,
    bits,
    control,
    conv,
    detection,
    dilation,
    generate,
    indexing,
    integer_lstm,
    linear,
    local_norm,
    matmul,
    matrices,
    movement,
    norm,
    pooling,
    quantize,
    reduce,
    relation,
    resize,
    segments,
    selection,
    spectrum,
    unary,
    views,
)
from .case import Case

FAMILIES = (
    attention,
    binary,
    bits,
    control,
    conv,
    detection,
    dilation,
    generate,
    indexing,
    integer_lstm,
    local_norm,
    linear,
    matmul,
    matrices,
    movement,
    norm,
    pooling,
    quantize,
    reduce,
    relation,
    resize,
    segments,
    selection,
    spectrum,
    unary,
    views,
)
CASES: dict[str, Case] = {case.name: case for family in FAMILIES for case in family.CASES}
assert len(CASES) == sum(len(family.CASES) for family in FAMILIES), "two cases share a name"
