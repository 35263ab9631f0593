"""What callers see of a model: inputs and outputs, and how their integers map to real values.

Needs NumPy only, so that a session made from a stored plan imports little else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
else:
    Array = np.ndarray
Dim = int | str
Shape = tuple[Dim, ...]


class Quantization:
    """Affine quantization: real = scale * (stored - zero_point), per tensor or along one axis.

    Parameters
    ----------
    scale : array_like of float32, shape () or (n,)
        Real value per integer step, finite and positive.
    zero_point : array_like of int32, shape () or (n,)
        Stored value that means real zero.
    axis : int, optional
        Axis that the parameters run along; None means one pair for the whole tensor.

    Raises
    ------
    QuantizationError
        If lengths differ, a scale is not finite and positive, or a per-tensor pair has n != 1.

    Examples
    --------
    >>> Quantization(0.5, -3)
    Quantization(scale=0.5, zero_point=-3)
    """

    __slots__ = ("axis", "scale", "zero_point")

    def __init__(
        self, scale: npt.ArrayLike, zero_point: npt.ArrayLike = 0, axis: int | None = None
    ) -> None:
        self.scale: Array = np.array(scale, np.float32).reshape(-1)
        zero = np.asarray(zero_point)
        self.zero_point: Array = zero.astype(np.int32).reshape(-1)
        self.axis = axis
        if self.zero_point.size == 1 and self.scale.size > 1:
            self.zero_point = np.repeat(self.zero_point, self.scale.size)
        if self.scale.size != self.zero_point.size or (axis is None and self.scale.size != 1):
            from .errors import QuantizationError

            raise QuantizationError(
                f"{self.scale.size} scales, {self.zero_point.size} zero points, axis {axis}: "
                "expected equal counts, and exactly one pair when axis is None"
            )
        if not (np.isfinite(self.scale).all() and (self.scale > 0).all()):
            from .errors import QuantizationError

            raise QuantizationError(
                "a scale is zero, negative or not finite; scales must be positive"
            )
        self.scale.flags.writeable = False
        self.zero_point.flags.writeable = False

    @classmethod
    def of_bytes(cls, scale: bytes, zero_point: bytes | None, axis: int | None) -> Quantization:
        """Return parameters that were checked before, from their little-endian bytes."""
        self = cls.__new__(cls)
        self.scale = np.frombuffer(scale, "<f4").astype(np.float32, copy=False)
        zero = bytes(len(scale)) if zero_point is None else zero_point
        self.zero_point = np.frombuffer(zero, "<i4").astype(np.int32, copy=False)
        self.axis = axis
        return self

    @property
    def per_tensor(self) -> bool:
        """Whether one pair serves the whole tensor."""
        return self.scale.size == 1

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, Quantization)
            and self.axis == other.axis
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def __hash__(self) -> int:
        """Hash by value."""
        return hash((self.axis, self.scale.tobytes(), self.zero_point.tobytes()))

    def __repr__(self) -> str:
        """Show one pair, or the count and the axis."""
        if self.axis is None:
            scale, zero = float(self.scale[0]), int(self.zero_point[0])
            return f"Quantization(scale={scale:.9g}, zero_point={zero})"
        return f"Quantization({self.scale.size} scales along axis {self.axis})"


class TensorSpec(tuple[str, Shape, np.dtype[Any], Quantization | None]):
    """Public description of a session input or output.

    Parameters
    ----------
    name : str
    shape : tuple of int or str
        A str is a dimension that each run chooses.
    dtype : dtype
    quantization : Quantization, optional

    Notes
    -----
    A named tuple, which `typing.NamedTuple` would take longer to make than a plan to restore.
    """

    __slots__ = ()

    def __new__(
        cls, name: str, shape: Shape, dtype: np.dtype[Any], quantization: Quantization | None = None
    ) -> TensorSpec:
        """Return a description."""
        return super().__new__(cls, (name, shape, dtype, quantization))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    @property
    def name(self) -> str:
        """What the tensor is called in feeds and results."""
        return self[0]

    @property
    def shape(self) -> Shape:
        """Numbers, and names of dimensions that each run chooses."""
        return self[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of arrays."""
        return self[2]

    @property
    def quantization(self) -> Quantization | None:
        """How integers map to real values; None where they do not."""
        return self[3]

    def __repr__(self) -> str:
        """Show every field."""
        name, shape, dtype, quantization = self
        return f"TensorSpec({name=}, {shape=}, {dtype=}, {quantization=})"
