"""Reading ONNX protocol buffers into NumPy without trusting them.

Owns tensors, attributes and external data. Knows nothing of graphs or operators.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from linnet.errors import FormatError, UnsupportedError
from linnet.types import Array, DType

_DTYPES: dict[int, DType] = {
    onnx.TensorProto.FLOAT: DType.FLOAT32,
    onnx.TensorProto.FLOAT16: DType.FLOAT16,
    onnx.TensorProto.DOUBLE: DType.FLOAT64,
    onnx.TensorProto.INT8: DType.INT8,
    onnx.TensorProto.UINT8: DType.UINT8,
    onnx.TensorProto.INT16: DType.INT16,
    onnx.TensorProto.UINT16: DType.UINT16,
    onnx.TensorProto.INT32: DType.INT32,
    onnx.TensorProto.UINT32: DType.UINT32,
    onnx.TensorProto.INT64: DType.INT64,
    onnx.TensorProto.UINT64: DType.UINT64,
    onnx.TensorProto.BOOL: DType.BOOL,
    onnx.TensorProto.COMPLEX64: DType.COMPLEX64,
}
# Types narrower than any of linnet's: they are held in wider ones, rounded to what they can hold.
NARROW: dict[int, tuple[str, DType]] = {
    code: (name.lower(), dtype)
    for name, dtype in (
        ("BFLOAT16", DType.FLOAT32),
        ("FLOAT8E4M3FN", DType.FLOAT32),
        ("FLOAT8E4M3FNUZ", DType.FLOAT32),
        ("FLOAT8E5M2", DType.FLOAT32),
        ("FLOAT8E5M2FNUZ", DType.FLOAT32),
        ("FLOAT8E8M0", DType.FLOAT32),
        ("FLOAT4E2M1", DType.FLOAT32),
        ("INT4", DType.INT8),
        ("UINT4", DType.UINT8),
        ("INT2", DType.INT8),
        ("UINT2", DType.UINT8),
    )
    if (code := getattr(onnx.TensorProto, name, None)) is not None
}
_SCALARS = {
    onnx.AttributeProto.FLOAT: "f",
    onnx.AttributeProto.INT: "i",
    onnx.AttributeProto.FLOATS: "floats",
    onnx.AttributeProto.INTS: "ints",
}
MAX_RANK = 32


def dtype_of(code: int, what: str) -> DType:
    """Return the DType of an ONNX element type code.

    Raises
    ------
    UnsupportedError
        If linnet has no such element type.
    FormatError
        If ONNX has none either.
    """
    if code in _DTYPES:
        return _DTYPES[code]
    if code in NARROW:
        return NARROW[code][1]
    try:
        name = onnx.TensorProto.DataType.Name(code).lower()
    except ValueError:
        raise FormatError(f"{what} has element type {code}, which ONNX does not define") from None
    raise UnsupportedError(f"{what} has element type {name}; cast it to float32 or int8 first")


def tensor_array(tensor: onnx.TensorProto, folder: Path | None) -> Array:
    """Return a tensor's content; texts as objects.

    Parameters
    ----------
    tensor : onnx.TensorProto
    folder : Path or None
        The model file's folder, which external data must lie in; None where there is no file.

    Raises
    ------
    FormatError
        If the content does not fit the declared shape, or external data is missing or elsewhere.
    UnsupportedError
        If the element type has no counterpart.
    """
    what = f"tensor '{tensor.name}'"
    textual = tensor.data_type == onnx.TensorProto.STRING
    dtype = DType.INT64 if textual else dtype_of(tensor.data_type, what)
    shape = tuple(tensor.dims)
    if len(shape) > MAX_RANK or any(dim < 0 for dim in shape):
        raise FormatError(f"{what} has shape {list(shape)}; dimensions must be >= 0")
    count = math.prod(shape)
    if textual:
        if len(tensor.string_data) != count:
            raise FormatError(f"{what} holds {len(tensor.string_data)} texts, not {count}")
        return np.array([_text(item) for item in tensor.string_data], np.object_).reshape(shape)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        if tensor.data_type in NARROW:
            return _external_narrow(tensor, folder)
        return _external(tensor, folder, dtype, shape)
    if tensor.HasField("raw_data") and tensor.data_type not in NARROW:
        return _from_bytes(tensor.raw_data, dtype, shape, what)
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{what} does not hold {count} elements: {error}") from error
    if tensor.data_type in NARROW and array.shape == shape:
        return np.asarray(array).astype(dtype.numpy)
    if array.shape != shape or array.dtype != dtype.numpy:
        raise FormatError(f"{what} holds {array.dtype}{list(array.shape)}, declared {dtype.value}")
    return np.asarray(array)


def _from_bytes(data: bytes, dtype: DType, shape: tuple[int, ...], what: str) -> Array:
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise FormatError(
            f"{what} holds {len(data)} bytes; {dtype.value}{list(shape)} is {expected}"
        )
    little = dtype.numpy.newbyteorder("<")
    array = np.frombuffer(data, little).reshape(shape)
    return array.astype(dtype.numpy, copy=False)


def _external_narrow(tensor: onnx.TensorProto, folder: Path | None) -> Array:
    """Return a tensor of a narrow type, whose elements may share bytes, from a file."""
    bits = {"int4": 4, "uint4": 4, "float4e2m1": 4, "int2": 2, "uint2": 2, "bfloat16": 16}
    size = -(-math.prod(tensor.dims) * bits.get(NARROW[tensor.data_type][0], 8) // 8)
    whole = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    whole.raw_data = _external(tensor, folder, DType.UINT8, (size,)).tobytes()
    return tensor_array(whole, folder)


def _external(
    tensor: onnx.TensorProto, folder: Path | None, dtype: DType, shape: tuple[int, ...]
) -> Array:
    what = f"external data of tensor '{tensor.name}'"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise FormatError(f"{what} is in '{location}'; give the model's path, not its bytes")
    offset, length = _range(tensor, entries, math.prod(shape) * dtype.itemsize)
    try:
        home = folder.resolve()
        path = (home / location).resolve()
        if not location or Path(location).is_absolute() or not path.is_relative_to(home):
            raise FormatError(f"{what} is at '{location}'; it must lie in the model's own folder")
        if not path.is_file():
            raise FormatError(f"{what} is missing: '{location}' is not beside the model")
        size = path.stat().st_size
        if offset < 0 or length < 0 or offset + length > size:
            raise FormatError(f"{what} is bytes {offset} to {offset + length} of a file of {size}")
        with path.open("rb") as file:
            file.seek(offset)
            return _from_bytes(file.read(length), dtype, shape, what)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise FormatError(f"{what} at {location!r} cannot be read: {error}") from error


def _range(tensor: onnx.TensorProto, entries: dict[str, str], length: int) -> tuple[int, int]:
    """Return where external data begins and how long it is, by default ``length``."""
    try:
        return int(entries.get("offset", "0")), int(entries.get("length", str(length)))
    except (ValueError, TypeError) as error:
        raise FormatError(
            f"external data of tensor '{tensor.name}' has a malformed offset or length: {error}"
        ) from error


def check_ranges(tensors: Iterable[onnx.TensorProto]) -> None:
    """Check that tensors share all of their external bytes or none.

    Raises
    ------
    FormatError
        Naming two that overlap: a small file could describe more than memory holds.
    """
    ranges: dict[str, dict[tuple[int, int], str]] = {}
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            offset, length = _range(tensor, entries, 0)
            place = ranges.setdefault(entries.get("location", ""), {})
            place[offset, offset + length] = tensor.name
    for location, found in ranges.items():
        pairs = sorted(found.items())
        for ((_, end), first), ((begin, _), second) in itertools.pairwise(pairs):
            if begin < end:
                raise FormatError(
                    f"external data of tensors '{first}' and '{second}' overlaps in '{location}'"
                )


def attributes(node: onnx.NodeProto, folder: Path | None) -> dict[str, Any]:
    """Return a node's attributes: numbers, text, tuples of them, arrays, or the raw message."""
    return {attribute.name: _value(attribute, folder) for attribute in node.attribute}


def _value(attribute: onnx.AttributeProto, folder: Path | None) -> Any:
    if attribute.ref_attr_name:
        raise UnsupportedError(
            f"attribute {attribute.name} refers to '{attribute.ref_attr_name}' of a function; "
            "inline the model's functions first"
        )
    kind = attribute.type
    if kind in _SCALARS:
        value = getattr(attribute, _SCALARS[kind])
        return tuple(value) if _SCALARS[kind] in ("floats", "ints") else value
    if kind == onnx.AttributeProto.STRING:
        return _text(attribute.s)
    if kind == onnx.AttributeProto.STRINGS:
        return tuple(_text(item) for item in attribute.strings)
    if kind == onnx.AttributeProto.TENSOR:
        return tensor_array(attribute.t, folder)
    return attribute


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"a text is not UTF-8: {error}") from error
