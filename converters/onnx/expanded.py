"""Quantized operators as others: in floats where a run computes scales, channels first elsewhere.

An operator like ``QLinearConv`` whose scales, zero points or weights are no constants, or a
``QGemm`` whose C is no bias, becomes ``DequantizeLinear``, the float operator and
``QuantizeLinear``. ONNX Runtime's operators on images
whose channels are last get a ``Transpose`` before and after; passes cancel those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import onnx
from onnx import helper

from .registry import MICROSOFT

# Operator -> its float operator, places of the operands, of the result's scale, and of the bias.
_FORMS: dict[str, tuple[str, tuple[int, ...], int, int]] = {
    "QLinearConv": ("Conv", (0, 3), 6, 8),
    "QLinearMatMul": ("MatMul", (0, 3), 6, 0),
    "QGemm": ("Gemm", (0, 3), 7, 6),
    "QLinearAdd": ("Add", (0, 3), 6, 0),
    "QLinearMul": ("Mul", (0, 3), 6, 0),
    "QLinearSigmoid": ("Sigmoid", (0,), 3, 0),
    "QLinearLeakyRelu": ("LeakyRelu", (0,), 3, 0),
    "QLinearAveragePool": ("AveragePool", (0,), 3, 0),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,), 3, 0),
}
# Operator on images with channels last -> the operator that has them first, and its domain.
_LAST = {
    "QLinearConv": ("QLinearConv", ""),
    "QLinearAveragePool": ("QLinearAveragePool", MICROSOFT),
    "QLinearGlobalAveragePool": ("QLinearGlobalAveragePool", MICROSOFT),
    "NhwcConv": ("Conv", ""),
    "NhwcFusedConv": ("FusedConv", MICROSOFT),
}
_SUM = 3  # where NhwcFusedConv has an image that is added


def expanded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the forms that this file rewrites."""
    kinds = {node.op_type for node in model.graph.node}
    if not kinds & (_FORMS.keys() | _LAST.keys()):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    nodes = [n for node in copy.graph.node for n in _channels_first(node)]
    constants = {tensor.name: tuple(tensor.dims) for tensor in copy.graph.initializer}
    for node in nodes:
        if node.op_type == "Constant":
            constants[node.output[0]] = tuple(next((a.t.dims for a in node.attribute), ()))
    nodes = [n for node in nodes for n in _in_floats(node, constants)]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _channels_first(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield the node, between transposes where it is one of images with channels last."""
    last = any(a.name == "channels_last" and a.i for a in node.attribute)
    if node.op_type not in _LAST or not (last or node.op_type.startswith("Nhwc")):
        yield node
        return
    result = node.output[0]
    inner = onnx.NodeProto()
    inner.CopyFrom(node)
    inner.op_type, inner.domain = _LAST[node.op_type]
    kept = [a for a in inner.attribute if a.name != "channels_last"]
    del inner.attribute[:]
    inner.attribute.extend(kept)
    images = [0] + [_SUM] * (node.op_type == "NhwcFusedConv" and len(node.input) > _SUM)
    for place in images:
        inner.input[place] = f"{result}/first{place}"
        yield helper.make_node(
            "Transpose", [node.input[place]], [inner.input[place]], perm=(0, 3, 1, 2)
        )
    inner.output[0] = f"{result}/last"
    yield inner
    yield helper.make_node("Transpose", [inner.output[0]], [result], perm=(0, 2, 3, 1))


def _in_floats(
    node: onnx.NodeProto, constants: Mapping[str, tuple[int, ...]]
) -> Iterable[onnx.NodeProto]:
    """Return the node, or what computes the same in floats where a run gives its parameters."""
    if node.op_type not in _FORMS or node.domain not in ("", MICROSOFT):
        return [node]
    kind, operands, scale, bias = _FORMS[node.op_type]
    fixed = [place + i for place in (*operands, scale - 1) for i in (1, 2)]
    if kind in ("Conv", "Gemm"):
        fixed.append(3)
    given = [node.input[place] for place in fixed if place < len(node.input)]
    quantized = len(node.input) > scale and node.input[scale]
    if kind == "Gemm" and len(node.input) > bias and node.input[bias]:
        # One number for every row, or for all: what int32 can begin with.
        quantized = quantized and set(constants.get(node.input[bias], (0, 0))[:-1]) <= {1}
    if quantized and all(name in constants for name in given if name):
        return [node]
    return _Floats(node, kind).nodes(operands, scale, bias)


class _Floats:
    """The nodes that compute one quantized operator in floats."""

    def __init__(self, node: onnx.NodeProto, kind: str) -> None:
        self.node, self.kind = node, kind
        self.made: list[onnx.NodeProto] = []

    def nodes(self, operands: tuple[int, ...], scale: int, bias: int) -> list[onnx.NodeProto]:
        """Return them in order."""
        axes = {"Conv": (1, 0), "MatMul": (-2, -1), "Gemm": (1, self._columns())}
        pair = axes.get(self.kind, (1, 1))
        inputs = [
            self._emit("DequantizeLinear", *self._given(place, 3), axis=axis)
            for place, axis in zip(operands, pair, strict=False)
        ]
        if bias and self._given(bias, 1):
            factor = self._emit("Mul", self.node.input[1], self.node.input[4])
            for alpha in (a.f for a in self.node.attribute if a.name == "alpha"):
                factor = self._emit("Mul", factor, self._emit("Constant", value_float=alpha))
            wide = self._emit("Cast", self.node.input[bias], to=onnx.TensorProto.FLOAT)
            inputs.append(self._emit("Mul", wide, factor))
        result = self._emit(self.kind, *inputs)
        self.made[-1].attribute.extend(self.node.attribute)
        if self._given(scale, 1):
            self._emit("QuantizeLinear", result, *self._given(scale, 2))
        self.made[-1].output[0] = self.node.output[0]
        return self.made

    def _columns(self) -> int:
        """Return the axis of a Gemm's weights that has a scale for each entry."""
        return 0 if any(a.name == "transB" and a.i for a in self.node.attribute) else 1

    def _given(self, place: int, count: int) -> list[str]:
        names = list(self.node.input[place : place + count])
        while names and not names[-1]:
            names.pop()
        return names

    def _emit(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{self.node.output[0]}/{kind}{len(self.made)}"
        self.made.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name
