"""Reading image files: by Pillow where it is installed; PNG, PPM and BMP without it."""

from __future__ import annotations

import struct
import zlib
from os import PathLike, fspath

import numpy as np

from .errors import InputError
from .types import Array

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_LARGEST = 1 << 26


def read_image(path: str | PathLike[str]) -> Array:
    """Return an image file as uint8 [height, width, 3] in RGB.

    Raises
    ------
    InputError
        If the file is no image, or of a kind that needs Pillow and there is none.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        import PIL.Image
    except ImportError:
        return _read_plain(data, fspath(path))
    try:
        with PIL.Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise InputError(f"'{fspath(path)}' is no image: {error}") from error


def _read_plain(data: bytes, name: str) -> Array:
    readers = ((b"\x89PNG\r\n\x1a\n", read_png), (b"P5", read_ppm), (b"P6", read_ppm),
               (b"BM", read_bmp))  # fmt: skip
    for start, reader in readers:
        if data.startswith(start):
            try:
                return reader(data)
            except (ValueError, IndexError, KeyError, struct.error, zlib.error) as error:
                raise InputError(f"'{name}' is damaged: {error}") from error
    raise InputError(
        f"'{name}' is no PNG, PPM or BMP image; other kinds need Pillow: "
        "pip install 'linnet[image]'"
    )


def _checked(height: int, width: int) -> None:
    if not 0 < height * width <= _LARGEST:
        raise ValueError(f"{height} x {width} pixels; expected 1 to {_LARGEST}")


def read_ppm(data: bytes) -> Array:
    """Return a binary PPM or PGM image of 8 bits."""
    fields: list[bytes] = []
    at = 0
    while len(fields) < 4:
        end = at
        while data[end : end + 1] not in (b" ", b"\n", b"\t", b"\r"):
            if end >= len(data):
                raise ValueError("the header ends early")
            if data[end : end + 1] == b"#":
                end = data.index(b"\n", end) - 1
                at = end + 1
            end += 1
        if end > at:
            fields.append(data[at:end])
        at = end + 1
    width, height, most = (int(f) for f in fields[1:])
    _checked(height, width)
    if most != 255:
        raise ValueError(f"{most} levels; expected 255")
    channels = 3 if fields[0] == b"P6" else 1
    pixels = np.frombuffer(data, np.uint8, height * width * channels, at)
    return np.broadcast_to(pixels.reshape(height, width, channels), (height, width, 3)).copy()


def read_bmp(data: bytes) -> Array:
    """Return an uncompressed BMP image of 24 or 32 bits."""
    (offset,) = struct.unpack_from("<I", data, 10)
    width, height, _, bits, packed = struct.unpack_from("<iiHHI", data, 18)
    if bits not in (24, 32) or packed not in (0, 3):
        raise ValueError(f"{bits} bits, compression {packed}; expected 24 or 32 bits, none")
    _checked(abs(height), width)
    stride = (width * bits // 8 + 3) // 4 * 4
    rows = np.frombuffer(data, np.uint8, stride * abs(height), offset).reshape(abs(height), stride)
    pixels = rows[:, : width * bits // 8].reshape(abs(height), width, bits // 8)[..., 2::-1]
    return np.ascontiguousarray(pixels[::-1] if height > 0 else pixels)


def read_png(data: bytes) -> Array:
    """Return a PNG image of 8 bits per channel, not interlaced; transparency is dropped."""
    at, packed, palette = 8, [], None
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, bits, color, _, _, interlaced = struct.unpack(">IIBBBBB", content)
        elif kind == b"PLTE":
            palette = np.frombuffer(content, np.uint8).reshape(-1, 3)
        elif kind == b"IDAT":
            packed.append(content)
        elif kind == b"IEND":
            break
        at += size + 12
    _checked(height, width)
    if bits != 8 or interlaced:
        raise ValueError(f"{bits} bits, interlaced {interlaced}; expected 8 bits, not interlaced")
    channels = 1 if color == 3 else _CHANNELS[color]
    stride = width * channels
    raw = zlib.decompressobj().decompress(b"".join(packed), height * (stride + 1))
    lines = np.frombuffer(raw, np.uint8, height * (stride + 1)).reshape(height, stride + 1)
    pixels = _unfiltered(lines, channels).reshape(height, width, channels)
    if color == 3:
        if palette is None:
            raise ValueError("a palette is missing")
        return np.ascontiguousarray(palette[pixels[..., 0]])
    gray = np.repeat(pixels[..., :1], 3, axis=2)
    return gray if channels < 3 else np.ascontiguousarray(pixels[..., :3])


def _unfiltered(lines: Array, step: int) -> Array:
    """Return the rows of a PNG image without their prediction."""
    above = [0] * (lines.shape[1] - 1)
    made = np.zeros((lines.shape[0], lines.shape[1] - 1), np.uint8)
    for index, line in enumerate(lines):
        kind, row = int(line[0]), line[1:].tolist()
        if kind == 2:
            row = [(a + b) & 255 for a, b in zip(row, above, strict=True)]
        elif kind in (1, 3, 4):
            for i in range(len(row)):
                left = row[i - step] if i >= step else 0
                corner = above[i - step] if i >= step else 0
                guess = left if kind == 1 else (left + above[i]) // 2
                row[i] = (row[i] + (_paeth(left, above[i], corner) if kind == 4 else guess)) & 255
        elif kind:
            raise ValueError(f"row filter {kind}; expected 0 to 4")
        above = row
        made[index] = row
    return made


def _paeth(left: int, up: int, corner: int) -> int:
    gaps = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if gaps[0] <= gaps[1] and gaps[0] <= gaps[2]:
        return left
    return up if gaps[1] <= gaps[2] else corner


def resize(image: Array, size: tuple[int, int]) -> Array:
    """Return a float image in another size: means of pixels when shrinking, linear when growing.

    Examples
    --------
    >>> resize(np.array([[[0.0], [2.0]], [[4.0], [6.0]]]), (1, 1))[0, 0, 0]
    np.float32(3.0)
    """
    made = image
    for axis, count in enumerate(size):
        weights = _weights(made.shape[axis], count)
        made = np.moveaxis(np.tensordot(weights, made, axes=(1, axis)), 0, axis)
    return made.astype(np.float32)


def _weights(source: int, target: int) -> Array:
    """Return the triangle filter [target, source] whose width is at least a source pixel."""
    ratio = source / target
    reach = max(ratio, 1.0)
    centers = (np.arange(target) + 0.5) * ratio - 0.5
    gap = np.abs(np.arange(source)[None, :] - centers[:, None]) / reach
    weights = np.maximum(1.0 - gap, 0.0)
    total: Array = weights / weights.sum(axis=1, keepdims=True)
    return total
