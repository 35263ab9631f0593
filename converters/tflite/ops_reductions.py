"""Rules of reductions and normalizations."""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec import structs

from linnet.errors import UnsupportedError
from linnet.ops import (
    ArgMax,
    ArgMin,
    Cast,
    CumSum,
    Identity,
    IntegerSoftmax,
    LocalResponseNormalization,
    LogSoftmax,
    LpNormalization,
    Op,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    Softmax,
    TopK,
)
from linnet.types import DType

from .node import TfliteNode

Converter = Callable[[TfliteNode], None]
_Reduction = type[ReduceMax | ReduceMean | ReduceMin | ReduceProd | ReduceSum]


def _reduce(kind: _Reduction) -> Converter:
    def convert(node: TfliteNode) -> None:
        keeps = bool(node.option("KeepDims", False))
        if node.graph.constant(node.input(1)) is None:
            count = math.prod(node.type(1).static_shape)
            given = {"axes": node.as_int64(node.input(1))}
            late = kind(axes=tuple(range(count)), keepdims=keeps)
            return node.emit_late(late, node.input(0), given)
        axes = node.integers(1, "axes")
        op = kind(axes=axes, keepdims=keeps) if axes else Identity()
        node.emit(op, [node.input(0)])

    return convert


def _reduce_bool(kind: type[ReduceMax | ReduceMin]) -> Converter:
    def convert(node: TfliteNode) -> None:
        axes, keeps = node.integers(1, "axes"), bool(node.option("KeepDims", False))
        numbers = node.step(Cast(to=DType.INT32), [node.input(0)], "numbers")
        op = kind(axes=axes, keepdims=keeps) if axes else Identity()
        node.emit(Cast(to=DType.BOOL), [node.step(op, [numbers], "reduced")])

    return convert


def _along(node: TfliteNode, op: Op) -> None:
    """Add an op along the axis that the second input gives, at run time too."""
    if node.graph.constant(node.input(1)) is None:
        node.emit_late(op, node.input(0), {"axis": node.as_int64(node.input(1))})
    else:
        node.emit(structs.replace(op, axis=node.integer(1, "axis")), [node.input(0)])


def _arg(kind: type[ArgMax | ArgMin]) -> Converter:
    def convert(node: TfliteNode) -> None:
        _along(node, kind(axis=0, keepdims=False, dtype=node.output_type().dtype))

    return convert


def cumsum(node: TfliteNode) -> None:
    """CUMSUM: running sums along an axis."""
    op = CumSum(
        axis=0,
        exclusive=bool(node.option("Exclusive", False)),
        reverse=bool(node.option("Reverse", False)),
    )
    _along(node, op)


def softmax(node: TfliteNode) -> None:
    """SOFTMAX: along the last axis."""
    kind = IntegerSoftmax if node.type(0).dtype is DType.INT16 else Softmax
    node.emit(kind(beta=float(node.option("Beta"))), [node.input(0)])


def log_softmax(node: TfliteNode) -> None:
    """LOG_SOFTMAX: along the last axis."""
    node.emit(LogSoftmax(), [node.input(0)])


def l2_normalization(node: TfliteNode) -> None:
    """L2_NORMALIZATION: along the last axis; the norm is at least 1e-6, as TFLite has it."""
    if node.option("FusedActivationFunction", 0):
        raise UnsupportedError("a fused activation; only none is known")
    node.emit(LpNormalization(axis=-1, p=2, epsilon=1e-6), [node.input(0)])


def local_response_normalization(node: TfliteNode) -> None:
    """LOCAL_RESPONSE_NORMALIZATION: by the squares of the channels around."""
    radius = int(node.option("Radius"))
    op = LocalResponseNormalization(
        before=radius,
        after=radius,
        alpha=float(node.option("Alpha")),
        beta=float(node.option("Beta")),
        bias=float(node.option("Bias")),
    )
    node.emit(op, [node.input(0)])


def topk(node: TfliteNode) -> None:
    """TOPK_V2: the k largest along the last axis, in order, and their indices."""
    dtype = node.output_type(1).dtype
    if node.graph.constant(node.input(1)) is None:
        op = TopK(k=1, axis=-1, dtype=dtype)
        return node.emit_late(op, node.input(0), {"k": node.as_int64(node.input(1))})
    node.emit(TopK(k=node.integer(1, "k"), axis=-1, dtype=dtype), [node.input(0)])


CONVERTERS: dict[str, Converter] = {
    "ARG_MAX": _arg(ArgMax),
    "ARG_MIN": _arg(ArgMin),
    "CUMSUM": cumsum,
    "L2_NORMALIZATION": l2_normalization,
    "LOCAL_RESPONSE_NORMALIZATION": local_response_normalization,
    "LOG_SOFTMAX": log_softmax,
    "MEAN": _reduce(ReduceMean),
    "REDUCE_ALL": _reduce_bool(ReduceMin),
    "REDUCE_ANY": _reduce_bool(ReduceMax),
    "REDUCE_MAX": _reduce(ReduceMax),
    "REDUCE_MIN": _reduce(ReduceMin),
    "REDUCE_PROD": _reduce(ReduceProd),
    "SOFTMAX": softmax,
    "SUM": _reduce(ReduceSum),
    "TOPK_V2": topk,
}
