"""Sparse constants of TFLite files, made dense."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tflite

from linnet.errors import FormatError
from linnet.types import Array

_DENSE, _CSR = 0, 1
# Kinds of index vectors by their number in the schema.
_VECTORS = {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}


def traversal(sparsity: Any, shape: tuple[int, ...]) -> tuple[Array, int]:
    """Return where each stored element belongs in the dense array, flat, and how many there are.

    Parameters
    ----------
    sparsity : tflite.SparsityParameters
    shape : tuple of int
        Of the dense array.

    Raises
    ------
    FormatError
        If the order of traversal, blocks or indices do not fit the shape.
    """
    order = _numbers(sparsity.TraversalOrderAsNumpy())
    blocks = _numbers(sparsity.BlockMapAsNumpy())
    rank, count = len(shape), sparsity.DimMetadataLength()
    if count != rank + len(blocks) or sorted(order) != list(range(count)):
        raise FormatError(f"{count} levels, order {order} and blocks {blocks} for shape {shape}")
    if any(not 0 <= axis < rank for axis in blocks) or len(set(blocks)) != len(blocks):
        raise FormatError(f"blocks {blocks} of shape {shape}")
    levels = [sparsity.DimMetadata(i) for i in range(count)]
    sizes = _sizes(levels, order, blocks, shape)
    places = np.zeros((1, count), np.int64)
    for level, (axis, metadata) in enumerate(zip(order, levels, strict=True)):
        places = _descend(places, level, axis, metadata, sizes, math.prod(shape))
    grid = places[:, :rank].copy()
    for number, axis in enumerate(blocks):
        grid[:, axis] = grid[:, axis] * sizes[rank + number] + places[:, rank + number]
    if rank and ((grid < 0) | (grid >= np.array(shape))).any():
        raise FormatError(f"an index lies outside of shape {shape}")
    strides = [math.prod(shape[axis + 1 :]) for axis in range(rank)]
    return np.asarray(grid @ np.array(strides, np.int64)), places.shape[0]


def _numbers(vector: Any) -> list[int]:
    return [int(n) for n in vector] if isinstance(vector, np.ndarray) else []


def _sizes(
    levels: list[Any], order: list[int], blocks: list[int], shape: tuple[int, ...]
) -> list[int]:
    """Return the length of every axis, blocks split off."""
    sizes = [*shape, *[0] * len(blocks)]
    for axis, metadata in zip(order, levels, strict=True):
        if axis >= len(shape):
            size = metadata.DenseSize()
            if metadata.Format() != _DENSE or size < 1:
                raise FormatError(f"a block of size {size}; expected a dense one")
            sizes[axis] = size
    for number, axis in enumerate(blocks):
        if shape[axis] % sizes[len(shape) + number]:
            raise FormatError(f"axis {axis} of {shape} in blocks of {sizes[len(shape) + number]}")
        sizes[axis] = shape[axis] // sizes[len(shape) + number]
    return sizes


def _descend(
    places: Array, level: int, axis: int, metadata: Any, sizes: list[int], most: int
) -> Array:
    """Return the positions of the next level: all of a dense one, those listed of a sparse one."""
    if metadata.Format() == _DENSE:
        size = sizes[axis]
        if places.shape[0] * size > most:
            raise FormatError("the levels hold more elements than the dense array")
        wider = np.repeat(places, size, axis=0)
        wider[:, axis] = np.tile(np.arange(size), places.shape[0])
        return wider
    if metadata.Format() != _CSR:
        raise FormatError(f"level {level} has format {metadata.Format()}")
    segments = _indices(metadata.ArraySegmentsType(), metadata.ArraySegments(), "segments")
    indices = _indices(metadata.ArrayIndicesType(), metadata.ArrayIndices(), "indices")
    counts = np.diff(segments).astype(np.intp)
    fits = segments.size == places.shape[0] + 1 and (counts >= 0).all() and indices.size <= most
    if not fits or segments[0] != 0 or segments[-1] != indices.size:
        raise FormatError(f"level {level}: {segments.size} segments of {indices.size} indices")
    narrower = np.repeat(places, counts, axis=0)
    narrower[:, axis] = indices
    return narrower


def _indices(kind: int, table: Any, what: str) -> Array:
    if kind not in _VECTORS or table is None:
        raise FormatError(f"{what} of kind {kind}")
    vector = getattr(tflite, _VECTORS[kind])()
    vector.Init(table.Bytes, table.Pos)
    values = vector.ValuesAsNumpy()
    return np.array(values if isinstance(values, np.ndarray) else [], np.int64)
