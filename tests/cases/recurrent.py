"""Cases of recurrent layers over projected inputs."""

from __future__ import annotations

from typing import Any

from linnet import ops

from .case import Case, case, floats, just

LENGTHS = just([5, 2, 3], "i4")

# With several threads: a loop over steps and its counter.
STEPS = frozenset({"fill_strided", "walk_step_f32"})

# Sums over units in another order, through a few steps.
CLOSE: dict[str, Any] = {"bound": 1e-5, "noise": 5e-6}

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
    case("LSTM kernel", ops.LSTM(), floats(6, 2, 4 * 37), floats(4 * 37, 37), constants=(1,),
         kernels="walk_f32", **CLOSE),
    case("LSTM kernel everything", ops.LSTM(backward=True, clip=0.7, coupled=True),
         floats(5, 3, 64), floats(64, 16), floats(3, 16), floats(3, 16), LENGTHS, floats(48),
         constants=(1, 5), kernels="walk_f32", **CLOSE),
    case("GRU kernel", ops.GRU(), floats(5, 3, 3 * 21), floats(3 * 21, 21), floats(3, 21), LENGTHS,
         floats(63), constants=(1, 4), kernels="walk_f32", **CLOSE),
    case("GRU kernel everything", ops.GRU(backward=True, clip=0.9, reset_after=True),
         floats(7, 1, 3 * 48), floats(3 * 48, 48), None, None, floats(144), constants=(1, 4),
         kernels="walk_f32", bench=True, **CLOSE),
    case("RNN kernel", ops.RNN(clip=0.8), floats(5, 3, 20), floats(20, 20, spread=0.3),
         constants=(1,), kernels="walk_f32", **CLOSE),
    case("LSTM step by step", ops.LSTM(clip=0.9), floats(5, 1, 4 * 133),
         floats(4 * 133, 133, spread=0.2), floats(1, 133), floats(1, 133), None, floats(3 * 133),
         constants=(1, 5), kernels="walk_f32", shared=STEPS, bench=True, **CLOSE),
    case("LSTM step by step from zeros", ops.LSTM(backward=True, coupled=True),
         floats(4, 1, 4 * 128), floats(4 * 128, 128, spread=0.2), constants=(1,),
         kernels="walk_f32", shared=STEPS, **CLOSE),
    case("GRU step by step", ops.GRU(reset_after=True, backward=True), floats(3, 1, 3 * 150),
         floats(3 * 150, 150, spread=0.2), floats(1, 150), None, floats(450), constants=(1, 4),
         kernels="walk_f32", shared=STEPS, **CLOSE),
    case("RNN step by step", ops.RNN(), floats(1, 1, 260), floats(260, 260, spread=0.1),
         constants=(1,), kernels="walk_f32", shared=STEPS, **CLOSE),
    case("RNN", ops.RNN(), floats(5, 3, 4), floats(4, 4)),
    case("RNN everything",
         ops.RNN(backward=True, clip=0.5, activations=("thresholdedrelu",), alphas=(0.1,),
                 betas=(1.0,)),
         floats(5, 3, 4), floats(4, 4), floats(3, 4), LENGTHS),
]  # fmt: skip
