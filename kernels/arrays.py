"""Kernels as functions on arrays: each call binds one step, runs it, and forgets it."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ._core import Program

Array = npt.NDArray[Any]
INFINITY = float("inf")
_OVER_READ = 64
_PANEL = 16
_PACKED, _ROWS = 0, 1


def quantize(
    x: npt.ArrayLike, scale: float, zero_point: int = 0, dtype: npt.DTypeLike = np.int8
) -> Array:
    """Return clip(round_half_even(x / scale) + zero_point).

    Parameters
    ----------
    x : array_like of float32, any shape
    scale : float
        Real value per step, positive.
    zero_point : int
        Stored value of real zero.
    dtype : int8 or uint8

    Returns
    -------
    ndarray of ``dtype``
        NaN becomes the zero point; values beyond the range saturate.

    Raises
    ------
    ValueError
        If the scale is not positive and finite, or the dtype is another.

    Examples
    --------
    >>> quantize([0.25, -1.0, 99.0], 0.1, 3).tolist()
    [5, -7, 127]
    """
    stored = np.dtype(dtype)
    if stored not in (np.int8, np.uint8):
        raise ValueError(f"dtype is {stored}; expected int8 or uint8")
    source, out = _readable(x), np.empty(np.shape(x), stored)
    step, zero = _affine(scale, zero_point)
    limits = np.iinfo(stored)
    program = Program(0)
    program.quantize_f32(
        _address(source), _address(out), [1, 1, out.size], _address(step), _address(zero),
        int(limits.min), int(limits.max), limits.dtype.name,
    )  # fmt: skip
    program.run()
    return out


def dequantize(x: npt.ArrayLike, scale: float, zero_point: int = 0) -> Array:
    """Return float32(x - zero_point) * scale.

    Parameters
    ----------
    x : array_like of int8 or uint8, any shape
    scale : float
        Real value per step, positive.
    zero_point : int
        Stored value of real zero.

    Raises
    ------
    ValueError
        If the scale is not positive and finite, or x is of another dtype.

    Examples
    --------
    >>> dequantize(np.array([5, -7], np.int8), 0.5, 3).tolist()
    [1.0, -5.0]
    """
    array = np.asarray(x)
    if array.dtype not in (np.int8, np.uint8):
        raise ValueError(f"x is {array.dtype}; expected int8 or uint8")
    source, out = _readable(array, array.dtype), np.empty(array.shape, np.float32)
    step, zero = _affine(scale, zero_point)
    program = Program(0)
    program.dequantize(
        _address(source), _address(out), [1, 1, out.size], _address(step), _address(zero),
        array.dtype.name,
    )  # fmt: skip
    program.run()
    return out


def softmax(x: npt.ArrayLike, axis: int = -1) -> Array:
    """Return exp(x - max) / sum(exp(x - max)) along an axis, in float32.

    Parameters
    ----------
    x : array_like of float32, rank at least 1
    axis : int

    Examples
    --------
    >>> softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    source = _readable(x)
    shape = np.shape(x)
    axis = range(len(shape))[axis]
    layout = [math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])]
    out = np.empty(shape, np.float32)
    program = Program(0)
    program.softmax_f32(_address(source), _address(out), layout, 1.0)
    program.run()
    return out


def matmul(a: npt.ArrayLike, b: npt.ArrayLike, threads: int = 1) -> Array:
    """Return the matrix product of two float32 matrices.

    Parameters
    ----------
    a : array_like of float32, shape (m, k)
    b : array_like of float32, shape (k, n)
    threads : int

    Returns
    -------
    ndarray of float32, shape (m, n)
        Each element is one chain of multiply-adds in ascending k, whatever the threads.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]]).tolist()
    [[11.0]]
    """
    left, right = np.shape(a), np.shape(b)
    if len(left) != 2 or len(right) != 2 or left[1] != right[0]:
        raise ValueError(f"shapes {left} and {right} do not fit; expected (m, k) and (k, n)")
    x, w, out = _readable(a), _readable(b), np.empty((left[0], right[1]), np.float32)
    zero = np.zeros(1, np.int64)
    program = Program(0, "", threads)
    program.gemm_f32(
        a=_address(x), b=_address(w), bias=0, c=_address(out), a_offsets=_address(zero),
        b_offsets=_address(zero), batch=1, rows=left[0], columns=right[1], depth=left[1],
        lda=left[1], ldb=right[1], b_layout=_ROWS, a_columns=False, low=-INFINITY, high=INFINITY,
    )  # fmt: skip
    program.run()
    return out


