"""Names of symbolic dimensions: identifiers, whatever exporters wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from linnet.types import Dim

if TYPE_CHECKING:
    import onnx

# What exporters write where they know nothing: two such dimensions need not be equal.
_UNKNOWN = frozenset(("None", "unk", "unknown"))
_OPERATORS = {"+": "_plus_", "-": "_minus_", "*": "_times_", "/": "_over_"}


def dimension(dim: onnx.TensorShapeProto.Dimension, fresh: str) -> Dim:
    """Return a declared dimension; one without a size or a name is called ``fresh``."""
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else symbol(fresh)
    known = re.search("[A-Za-z]", dim.dim_param) and dim.dim_param not in _UNKNOWN
    return symbol(dim.dim_param if known else fresh)


def symbol(text: str) -> str:
    """Return the text as an identifier, different sums and products as different ones.

    Examples
    --------
    >>> symbol("past + 1"), symbol("past - 1"), symbol("x.0")
    ('past_plus_1', 'past_minus_1', 'x_0')
    """
    for sign, word in _OPERATORS.items():
        text = re.sub(rf"\s*\{sign}\s*", word, text)
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if not name[:1].isdigit() else f"d{name}"
