"""Arrays from files: .npy, .npz, and images for inputs that look like images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linnet.errors import InputError
from linnet.types import Array, TensorType

IMAGE_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"}


def load_input(path: str, type_: TensorType) -> Array:
    """Return the array of a file for an input of a type.

    Parameters
    ----------
    path : str
        A .npy file, a .npz file of one array, or an image.
    type_ : TensorType
        Images are resized to it and converted to its dtype.

    Raises
    ------
    InputError
        If the file holds no plain numbers, or the input is not an image's.
    """
    if Path(path).suffix.lower() in IMAGE_ENDINGS:
        return load_image(path, type_)
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        return loaded
    if len(loaded) != 1:
        raise InputError(
            f"'{path}' holds {len(loaded)} arrays; give one per input, or the file alone as "
            "--input FILE.npz where its names are the inputs' names"
        )
    return next(iter(loaded.values()))


def load_array(path: str) -> Array:
    """Return the array of a .npy file.

    Raises
    ------
    InputError
        If the file is not a .npy file of plain numbers.
    """
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        return loaded
    raise InputError(f"'{path}' holds several arrays; give one .npy file")


def load_archive(path: str) -> dict[str, Array]:
    """Return the arrays of a .npz file by name."""
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        raise InputError(f"'{path}' is one array; give it as --input NAME={path}")
    return loaded


def load_image(path: str, type_: TensorType) -> Array:
    """Return an image as a batch of one: for timing, not a model's own preprocessing.

    Three channels are RGB, one is gray. uint8 inputs get the bytes, int8 inputs the bytes less 128,
    float inputs numbers from 0 to 1. Channels come last, or first where the shape says so.
    """
    from PIL import Image

    shape = tuple(d if isinstance(d, int) else 1 for d in type_.shape)
    first = len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3)
    if len(shape) != 4 or shape[0] != 1 or shape[1 if first else 3] not in (1, 3):
        raise InputError(f"'{path}' is an image, but the input is {type_}")
    height, width = shape[2:] if first else shape[1:3]
    channels = shape[1 if first else 3]
    with Image.open(path) as image:
        pixels = image.convert("RGB" if channels == 3 else "L").resize((width, height))
    array = np.asarray(pixels, np.uint8).reshape(1, height, width, channels)
    if first:
        array = array.transpose(0, 3, 1, 2)
    dtype = type_.dtype.numpy
    if dtype == np.int8:
        return (array.astype(np.int16) - 128).astype(np.int8)
    scaled = array / np.float32(255) if dtype.kind == "f" else array
    return np.ascontiguousarray(scaled.astype(dtype))


def _load(path: str) -> Array | dict[str, Array]:
    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
    except (ValueError, EOFError) as error:
        raise InputError(f"'{path}' is not a .npy file of numbers: {error}") from error
