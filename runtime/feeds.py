"""Checks of the arrays that a caller hands to a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from .spec import Array, TensorSpec


def check_feeds(specs: Sequence[TensorSpec], feeds: Mapping[str, Any]) -> dict[str, Array]:
    """Return contiguous arrays of the declared dtypes.

    Raises
    ------
    InputError
        With what is wrong: names, dtypes or shapes.
    """
    names = [spec.name for spec in specs]
    unknown = sorted(set(feeds) - set(names))
    missing = [name for name in names if name not in feeds]
    if unknown or missing:
        _refuse(
            f"inputs missing: {missing or 'none'}, unknown: {unknown or 'none'}; "
            f"the model takes {names}"
        )
    symbols: dict[str, int] = {}
    return {spec.name: _checked(spec, feeds[spec.name], symbols) for spec in specs}


def _checked(spec: TensorSpec, value: Any, symbols: dict[str, int]) -> Array:
    array = np.asarray(value)
    if array.dtype.type.__module__ == "ml_dtypes":
        array = array.astype(spec.dtype)
    if array.dtype != spec.dtype:
        _refuse(
            f"input '{spec.name}' is {array.dtype}; expected {spec.dtype}: "
            f"convert it with .astype('{spec.dtype}')"
            + (" after quantizing" if spec.quantization is not None else "")
        )
    if spec.shape == () and array.size == 1:
        array = array.reshape(())
    _check_shape(spec, array.shape, symbols)
    return np.ascontiguousarray(array).reshape(array.shape)


def _check_shape(spec: TensorSpec, shape: tuple[int, ...], symbols: dict[str, int]) -> None:
    fits = len(shape) == len(spec.shape)
    for found, expected in zip(shape, spec.shape, strict=False):
        wanted = symbols.setdefault(expected, found) if isinstance(expected, str) else expected
        fits = fits and found == wanted
    if not fits:
        shown = ", ".join(str(dim) for dim in spec.shape)
        _refuse(f"input '{spec.name}' has shape {tuple(shape)}; expected ({shown})")


def _refuse(problem: str) -> NoReturn:
    from .errors import InputError

    raise InputError(problem)