def conv2d(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
    groups: int = 1,
    threads: int = 1,
) -> Array:
    """Return a channels-last float32 convolution.

    Parameters
    ----------
    x : array_like of float32, shape (N, H, W, C)
    weights : array_like of float32, shape (O, KH, KW, C / groups)
    bias : array_like of float32, shape (O,), optional
    strides, dilations : (int, int)
        Down and across.
    pads : (int, int, int, int)
        Zeros above, left, below, right.
    groups, threads : int

    Returns
    -------
    ndarray of float32, shape (N, OH, OW, O)

    Raises
    ------
    ValueError
        If the shapes do not fit or the window is larger than the padded image.

    Examples
    --------
    >>> conv2d(np.ones((1, 3, 3, 1)), np.ones((1, 3, 3, 1)), [0.5]).item()
    9.5
    """
    (batch, height, width, channels), (outputs, *kernel, depth) = _images(x, weights, groups)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    rows = (height + pads[0] + pads[2] - spans[0]) // strides[0] + 1
    columns = (width + pads[1] + pads[3] - spans[1]) // strides[1] + 1
    if rows < 1 or columns < 1:
        raise ValueError(f"a window of {spans} does not fit the padded {height} x {width} image")
    program = Program(0, "", threads)
    source = _readable(x)
    matrices = np.ascontiguousarray(weights, np.float32)
    pack_conv = partial(
        program.pack_conv_f32, src=_address(matrices), groups=groups, outputs=outputs // groups,
        kernel=tuple(kernel), depth=depth, dilation=dilations[1],
    )  # fmt: skip
    packed = np.empty(pack_conv(dst=0), np.float32)
    pack_conv(dst=_address(packed))
    biases = None if bias is None else _pack_bias(np.asarray(bias, np.float32), groups, outputs)
    out = np.empty((batch, rows, columns, outputs), np.float32)
    program.conv_f32(
        x=_address(source), w=_address(packed), bias=0 if biases is None else _address(biases),
        y=_address(out), image=(batch, height, width, channels // groups),
        result=(rows, columns, outputs // groups, groups), kernel=tuple(kernel), strides=strides,
        dilations=dilations, begins=pads[:2],
        y_steps=(rows * columns * outputs, columns * outputs, outputs),
        low=-INFINITY, high=INFINITY,
    )  # fmt: skip
    program.run()
    return out


def attention(
    q: npt.ArrayLike,
    k: npt.ArrayLike,
    v: npt.ArrayLike,
    scale: float | None = None,
    causal: bool = False,
    threads: int = 1,
    window: int = 0,
    softcap: float = 0.0,
    bytes: bool = False,
) -> Array:
    """Return softmax(q k^T * scale) v for each head, block by block of keys.

    Parameters
    ----------
    q : array_like of float32, shape (B, H, L, D)
    k : array_like of float32, shape (B, G, S, D)
        G divides H; each key head serves H / G query heads.
    v : array_like of float32, shape (B, G, S, E)
    scale : float, optional
        1 / sqrt(D) where absent.
    causal : bool
        Query i sees keys 0 to i.
    threads : int
    window : int
        Where positive, query i sees keys j > i - window only, and j < i + window.
    softcap : float
        Where positive, scores become softcap * tanh(score / softcap).
    bytes : bool
        Compute both products in int8 (heads of at most 256 numbers): off by about 1 %.

    Returns
    -------
    ndarray of float32, shape (B, H, L, E)

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    query, key, value = np.shape(q), np.shape(k), np.shape(v)
    fits = len(query) == len(key) == len(value) == 4 and key[:3] == value[:3]
    if not fits or query[0] != key[0] or query[3] != key[3] or query[1] % max(key[1], 1):
        raise ValueError(
            f"shapes q {query}, k {key}, v {value}; expected (B, H, L, D), (B, G, S, D), "
            "(B, G, S, E) with G dividing H"
        )
    arrays = [_readable(a) for a in (q, k, v)]
    out = np.empty((*query[:3], value[3]), np.float32)
    shapes = (query, key, value, out.shape)
    program = Program(0, "", threads)
    program.attention(
        q=_address(arrays[0]), k=_address(arrays[1]), v=_address(arrays[2]),
        out=_address(out), sizes=(*query[:2], key[1], query[2], key[2], query[3], value[3]),
        steps=[(n * rows * d, rows * d, d) for _, n, rows, d in shapes],
        scale=1.0 / math.sqrt(max(query[3], 1)) if scale is None else scale, causal=causal,
        window=window, softcap=softcap, bytes=bytes and 0 < max(query[3], value[3]) <= 256,
    )  # fmt: skip
    program.run()
    return out


def _address(array: Array) -> int:
    return int(array.ctypes.data)


def _readable(x: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return a flat, aligned copy that kernels may read a vector beyond."""
    array = np.asarray(x, dtype)
    raw = np.zeros(array.nbytes + _OVER_READ + 64, np.uint8)
    start = -raw.ctypes.data % 64
    copy = raw[start : start + array.nbytes + _OVER_READ].view(array.dtype)
    copy[: array.size] = array.reshape(-1)
    return copy


def _affine(scale: float, zero_point: int) -> tuple[Array, Array]:
    step = np.array([scale], np.float32)
    if not (np.isfinite(step).all() and step[0] > 0):
        raise ValueError(f"scale is {scale}; expected a positive, finite float32")
    return step, np.array([zero_point], np.int32)


def _images(
    x: npt.ArrayLike, weights: npt.ArrayLike, groups: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    image, kernel = np.shape(x), np.shape(weights)
    fits = len(image) == 4 and len(kernel) == 4 and groups > 0
    if not fits or image[3] != kernel[3] * groups or kernel[0] % groups:
        raise ValueError(
            f"x {image} and weights {kernel} with {groups} groups do not fit; expected "
            "(N, H, W, C) and (O, KH, KW, C / groups)"
        )
    return image, kernel


def _pack_bias(bias: Array, groups: int, outputs: int) -> Array:
    if bias.shape != (outputs,):
        raise ValueError(f"bias has shape {bias.shape}; expected ({outputs},)")
    width = -(-outputs // groups // _PANEL) * _PANEL
    packed = np.zeros((groups, width), np.float32)
    packed[:, : outputs // groups] = bias.reshape(groups, -1)
    return _readable(packed)
