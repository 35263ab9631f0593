"""Builds small TFLite files for tests, straight from the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from linnet.types import Array, Quantization

_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int32": tflite.TensorType.INT32,
    "uint8": tflite.TensorType.UINT8,
    "int64": tflite.TensorType.INT64,
    "bool": tflite.TensorType.BOOL,
    "int16": tflite.TensorType.INT16,
    "int8": tflite.TensorType.INT8,
    "int4": tflite.TensorType.INT4,
    "uint16": tflite.TensorType.UINT16,
    "uint32": tflite.TensorType.UINT32,
    "uint64": tflite.TensorType.UINT64,
    "float64": tflite.TensorType.FLOAT64,
    "complex64": tflite.TensorType.COMPLEX64,
    "resource": tflite.TensorType.RESOURCE,
    "string": tflite.TensorType.STRING,
}


@dataclass
class Sparsity:
    """How a sparse constant is stored: per level a dense size, or (segments, indices)."""

    order: Sequence[int]
    levels: Sequence[int | tuple[Sequence[int], Sequence[int]]]
    block_map: Sequence[int] = ()


@dataclass
class Tensor:
    """A tensor to write; ``data`` makes it a constant (raw bytes are written as they are)."""

    name: str
    dtype: str
    shape: Sequence[int]
    data: Array | bytes | None = None
    quantization: Quantization | None = None
    signature: Sequence[int] | None = None
    is_variable: bool = False
    blocks: tuple[int, int] | None = None
    sparsity: Sparsity | None = None


@dataclass
class Operator:
    """An operator to write: schema name, tensor numbers, options by their schema names."""

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Any] = field(default_factory=dict)
    options_type: str = ""
    custom: str = ""
    version: int = 1
    custom_options: bytes = b""
    intermediates: Sequence[int] = ()


@dataclass
class ModelBuilder:
    """A file of one subgraph, of more of it, or with ``others`` behind it; ``signatures`` are
    (name, subgraph, {input: tensor}, {output: tensor}); tensor 0 is listed ``aliases`` more times.
    """

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: Sequence[int] = ()
    outputs: Sequence[int] = ()
    subgraphs: int = 1
    aliases: int = 0
    version: int = 3
    name: str = ""
    others: list[ModelBuilder] = field(default_factory=list)
    signatures: Sequence[tuple[str, int, Mapping[str, int], Mapping[str, int]]] = ()

    def add(self, *args: Any, **kwargs: Any) -> int:
        """Add a tensor and return its number."""
        self.tensors.append(Tensor(*args, **kwargs))
        return len(self.tensors) - 1

    def build(self) -> bytes:
        """Return the file's content."""
        b = self._b = flatbuffers.Builder(1024)
        parts = [self, *self.others]
        buffers = [self._buffer(None)]
        uses = [(o.kind, o.custom, o.version) for part in parts for o in part.operators]
        codes = list(dict.fromkeys(uses))
        graphs = [self._subgraph(part, buffers, codes) for part in parts]
        root = {
            "OperatorCodes": self._offsets([self._code(*code) for code in codes]),
            "Subgraphs": self._offsets(graphs[:1] * (self.subgraphs - 1) + graphs),
            "Buffers": self._offsets(buffers),
        }
        if self.signatures:
            root["SignatureDefs"] = self._offsets([self._signature(*s) for s in self.signatures])
        b.Finish(self._table("Model", {"Version": self.version, **root}), b"TFL3")
        return bytes(b.Output())

    def _subgraph(
        self, part: ModelBuilder, buffers: list[int], codes: list[tuple[str, str, int]]
    ) -> int:
        first = len(buffers)
        buffers += [self._buffer(t.data) for t in part.tensors]
        tensors = [self._tensor(first + i, t) for i, t in enumerate(part.tensors)]
        tensors += tensors[:1] * part.aliases
        operators = [
            self._operator(o, codes.index((o.kind, o.custom, o.version))) for o in part.operators
        ]
        fields = {
            "Tensors": self._offsets(tensors),
            "Inputs": self._ints(part.inputs),
            "Outputs": self._ints(part.outputs),
            "Operators": self._offsets(operators),
            "Name": self._b.CreateString(part.name) if part.name else None,
        }
        return self._table("SubGraph", fields)

    def _signature(
        self, name: str, graph: int, inputs: Mapping[str, int], outputs: Mapping[str, int]
    ) -> int:
        def maps(ports: Mapping[str, int]) -> int:
            made = [
                self._table("TensorMap", {"Name": self._b.CreateString(key), "TensorIndex": index})
                for key, index in ports.items()
            ]
            return self._offsets(made)

        fields = {
            "Inputs": maps(inputs),
            "Outputs": maps(outputs),
            "SignatureKey": self._b.CreateString(name),
            "SubgraphIndex": graph,
        }
        return self._table("SignatureDef", fields)

    def _table(self, kind: str, fields: Mapping[str, Any]) -> int:
        getattr(tflite, f"{kind}Start")(self._b)
        for name, value in fields.items():
            if value is not None:
                getattr(tflite, f"{kind}Add{name}")(self._b, value)
        return int(getattr(tflite, f"{kind}End")(self._b))

    def _offsets(self, offsets: Sequence[int]) -> int:
        self._b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._b.PrependUOffsetTRelative(offset)
        return int(self._b.EndVector())

    def _ints(self, numbers: Sequence[int]) -> int:
        return int(self._b.CreateNumpyVector(np.array(numbers, np.int32)))

    def _buffer(self, data: Array | bytes | None) -> int:
        if data is None:
            return self._table("Buffer", {})
        raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
        self._b.StartVector(1, len(raw), 16)
        self._b.head -= len(raw)
        self._b.Bytes[self._b.Head() : self._b.Head() + len(raw)] = raw
        vector = self._b.EndVector()
        return self._table("Buffer", {"Data": vector})

    def _tensor(self, buffer: int, tensor: Tensor) -> int:
        q, quantization = tensor.quantization, None
        if q is not None:
            scale = self._b.CreateNumpyVector(q.scale)
            zero = self._b.CreateNumpyVector(q.zero_point.astype(np.int64))
            fields = {"Scale": scale, "ZeroPoint": zero, "QuantizedDimension": q.axis or 0}
            quantization = self._table("QuantizationParameters", fields)
        elif tensor.blocks is not None:
            quantization = self._blockwise(*tensor.blocks)
        signature = None if tensor.signature is None else self._ints(tensor.signature)
        fields = {
            "Shape": self._ints(tensor.shape),
            "Name": self._b.CreateString(tensor.name),
            "Type": _TYPES[tensor.dtype],
            "Buffer": buffer,
            "Quantization": quantization,
            "ShapeSignature": signature,
            "IsVariable": tensor.is_variable,
            "Sparsity": None if tensor.sparsity is None else self._sparsity(tensor.sparsity),
        }
        return self._table("Tensor", fields)

    def _blockwise(self, scales: int, length: int) -> int:
        """Return the details that the schema package does not know yet: scales, zeros, length."""
        self._b.StartObject(3)
        for slot, value in ((0, scales), (1, -1), (2, length)):
            self._b.PrependInt32Slot(slot, value, 0)
        details = int(self._b.EndObject())
        return self._table("QuantizationParameters", {"DetailsType": 2, "Details": details})

    def _sparsity(self, sparsity: Sparsity) -> int:
        levels = []
        for level in sparsity.levels:
            if isinstance(level, int):
                levels.append(self._table("DimensionMetadata", {"Format": 0, "DenseSize": level}))
                continue
            segments, indices = (
                self._table("Int32Vector", {"Values": self._ints(numbers)}) for numbers in level
            )
            fields = {"Format": 1, "ArraySegmentsType": 1, "ArraySegments": segments,
                      "ArrayIndicesType": 1, "ArrayIndices": indices}  # fmt: skip
            levels.append(self._table("DimensionMetadata", fields))
        fields = {
            "TraversalOrder": self._ints(sparsity.order),
            "BlockMap": self._ints(sparsity.block_map) if sparsity.block_map else None,
            "DimMetadata": self._offsets(levels),
        }
        return self._table("SparsityParameters", fields)

    def _code(self, kind: str, custom: str, version: int) -> int:
        number = getattr(tflite.BuiltinOperator, kind)
        name = self._b.CreateString(custom) if custom else None
        fields = {
            "DeprecatedBuiltinCode": min(number, 127),
            "BuiltinCode": number,
            "CustomCode": name,
            "Version": version,
        }
        return self._table("OperatorCode", fields)

    def _operator(self, operator: Operator, code: int) -> int:
        options = None
        if operator.options_type:
            fields = {name: self._field(value) for name, value in operator.options.items()}
            options = self._table(operator.options_type, fields)
        custom = None
        if operator.custom_options:
            custom = self._b.CreateByteVector(operator.custom_options)
        fields = {
            "OpcodeIndex": code,
            "Inputs": self._ints(operator.inputs),
            "Outputs": self._ints(operator.outputs),
            "CustomOptions": custom,
            "Intermediates": self._ints(operator.intermediates) if operator.intermediates else None,
        }
        if options is not None:
            suffix = "" if hasattr(tflite.BuiltinOptions, operator.options_type) else "2"
            union = getattr(tflite, f"BuiltinOptions{suffix}")
            fields[f"BuiltinOptions{suffix}"] = options
            fields[f"BuiltinOptions{suffix}Type"] = getattr(union, operator.options_type)
        return self._table("Operator", fields)

    def _field(self, value: Any) -> Any:
        """Return what a table stores for an option: texts and vectors lie outside of it."""
        if isinstance(value, str):
            return self._b.CreateString(value)
        if isinstance(value, (list, tuple)):
            if value and isinstance(value[0], float):
                return int(self._b.CreateNumpyVector(np.array(value, np.float32)))
            return self._ints(value)
        return value
