"""Dynamic quantization: integer products of activations quantized as they come.

``DynamicQuantizeLinear`` -> ``MatMulInteger`` -> ``Cast`` -> ``Mul`` by both scales becomes ONNX
Runtime's own ``DynamicQuantizeMatMul``, which computes the same. ``ConvInteger`` in that place
becomes a float convolution with dequantized weights: the activations are not rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import helper

from .registry import MICROSOFT

_INTEGER = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}


@dataclass(frozen=True, slots=True)
class _Match:
    """One integer product and what surrounds it."""

    product: onnx.NodeProto
    cast: onnx.NodeProto
    scaled: onnx.NodeProto
    real: str
    scale: str
    matrix: bool


def without_dynamic_quantization(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with every integer product of dynamic quantization as a float product."""
    if not any(node.op_type in _INTEGER for node in model.graph.node):
        return model
    found = list(_Finder(model.graph).matches())
    if not found:
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    replaced = {match.scaled.output[0]: match for match in found}
    gone = {match.product.output[0] for match in found} | {m.cast.output[0] for m in found}
    nodes = []
    for node in model.graph.node:
        first = node.output[0] if node.output else ""
        if first in replaced:
            nodes.extend(_float_product(replaced[first]))
        elif first not in gone:
            nodes.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _float_product(match: _Match) -> list[onnx.NodeProto]:
    """Return the node that multiplies bytes, or those that dequantize the weights and multiply."""
    if match.matrix:
        product = match.product
        zero = [product.input[3]] if len(product.input) > 3 else []
        inputs = [match.real, product.input[1], match.scale, *zero]
        name, outputs = product.name or match.scaled.output[0], [match.scaled.output[0]]
        kind = "DynamicQuantizeMatMul"
        return [helper.make_node(kind, inputs, outputs, name, domain=MICROSOFT)]
    product, result = match.product, match.scaled.output[0]
    kind = _INTEGER[product.op_type]
    weights = f"{result}/weights"
    zero = [product.input[3]] if len(product.input) > 3 and product.input[3] else []
    dequantize = helper.make_node(
        "DequantizeLinear",
        [product.input[1], match.scale, *zero],
        [weights],
        f"{result}/dequantize",
        axis=1 if kind == "MatMul" else 0,
    )
    multiply = helper.make_node(kind, [match.real, weights], [result], product.name or result)
    multiply.attribute.extend(product.attribute)
    return [dequantize, multiply]


class _Finder:
    """Matches over the nodes of one graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.makers = {o: node for node in graph.node for o in node.output if o}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {output.name for output in graph.output}
        self.constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}

    def matches(self) -> Iterator[_Match]:
        """Yield every integer product that can be a float one."""
        for node in self.graph.node:
            if node.op_type in _INTEGER and node.domain == "" and len(node.input) > 2:
                match = self._match(node)
                if match is not None:
                    yield match

    def _match(self, product: onnx.NodeProto) -> _Match | None:
        source = self.makers.get(product.input[0])
        if source is None or source.op_type != "DynamicQuantizeLinear" or len(source.output) < 3:
            return None
        if product.input[2] != source.output[2] or product.input[1] not in self.constants:
            return None
        if len(product.input) > 3 and product.input[3] and product.input[3] not in self.constants:
            return None
        cast = self._only_reader(product.output[0], "Cast")
        scaled = self._only_reader(cast.output[0], "Mul") if cast is not None else None
        if cast is None or scaled is None or len(scaled.input) != 2:
            return None
        other = scaled.input[1 if scaled.input[0] == cast.output[0] else 0]
        scale = self._weight_scale(other, source.output[1])
        if scale is None or not self._fits(product, scale):
            return None
        matrix = product.op_type == "MatMulInteger" and len(self.constants[product.input[1]]) == 2
        return _Match(product, cast, scaled, source.input[0], scale, matrix)

    def _only_reader(self, name: str, kind: str) -> onnx.NodeProto | None:
        readers = self.readers.get(name, [])
        if len(readers) != 1 or name in self.outputs or readers[0].op_type != kind:
            return None
        return readers[0]

    def _weight_scale(self, name: str, activation: str) -> str | None:
        """Return the constant factor of a product of both scales."""
        maker = self.makers.get(name)
        if maker is None or maker.op_type != "Mul" or activation not in maker.input:
            return None
        other = maker.input[1 if maker.input[0] == activation else 0]
        return other if other in self.constants else None

    def _fits(self, product: onnx.NodeProto, scale: str) -> bool:
        """Whether the scales are one number, or one for each column of a matrix."""
        dims, weights = self.constants[scale], self.constants[product.input[1]]
        if dims in ((), (1,)):
            return True
        return product.op_type == "MatMulInteger" and len(weights) == 2 and dims == weights[1:]
