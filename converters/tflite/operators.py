"""The table of every TFLite operator that converts, and why some others cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import (
    ops_control,
    ops_detection,
    ops_elementwise,
    ops_images,
    ops_matrices,
    ops_movement,
    ops_products,
    ops_random,
    ops_recurrent,
    ops_reductions,
    ops_rnn,
    ops_segments,
    ops_shapes,
    ops_state,
    ops_strided,
    ops_tables,
    ops_volumes,
)
from .node import TfliteNode

_FAMILIES: tuple[Mapping[str, Callable[[TfliteNode], None]], ...] = (
    ops_control.CONVERTERS,
    ops_detection.CONVERTERS,
    ops_elementwise.CONVERTERS,
    ops_images.CONVERTERS,
    ops_matrices.CONVERTERS,
    ops_movement.CONVERTERS,
    ops_products.CONVERTERS,
    ops_random.CONVERTERS,
    ops_recurrent.CONVERTERS,
    ops_reductions.CONVERTERS,
    ops_rnn.CONVERTERS,
    ops_segments.CONVERTERS,
    ops_shapes.CONVERTERS,
    ops_state.CONVERTERS,
    ops_strided.CONVERTERS,
    ops_tables.CONVERTERS,
    ops_volumes.CONVERTERS,
)
CONVERTERS = {kind: convert for family in _FAMILIES for kind, convert in family.items()}
if len(CONVERTERS) != sum(map(len, _FAMILIES)):
    raise TypeError("two families convert the same TFLite operator")

# Custom operators by name.
CUSTOM: Mapping[str, Callable[[TfliteNode], None]] = ops_detection.CUSTOM | ops_products.CUSTOM

# Operators that take texts, which are places in the model's list of texts.
TEXTUAL = frozenset(
    {"CALL", "EXPAND_DIMS", "GATHER", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "IF", "RESHAPE",
     "SHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TILE", "WHILE"}
)  # fmt: skip

# Reasons for operators that need more than a missing rule; {} is the operator.
REFUSED = {
    "CONCAT_EMBEDDINGS": "{} has no kernel in TFLite either; use CONCATENATION",
    "CUSTOM": "{} is not part of TFLite; export the model without it",
    "DELEGATE": "{} stands for what another runtime took; export the model before it is applied",
    "LSH_PROJECTION": "{} hashes strings; hash outside the model",
    "SKIP_GRAM": "{} works on strings; tokenize outside the model",
}
