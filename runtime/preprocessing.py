"""How images become a model's input: recorded in the model file, applied to image files.

The record is the metadata entry "preprocessing", a JSON object. A pixel p of 0 to 255 becomes
(p / scale - mean) / std per channel, quantized where the input is.
"""

from __future__ import annotations

from os import PathLike

import msgspec
import numpy as np

from .errors import InputError
from .graph import Graph
from .images import read_image, resize
from .ops.arithmetic import dequantize, quantize
from .types import Array, TensorType

RECORD = "preprocessing"
_COLORS = ("rgb", "bgr", "gray")
_LAYOUTS = ("nhwc", "nchw")
_SLACK = 0.05


class Preprocessing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The way from an image to one input.

    Parameters
    ----------
    input : str
        Name of the model's input.
    size : (int, int)
        Height and width.
    crop : bool
        Cut the middle of the image to the input's proportions first, instead of distorting it.
    scale : float
        Divides pixels first; 255 makes them 0 to 1.
    mean, std : tuple of float
        One for all channels, or one for each.
    color : {"rgb", "bgr", "gray"}
    layout : {"nhwc", "nchw"}
    """

    input: str
    size: tuple[int, int]
    crop: bool = False
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    color: str = "rgb"
    layout: str = "nhwc"

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest value that a pixel can become."""
        mean, std = np.asarray(self.mean), np.asarray(self.std)
        ends = np.concatenate([(0.0 - mean) / std, (255.0 / self.scale - mean) / std])
        return float(ends.min()), float(ends.max())

    def apply(self, image: Array, type_: TensorType) -> Array:
        """Return the input made of an image, uint8 [height, width, 3] in RGB."""
        pixels = image.astype(np.float32)
        pixels = resize(_cropped(pixels, self.size) if self.crop else pixels, self.size)
        if self.color == "bgr":
            pixels = pixels[..., ::-1]
        elif self.color == "gray":
            pixels = pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
        mean, std = (np.asarray(v, np.float32) for v in (self.mean, self.std))
        real = (pixels / np.float32(self.scale) - mean) / std
        real = real.transpose(2, 0, 1) if self.layout == "nchw" else real
        batch = np.ascontiguousarray(real[None], np.float32)
        if type_.quantization is not None:
            return quantize(batch, type_)
        if type_.dtype.is_integer:
            info = np.iinfo(type_.dtype.numpy)
            return np.clip(np.rint(batch), info.min, info.max).astype(type_.dtype.numpy)
        return batch.astype(type_.dtype.numpy)

    def check(self, array: Array, type_: TensorType) -> None:
        """Check that an array can have been made this way.

        Raises
        ------
        InputError
            If its values go beyond the range, or fill next to nothing of it.
        """
        if not array.size or (type_.dtype.is_integer and type_.quantization is None):
            return
        real = dequantize(array, type_) if type_.quantization is not None else array
        low, high = float(np.min(real)), float(np.max(real))
        least, most = self.range
        slack = _SLACK * (most - least)
        beyond = low < least - slack or high > most + slack
        tiny = high - low > 0.0 and max(abs(low), abs(high)) <= 0.02 * max(abs(least), abs(most))
        if beyond or tiny:
            raise InputError(
                f"input '{self.input}' holds {low:.4g} to {high:.4g}, but the model was converted "
                f"for {least:.4g} to {most:.4g} ({describe(self)}); prepare it so, or give images"
            )


def parse(text: str, graph: Graph) -> Preprocessing:
    """Return the preprocessing that a text like ``image:224x224,mean=127.5,std=127.5,rgb`` means.

    Parts behind the size, in any order: ``crop``, ``scale=255``, ``mean=a/b/c``, ``std=a/b/c``,
    ``rgb``, ``bgr`` or ``gray``, ``nhwc`` or ``nchw`` (by default what the input's shape says).

    Raises
    ------
    InputError
        If the text cannot be understood or does not fit the model's input.
    """
    name, mark, rest = text.rpartition(":")
    parts = rest.split(",")
    height, cross, width = parts[0].partition("x")
    if not mark or not cross or not (height.isdigit() and width.isdigit()):
        raise InputError(f"'{text}' is not of the form INPUT:HEIGHTxWIDTH,mean=...,std=...,rgb")
    if name not in graph.inputs:
        raise InputError(f"--preprocess: no input '{name}'; the model takes {graph.inputs}")
    type_ = graph.type_of(name)
    fields: dict[str, object] = {"layout": _layout(type_)}
    for part in parts[1:]:
        key, equals, value = part.partition("=")
        if part in _COLORS:
            fields["color"] = part
        elif part in _LAYOUTS:
            fields["layout"] = part
        elif part == "crop":
            fields["crop"] = True
        elif equals and key in ("mean", "std", "scale"):
            numbers = _numbers(value, part)
            fields[key] = numbers[0] if key == "scale" else numbers
        else:
            raise InputError(f"--preprocess: '{part}' is not understood")
    made = Preprocessing(input=name, size=(int(height), int(width)), **fields)  # type: ignore[arg-type]
    _check_fit(made, type_)
    return made


