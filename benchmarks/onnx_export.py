"""A float graph as an ONNX model, so that peers which read only ONNX can be given TFLite's models.

Covers what convolutional classifiers hold; anything else is refused by name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linnet import ops
from linnet.errors import UnsupportedError
from linnet.graph import Graph, Node
from linnet.types import Array

OPSET = 17
_IN, _OUT = (0, 3, 1, 2), (0, 2, 3, 1)


def export(graph: Graph) -> Any:
    """Return an onnx.ModelProto that computes what a float graph does.

    Raises
    ------
    UnsupportedError
        If the graph holds an op that is not covered.
    """
    return _Exporter(graph).run()


class _Exporter:
    def __init__(self, graph: Graph) -> None:
        import onnx

        self.onnx = onnx
        self.graph = graph
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def run(self) -> Any:
        """Build the model."""
        helper = self.onnx.helper
        for node in self.graph.nodes:
            self._node(node)
        described = [
            [
                helper.make_tensor_value_info(
                    name,
                    helper.np_dtype_to_tensor_dtype(self.graph.type_of(name).dtype.numpy),
                    list(self.graph.type_of(name).shape),
                )
                for name in names
            ]
            for names in (self.graph.inputs, self.graph.outputs)
        ]
        made = helper.make_graph(
            self.nodes, self.graph.name, *described, list(self.constants.values())
        )
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8
        self.onnx.checker.check_model(model)
        return model

    def _constant(self, name: str, data: Array) -> str:
        self.constants[name] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(data), name)
        return name

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def _operand(self, name: str) -> str:
        data = self.graph.constant(name)
        return name if data is None or name in self.constants else self._constant(name, data)

    def _node(self, node: Node) -> None:
        op, y = node.op, node.outputs[0]
        clamp = getattr(op, "clamp", ops.NO_CLAMP)
        target = y if clamp == ops.NO_CLAMP else f"{y}/linear"
        if isinstance(op, (ops.Conv2D, ops.DepthwiseConv2D)):
            self._convolution(node, target)
        elif isinstance(op, ops.FullyConnected):
            w = self._operand(node.inputs[1])
            rest = [self._operand(name) for name in node.inputs[2:] if name]
            self._add("Gemm", [node.inputs[0], w, *rest], target, transB=1)
        elif isinstance(op, ops.AveragePool2D):
            self._pool(node, target)
        elif isinstance(op, ops.ReduceMean):
            self._add(
                "ReduceMean",
                [node.inputs[0]],
                target,
                axes=list(op.axes),
                keepdims=int(op.keepdims),
            )
        elif isinstance(op, ops.Add):
            self._add("Add", [self._operand(name) for name in node.inputs], target)
        elif isinstance(op, (ops.Reshape, ops.Squeeze)):
            shape = [d if isinstance(d, int) else -1 for d in self.graph.type_of(y).shape]
            given = self._constant(f"{y}/shape", np.array(shape, np.int64))
            self._add("Reshape", [node.inputs[0], given], target)
        elif isinstance(op, ops.Softmax) and op.beta == 1.0:
            self._add("Softmax", [node.inputs[0]], target, axis=op.axis)
        else:
            raise UnsupportedError(f"{node}: not covered by the export to ONNX")
        if target != y:
            self._clamp(clamp, target, y)

    def _clamp(self, clamp: ops.Clamp, source: str, y: str) -> None:
        if clamp == (0.0, math.inf):
            self._add("Relu", [source], y)
            return
        bounds = [self._constant(f"{y}/{i}", np.float32(b)) for i, b in enumerate(clamp)]  # type: ignore[arg-type]
        self._add("Clip", [source, *bounds], y)

    def _pads(self, node: Node) -> dict[str, Any]:
        op: Any = node.op
        if op.auto_pad in ("same_upper", "same_lower"):
            return {"auto_pad": op.auto_pad.upper()}
        return {"pads": [0, 0, 0, 0] if op.auto_pad else list(op.pads)}

    def _convolution(self, node: Node, target: str) -> None:
        op: Any = node.op
        weights = self.graph.constant(node.inputs[1])
        assert weights is not None
        depthwise = isinstance(op, ops.DepthwiseConv2D)
        channels = self.graph.type_of(node.inputs[0]).shape[-1]
        moved = weights.transpose(3, 0, 1, 2) if depthwise else weights.transpose(*_IN)
        w = self._constant(f"{node.inputs[1]}/nchw", moved)
        rest = [self._operand(name) for name in node.inputs[2:] if name]
        x = self._add("Transpose", [node.inputs[0]], f"{target}/in", perm=_IN)
        made = self._add(
            "Conv", [x, w, *rest], f"{target}/nchw",
            kernel_shape=list(moved.shape[2:]), strides=list(op.strides),
            dilations=list(op.dilations), group=channels if depthwise else op.groups,
            **self._pads(node),
        )  # fmt: skip
        self._add("Transpose", [made], target, perm=_OUT)

    def _pool(self, node: Node, target: str) -> None:
        op: Any = node.op
        x = self._add("Transpose", [node.inputs[0]], f"{target}/in", perm=_IN)
        made = self._add(
            "AveragePool", [x], f"{target}/nchw", kernel_shape=list(op.kernel),
            strides=list(op.strides), ceil_mode=int(op.ceil_mode),
            count_include_pad=int(op.count_include_pad), **self._pads(node),
        )  # fmt: skip
        self._add("Transpose", [made], target, perm=_OUT)
