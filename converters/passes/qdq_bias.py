"""Biases of quantized operators: int32 in the scale of the products they are added to."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.converters.rewrite import Links, new_constant
from linnet.graph import Graph, Node
from linnet.ops import arithmetic
from linnet.types import Array, Quantization, TensorType

_TOLERANCE = 1e-5
_LIMIT = 2**31 - 1


def integer_bias(
    graph: Graph, links: Links, name: str, x: TensorType, w: TensorType, node: Node
) -> str | None:
    """Return a constant bias as int32 in the scale of input times weights.

    A bias that is stored so already is used as it is, another one is rounded to it.

    Parameters
    ----------
    graph : Graph
    links : Links
    name : str
        The float bias: a constant, or a dequantized constant.
    x, w : TensorType
        Quantized input and weights.
    node : Node
        The operator, for names.

    Returns
    -------
    str or None
        None where the bias is not a constant.
    """
    assert x.quantization is not None and w.quantization is not None
    scale = np.float32(x.quantization.scale[0]) * w.quantization.scale
    data, q = graph.constant(name), None
    stored = ""
    if data is None:
        maker = links.maker(name, ops.Dequantize)
        if maker is None or graph.constant(maker.inputs[0]) is None:
            return None
        stored = maker.inputs[0]
        data, q = graph.constant(stored), graph.type_of(stored).quantization
    assert data is not None
    axis = 0 if scale.size > 1 else None
    if q is not None and data.dtype == np.int32 and _equal(q, scale):
        return stored
    real = data if q is None else arithmetic.dequantize(data, graph.type_of(stored))
    steps = np.rint(real.astype(np.float64).reshape(-1) / scale.astype(np.float64))
    if not (np.isfinite(steps).all() and (np.abs(steps) <= _LIMIT).all()):
        return None
    return new_constant(
        graph, f"{node.name}/bias", steps.astype(np.int32), Quantization(scale, 0, axis)
    )


def _equal(q: Quantization, scale: Array) -> bool:
    """Whether the scales agree, up to the rounding of their product, and the zero points are 0."""
    fits = q.scale.size in (1, scale.size) or scale.size == 1
    return bool(
        fits and (q.zero_point == 0).all() and np.allclose(q.scale, scale, rtol=_TOLERANCE, atol=0)
    )
