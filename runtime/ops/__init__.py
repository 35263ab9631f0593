"""The op registry: every operator of linnet, one class each, one file per family.

A family's file is read when one of its ops is first asked for, here or in `Op.registry`: a model
needs a few of them, and reading all takes longer than loading the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import NO_CLAMP as NO_CLAMP
from .base import Body as Body
from .base import Clamp as Clamp
from .base import Op as Op
from .body import infer_body as infer_body
from .body import run_body as run_body

if TYPE_CHECKING:
    from .attention import *
    from .binary import *
    from .bits import *
    from .blocks import *
    from .cache import *
    from .cast import *
    from .control import *
    from .conv import *
    from .coupling import *
    from .detection import *
    from .dilation import *
    from .generate import *
    from .grids import *
    from .group_norm import *
    from .indexing import *
    from .integer_lstm import *
    from .joining import *
    from .late import *
    from .layout import *
    from .linear import *
    from .local_norm import *
    from .loops import *
    from .matmul import *
    from .matrices import *
    from .narrow import *
    from .noise import *
    from .norm import *
    from .pooling import *
    from .quantize import *
    from .recurrent import *
    from .reduce import *
    from .regions import *
    from .relation import *
    from .resample import *
    from .resize import *
    from .scatter import *
    from .segments import *
    from .selection import *
    from .sequence_lstm import *
    from .sequence_rnn import *
    from .shape import *
    from .sixteen import *
    from .spectrum import *
    from .transforms import *
    from .trees import *
    from .unary import *

# The ops of every file, its `__all__`; tests/rules/test_completeness.py compares.
FAMILIES = {
    "attention": "Attention",
    "binary": ("Add Atan2 Div FloorDiv Maximum Minimum Mod Mul PRelu Pow SquaredDifference Sub "),
    "bits": "BitShift Bitcast BroadcastShapes Bucketize",
    "blocks": "BlockLinear",
    "cache": "CachedAttention RotaryEmbedding",
    "cast": "Cast Not",
    "control": "If",
    "conv": "Conv2D ConvTranspose2D DepthwiseConv2D",
    "coupling": "PairwiseCoupling",
    "detection": "DetectionPostProcess PaddedSuppression",
    "dilation": "Dilate ReduceWindow",
    "generate": "ConstantOfShape Range Shape Size",
    "group_norm": "GroupNormalization",
    "grids": "ColumnsToImage DeformConv GridSample PoolIndices",
    "indexing": "Gather GatherElements GatherND OneHot",
    "integer_lstm": "IntegerLSTM",
    "joining": "Concat Slice Split",
    "late": "Late",
    "layout": "DepthToSpace Pad Reverse SpaceToDepth Tile Transpose",
    "linear": "DynamicLinear Embedding",
    "local_norm": "LocalResponseNormalization",
    "loops": "Loop Scan While",
    "matmul": "FullyConnected MatMul",
    "matrices": "DynamicUpdateSlice MatrixDiag MatrixSetDiag ReverseSequence TensorScatter",
    "narrow": "Narrow NarrowSoftmax",
    "noise": "Multinomial RandomNumbers",
    "norm": (
        "BatchNormalization InstanceNormalization LayerNormalization LogSoftmax "
        "LpNormalization RMSNormalization Softmax "
    ),
    "pooling": "AveragePool2D MaxPool2D",
    "quantize": "Dequantize Quantize",
    "recurrent": "GRU LSTM RNN",
    "reduce": "ArgMax ArgMin CumSum ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum TopK",
    "regions": "RoiAlign RoiPool",
    "relation": "And Equal Greater GreaterOrEqual Less LessOrEqual Or Where Xor",
    "resample": "Resample",
    "resize": "Resize",
    "scatter": "ScatterElements ScatterND",
    "segments": "EmbeddingBag KeyedLookup SegmentReduce",
    "selection": "Compress FirstRows NonMaxSuppression NonZero Unique",
    "sequence_lstm": "SequenceLSTM",
    "sequence_rnn": "SVDF SequenceRNN",
    "shape": "Expand Flatten Identity Reshape Squeeze Unsqueeze",
    "sixteen": "IntegerSoftmax Lookup",
    "spectrum": "ComplexAbs Imag RFFT2D Real",
    "transforms": "DFT Determinant",
    "trees": "TreeEnsemble",
    "unary": (
        "Abs Ceil Clip Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log Neg "
        "Reciprocal Round Rsqrt Sigmoid Sign Silu Sin Softplus Sqrt Square Swish Tanh "
    ),
}
Op.registry.expect(
    {name: f"{__name__}.{family}" for family, names in FAMILIES.items() for name in names.split()}
)


def __getattr__(name: str) -> Any:
    """Return an op, reading its file first; with `from linnet.ops import Conv2D` too."""
    op = Op.registry.get(name)
    if op is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = op
    return op
