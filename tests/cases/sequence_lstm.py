"""Cases of the float LSTM."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.types import Quantization

from .case import Case, Make, case, floats, stored


def lstm(
    name: str,
    batch: int,
    time: int,
    inputs: int,
    units: int,
    *,
    outputs: int = 0,
    bias: bool = True,
    peephole: bool = False,
    norm: bool = False,
    bench: bool = False,
    noise: float = 4e-6,
    **fields: Any,
) -> Case:
    """Return a case of an LSTM; ``outputs`` makes a projection."""
    made = outputs or units
    lead = (time, batch) if fields.get("time_major") else (batch, time)
    int8 = bool(fields.get("dynamic"))
    channels = Quantization(np.geomspace(0.002, 0.006, 4 * units), 0, 0)
    one = Quantization(0.005)
    operands: list[Make | None] = [None] * 10
    operands[0] = floats(*lead, inputs)
    for place, depth in ((1, inputs), (2, made)):
        operands[place] = stored(4 * units, depth) if int8 else floats(4 * units, depth, spread=0.3)
    operands[3] = floats(4 * units, spread=0.3) if bias else None
    if peephole:
        operands[4] = stored(3 * units) if int8 else floats(3 * units)
    if outputs:
        operands[5] = stored(outputs, units) if int8 else floats(outputs, units, spread=0.4)
        operands[6] = floats(outputs)
    operands[7], operands[8] = floats(batch, made, spread=0.4), floats(batch, units)
    operands[9] = floats(4 * units, middle=1.0) if norm else None
    count = 10 if norm else 9
    scales = (None, channels, channels, None, one if peephole else None, one if outputs else None)
    return case(
        f"SequenceLSTM {name}",
        ops.SequenceLSTM(**fields),
        *operands[:count],
        quantizations=scales if int8 else (),
        constants=tuple(i for i in (1, 2, 3, 4, 5, 6, 9) if i < count and operands[i]),
        kernels=() if norm or outputs else "lstm_f32",
        bench=bench,
        noise=noise,
    )


CASES: list[Case] = [
    lstm("plain", 2, 5, 7, 9),
    lstm("without biases", 1, 3, 16, 33, bias=False, time_major=True),
    lstm("backward", 2, 3, 7, 16, reverse=True),
    lstm("coupled", 2, 3, 7, 20, coupled=True, cell_clip=0.5),
    lstm("peephole", 2, 3, 7, 20, peephole=True),
    lstm("large", 1, 8, 257, 128, bench=True),
    lstm("symmetric", 2, 3, 7, 20, dynamic="symmetric", noise=1e-2),
    lstm("asymmetric", 1, 4, 33, 20, dynamic="asymmetric", peephole=True, noise=1e-2),
    lstm("projection", 2, 3, 7, 9, outputs=6, projection_clip=0.3),
    lstm("projection asymmetric", 2, 3, 7, 9, outputs=6, dynamic="asymmetric"),
    lstm("norm", 2, 3, 7, 9, norm=True),
]
