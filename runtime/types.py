"""Element types, shapes and quantization: the vocabulary that every other module shares."""

from __future__ import annotations

import enum
import math
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
import numpy as np

from .errors import ShapeError
from .panels import Panels as Panels
from .spec import Array as Array
from .spec import Dim as Dim
from .spec import Quantization as Quantization
from .spec import Shape as Shape
from .spec import TensorSpec as TensorSpec


class DType(str, enum.Enum):
    """Element type of a tensor; the value is NumPy's name of it."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    FLOAT64 = "float64"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    BOOL = "bool"
    COMPLEX64 = "complex64"

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        """NumPy's dtype of the same element type."""
        return np.dtype(self.value)

    @cached_property
    def itemsize(self) -> int:
        """Bytes per element."""
        return int(self.numpy.itemsize)

    @property
    def is_float(self) -> bool:
        """Whether this is a real floating-point type."""
        return self.numpy.kind == "f"

    @property
    def is_integer(self) -> bool:
        """Whether this is a signed or unsigned integer type (bool is not)."""
        return self.numpy.kind in "iu"

    @classmethod
    def of(cls, array: Array | Panels | np.dtype[Any] | type) -> DType:
        """Return the DType of an array, a NumPy dtype or a scalar type.

        Raises
        ------
        ShapeError
            If the element type has no counterpart (strings, objects, structured types).
        """
        dtype = array.dtype if isinstance(array, np.ndarray | Panels) else np.dtype(array)
        try:
            return cls(dtype.name)
        except ValueError:
            names = ", ".join(member.value for member in cls)
            raise ShapeError(
                f"element type {dtype} is not supported; expected one of {names}"
            ) from None


class TensorType(msgspec.Struct, frozen=True, eq=False):
    """Element type, shape and quantization of a tensor.

    Parameters
    ----------
    dtype : DType
        Element type as stored.
    shape : tuple of int or str
        Dimensions; a string is a symbolic dimension or an expression over such.
    quantization : Quantization, optional
        How stored integers map to real values; None for plain numbers.
    value : ndarray, optional
        The content where it is known before running; shape inference reads it, equality ignores it.
    """

    dtype: DType
    shape: Shape
    quantization: Quantization | None = None
    value: Array | None = None

    def __eq__(self, other: object) -> bool:
        """Compare all but the content."""
        if not isinstance(other, TensorType):
            return NotImplemented
        return self._key() == other._key()

    def __ne__(self, other: object) -> bool:
        """Say the opposite: the base class compares every field."""
        return not self == other

    def __hash__(self) -> int:
        """Hash what equality compares."""
        return hash(self._key())

    def _key(self) -> tuple[DType, Shape, Quantization | None]:
        return self.dtype, self.shape, self.quantization

    def __repr__(self) -> str:
        """Show all but the content."""
        return (
            f"TensorType(dtype={self.dtype!r}, shape={self.shape!r}, "
            f"quantization={self.quantization!r})"
        )

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every dimension is a number."""
        return str not in map(type, self.shape)

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape as integers.

        Raises
        ------
        ShapeError
            If a dimension is symbolic.
        """
        if not self.is_static:
            raise ShapeError(f"shape {self.shape} is symbolic where numbers are needed")
        return tuple(map(int, self.shape))

    @property
    def size(self) -> int:
        """Number of elements (static shapes only)."""
        return math.prod(self.static_shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the content (static shapes only)."""
        return self.size * self.dtype.itemsize

    @property
    def is_quantized(self) -> bool:
        """Whether stored integers stand for real values."""
        return self.quantization is not None

    def with_(self, **changes: Any) -> TensorType:
        """Return a copy with some fields replaced."""
        return msgspec.structs.replace(self, **changes)

    @classmethod
    def of(cls, array: Array, quantization: Quantization | None = None) -> TensorType:
        """Return the type of a constant, its value attached."""
        return cls(DType.of(array), tuple(int(dim) for dim in array.shape), quantization, array)

    def __str__(self) -> str:
        """Show as ``int8[1,32,32,3]``."""
        return f"{self.dtype.value}[{','.join(map(str, self.shape))}]"


class NodeTypes(NamedTuple):
    """Types of one node's inputs (None where an optional input is absent) and outputs."""

    inputs: tuple[TensorType | None, ...]
    outputs: tuple[TensorType, ...]


class Cost(NamedTuple):
    """Work of one node: multiply-accumulates (or element operations) and bytes moved."""

    macs: int
    bytes: int
