"""Matrix products."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet import dims
from linnet.errors import ShapeError
from linnet.types import Array, Cost, NodeTypes, Shape, TensorType

from . import products
from .base import NO_CLAMP, Clamp, Op, Step
from .products import centered, channels_fit, check_bias, check_operands, finish

__all__ = ["FullyConnected", "MatMul"]


def _operands(types: tuple[TensorType | None, ...]) -> tuple[TensorType, TensorType]:
    first, second = (*types, None)[:2]
    if first is None or second is None:
        raise ShapeError("a matrix product needs two operands")
    return first, second


def _cost(macs: int, types: NodeTypes) -> Cost:
    present = [t for t in (*types.inputs, *types.outputs) if t is not None]
    return Cost(macs, sum(t.nbytes for t in present))


class FullyConnected(Op, frozen=True):
    """Product with a weight matrix: y[..., o] = b[o] + sum over k of x[..., k] * w[o, k].

    Inputs are x (..., k), w (outputs, k; quantized per tensor or along axis 0) and optionally
    b (outputs). ``clamp`` bounds the output, in real values.
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)

    clamp: Clamp = NO_CLAMP

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the output type; see `Op.infer`."""
        x, w = _operands(types)
        if w.rank != 2 or x.rank < 1:
            raise ShapeError(f"input {x} and weights {w}; expected (..., k) and (outputs, k)")
        check_operands(x, w, 0)
        channels_fit(x.shape[-1], w.shape[1], f"last axis of the input (weights {w})")
        check_bias(types[2] if len(types) > 2 else None, w.shape[0], x)
        return (TensorType(x.dtype, (*x.shape[:-1], w.shape[0])),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64, exact for integers; see `Op.reference`."""
        data, weights, bias = (*arrays, None)[:3]
        assert data is not None and weights is not None
        x, w = _operands(types.inputs)
        total = centered(data, x) @ centered(weights, w).T
        return (finish(total, bias, types, self.clamp),)

    def bind(self, step: Step) -> bool:
        """Add the kernel for the step's types; see `Op.bind`."""
        if _operands(step.types.inputs)[0].is_quantized:
            from . import bind_int8

            return bind_int8.fully_connected(step, self)
        from . import bind_float

        return bind_float.fully_connected(step, self)

    def reads_panels(self, *types: TensorType | None) -> tuple[int, ...]:
        """Return the weights; see `Op.reads_panels`."""
        return (1,) if products.read_panels(*_operands(types)[:2]) else ()

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per output and k."""
        return _cost(types.outputs[0].size * _operands(types.inputs)[1].static_shape[1], types)


class MatMul(Op, frozen=True):
    """Matrix product of the last two axes, the leading axes broadcast, as `numpy.matmul`.

    A quantized first operand has one scale; a quantized second one per tensor or along the axis
    that becomes the output's last (then it has rank 2 or leading axes of 1).

    Parameters
    ----------
    transpose_a, transpose_b : bool
        Swap the last two axes of an operand first (rank 2 and more).
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the output type; see `Op.infer`."""
        a, b = _operands(types)
        left, right = self.shapes(a, b)
        check_operands(a, b, (b.rank - (2 if self.transpose_b else 1)) if b.rank > 1 else None)
        channels_fit(right[-2], left[-1], f"shared axis of {a} and {b}")
        batch = _broadcast(left[:-2], right[:-2], a, b)
        rows = () if a.rank == 1 else (left[-2],)
        columns = () if b.rank == 1 else (right[-1],)
        return (TensorType(a.dtype, (*batch, *rows, *columns)),)

    def shapes(self, a: TensorType, b: TensorType) -> tuple[Shape, Shape]:
        """Return the operands' shapes (..., m, k) and (..., k, n) after transposing.

        Raises
        ------
        ShapeError
            If an operand has rank 0, or rank 1 where it is to be transposed.
        """
        shapes = []
        for operand, swap, other in ((a, self.transpose_a, 0), (b, self.transpose_b, 1)):
            shape = operand.shape
            if not shape or (swap and len(shape) < 2):
                raise ShapeError(
                    f"operand {operand} has rank {len(shape)}; expected at least {1 + swap}"
                )
            if len(shape) == 1:
                shape = (*shape, 1) if other else (1, *shape)
            elif swap:
                shape = (*shape[:-2], shape[-1], shape[-2])
            shapes.append(shape)
        return shapes[0], shapes[1]

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute in float64 (integers exactly); see `Op.reference`."""
        a, b = _operands(types.inputs)
        assert arrays[0] is not None and arrays[1] is not None
        left, right = arrays[0], arrays[1]
        plain = a.dtype.is_integer and not a.is_quantized
        if not plain:
            left, right = centered(left, a), centered(right, b)
        left = left.swapaxes(-1, -2) if self.transpose_a else left
        right = right.swapaxes(-1, -2) if self.transpose_b else right
        total: Array = np.asarray(np.matmul(left, right))
        return (total if plain else finish(total, None, types),)

    def bind(self, step: Step) -> bool:
        """Add the kernel for the step's types; see `Op.bind`."""
        if _operands(step.types.inputs)[0].is_quantized:
            from . import bind_int8

            return bind_int8.matmul(step, self)
        from . import bind_float

        return bind_float.matmul(step, self)

    def cost(self, types: NodeTypes) -> Cost:
        """Count one multiply-accumulate per output and shared index."""
        shared = self.shapes(*_operands(types.inputs))[0][-1]
        return _cost(types.outputs[0].size * int(shared), types)


def _broadcast(left: Shape, right: Shape, a: TensorType, b: TensorType) -> Shape:
    rank = max(len(left), len(right))
    wide = [(1,) * (rank - len(shape)) + shape for shape in (left, right)]
    result = []
    for first, second in zip(*wide, strict=True):
        dim = dims.broadcast(first, second)
        if dim is None:
            raise ShapeError(f"leading axes of {a} and {b} do not broadcast: {first}, {second}")
        result.append(dim)
    return tuple(result)
