"""Steps between real numbers and quantized integers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linnet.errors import QuantizationError, ShapeError
from linnet.types import Array, Cost, DType, NodeTypes, TensorType

from . import arithmetic, bind_elementwise
from .base import Op, Step
from .operands import content, given, work

__all__ = ["Dequantize", "Quantize"]


class Quantize(Op, frozen=True):
    """clip(round_half_even(x / scale) + zero_point) with the parameters the output declares.

    A quantized input is dequantized first, so the op changes scale, zero point or storage type.
    NaN becomes the zero point. Parameters may run along an axis.

    Notes
    -----
    Between int8 and uint8 of one scale with zero points 128 apart this is a flip of the top bit.
    """

    dtype: DType = DType.INT8
    in_place: ClassVar[tuple[int, ...]] = (0,)
    elementwise: ClassVar[bool] = True

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's shape in the storage type."""
        (x,) = given(types)
        if not self.dtype.is_integer:
            raise ShapeError(f"storage type is {self.dtype.value}; expected an integer type")
        if not (x.dtype.is_float or x.is_quantized):
            raise ShapeError(f"input is {x}; expected float or quantized elements: insert Cast")
        return (TensorType(self.dtype, x.shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Quantize float32 reals."""
        (source,) = given(types.inputs)
        (x,) = content(arrays)
        with np.errstate(over="ignore"):
            values = arithmetic.dequantize(x, source).astype(np.float32)
        return (arithmetic.quantize(values, types.outputs[0]),)

    def bind(self, step: Step) -> bool:
        """Bind float32 to stored numbers, and those to others."""
        if bind_elementwise.quantize(self, step):
            return True
        from . import bind_int16

        return bind_int16.table(self, step)

    def cost(self, types: NodeTypes) -> Cost:
        """Count a division, a rounding, an addition and two bounds."""
        return work(types, 5)


class Dequantize(Op, frozen=True):
    """float32(x - zero_point) * scale."""

    arity: ClassVar[tuple[int, int]] = (1, 1)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the input's shape in float32."""
        (x,) = given(types)
        if not x.is_quantized:
            raise QuantizationError(f"input is {x} without quantization; expected scale and zero")
        return (TensorType(DType.FLOAT32, x.shape),)

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Dequantize in float32."""
        (source,) = given(types.inputs)
        return (arithmetic.dequantize(content(arrays)[0], source),)

    def bind(self, step: Step) -> bool:
        """Bind stored numbers to float32."""
        return bind_elementwise.dequantize(step)

    def cost(self, types: NodeTypes) -> Cost:
        """Count a subtraction, a conversion and a multiplication."""
        return work(types, 3)
