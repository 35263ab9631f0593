"""Cases of recurrent layers over projected inputs."""

from __future__ import annotations

from linnet import ops

from .case import Case, case, floats, just

LENGTHS = just([5, 2, 3], "i4")

CASES: list[Case] = [
    case("LSTM", ops.LSTM(), floats(5, 3, 16), floats(16, 4)),
    case("LSTM everything",
         ops.LSTM(backward=True, clip=0.8, coupled=True,
                  activations=("hardsigmoid", "scaledtanh", "softsign"),
                  alphas=(0.2, 1.5, 0.0), betas=(0.5, 0.7, 0.0)),
         floats(5, 3, 16), floats(16, 4), floats(3, 4), floats(3, 4), LENGTHS, floats(12)),
    case("GRU", ops.GRU(), floats(5, 3, 12), floats(12, 4)),
    case("GRU everything",
         ops.GRU(backward=True, clip=0.9, reset_after=True, activations=("affine", "leakyrelu"),
                 alphas=(0.5, 0.1), betas=(0.3, 0.0)),
         floats(5, 3, 12), floats(12, 4), floats(3, 4), LENGTHS, floats(12)),
    case("RNN", ops.RNN(), floats(5, 3, 4), floats(4, 4)),
    case("RNN everything",
         ops.RNN(backward=True, clip=0.5, activations=("thresholdedrelu",), alphas=(0.1,),
                 betas=(1.0,)),
         floats(5, 3, 4), floats(4, 4), floats(3, 4), LENGTHS),
]  # fmt: skip
