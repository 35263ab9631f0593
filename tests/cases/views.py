"""Cases of ops that give the same bytes another shape; a copy where nothing shares the memory."""

from __future__ import annotations

from linnet import ops
from linnet.types import Quantization

from .case import Case, case, floats, just, stored

X = Quantization(0.05, -7)
VIEWS = {
    "Identity": (ops.Identity(), (3, 5, 7)),
    "Reshape": (ops.Reshape(shape=(0, -1, 7)), (3, 1, 5, 7)),
    "Squeeze": (ops.Squeeze(axes=(-2,)), (3, 1, 1, 7)),
    "Squeeze all": (ops.Squeeze(), (3, 1, 1, 7)),
    "Unsqueeze": (ops.Unsqueeze(axes=(0, -1)), (3, 7)),
    "Flatten": (ops.Flatten(axis=2), (3, 5, 7)),
}
CASES: list[Case] = [
    *(
        case(f"{name} float", op, floats(*shape), kernels="copy_strided")
        for name, (op, shape) in VIEWS.items()
    ),
    *(
        case(f"{name} int8", op, stored(*shape), quantizations=(X,), kernels="copy_strided")
        for name, (op, shape) in VIEWS.items()
    ),
    case("Reshape of nothing", ops.Reshape(shape=(7, 0), allow_zero=True), floats(0, 3)),
    case(
        "Reshape by input",
        ops.Reshape(),
        floats(3, 10),
        just([5, -1]),
        constants=(1,),
        kernels="copy_strided",
    ),
]
