"""The LSTM of int8 models: int8 in and out, int16 gates and cells, fixed-point throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from linnet.errors import ShapeError, UnsupportedError
from linnet.types import Array, Cost, Dim, DType, NodeTypes, Shape, TensorType

from . import bind_recurrent
from .arithmetic import pair
from .base import Op, Step
from .fixed_point import multiplier, saturated, scaled, shifted, sigmoid_table, tanh_table
from .movement import given, need, same_dim

__all__ = ["IntegerLSTM"]

GATES = ("input", "forget", "cell", "output")
X, W, R, P, B, PROJECTION, H, C, NORM = 0, 1, 5, 9, 12, 16, 18, 19, 20
_GATE_SCALE = 2.0**-12


class IntegerLSTM(Op, frozen=True):
    """LSTM over a sequence, in the integers of TFLite's 8x8_16 recipe.

    Inputs are x [batch, time, inputs]; for the gates input, forget, cell, output: weights
    [units, inputs], recurrent weights [units, outputs] (int8, symmetric); peepholes of input,
    forget and output [units] (int16) or absent; biases [units] (int32); projection
    [outputs, units] and its bias, or absent; states h [batch, outputs] (int8) and c
    [batch, units] (int16, scale a power of two); coefficients of layer normalization of the gates
    (int16) or absent. Without weights of the input gate, it is one less the forget gate. Outputs
    are y [batch, time, outputs], h and c.

    Parameters
    ----------
    time_major : bool
        x and y are [time, batch, ...].
    cell_clip, projection_clip : float
        Largest absolute value of c and of projected h; 0 for none.
    hidden : (float, int)
        Scale and zero point of the hidden vector, before its projection if there is one.
    gate_scales : tuple of float
        Scales of the gates before their layer normalization.

    Notes
    -----
    Gates have three bits before the point; sigmoid and tanh are those of `fixed_point`. TFLite
    applies peepholes to as many units as there are outputs; here they count for all units.
    """

    time_major: bool = False
    cell_clip: float = 0.0
    projection_clip: float = 0.0
    hidden: tuple[float, int] = (1.0, 0)
    gate_scales: tuple[float, float, float, float] = (_GATE_SCALE,) * 4
    since: ClassVar[int] = 2
    arity: ClassVar[tuple[int, int]] = (20, 24)

    @property
    def outputs(self) -> int:
        """The sequence, h and c."""
        return 3

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the types of y, h and c."""
        x, h, c = (need(types[i], "an input") for i in (X, H, C))
        forget, recurrent = need(types[W + 1], "weights"), need(types[R + 1], "recurrent weights")
        units, outputs = recurrent.shape
        batch = x.shape[1 if self.time_major else 0] if x.rank == 3 else -1
        fits = (
            x.rank == 3
            and forget.rank == recurrent.rank == h.rank == c.rank == 2
            and same_dim(forget.shape[1], x.shape[2])
            and forget.shape[0] == units
            and all(map(same_dim, h.shape, (batch, outputs)))
            and all(map(same_dim, c.shape, (batch, units)))
            and (x.dtype, h.dtype, c.dtype) == (DType.INT8, DType.INT8, DType.INT16)
        )
        if not fits:
            raise ShapeError(f"x {x}, weights {forget} and {recurrent}, states {h} and {c}")
        self._check_weights(types)
        check_shapes(types, _expected(units, outputs, x.shape[2]))
        (scale, _), *_ = pair(c), pair(x), pair(h)
        if 2.0 ** round(np.log2(scale)) != scale or not -15 <= round(np.log2(scale)) <= -9:
            raise UnsupportedError(f"cell states of scale {scale}; expected 2**-15 to 2**-9")
        q = h.quantization
        y = TensorType(DType.INT8, (*x.shape[:2], outputs), q)
        return y, h.with_(value=None), c.with_(value=None)

    def _check_weights(self, types: tuple[TensorType | None, ...]) -> None:
        for index in (*range(W, B), PROJECTION):
            type_ = types[index]
            if type_ is not None and pair(type_)[1] != 0:
                raise UnsupportedError(f"weights {type_} are not symmetric")
        for gate in range(4):
            if types[W + gate] is None and gate != 0:
                raise ShapeError(f"weights of the {GATES[gate]} gate are absent")

    def steps(self, types: NodeTypes) -> dict[str, tuple[int, int]]:
        """Return the fixed-point factors of every product, by name."""
        kinds = types.inputs
        x, h, c = (pair(need(kinds[i], "an input"))[0] for i in (X, H, C))
        found = {}
        for gate, name in enumerate(GATES):
            normalized = len(kinds) > NORM + gate and kinds[NORM + gate] is not None
            target = np.float32(self.gate_scales[gate] if normalized else _GATE_SCALE)
            peephole = (P, P + 1, None, P + 2)[gate]
            for index, scale, what in ((W + gate, x, "w"), (R + gate, h, "r"), (peephole, c, "p")):
                kind = None if index is None else kinds[index]
                if kind is not None:
                    found[f"{what}{gate}"] = multiplier(float(pair(kind)[0] * scale / target))
            if normalized:
                found[f"n{gate}"] = multiplier(float(pair(need(kinds[NORM + gate], name))[0]))
        hidden = np.float32(self.hidden[0])
        found["hidden"] = multiplier(float(np.float32(2.0**-15) / hidden * np.float32(2.0**-15)))
        if kinds[PROJECTION] is not None:
            weight = pair(need(kinds[PROJECTION], "projection"))[0]
            found["projection"] = multiplier(float(weight * hidden / h))
        return found

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Run the sequence step by step."""
        inputs = [*arrays, *[None] * (24 - len(arrays))]
        x = given(inputs[X]).astype(np.int64)
        x = x if self.time_major else x.transpose(1, 0, 2)
        h, c = (given(inputs[i]).astype(np.int64) for i in (H, C))
        cell = CellConstants(self, types, inputs)
        made = np.empty((*x.shape[:2], h.shape[1]), np.int8)
        for time, values in enumerate(x):
            h, c = cell.step(values, h, c)
            made[time] = h
        y = made if self.time_major else np.ascontiguousarray(made.transpose(1, 0, 2))
        return y, h.astype(np.int8), c.astype(np.int16)

    def bind(self, step: Step) -> bool:
        """Bind the kernel of plain cells; peepholes, projections and normalization have none."""
        items = [*step.inputs, *[None] * (24 - len(step.inputs))]
        weights = [item for item in (*items[W:P], *items[B:PROJECTION]) if item is not None]
        rest = [*items[P:B], items[PROJECTION], *items[NORM:]]
        if any(item is not None for item in rest) or any(w.array is None for w in weights):
            return False
        arrays = [None if i in (X, H, C) or w is None else w.array for i, w in enumerate(items)]
        return bind_recurrent.lstm_s8(self, step, CellConstants(self, step.types, arrays))

    def cost(self, types: NodeTypes) -> Cost:
        """Count the products of all steps."""
        x = need(types.inputs[X], "input")
        weights = sum(t.size for t in types.inputs[W:P] if t is not None)
        moved = sum(t.nbytes for t in (*types.inputs, *types.outputs) if t is not None)
        return Cost(weights * x.static_shape[0] * x.static_shape[1], moved)


def _expected(units: Dim, outputs: Dim, depth: Dim) -> dict[int, Shape]:
    """Return the shapes of all constants by input."""
    found: dict[int, Shape] = {PROJECTION: (outputs, units), PROJECTION + 1: (outputs,)}
    for gate in range(4):
        found |= {W + gate: (units, depth), R + gate: (units, outputs)}
        found |= {B + gate: (units,), NORM + gate: (units,)}
    return found | {P + gate: (units,) for gate in range(3)}


def check_shapes(types: Sequence[TensorType | None], expected: Mapping[int, Shape]) -> None:
    """Check the shapes of the inputs that are present.

    Raises
    ------
    ShapeError
        If one differs from what is expected.
    """
    for index, shape in expected.items():
        type_ = types[index] if index < len(types) else None
        if type_ is None:
            continue
        if type_.rank != len(shape) or not all(map(same_dim, type_.shape, shape)):
            raise ShapeError(f"input {index} is {type_}; expected shape {shape}")


class CellConstants:
    """One LSTM cell with its effective biases."""

    def __init__(self, op: IntegerLSTM, types: NodeTypes, arrays: list[Array | None]) -> None:
        self.op, self.arrays, self.factors = op, arrays, op.steps(types)
        kinds = types.inputs
        zero_x, self.zero_h = (pair(need(kinds[i], "an input"))[1] for i in (X, H))
        scale, _ = pair(need(kinds[C], "cell"))
        self.point = -round(float(np.log2(scale)))
        self.cell_clip = _stored(op.cell_clip, float(scale), 32767)
        h_scale = float(pair(need(kinds[H], "state"))[0])
        self.projection_clip = _stored(op.projection_clip, h_scale, 127)
        self.norms = [arrays[NORM + gate] is not None for gate in range(4)]
        self.coupled = arrays[W] is None
        self.weights = [None if a is None else a.astype(np.int64) for a in arrays[W:P]]
        self.bias_x: list[Array | int] = []
        self.bias_h: list[Array | int] = []
        for gate in range(4):
            w, r = self.weights[gate], self.weights[4 + gate]
            bias = arrays[B + gate]
            plain = 0 if bias is None or self.norms[gate] else bias.astype(np.int64)
            self.bias_x.append(plain - (0 if w is None else zero_x * w.sum(axis=1)))
            self.bias_h.append(0 if r is None else -self.zero_h * r.sum(axis=1))

    def step(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        forget = self._gate(1, x, h, c)
        update = self._gate(2, x, h, c)
        enter = 32767 - forget if self.coupled else self._gate(0, x, h, c)
        kept = shifted(forget * c, 15).astype(np.int16).astype(np.int64)
        added = shifted(enter * update, 30 - self.point).astype(np.int16).astype(np.int64)
        c = saturated(kept + added)
        if self.cell_clip:
            c = np.clip(c, -self.cell_clip, self.cell_clip)
        leave = self._gate(3, x, h, c)
        bent = tanh_table(15 - self.point)[c + 32768].astype(np.int64)
        projection = self.arrays[PROJECTION]
        hidden = scaled(leave * bent, self.factors["hidden"]) + self.op.hidden[1]
        hidden = np.clip(hidden, -128, 127)
        return (hidden if projection is None else self._project(hidden, projection)), c

    def _gate(self, gate: int, x: Array, h: Array, c: Array) -> Array:
        w, r = self.weights[gate], self.weights[4 + gate]
        assert w is not None and r is not None
        total = saturated(scaled(x @ w.T + self.bias_x[gate], self.factors[f"w{gate}"]))
        total = saturated(total + scaled(h @ r.T + self.bias_h[gate], self.factors[f"r{gate}"]))
        peephole = None if gate == 2 else self.arrays[P + min(gate, 2)]
        if peephole is not None:
            product = peephole.astype(np.int64) * c
            total = saturated(total + scaled(product, self.factors[f"p{gate}"]))
        if self.norms[gate]:
            coefficients, bias = self.arrays[NORM + gate], self.arrays[B + gate]
            total = _normalized(total, given(coefficients), bias, self.factors[f"n{gate}"])
        table = tanh_table(3) if gate == 2 else sigmoid_table()
        return np.asarray(table[total + 32768], np.int64)

    def _project(self, hidden: Array, weights: Array) -> Array:
        wide, bias = weights.astype(np.int64), self.arrays[PROJECTION + 1]
        total = (hidden - self.op.hidden[1]) @ wide.T + (0 if bias is None else bias)
        h = np.clip(scaled(total, self.factors["projection"]) + self.zero_h, -128, 127)
        limit = self.projection_clip
        return np.asarray(np.clip(h, -limit, limit) if limit else h)


def _stored(limit: float, scale: float, most: int) -> int:
    return int(min(max(limit / scale, -most - 1), most)) if limit > 0 else 0


def _normalized(
    gate: Array, coefficients: Array, bias: Array | None, factor: tuple[int, int]
) -> Array:
    """Return layer normalization of each row, in whole numbers."""
    count = gate.shape[1]
    mean = _toward_zero(gate.sum(axis=1) * 1024, count)
    variance = (gate**2).sum(axis=1) * ((1 << 20) // count) - mean**2
    variance = _toward_zero(variance, 1 << 20)
    result = np.empty_like(gate)
    for row in range(gate.shape[0]):
        limit = 1 if variance[row] < 1 else int(variance[row])
        centered = 1024 * gate[row] - mean[row]
        value = scaled(centered, _inverse_root(limit)) * coefficients.astype(np.int64)
        value = value + (0 if bias is None else bias)
        value = _toward_zero(np.where(value > 0, value + 512, value - 512), 1024)
        result[row] = saturated(scaled(value, (factor[0], factor[1] + 12)))
    return result


def _toward_zero(value: Array, divisor: int) -> Array:
    return np.where(value >= 0, value // divisor, -(-value // divisor))


def _inverse_root(value: int) -> tuple[int, int]:
    """Return 1 / sqrt(value) as a fixed-point factor, by TFLite's five Newton steps."""
    if value <= 1:
        return (1 << 31) - 1, 0
    shift = 11
    while value >= 1 << 29:
        value, shift = value // 4, shift + 1
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    shift, value = shift - pairs, value << 2 * pairs
    half = int(shifted(np.int64(value >> 1), 1))  # type: ignore[arg-type]
    x = 1 << 28
    for _ in range(5):
        cube = _raise32(_product(_product(x, x), x), 6)
        x = _raise32(_product((1 << 28) + (1 << 27), x) - _product(half, cube), 3)
    x = _product(x, 1518500250)
    return (x << -shift, 0) if shift < 0 else (x, -shift)


def _product(left: int, right: int) -> int:
    product = left * right
    product += (1 << 30) if product >= 0 else 1 - (1 << 30)
    return product >> 31 if product >= 0 else -(-product >> 31)


def _raise32(value: int, exponent: int) -> int:
    limit = (1 << (31 - exponent)) - 1
    if value > limit:
        return (1 << 31) - 1
    return -(1 << 31) if value < -limit else value << exponent
