"""Reading TFLite files: flatbuffers into plain records, every number of the file checked.

Owns bounds and damage. Knows nothing of graphs: operators are names, options and tensor numbers.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import tflite
from flatbuffers import number_types

from linnet.converters.texts import Texts
from linnet.errors import FormatError, LinnetError, QuantizationError
from linnet.types import Array, DType, Quantization

from .flexible import read_options
from .sparse import traversal

# What flatbuffers and NumPy raise when an offset or length of the file leads out of it.
_DAMAGE = (struct.error, IndexError, KeyError, ValueError, TypeError, OverflowError)
_MAX_RANK = 16
_MAX_ELEMENTS = 1 << 48
_BLOCKWISE = 2
_MOST_DENSE = 1 << 10  # dense elements per stored byte
_QUANTIZED = (DType.INT8, DType.UINT8, DType.INT16)
Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a subgraph as the file declares it.

    ``dtype`` is None for element types that linnet has not (``kind`` names them); ``signature`` is
    the shape with -1 for unknown dimensions; ``data`` is a constant's content, else None;
    ``blocks`` are the tensor that holds scales per block of the last axis, and the block's length.
    """

    index: int
    name: str
    kind: str
    dtype: DType | None
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    quantization: Quantization | None
    data: Array | None
    is_variable: bool
    blocks: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator call: names and numbers only; -1 among the inputs is an absent one."""

    index: int
    kind: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Tensors by number, operators in the order they run."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[TensorInfo, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """A named entry point: a subgraph, and names for its tensors."""

    name: str
    subgraph: int
    inputs: dict[int, str]
    outputs: dict[int, str]


@dataclass(frozen=True, slots=True)
class Model:
    """A whole file; ``texts`` are the places that stand for the texts of its constants."""

    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    texts: Texts


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn what damaged bytes make flatbuffers raise into a FormatError that names ``what``."""
    try:
        yield
    except QuantizationError as error:
        raise FormatError(f"damaged TFLite file: {what}: {error}") from error
    except LinnetError:
        raise
    except _DAMAGE as error:
        raise FormatError(f"damaged TFLite file: {what} cannot be read ({error})") from error


def read_model(data: bytes) -> Model:
    """Read a TFLite file.

    Parameters
    ----------
    data : bytes
        The whole file; constants are views of it.

    Returns
    -------
    Model

    Raises
    ------
    FormatError
        If any offset, length, index or size does not fit the file.
    """
    if data[4:8] != b"TFL3":
        raise FormatError(f"found {data[4:8]!r} at byte 4, expected b'TFL3'; not a TFLite file")
    return _Reader(data).model()


