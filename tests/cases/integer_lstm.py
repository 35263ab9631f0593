"""Cases of the int8 LSTM."""

from __future__ import annotations

from typing import Any

import numpy as np

from linnet import ops
from linnet.types import Quantization

from .case import Case, Make, below, case, stored

WEIGHTS, STATE = Quantization(0.008), Quantization(0.011, 5)


def lstm(
    name: str,
    batch: int,
    time: int,
    inputs: int,
    units: int,
    *,
    outputs: int = 0,
    coupled: bool = False,
    peephole: bool = False,
    norm: bool = False,
    cell: float = 2.0**-11,
    bench: bool = False,
    **fields: Any,
) -> Case:
    """Return a case of an LSTM; ``outputs`` makes a projection."""
    made = outputs or units
    lead = (time, batch) if fields.get("time_major") else (batch, time)
    operands: list[Make | None] = [None] * 24
    scales: list[Quantization | None] = [None] * 24
    operands[0], scales[0] = stored(*lead, inputs), Quantization(0.03, -4)
    for gate in range(1 if coupled else 0, 4):
        operands[1 + gate], scales[1 + gate] = stored(units, inputs), WEIGHTS
        operands[5 + gate], scales[5 + gate] = stored(units, made), WEIGHTS
        operands[12 + gate] = below(3000, units, low=-3000, dtype=np.int32)
        if peephole and gate != 2:
            place = 9 + min(gate, 2)
            operands[place] = below(20000, units, low=-20000, dtype=np.int16)
            scales[place] = Quantization(0.00004)
        if norm:
            operands[20 + gate] = below(32000, units, low=5000, dtype=np.int16)
            scales[20 + gate] = Quantization(0.00005)
    if outputs:
        operands[16], scales[16] = stored(outputs, units), WEIGHTS
        operands[17] = below(900, outputs, low=-900, dtype=np.int32)
    operands[18], scales[18] = stored(batch, made), STATE
    operands[19] = below(9000, batch, units, low=-9000, dtype=np.int16)
    scales[19] = Quantization(cell)
    count = 24 if norm else 20
    fields.setdefault("hidden", (0.011, 5))
    return case(
        f"IntegerLSTM {name}",
        ops.IntegerLSTM(**fields),
        *operands[:count],
        quantizations=tuple(scales[:count]),
        output_quantization=[STATE, STATE, Quantization(cell)],
        constants=tuple(i for i in range(count) if i not in (0, 18, 19) and operands[i]),
        kernels=() if peephole or norm or outputs else "lstm_s8",
        bench=bench,
    )


CASES: list[Case] = [
    lstm("plain", 2, 5, 7, 9),
    lstm("time major", 2, 3, 33, 20, time_major=True, cell_clip=1.5),
    lstm("coupled", 1, 4, 16, 32, coupled=True, cell=2.0**-13),
    lstm("wide cells", 1, 4, 70, 35, cell=2.0**-9),
    lstm("large", 1, 8, 257, 128, bench=True),
    lstm("peephole", 2, 4, 7, 9, peephole=True),
    lstm("projection", 2, 4, 7, 9, outputs=6, hidden=(0.009, -3), projection_clip=0.9),
    lstm("norm", 2, 4, 7, 9, norm=True, gate_scales=(0.001, 0.0011, 0.0012, 0.0013)),
]
