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
}


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


@dataclass
class ModelBuilder:
    """A file of one subgraph, or of more of it; tensor 0 is listed ``aliases`` more times."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: Sequence[int] = ()
    outputs: Sequence[int] = ()
    subgraphs: int = 1
    aliases: int = 0
    version: int = 3

    def add(self, *args: Any, **kwargs: Any) -> int:
        """Add a tensor and return its number."""
        self.tensors.append(Tensor(*args, **kwargs))
        return len(self.tensors) - 1

    def build(self) -> bytes:
        """Return the file's content."""
        b = self._b = flatbuffers.Builder(1024)
        buffers = [self._buffer(None), *(self._buffer(t.data) for t in self.tensors)]
        tensors = [self._tensor(i + 1, t) for i, t in enumerate(self.tensors)]
        uses = [(o.kind, o.custom, o.version) for o in self.operators]
        tensors += tensors[:1] * self.aliases
        codes = list(dict.fromkeys(uses))
        operators = [
            self._operator(o, codes.index(u)) for o, u in zip(self.operators, uses, strict=True)
        ]
        parts = {
            "Tensors": self._offsets(tensors),
            "Inputs": self._ints(self.inputs),
            "Outputs": self._ints(self.outputs),
            "Operators": self._offsets(operators),
        }
        graph = self._table("SubGraph", parts)
        root = {
            "OperatorCodes": self._offsets([self._code(*code) for code in codes]),
            "Subgraphs": self._offsets([graph] * self.subgraphs),
            "Buffers": self._offsets(buffers),
        }
        b.Finish(self._table("Model", {"Version": self.version, **root}), b"TFL3")
        return bytes(b.Output())

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
        signature = None if tensor.signature is None else self._ints(tensor.signature)
        fields = {
            "Shape": self._ints(tensor.shape),
            "Name": self._b.CreateString(tensor.name),
            "Type": _TYPES[tensor.dtype],
            "Buffer": buffer,
            "Quantization": quantization,
            "ShapeSignature": signature,
            "IsVariable": tensor.is_variable,
        }
        return self._table("Tensor", fields)

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
            fields = {
                name: self._ints(value) if isinstance(value, (list, tuple)) else value
                for name, value in operator.options.items()
            }
            options = self._table(operator.options_type, fields)
        fields = {
            "OpcodeIndex": code,
            "Inputs": self._ints(operator.inputs),
            "Outputs": self._ints(operator.outputs),
            "BuiltinOptions": options,
        }
        if options is not None:
            union = tflite.BuiltinOptions
            fields["BuiltinOptionsType"] = getattr(union, operator.options_type)
        return self._table("Operator", fields)
