"""Rules of recurrent operators."""

from __future__ import annotations

from linnet.errors import UnsupportedError
from linnet.ops import IntegerLSTM
from linnet.types import DType

from .node import TfliteNode

# Positions among the operator's inputs.
_STATE_H, _STATE_C, _NORMS, _HIDDEN = 18, 19, 20, 4
_TANH = 4


def unidirectional_sequence_lstm(node: TfliteNode) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: float, int8 weights beside floats, or int8 throughout."""
    if node.option("FusedActivationFunction", 0) != _TANH:
        raise UnsupportedError("an activation other than tanh")
    if node.type(0).dtype is DType.INT8:
        _integer_lstm(node)
        return
    raise UnsupportedError(f"input {node.type(0)}; only int8 is known")


def _integer_lstm(node: TfliteNode) -> None:
    gates, scale = [2.0**-12] * 4, node.type(2).quantization
    if scale is None:
        raise UnsupportedError("float weights beside int8 activations")
    for gate in range(4):
        if node.has(_NORMS + gate):
            gates[gate] = _intermediate(node, gate)[0]
    op = IntegerLSTM(
        time_major=bool(node.option("TimeMajor", False)),
        cell_clip=float(node.option("CellClip", 0.0)),
        projection_clip=float(node.option("ProjClip", 0.0)),
        hidden=_intermediate(node, _HIDDEN),
        gate_scales=(gates[0], gates[1], gates[2], gates[3]),
    )
    batch = node.type(0).shape[1 if op.time_major else 0]
    shapes = [
        (batch, *node.importer.declared(node.operator.inputs[i]).shape[1:])
        for i in (_STATE_H, _STATE_C)
    ]
    inputs = [node.optional(i) for i in range(_STATE_H)]
    inputs += [node.state(_STATE_H, shapes[0]), node.state(_STATE_C, shapes[1])]
    inputs += [node.optional(i) for i in range(_NORMS, node.input_count)]
    h, c = node.emit_first(op, inputs)
    node.keep(_STATE_H, h)
    node.keep(_STATE_C, c)


def _intermediate(node: TfliteNode, position: int) -> tuple[float, int]:
    """Return scale and zero point of an intermediate tensor that the operator lists."""
    listed = node.operator.intermediates
    index = listed[position] if position < len(listed) else -1
    found = None if index < 0 else node.importer.main.tensors[index].quantization
    if found is None:
        raise UnsupportedError(f"intermediate tensor {position} has no scale")
    return float(found.scale[0]), int(found.zero_point[0])


CONVERTERS = {"UNIDIRECTIONAL_SEQUENCE_LSTM": unidirectional_sequence_lstm}