class _Reader:
    """State of one reading: the file, its root table, and how much more may be decoded.

    Elements of vectors can alias each other, so a small file could describe far more than it
    holds; ``_budget`` bounds the total by the file's size.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._budget = 8 * len(data) + 4096
        self._root: Any = None
        self._kinds = _names_by_value(tflite.TensorType)
        self._texts = Texts()

    def model(self) -> Model:
        with reading("the root table"):
            self._root = tflite.Model.GetRootAs(self._data)
            version = self._root.Version()
            if version != 3:
                raise FormatError(f"found TFLite schema version {version}; expected 3")
            description = self._text(self._root.Description())
            count = self._count(self._root.SubgraphsLength())
        if not count:
            raise FormatError("the TFLite file has no subgraph")
        codes = self._operator_codes()
        subgraphs = tuple(self._subgraph(i, codes) for i in range(count))
        return Model(description, subgraphs, self._signatures(subgraphs), self._texts)

    def _signatures(self, subgraphs: tuple[Subgraph, ...]) -> tuple[Signature, ...]:
        found = []
        with reading("the signatures"):
            for i in range(self._count(self._root.SignatureDefsLength())):
                table = self._root.SignatureDefs(i)
                name, index = self._text(table.SignatureKey()), table.SubgraphIndex()
                if index >= len(subgraphs):
                    raise FormatError(f"signature '{name}' names subgraph {index}")
                inputs = [table.Inputs(k) for k in range(self._count(table.InputsLength()))]
                outputs = [table.Outputs(k) for k in range(self._count(table.OutputsLength()))]
                maps = [
                    {m.TensorIndex(): self._text(m.Name()) for m in ms} for ms in (inputs, outputs)
                ]
                for what, ports in zip(("inputs", "outputs"), maps, strict=True):
                    count = len(subgraphs[index].tensors)
                    _check_indices(f"signature '{name}' {what}", tuple(ports), count, least=0)
                found.append(Signature(name, index, *maps))
        return tuple(found)

    def _count(self, length: int) -> int:
        self._budget -= length
        if self._budget < 0:
            raise FormatError("damaged TFLite file: its vectors describe more than the file holds")
        return length

    def _text(self, raw: bytes | None) -> str:
        self._count(len(raw or b""))
        return (raw or b"").decode("utf-8", "replace")

    def _numbers(self, vector: Any) -> tuple[Any, ...]:
        if not isinstance(vector, np.ndarray):
            return ()
        self._count(vector.size)
        return tuple(vector.tolist())

    def _operator_codes(self) -> list[tuple[str, str]]:
        names = _names_by_value(tflite.BuiltinOperator)
        found = []
        with reading("the operator codes"):
            for i in range(self._count(self._root.OperatorCodesLength())):
                code = self._root.OperatorCodes(i)
                number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
                kind = names.get(number, f"builtin operator {number}")
                found.append((kind, self._text(code.CustomCode())))
        return found

    def _subgraph(self, index: int, codes: list[tuple[str, str]]) -> Subgraph:
        with reading(f"subgraph {index}"):
            table = self._root.Subgraphs(index)
            name = self._text(table.Name())
            inputs = self._numbers(table.InputsAsNumpy())
            outputs = self._numbers(table.OutputsAsNumpy())
            tensor_count = self._count(table.TensorsLength())
            operator_count = self._count(table.OperatorsLength())
        tensors = tuple(self._tensor(table, i) for i in range(tensor_count))
        operators = tuple(self._operator(table, i, codes) for i in range(operator_count))
        _check_indices(f"subgraph {index} inputs", inputs, len(tensors), least=0)
        _check_indices(f"subgraph {index} outputs", outputs, len(tensors), least=0)
        for operator in operators:
            where = f"{operator.kind} node {operator.index}"
            _check_indices(f"{where} inputs", operator.inputs, len(tensors), least=-1)
            _check_indices(f"{where} outputs", operator.outputs, len(tensors), least=0)
            _check_indices(f"{where} intermediates", operator.intermediates, len(tensors), least=-1)
        return Subgraph(name, inputs, outputs, tensors, operators)

    def _tensor(self, subgraph: Any, index: int) -> TensorInfo:
        with reading(f"tensor {index}"):
            table = subgraph.Tensors(index)
            name = self._text(table.Name()) or f"tensor_{index}"
        with reading(f"tensor {index} '{name}'"):
            kind = self._kinds.get(table.Type(), f"type {table.Type()}")
            shape = self._numbers(table.ShapeAsNumpy())
            signature = self._numbers(table.ShapeSignatureAsNumpy()) or shape
            data = self._buffer(table.Buffer(), name)
            sparsity = table.Sparsity()
            dtype = _dtype(kind)
            quantization = self._quantization(table.Quantization(), dtype, shape)
            blocks = self._blocks(table.Quantization(), shape)
            variable = table.IsVariable()
        if len(shape) > _MAX_RANK or len(signature) != len(shape) or min(shape, default=0) < 0:
            raise FormatError(
                f"tensor {index} '{name}' has shape {shape} and signature {signature}; expected "
                f"equal ranks of at most {_MAX_RANK} and no negative dimension"
            )
        if math.prod(max(dim, 1) for dim in shape) > _MAX_ELEMENTS:
            raise FormatError(f"tensor {index} '{name}' has shape {shape}; no memory holds that")
        if sparsity is not None and data is not None:
            with reading(f"the sparsity of tensor {index} '{name}'"):
                content = self._dense(name, kind, shape, data, sparsity)
        elif kind == "STRING":
            content = None if data is None else self._strings(name, shape, data)
        else:
            content = _content(name, kind, shape, data)
        return TensorInfo(
            index, name, kind, dtype, shape, signature, quantization, content, variable, blocks
        )

    def _strings(self, name: str, shape: tuple[int, ...], data: memoryview) -> Array | None:
        """Return the places of a constant's texts: a count, where each begins, and their bytes."""
        if not data.nbytes:
            return None
        with reading(f"the texts of '{name}'"):
            count = self._count(struct.unpack_from("<i", data)[0])
            ends = struct.unpack_from(f"<{count + 1}i", data, 4)
            inside = list(ends) == sorted(ends) and 0 <= ends[0] <= ends[-1] <= data.nbytes
            if count != math.prod(shape) or not inside:
                raise FormatError(f"constant '{name}' of {shape} does not hold {count} texts")
            self._count(ends[-1])
            texts = [
                bytes(data[a:b]).decode("utf-8", "backslashreplace") for a, b in pairwise(ends)
            ]
        return self._texts.numbers(texts).reshape(shape)

    def _dense(
        self, name: str, kind: str, shape: tuple[int, ...], data: memoryview, sparsity: Any
    ) -> Array | None:
        count: int = math.prod(shape)
        self._count(sparsity.TraversalOrderLength() + sparsity.BlockMapLength())
        self._count(sparsity.DimMetadataLength())
        if count > _MOST_DENSE * (data.nbytes + 64):
            raise FormatError(
                f"sparse constant '{name}' of {shape} is stored in {data.nbytes} bytes"
            )
        places, stored = traversal(sparsity, shape)
        values = _content(name, kind, (stored,), data)
        if values is None:
            return None
        dense = np.zeros(count, values.dtype)
        dense[places] = values
        return dense.reshape(shape)

    def _blocks(self, table: Any, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """Return (tensor of scales, block length) of blockwise quantization."""
        if table is None or table.DetailsType() != _BLOCKWISE or table.Details() is None:
            return None
        details = table.Details()
        scales, length = (_field(details, offset) for offset in (4, 8))
        if length < 1 or not shape or shape[-1] % length:
            raise FormatError(f"blocks of {length} along the last axis of {shape}")
        return scales, length

    def _buffer(self, index: int, tensor: str) -> memoryview | None:
        if not index:
            return None
        count = self._root.BuffersLength()
        if index >= count:
            raise FormatError(f"tensor '{tensor}' uses buffer {index} of {count}")
        table = self._root.Buffers(index)
        offset, size = table.Offset(), table.Size()
        if offset > 1:
            if offset + size > len(self._data):
                raise FormatError(
                    f"tensor '{tensor}' lies at bytes {offset}..{offset + size} of a file of "
                    f"{len(self._data)}"
                )
            return memoryview(self._data)[offset : offset + size]
        return None if table.DataIsNone() else memoryview(table.DataAsNumpy())

    def _quantization(
        self, table: Any, dtype: DType | None, shape: tuple[int, ...]
    ) -> Quantization | None:
        if table is None or dtype not in _QUANTIZED:
            return None
        scale = self._numbers(table.ScaleAsNumpy())
        zero = self._numbers(table.ZeroPointAsNumpy()) or (0,)
        if not scale:
            return None
        limits = np.iinfo(dtype.numpy)
        if min(zero) < limits.min or max(zero) > limits.max:
            raise FormatError(f"zero points {min(zero)} to {max(zero)} of {dtype.value}")
        if len(scale) == 1:
            return Quantization(scale, zero)
        axis = table.QuantizedDimension()
        if not 0 <= axis < len(shape) or len(scale) != shape[axis]:
            raise FormatError(f"{len(scale)} scales along axis {axis} do not fit shape {shape}")
        return Quantization(scale, zero, axis)

    def _operator(self, subgraph: Any, index: int, codes: list[tuple[str, str]]) -> Operator:
        with reading(f"operator {index}"):
            table = subgraph.Operators(index)
            code = table.OpcodeIndex()
            if not code < len(codes):
                raise FormatError(f"operator {index} has code {code} of {len(codes)}")
            inputs = self._numbers(table.InputsAsNumpy())
            outputs = self._numbers(table.OutputsAsNumpy())
            intermediates = self._numbers(table.IntermediatesAsNumpy())
            kind, custom = codes[code]
        with reading(f"the options of {kind} node {index}"):
            options = self._options(
                tflite.BuiltinOptions, table.BuiltinOptionsType(), table.BuiltinOptions()
            ) | self._options(
                tflite.BuiltinOptions2, table.BuiltinOptions2Type(), table.BuiltinOptions2()
            )
            if custom and not table.CustomOptionsIsNone():
                raw = table.CustomOptionsAsNumpy().tobytes()
                self._count(len(raw))
                options = read_options(custom, raw)
        return Operator(index, kind, custom, inputs, outputs, options, intermediates)

    def _options(self, union: Any, member: int, table: Any) -> Options:
        name = _names_by_value(union).get(member)
        if table is None or name is None or name == "NONE":
            return {}
        kind = getattr(tflite, name)
        options = kind()
        options.Init(table.Bytes, table.Pos)
        found: Options = {}
        for field, read in _fields(kind):
            value = read(options)
            is_vector = isinstance(value, np.ndarray) or field.endswith("AsNumpy")
            found[field.removesuffix("AsNumpy")] = self._numbers(value) if is_vector else value
        return found


@cache
def _names_by_value(enum: Hashable) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


@cache
def _fields(table: Hashable) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Return the fields of a generated flatbuffers class: its methods that take no argument."""
    return tuple(
        (name, method)
        for name, method in vars(table).items()
        if callable(method)
        and getattr(getattr(method, "__code__", None), "co_argcount", 0) == 1
        and not name.startswith("_")
        and not name.endswith(("Length", "IsNone"))
    )


def _field(table: Any, offset: int) -> int:
    """Return an int32 field of a table that the schema package does not know; 0 where absent."""
    place = table.Offset(offset)
    return int(table.Get(number_types.Int32Flags, place + table.Pos)) if place else 0


def _check_indices(what: str, indices: tuple[int, ...], count: int, least: int) -> None:
    for index in indices:
        if not least <= index < count:
            raise FormatError(f"{what} name tensor {index}; the subgraph has {count}")


def _dtype(kind: str) -> DType | None:
    if kind in ("INT4", "STRING"):
        return DType.INT8 if kind == "INT4" else DType.INT64
    try:
        return DType[kind]
    except KeyError:
        return None


def _content(name: str, kind: str, shape: tuple[int, ...], data: memoryview | None) -> Array | None:
    """Return a constant as an array of its shape, None where the file holds no content."""
    dtype = _dtype(kind)
    count: int = math.prod(shape)
    if data is None or dtype is None or (not data.nbytes and count):
        return None
    expected = (count + 1) // 2 if kind == "INT4" else count * dtype.itemsize
    if data.nbytes != expected:
        raise FormatError(
            f"constant '{name}' has {data.nbytes} bytes; {kind} of shape {shape} needs {expected}"
        )
    if kind == "INT4":
        return _unpack_int4(np.frombuffer(data, np.int8), count).reshape(shape)
    if dtype is DType.BOOL:
        return np.asarray(np.frombuffer(data, np.uint8) != 0).reshape(shape)
    array: Array = np.frombuffer(data, dtype.numpy).reshape(shape)
    return array if array.flags.aligned else array.copy()


def _unpack_int4(packed: Array, count: int) -> Array:
    """Return one int8 per 4-bit two's complement number; the low half of a byte comes first."""
    halves = np.stack([np.left_shift(packed, 4) >> 4, packed >> 4], axis=-1)
    return np.asarray(halves, np.int8).reshape(-1)[:count]
