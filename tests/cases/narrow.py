"""Cases of rounding to narrow element types."""

from __future__ import annotations

from linnet import ops

from .case import Case, case, floats, stored

CASES: list[Case] = [
    *(
        case(f"Narrow {name}", ops.Narrow(format=name, saturate=saturate), floats(6, 50, spread=9))
        for name, saturate in (
            ("bfloat16", False), ("float8e4m3fn", True), ("float8e4m3fnuz", False),
            ("float8e5m2", True), ("float8e5m2fnuz", False), ("float8e8m0", False),
            ("float4e2m1", True),
        )
    ),
    case("NarrowSoftmax", ops.NarrowSoftmax(axis=0, format="float8e5m2"), floats(7, 5)),
    case("Narrow up", ops.Narrow(format="float8e8m0", rounding="up"), floats(40, spread=9)),
    case("Narrow int4", ops.Narrow(format="int4"), stored(40)),
    case("Narrow uint4", ops.Narrow(format="uint4"), stored(40, dtype="u1")),
]  # fmt: skip
