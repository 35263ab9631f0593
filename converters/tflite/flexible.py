"""Options of custom operators: a FlexBuffer map of names to numbers, or a plain C struct."""

from __future__ import annotations

import struct
from typing import Any

from flatbuffers import flexbuffers

_MOST_ENTRIES = 256


def read_options(custom: str, data: bytes) -> dict[str, Any]:
    """Return the options of a custom operator by name.

    Raises
    ------
    IndexError, ValueError, struct.error, TypeError
        If the data ends too early or an offset leads out of it.
    """
    if custom == "Convolution2DTransposeBias":
        padding, across, down = struct.unpack_from("<3i", data)
        return {"Padding": padding - 1, "StrideW": across, "StrideH": down}
    return read_numbers(data)


def read_numbers(data: bytes) -> dict[str, Any]:
    """Return the numbers and truth values of a FlexBuffer map by name; other entries are left out.

    Bytes that hold no map give nothing: custom operators may store their options as they like.

    Raises
    ------
    IndexError, ValueError, struct.error, TypeError
        If an offset leads out of the data.
    """
    if len(data) < 3:
        return {}
    root = flexbuffers.GetRoot(data)
    if not root.IsMap:
        return {}
    entries = root.AsMap
    found: dict[str, Any] = {}
    if len(entries) > _MOST_ENTRIES:
        raise ValueError(f"{len(entries)} options; expected at most {_MOST_ENTRIES}")
    for key, value in zip(entries.Keys, entries.Values, strict=True):
        if value.IsBool:
            found[key.AsKey] = bool(value.AsBool)
        elif value.IsInt:
            found[key.AsKey] = int(value.AsInt)
        elif value.IsFloat:
            found[key.AsKey] = float(value.AsFloat)
    return found
