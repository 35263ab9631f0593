"""Calibration data: any source of samples as a checked, repeatable stream of feeds.

Memory stays flat in the number of samples: files are read one by one, and an iterator that can be
read only once is kept in a temporary file for later passes.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any

import numpy as np

from linnet.errors import CalibrationError
from linnet.graph import Graph
from linnet.types import Array, TensorType

Feeds = dict[str, Array]
Decode = Callable[[Path], Mapping[str, Array]]
ARRAYS = (".npy", ".npz")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp")


class Samples:
    """Feeds of a graph, each of one sample, that can be read again and again.

    Parameters
    ----------
    source : path, ndarray, mapping or iterable
        A folder of .npy, .npz or image files, such a file, an array with the samples along its
        first axis (models of one input), a mapping of input names to such arrays, or an iterable
        of samples: arrays (models of one input), sequences of arrays or mappings.
    graph : Graph
        Whose inputs the samples feed.
    decode : callable, optional
        Makes feeds of an image file.
    limit : int, optional
        Most samples to read.
    check : callable, optional
        Raises where the feeds of a sample contradict what is known of them.

    Raises
    ------
    CalibrationError
        If the source cannot be a source of samples. While reading: if a sample does not fit the
        inputs or holds NaN or infinities; at the end of the first pass: if there was no sample, or
        nothing varied.
    """

    def __init__(
        self,
        source: Any,
        graph: Graph,
        decode: Decode | None = None,
        limit: int | None = None,
        check: Callable[[Feeds], None] | None = None,
    ) -> None:
        self.types = {name: graph.type_of(name) for name in graph.caller_inputs}
        self.decode = decode
        self.limit = limit
        self.check = check
        self.count = 0
        self._source = source
        self._digest: str | None = None
        self._spool: IO[bytes] | None = None
        self._once = isinstance(source, Iterator)
        if source is None or isinstance(source, (int, float, bool)):
            raise CalibrationError(
                f"calibration data is {type(source).__name__}; expected a folder, a file, arrays "
                "or an iterable of samples"
            )

    @property
    def sha256(self) -> str:
        """Digest of names, dtypes, shapes and content of all samples, in order."""
        if self._digest is None:
            for _ in self:
                pass
        assert self._digest is not None
        return self._digest

    def __iter__(self) -> Iterator[Feeds]:
        """Yield the feeds of one sample after another."""
        if self._digest is not None:
            yield from self._spooled() if self._spool is not None else self._limited()
            return
        checker = _Checker(self.types)
        if self._once:
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115
        for feeds in self._limited():
            checker.take(feeds)
            if self.check is not None:
                self.check(feeds)
            if self._spool is not None:
                for name in self.types:
                    np.save(self._spool, feeds[name], allow_pickle=False)
            yield feeds
        self._digest, self.count = checker.finish(), checker.count

    def _spooled(self) -> Iterator[Feeds]:
        assert self._spool is not None
        self._spool.seek(0)
        for _ in range(self.count):
            yield {name: np.load(self._spool, allow_pickle=False) for name in self.types}

    def _limited(self) -> Iterator[Feeds]:
        for index, feeds in enumerate(self._read()):
            if self.limit is not None and index >= self.limit:
                return
            yield feeds

    def _read(self) -> Iterator[Feeds]:
        source = self._source
        if isinstance(source, (str, PathLike)):
            yield from self._from_path(Path(fspath(source)))
        elif isinstance(source, np.ndarray):
            yield from self._stacked({self._only("an array"): source}, "the array")
        elif isinstance(source, Mapping):
            yield from self._stacked(source, "the arrays")
        elif isinstance(source, Iterable):
            for index, item in enumerate(source):
                yield self._one(item, f"sample {index}")
        else:
            raise CalibrationError(f"{type(source).__name__} is no source of calibration samples")

    def _only(self, what: str) -> str:
        if len(self.types) != 1:
            raise CalibrationError(
                f"{what} without names does not tell which of the inputs {list(self.types)} it "
                "feeds; give a mapping (.npz) of names to arrays"
            )
        return next(iter(self.types))

    def _from_path(self, path: Path) -> Iterator[Feeds]:
        if not path.exists():
            raise CalibrationError(f"calibration data '{path}' does not exist")
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        known = [p for p in files if p.suffix.lower() in (*ARRAYS, *IMAGES)]
        if not known:
            endings = " ".join((*ARRAYS, *IMAGES))
            raise CalibrationError(f"'{path}' holds no sample; expected files ending in {endings}")
        for file in known:
            if file.suffix.lower() in IMAGES:
                yield from self._from_image(file)
                continue
            arrays = _load(file)
            if isinstance(arrays, np.ndarray):
                arrays = {self._only(f"'{file}'"): arrays}
            yield from self._stacked(arrays, f"'{file}'")

    def _from_image(self, path: Path) -> Iterator[Feeds]:
        if self.decode is None:
            raise CalibrationError(
                f"'{path}' is an image, and the model does not say how to prepare images; convert "
                "it with --preprocess, or give .npy files"
            )
        yield dict(self.decode(path))

    def _stacked(self, arrays: Mapping[str, Array], where: str) -> Iterator[Feeds]:
        """Yield the samples of arrays that hold one or more along their first axis."""
        check_names(arrays, self.types, where)
        split = {
            n: _split(np.asarray(arrays[n]), t, f"{where}, {n}") for n, t in self.types.items()
        }
        counts = {name: len(parts) for name, parts in split.items()}
        if len(set(counts.values())) > 1:
            raise CalibrationError(
                f"{where}: the inputs have different numbers of samples {counts}"
            )
        for index in range(max(counts.values(), default=0)):
            yield {name: parts[index] for name, parts in split.items()}

    def _one(self, item: Any, where: str) -> Feeds:
        if isinstance(item, np.ndarray):
            item = {self._only(where): item}
        elif isinstance(item, (tuple, list)):
            if len(item) != len(self.types):
                raise CalibrationError(
                    f"{where} has {len(item)} arrays for {len(self.types)} inputs"
                )
            item = dict(zip(self.types, item, strict=True))
        if not isinstance(item, Mapping):
            raise CalibrationError(
                f"{where} is {type(item).__name__}; expected an array, or a mapping of names to "
                "arrays"
            )
        check_names(item, self.types, where)
        return {name: _with_batch(np.asarray(item[name]), t) for name, t in self.types.items()}


def _with_batch(array: Array, type_: TensorType) -> Array:
    """Return one sample with the batch axis that it may have been given without."""
    return array[None] if array.ndim == type_.rank - 1 else array


class _Checker:
    """What must hold of every sample, and of all of them together."""

    def __init__(self, types: Mapping[str, TensorType]) -> None:
        self.types = types
        self.count = 0
        self.hash = hashlib.sha256()
        self.ends: dict[str, tuple[float, float]] = {}

    def take(self, feeds: Feeds) -> None:
        """Check one sample and count it in."""
        for name, type_ in self.types.items():
            array = feeds[name]
            check_array(array, type_, f"sample {self.count}, input '{name}'")
            self.hash.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            self.hash.update(np.ascontiguousarray(array).data)
            if array.size:
                low, high = self.ends.get(name, (np.inf, -np.inf))
                self.ends[name] = min(low, float(array.min())), max(high, float(array.max()))
        self.count += 1

    def finish(self) -> str:
        """Return the digest; raise where the samples cannot calibrate anything."""
        if not self.count:
            raise CalibrationError("the calibration data holds no sample; give at least one")
        still = [name for name, (low, high) in self.ends.items() if low == high]
        plain = [name for name in still if self.types[name].dtype.is_float]
        if plain or (still and len(still) == len(self.types)):
            name = (plain or still)[0]
            raise CalibrationError(
                f"input '{name}' is {self.ends[name][0]:g} in all of the {self.count} samples; "
                "constant data says nothing about ranges, give real samples"
            )
        return self.hash.hexdigest()


def check_names(given: Mapping[str, Any], types: Mapping[str, TensorType], where: str) -> None:
    """Check that a sample feeds every input and nothing else.

    Raises
    ------
    CalibrationError
        If a name is missing or unknown.
    """
    missing, unknown = sorted(set(types) - set(given)), sorted(set(given) - set(types))
    if missing or unknown:
        raise CalibrationError(
            f"{where}: inputs missing: {missing or 'none'}, unknown: {unknown or 'none'}; the "
            f"model takes {list(types)}"
        )


def check_array(array: Array, type_: TensorType, where: str) -> None:
    """Check dtype, shape and content of one input of one sample.

    Raises
    ------
    CalibrationError
        If they do not fit, or a number is NaN or infinite.
    """
    if array.dtype != type_.dtype.numpy:
        raise CalibrationError(
            f"{where} is {array.dtype}; expected {type_.dtype.value}, prepared as for a run"
        )
    fits = len(array.shape) == type_.rank and all(
        isinstance(dim, str) or dim == found
        for dim, found in zip(type_.shape, array.shape, strict=True)
    )
    if not fits:
        shown = ", ".join(str(dim) for dim in type_.shape)
        raise CalibrationError(f"{where} has shape {array.shape}; expected ({shown})")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.size(array) - np.count_nonzero(np.isfinite(array)))
        raise CalibrationError(f"{where} holds {bad} numbers that are NaN or infinite")


def _split(array: Array, type_: TensorType, where: str) -> list[Array]:
    """Return the samples along the first axis of an array."""
    if array.ndim == type_.rank + 1:
        return list(array)
    if array.ndim != type_.rank or not type_.rank:
        return [array]
    first = type_.shape[0]
    step = first if isinstance(first, int) and first else 1
    if array.shape[0] % step:
        raise CalibrationError(f"{where} has {array.shape[0]} rows; expected a multiple of {step}")
    return [array[i : i + step] for i in range(0, array.shape[0], step)]


def _load(path: Path) -> Array | dict[str, Array]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, OSError) as error:
        raise CalibrationError(f"'{path}' does not hold arrays of numbers: {error}") from error
