"""Composites: what exporters write as several operators becomes the one that it means."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, new_constant
from linnet.graph import Graph, Node
from linnet.ops import NO_CLAMP, Op

_CLOSE = 1e-4


def fuse_composites(graph: Graph) -> int:
    """Replace every known pattern of float operators by one operator; return how many."""
    links, changes = Links(graph), 0
    for node in list(graph.nodes):
        rules = _RULES.get(type(node.op), ())
        if not rules or not links.knows(node) or not graph.type_of(node.outputs[0]).dtype.is_float:
            continue
        for rule in rules:
            found = rule(links, node)
            if found is not None:
                before, (node.op, node.inputs) = node.inputs, found
                links.touch(node)
                links.release(before)
                changes += 1
                break
    graph.prune()
    return changes


Found = tuple[Op, tuple[str, ...]] | None


def scalar(links: Links, name: str) -> float | None:
    """Return the content of a constant of one element, None for others."""
    data = links.graph.constant(name)
    return float(data.reshape(())) if data is not None and data.size == 1 else None


def split_scalar(links: Links, node: Node) -> tuple[str, float] | None:
    """Return the operand and the scalar constant of a commutative op, None where there is none."""
    for index in (0, 1):
        value = scalar(links, node.inputs[1 - index])
        if value is not None and scalar(links, node.inputs[index]) is None:
            return node.inputs[index], value
    return None


def near(left: float | None, right: float) -> bool:
    """Whether a number is what exporters write for another."""
    return left is not None and math.isclose(left, right, rel_tol=_CLOSE)


def factors(links: Links, node: Node) -> tuple[list[str], float]:
    """Return the operands of a tree of private products and quotients by scalars, and the scalar.

    Clamped products are operands, not parts of the tree.
    """
    names: list[str] = []
    total, waiting = 1.0, [(node, True)]
    while waiting:
        current, _ = waiting.pop()
        for index, name in enumerate(current.inputs):
            value = scalar(links, name)
            divides = isinstance(current.op, ops.Div)
            if value is not None and not (divides and index == 0):
                total = total / value if divides else total * value
                continue
            maker = links.maker(name, ops.Mul, ops.Div)
            if maker is not None and links.private(name) and _product(links, maker):
                waiting.append((maker, True))
            else:
                names.append(name)
    return names, total


def _product(links: Links, node: Node) -> bool:
    """Whether a node is a product without clamp, or a quotient by a scalar."""
    if getattr(node.op, "clamp", NO_CLAMP) != NO_CLAMP:
        return False
    return isinstance(node.op, ops.Mul) or scalar(links, node.inputs[1]) is not None


def _gate(links: Links, node: Node) -> Found:
    """Match x * sigmoid(x), x * hard sigmoid(x) and the products of Gelu."""
    if not _product(links, node):
        return None
    names, total = factors(links, node)
    if len(names) != 2:
        return None
    for x, gate in (names, names[::-1]):
        found = _activation(links, x, gate, total)
        if found is not None and links.graph.type_of(x).shape == _shape(links, node):
            return found
    return None


def _shape(links: Links, node: Node) -> tuple[int | str, ...]:
    return links.graph.type_of(node.outputs[0]).shape


def _activation(links: Links, x: str, gate: str, total: float) -> Found:
    """Return the activation that is total * x * gate(x)."""
    maker = links.maker(gate)
    if maker is None:
        return None
    op = maker.op
    if isinstance(op, ops.Sigmoid) and near(total, 1.0):
        return _swish(links, x, maker.inputs[0])
    if isinstance(op, ops.HardSigmoid) and maker.inputs == (x,) and near(total, 1.0):
        swish = near(op.alpha, 1 / 6) and near(op.beta, 0.5)
        return (ops.HardSwish(), (x,)) if swish else None
    if near(total, 1 / 6) and _shifted(links, maker, x):
        return ops.HardSwish(), (x,)
    if near(total, 0.5) and isinstance(op, ops.Add) and op.clamp == NO_CLAMP:
        split = split_scalar(links, maker)
        if split is not None and near(split[1], 1.0):
            return _gelu(links, x, split[0])
    return None


def _swish(links: Links, x: str, name: str) -> Found:
    """Return x * sigmoid(x), or x * sigmoid(alpha * x), of what sigmoid reads."""
    if name == x:
        return ops.Silu(), (x,)
    maker = links.maker(name, ops.Mul)
    split = split_scalar(links, maker) if maker is not None and _product(links, maker) else None
    return (ops.Swish(alpha=split[1]), (x,)) if split is not None and split[0] == x else None


def _shifted(links: Links, node: Node, x: str) -> bool:
    """Whether a node is clip(x + 3, 0, 6), fused or not."""
    bounds = NO_CLAMP
    if isinstance(node.op, ops.Clip):
        bounds = (node.op.minimum, node.op.maximum)
        inner = links.maker(node.inputs[0], ops.Add)
        if inner is None:
            return False
        node = inner
    elif isinstance(node.op, ops.Add):
        bounds = node.op.clamp
    if not isinstance(node.op, ops.Add) or bounds != (0.0, 6.0):
        return False
    split = split_scalar(links, node)
    return split is not None and split[0] == x and near(split[1], 3.0)


def _gelu(links: Links, x: str, name: str) -> Found:
    """Match erf(x / sqrt(2)), and tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)) in either form."""
    maker = links.maker(name, ops.Erf, ops.Tanh)
    if maker is None:
        return None
    inner = links.maker(maker.inputs[0], ops.Mul, ops.Div)
    if inner is None or not _product(links, inner):
        return None
    names, total = factors(links, inner)
    if isinstance(maker.op, ops.Erf):
        return (ops.Gelu(), (x,)) if names == [x] and near(total, math.sqrt(0.5)) else None
    found = near(total, math.sqrt(2 / math.pi)) and _is_cubic(links, x, names)
    return (ops.Gelu(approximate=True), (x,)) if found else None


def _is_cubic(links: Links, x: str, names: list[str]) -> bool:
    """Whether a product is x + 0.044715 * x**3, or x * (1 + 0.044715 * x**2)."""
    apart = len(names) == 2 and x in names
    if len(names) != 1 and not apart:
        return False
    total = links.maker(names[1 - names.index(x)] if apart else names[0], ops.Add)
    if total is None:
        return False
    if apart:
        split = split_scalar(links, total)
        if split is None or not near(split[1], 1.0):
            return False
        other = split[0]
    elif x in total.inputs:
        other = total.inputs[1 - total.inputs.index(x)]
    else:
        return False
    term = links.maker(other, ops.Mul)
    if term is None:
        return False
    names, factor = factors(links, term)
    exponent = 2 if apart else 3
    power = names == [x] * exponent or (len(names) == 1 and _raised(links, names[0], x, exponent))
    return power and near(factor, 0.044715)


def _raised(links: Links, name: str, x: str, exponent: int) -> bool:
    maker = links.maker(name, ops.Pow)
    return maker is not None and maker.inputs[0] == x and scalar(links, maker.inputs[1]) == exponent


def _reciprocal_root(links: Links, name: str) -> str | None:
    """Return v where a value is 1 / sqrt(v), however it is written."""
    maker = links.maker(name, ops.Rsqrt, ops.Reciprocal, ops.Div, ops.Pow)
    if maker is None:
        return None
    if isinstance(maker.op, ops.Rsqrt):
        return maker.inputs[0]
    if isinstance(maker.op, ops.Pow):
        return maker.inputs[0] if scalar(links, maker.inputs[1]) == -0.5 else None
    if isinstance(maker.op, ops.Div) and scalar(links, maker.inputs[0]) != 1.0:
        return None
    return _root(links, maker.inputs[-1])


def _root(links: Links, name: str) -> str | None:
    """Return v where a value is sqrt(v)."""
    maker = links.maker(name, ops.Sqrt)
    return maker.inputs[0] if maker is not None else None


def _normalization(links: Links, node: Node) -> Found:
    """Match x / sqrt(mean(x**2) + epsilon), and the same of x less its mean."""
    if getattr(node.op, "clamp", NO_CLAMP) != NO_CLAMP:
        return None
    pairs = [node.inputs] if isinstance(node.op, ops.Div) else [node.inputs, node.inputs[::-1]]
    for x, below in pairs:
        root = _root if isinstance(node.op, ops.Div) else _reciprocal_root
        variance = root(links, below)
        squares = _mean_square(links, variance, x) if variance is not None else None
        if squares is None:
            continue
        axis, epsilon = squares
        source = _centered(links, x, axis)
        if source is not None:
            return ops.LayerNormalization(axis=axis, epsilon=epsilon), (source,)
        return ops.RMSNormalization(axis=axis, epsilon=epsilon), (x,)
    return None


def _mean_square(links: Links, name: str, x: str) -> tuple[int, float] | None:
    """Return the first axis and epsilon where a value is mean(x**2) + epsilon."""
    maker, epsilon = links.maker(name), 0.0
    if maker is not None and isinstance(maker.op, ops.Add):
        split = split_scalar(links, maker)
        if split is None:
            return None
        epsilon, maker = split[1], links.maker(split[0])
    if maker is None or not isinstance(maker.op, ops.ReduceMean):
        return None
    square = links.maker(maker.inputs[0], ops.Square, ops.Mul)
    if square is None or set(square.inputs) != {x} or epsilon < 0:
        return None
    axis = _trailing(links, maker)
    return (axis, epsilon) if axis is not None else None


def _trailing(links: Links, node: Node) -> int | None:
    """Return the first of the axes that a mean runs over where they are the last ones, kept."""
    assert isinstance(node.op, ops.ReduceMean)
    rank = links.graph.type_of(node.inputs[0]).rank
    axes = sorted(axis % rank for axis in node.op.axes)
    if not axes or not node.op.keepdims or axes != list(range(axes[0], rank)):
        return None
    return axes[0]


def _centered(links: Links, name: str, axis: int) -> str | None:
    """Return x where a value is x - mean(x) over the axes from one on."""
    maker = links.maker(name, ops.Sub)
    if maker is None or maker.op != ops.Sub():
        return None
    mean = links.maker(maker.inputs[1], ops.ReduceMean)
    if mean is None or mean.inputs[0] != maker.inputs[0] or _trailing(links, mean) != axis:
        return None
    return maker.inputs[0]


def _scaled(links: Links, node: Node) -> Found:
    """Match a normalization times a constant, or plus one."""
    kinds = (ops.LayerNormalization, ops.RMSNormalization)
    for index in (0, 1):
        name, other = node.inputs[index], node.inputs[1 - index]
        maker = links.maker(name, *kinds)
        if maker is None or not links.private(name) or getattr(node.op, "clamp", 0) != NO_CLAMP:
            continue
        wanted = 1 if isinstance(node.op, ops.Mul) else 2
        if len(maker.inputs) != wanted or (
            wanted == 2 and isinstance(maker.op, ops.RMSNormalization)
        ):
            continue
        parameter = _parameter(links, other, maker)
        if parameter is not None:
            return maker.op, (*maker.inputs, parameter)
    return None


def _parameter(links: Links, name: str, maker: Node) -> str | None:
    """Return a constant in the shape of the normalized axes, None where it does not fit them."""
    data = links.graph.constant(name)
    shape = links.graph.type_of(maker.outputs[0]).shape
    axis = maker.op.axis % len(shape)  # type: ignore[attr-defined]
    normalized = shape[axis:]
    if data is None or data.ndim > len(shape) or not all(isinstance(d, int) for d in normalized):
        return None
    wide = data.reshape((1,) * (len(shape) - data.ndim) + data.shape)
    if any(dim != 1 for dim in wide.shape[:axis]):
        return None
    inner = wide.reshape(wide.shape[axis:])
    target = tuple(int(d) for d in normalized)
    return new_constant(links.graph, name, np.broadcast_to(inner, target).copy())


_RULES: dict[type[Op], tuple[Callable[[Links, Node], Found], ...]] = {
    ops.Mul: (_gate, _normalization, _scaled),
    ops.Div: (_gate, _normalization),
    ops.Add: (_scaled,),
}
