"""Families of operators that passes treat alike."""

from __future__ import annotations

from linnet import ops
from linnet.ops import Op

VIEWS: tuple[type[Op], ...] = (ops.Reshape, ops.Squeeze, ops.Unsqueeze, ops.Flatten)

# One input, computed element by element on real values; quantized forms are tables.
REAL_UNARY: tuple[type[Op], ...] = (
    ops.Abs,
    ops.Ceil,
    ops.Clip,
    ops.Cos,
    ops.Elu,
    ops.Erf,
    ops.Exp,
    ops.Floor,
    ops.Gelu,
    ops.HardSigmoid,
    ops.HardSwish,
    ops.LeakyRelu,
    ops.Log,
    ops.Neg,
    ops.Reciprocal,
    ops.Round,
    ops.Rsqrt,
    ops.Sigmoid,
    ops.Sign,
    ops.Silu,
    ops.Sin,
    ops.Softplus,
    ops.Sqrt,
    ops.Square,
    ops.Swish,
    ops.Tanh,
)
UNARY: tuple[type[Op], ...] = (
    *REAL_UNARY,
    ops.Cast,
    ops.Dequantize,
    ops.Identity,
    ops.Not,
    ops.Quantize,
)
BROADCAST: tuple[type[Op], ...] = (
    ops.Add,
    ops.And,
    ops.Div,
    ops.Equal,
    ops.FloorDiv,
    ops.Greater,
    ops.GreaterOrEqual,
    ops.Less,
    ops.LessOrEqual,
    ops.Maximum,
    ops.Minimum,
    ops.Mod,
    ops.Mul,
    ops.Or,
    ops.PRelu,
    ops.Pow,
    ops.SquaredDifference,
    ops.Sub,
    ops.Where,
    ops.Xor,
)
REDUCTIONS: tuple[type[Op], ...] = (
    ops.ReduceMax,
    ops.ReduceMean,
    ops.ReduceMin,
    ops.ReduceProd,
    ops.ReduceSum,
)
WEIGHTED: tuple[type[Op], ...] = (
    ops.Conv2D,
    ops.ConvTranspose2D,
    ops.DepthwiseConv2D,
    ops.FullyConnected,
)
# Ops that move the elements of their first input, or pick among them, whatever they mean.
MOVES: tuple[type[Op], ...] = (
    ops.DepthToSpace,
    ops.Expand,
    ops.Flatten,
    ops.Gather,
    ops.GatherElements,
    ops.GatherND,
    ops.Identity,
    ops.Reshape,
    ops.Reverse,
    ops.Slice,
    ops.SpaceToDepth,
    ops.Split,
    ops.Squeeze,
    ops.Tile,
    ops.Transpose,
    ops.Unsqueeze,
)
# Ops on one tensor whose quantized form keeps the input's scale and zero point too.
SELECTIONS: tuple[type[Op], ...] = (
    ops.MaxPool2D,
    ops.Pad,
    ops.ReduceMax,
    ops.ReduceMin,
    ops.Resize,
)
MEANS: tuple[type[Op], ...] = (ops.AveragePool2D, ops.ReduceMean, ops.ReduceSum)
# Two tensors, each with its own scale and zero point in the quantized form.
PAIRS: tuple[type[Op], ...] = (ops.Add, ops.Mul, ops.Sub)
