"""Nested graphs as operators see them: their types inferred, their nodes run by references.

Owns what ops of control flow need of a graph without knowing graphs: names, nodes and constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linnet.errors import LinnetError, ShapeError
from linnet.types import Array, NodeTypes, TensorType

from .base import Body, Op, trimmed

# Results larger than this stay computed: folding is meant for shape arithmetic and small tables.
FOLD_LIMIT = 1 << 16


def infer_body(body: Body, given: Sequence[TensorType]) -> list[TensorType]:
    """Return the types of a nested graph's outputs for those of its inputs.

    Raises
    ------
    ShapeError
        If the number of inputs, an element type or a rank differs from what the body declares.
    """
    if len(given) != len(body.inputs):
        raise ShapeError(f"'{body.name}' takes {len(body.inputs)} inputs, got {len(given)}")
    types = constant_types(body)
    for name, type_ in zip(body.inputs, given, strict=True):
        declared = body.values[name].type
        if (declared.dtype, declared.rank) != (type_.dtype, type_.rank):
            raise ShapeError(f"'{body.name}' takes {declared} as '{name}', got {type_}")
        types[name] = type_
    for node in body.nodes:
        inputs = tuple(types[i] if i else None for i in node.inputs)
        try:
            outputs = infer_known(node.op, inputs, [_declared(body, o) for o in node.outputs])
        except LinnetError as error:
            raise type(error)(f"in '{body.name}': {node}: {error}") from error
        types.update({name: t for name, t in zip(node.outputs, outputs, strict=True) if name})
    return [types[name] for name in body.outputs]


def constant_types(body: Body) -> dict[str, TensorType]:
    """Return the types of a graph's constants, their contents attached."""
    return {
        name: value.type.with_(value=value.data)
        for name, value in body.values.items()
        if value.data is not None
    }


def _declared(body: Body, name: str) -> TensorType | None:
    return body.values[name].type if name else None


def infer_known(
    op: Op, given: tuple[TensorType | None, ...], declared: Sequence[TensorType | None]
) -> tuple[TensorType, ...]:
    """Return a node's output types, with contents where they follow from known inputs.

    Parameters
    ----------
    op : Op
    given : tuple of TensorType or None
        Per input; ``value`` is set where the content is known.
    declared : sequence of TensorType or None
        Per output what the graph declares: its quantization counts where the op decides none.
    """
    inferred = op.infer(*trimmed(given))
    outputs = tuple(
        t.with_(quantization=t.quantization or (d.quantization if d is not None else None))
        for t, d in zip(inferred, declared, strict=True)
    )
    if all(t.value is not None for t in outputs):
        return outputs
    unknown = not op.pure or any(t is not None and t.value is None for t in given)
    small = sum(t.size for t in outputs if t.is_static) <= FOLD_LIMIT
    if unknown or not (small or _widens(given, outputs)):
        return tuple(t.with_(value=None) for t in outputs)
    arrays = op.reference(
        NodeTypes(given, outputs), *(None if t is None else np.asarray(t.value) for t in given)
    )
    return tuple(
        t.with_(value=np.ascontiguousarray(a).reshape(a.shape), shape=a.shape)
        for t, a in zip(outputs, arrays, strict=True)
    )


def _widens(given: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> bool:
    """Whether floats are what a constant stores in fewer bytes: weights, which kernels pack."""
    stored, made = given[0] if len(given) == 1 else None, outputs[0]
    alike = stored is not None and len(outputs) == 1 and stored.shape == made.shape
    return alike and made.dtype.is_float and stored.nbytes < made.nbytes  # type: ignore[union-attr]


def run_body(body: Body, arrays: Sequence[Array]) -> list[Array]:
    """Return a nested graph's outputs, computed node by node with ``Op.reference``."""
    values = run_nodes(body, dict(zip(body.inputs, arrays, strict=True)))
    return [values[name] for name in body.outputs]


def run_nodes(body: Body, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Return every value of a graph; types follow the arrays, so shapes may depend on data."""
    values = {n: v.data for n, v in body.values.items() if v.data is not None}
    values.update({name: np.asarray(feeds[name]) for name in body.inputs})
    for node in body.nodes:
        inputs = tuple(
            TensorType.of(values[i], body.values[i].type.quantization) if i else None
            for i in node.inputs
        )
        outputs = tuple(
            t.with_(quantization=t.quantization or (d.quantization if d is not None else None))
            for t, d in zip(
                node.op.infer(*trimmed(inputs)),
                [_declared(body, o) for o in node.outputs],
                strict=True,
            )
        )
        given: list[Any] = [values[i] if i else None for i in node.inputs]
        results = node.op.reference(NodeTypes(inputs, outputs), *given)
        values.update({n: r for n, r in zip(node.outputs, results, strict=True) if n})
    return values
