"""ONNX reductions."""

from __future__ import annotations

from typing import Any

from linnet import ops
from linnet.errors import UnsupportedError
from linnet.types import DType

from .node import OnnxNode, normalized
from .registry import handles

REDUCTIONS: dict[str, type[ops.Op]] = {
    "ReduceMax": ops.ReduceMax,
    "ReduceMean": ops.ReduceMean,
    "ReduceMin": ops.ReduceMin,
    "ReduceProd": ops.ReduceProd,
    "ReduceSum": ops.ReduceSum,
}
_COMPOSED = ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")


def _axes(node: OnnxNode) -> tuple[int, ...] | int | None:
    """Return the axes to reduce, all of them where none is given; None where nothing is reduced.

    A number is how many axes an input names that only a run knows.
    """
    rank = node.rank()
    if not node.has("axes") and node.optional(1) and node.constant(1) is None:
        (count,) = node.shape(1)
        if not isinstance(count, int):
            raise UnsupportedError("axes of unknown number are computed at run time")
        if count:
            return count
        given: tuple[int, ...] | None = None
    else:
        given = node.known_integers(1, "axes")
    if not given:
        return None if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted(normalized(axis, rank) for axis in given))


def _reduced(
    node: OnnxNode, kind: type[Any], x: str, axes: tuple[int, ...] | int, keepdims: bool
) -> str:
    """Emit a reduction over axes, or over as many as input 1 names."""
    if isinstance(axes, tuple):
        return node.emit(kind(axes=axes, keepdims=keepdims), x)
    op = kind(axes=tuple(range(axes)), keepdims=keepdims)
    return node.emit(node.late(op, [x], {"axes": node.input(1)}), x, node.input(1))


@handles(*REDUCTIONS)
def reduce(node: OnnxNode) -> None:
    """Axes are an attribute, or an input in newer opsets."""
    axes = _axes(node)
    if not axes:
        node.give(node.input(0))
        return
    keepdims = bool(node.integer("keepdims", 1))
    x = node.input(0)
    if node.type(0).dtype == DType.BOOL:
        x = node.emit(ops.Cast(to=DType.UINT8), x)
        x = _reduced(node, REDUCTIONS[node.kind], x, axes, keepdims)
        node.finish(ops.Cast(to=DType.BOOL), x)
        return
    if isinstance(axes, tuple):
        node.finish(REDUCTIONS[node.kind](axes=axes, keepdims=keepdims), x)
    else:
        node.give(_reduced(node, REDUCTIONS[node.kind], x, axes, keepdims))


@handles(*_COMPOSED)
def composed(node: OnnxNode) -> None:
    """Reductions made of an elementwise op, a sum and another elementwise op."""
    x, axes = node.input(0), _axes(node)
    before = {
        "ReduceL1": ops.Abs(),
        "ReduceL2": ops.Square(),
        "ReduceSumSquare": ops.Square(),
    }.get(node.kind)
    after = {"ReduceL2": ops.Sqrt(), "ReduceLogSum": ops.Log()}.get(node.kind)
    keepdims = bool(node.integer("keepdims", 1))
    if node.kind == "ReduceLogSumExp":
        _log_sum_exp(node, axes, keepdims)
        return
    if before is not None:
        x = node.emit(before, x)
    if axes:
        x = _reduced(node, ops.ReduceSum, x, axes, keepdims)
    if after is None:
        node.give(x)
    else:
        node.finish(after, x)


def _log_sum_exp(node: OnnxNode, axes: tuple[int, ...] | int | None, keepdims: bool) -> None:
    x = node.input(0)
    if not axes:
        node.finish(ops.Log(), node.emit(ops.Exp(), x))
        return
    greatest = _reduced(node, ops.ReduceMax, x, axes, True)
    powers = node.emit(ops.Exp(), node.emit(ops.Sub(), x, greatest))
    total = node.emit(ops.Log(), _reduced(node, ops.ReduceSum, powers, axes, keepdims))
    if not keepdims:
        greatest = _reduced(node, ops.ReduceMax, x, axes, False)
    node.finish(ops.Add(), total, greatest)


@handles("ArgMax", "ArgMin")
def arg_extreme(node: OnnxNode) -> None:
    """Index of the extreme, the first of equals unless select_last_index is set."""
    kind = ops.ArgMax if node.kind == "ArgMax" else ops.ArgMin
    op = kind(
        axis=node.axis(0, node.rank()),
        keepdims=bool(node.integer("keepdims", 1)),
        select_last=bool(node.integer("select_last_index", 0)),
    )
    node.finish(op, node.input(0))


@handles("CumSum", "CumProd")
def cumulative_sum(node: OnnxNode) -> None:
    """Sum up along an axis, multiply where it is CumProd."""
    known = node.constant(1)
    axis = 0 if known is None else normalized(int(known.reshape(-1)[0]), node.rank())
    op = ops.CumSum(
        axis=axis,
        product=node.kind == "CumProd",
        exclusive=bool(node.integer("exclusive", 0)),
        reverse=bool(node.integer("reverse", 0)),
    )
    x = node.input(0)
    if known is None:
        node.finish(node.late(op, [x], {"axis": node.input(1)}), x, node.input(1))
    else:
        node.finish(op, x)


@handles("TopK")
def top_k(node: OnnxNode) -> None:
    """Keep the k best along an axis; k is an attribute up to opset 9, then an input."""
    axis = node.axis(-1, node.rank())
    largest = bool(node.integer("largest", 1))
    if node.version < 10:
        node.finish(ops.TopK(k=node.integer("k", 1), axis=axis), node.input(0))
        return
    k = node.constant(1)
    if k is not None:
        op = ops.TopK(k=int(k.reshape(-1)[0]), axis=axis, largest=largest)
        node.finish(op, node.input(0))
    else:
        node.finish(ops.TopK(axis=axis, largest=largest), node.input(0), node.input(1))
