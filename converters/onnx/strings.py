"""Which ONNX operators take texts: those that a list of texts and places in it can stand for."""

from __future__ import annotations

# Operators whose outputs hold texts where an input does.
KEEPERS = frozenset(
    {"ArrayFeatureExtractor", "Cast", "Compress", "Concat", "Expand", "Flatten", "Gather",
     "GatherElements", "GatherND", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile",
     "Transpose", "Unsqueeze", "Where"}
)  # fmt: skip
# All that take texts.
READERS = KEEPERS | {"CategoryMapper", "Equal", "LabelEncoder", "OneHotEncoder", "Shape", "Size"}
