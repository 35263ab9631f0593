"""The ONNX importer: one function per operator, by family; importing a family registers it."""

from __future__ import annotations

from . import (
    attention,
    binary,
    bits,
    categories,
    classic,
    control,
    conv,
    einsum,
    elementwise,
    fused,
    matmul,
    movement,
    noise,
    norm,
    pooling,
    qlinear,
    quantized,
    recurrent,
    reduce,
    resize,
    sampling,
    selection,
    sequences,
    shape,
    svm,
    trees,
)