def _numbers(text: str, part: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split("/"))
    except ValueError as error:
        raise InputError(f"--preprocess: '{part}' holds no number") from error


def _layout(type_: TensorType) -> str:
    shape = type_.shape
    return "nchw" if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3) else "nhwc"


def _check_fit(made: Preprocessing, type_: TensorType) -> None:
    channels = 1 if made.color == "gray" else 3
    hw = made.size
    shape = (1, *hw, channels) if made.layout == "nhwc" else (1, channels, *hw)
    fits = type_.rank == 4 and all(
        isinstance(dim, str) or dim == size
        for dim, size in zip(type_.shape[1:], shape[1:], strict=False)
    )
    if not fits:
        raise InputError(f"--preprocess makes {shape}; input '{made.input}' is {type_}")
    if any(len(v) not in (1, channels) for v in (made.mean, made.std)):
        raise InputError(f"--preprocess: mean and std have 1 or {channels} numbers")
    if made.scale <= 0 or any(s <= 0 for s in made.std):
        raise InputError("--preprocess: scale and std are positive")


def record(graph: Graph, made: Preprocessing) -> None:
    """Record a preprocessing in a graph; it takes the place of the input's former one."""
    others = [p for p in recorded(graph) if p.input != made.input]
    graph.metadata[RECORD] = msgspec.json.encode([*others, made]).decode()


def recorded(graph: Graph) -> list[Preprocessing]:
    """Return the preprocessings that a graph's file records.

    Raises
    ------
    InputError
        If the record is damaged.
    """
    try:
        return msgspec.json.decode(graph.metadata.get(RECORD, "[]"), type=list[Preprocessing])
    except msgspec.MsgspecError as error:
        raise InputError(f"the model's preprocessing record is damaged: {error}") from error


def feeds_of(graph: Graph, path: str | PathLike[str]) -> dict[str, Array]:
    """Return the inputs made of an image file.

    Raises
    ------
    InputError
        If the model records no preprocessing, or the file is no image.
    """
    known = recorded(graph)
    if not known:
        raise InputError(
            f"'{graph.name}' does not say how images become its input; convert it with "
            "--preprocess INPUT:HEIGHTxWIDTH,mean=...,std=...,rgb"
        )
    image = read_image(path)
    return {p.input: p.apply(image, graph.type_of(p.input)) for p in known}


def check_feeds(graph: Graph, feeds: dict[str, Array]) -> None:
    """Check arrays that did not come from images against the record.

    Raises
    ------
    InputError
        If one contradicts it.
    """
    for made in recorded(graph):
        if made.input in feeds:
            made.check(feeds[made.input], graph.type_of(made.input))


def describe(made: Preprocessing) -> str:
    """Return a preprocessing as ``--preprocess`` takes it."""
    numbers = [
        f"{key}={'/'.join(f'{v:g}' for v in values)}"
        for key, values in (("mean", made.mean), ("std", made.std))
    ]
    scale = [f"scale={made.scale:g}"] if made.scale != 1.0 else []
    crop = ["crop"] if made.crop else []
    size = f"{made.input}:{made.size[0]}x{made.size[1]}"
    return ",".join([size, *crop, *scale, *numbers, made.color, made.layout])


def _cropped(image: Array, size: tuple[int, int]) -> Array:
    """Return the middle of an image in the proportions of a size."""
    height, width = image.shape[:2]
    share = min(height / size[0], width / size[1])
    rows, columns = max(round(size[0] * share), 1), max(round(size[1] * share), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[top : top + rows, left : left + columns]
