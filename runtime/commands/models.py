"""What several subcommands share: opening any model file, reading and making inputs."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import linnet
from linnet.errors import InputError, LinnetError, ShapeError
from linnet.graph import Graph
from linnet.model_file import FINE_NANOSECONDS
from linnet.plan_store import folder
from linnet.plan_writer import MOST_PLAN_BYTES
from linnet.preprocessing import check_feeds, feeds_of, parse, record
from linnet.types import Array, TensorType

from .inputs import load_archive, load_input

MODEL_HELP = ".linnet file, or an ONNX or TFLite model to convert on the fly; or its folder"


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose inputs."""
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="input from a .npy file or an image, or FILE.npz for several by name; repeat for "
        "more; others are seeded random",
    )
    parser.add_argument(
        "--image",
        metavar="FILE",
        help="make the inputs of an image, as the model file says (see convert --preprocess)",
    )
    parser.add_argument(
        "--dim",
        action="append",
        default=[],
        metavar="NAME=N",
        help="size of a symbolic dimension of random inputs (default 1)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random inputs (default 0)")


def add_preprocess_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that says how images become inputs."""
    parser.add_argument(
        "--preprocess",
        action="append",
        default=[],
        metavar="INPUT:HxW,...",
        help="how images become an input, kept in what is written: INPUT:224x224,mean=127.5,"
        "std=127.5,rgb; also crop, scale=255, a/b/c for each channel, bgr, gray, nchw, nhwc",
    )


def record_preprocessing(graph: Graph, options: argparse.Namespace) -> None:
    """Record in a graph what the command line says of images."""
    for text in options.preprocess:
        record(graph, parse(text, graph))


def write_model(graph: Graph, path: str) -> None:
    """Write a graph, and store a plan of it where the store is to hold one.

    The first process that loads the file then starts as fast as later ones. Batches are planned
    for one sample; models with other symbolic dimensions when they run.
    """
    linnet.save(graph, path)
    if model_bytes(path) > MOST_PLAN_BYTES or not folder():
        return
    # Of a younger file the store would not note that it was checked.
    time.sleep(1e-9 * FINE_NANOSECONDS)
    with contextlib.suppress(LinnetError):
        session = linnet.load(path)
        dims = {spec.name: spec.shape for spec in session.inputs}
        if all(isinstance(dim, int) for shape in dims.values() for dim in shape[1:]):
            ones = {n: (s[0] if isinstance(s[0], int) else 1, *s[1:]) for n, s in dims.items() if s}
            session.plan({n: tuple(int(dim) for dim in shape) for n, shape in ones.items()})


def make_feeds(graph: Graph, options: argparse.Namespace) -> dict[str, Array]:
    """Return one array per graph input: from files where given, else seeded random."""
    arrays: dict[str, Array] = {}
    for text in options.input:
        if text.endswith(".npz") and "=" not in text:
            arrays |= load_archive(text)
    pairs = [text for text in options.input if "=" in text or not text.endswith(".npz")]
    files = dict(_pair(text, "--input NAME=FILE") for text in pairs)
    names = graph.caller_inputs
    unknown = sorted((set(files) | set(arrays)) - set(names))
    if unknown:
        raise InputError(f"no inputs named {unknown}; the model takes {names}")
    sizes = {name: _whole(size) for name, size in (_pair(t, "--dim NAME=N") for t in options.dim)}
    known = {d for name in names for d in graph.type_of(name).shape if isinstance(d, str)}
    if set(sizes) - known and len(getattr(options, "models", ())) < 2:
        raise InputError(
            f"no dimensions named {sorted(set(sizes) - known)} among the inputs'; the model has "
            f"{sorted(known) or 'none'}"
        )
    shapes: dict[str, tuple[int, ...]] = getattr(options, "shapes", {})
    generator = np.random.default_rng(options.seed)
    feeds = {}
    for name in names:
        type_ = graph.type_of(name)
        if name in shapes or ("" in shapes and len(names) == 1):
            type_ = type_.with_(shape=shapes.get(name, shapes.get("")))
        made = random_array(type_, sizes, generator)
        feeds[name] = load_input(files[name], type_) if name in files else arrays.get(name, made)
    check_feeds(graph, {name: feeds[name] for name in (*files, *arrays)})
    image = getattr(options, "image", None)
    return feeds if image is None else feeds | feeds_of(graph, image)


@contextlib.contextmanager
def naming_dims(graph: Graph, options: argparse.Namespace) -> Iterator[None]:
    """Say which dimensions were taken as 1, where a model does not run with the inputs made so."""
    try:
        yield
    except ShapeError as error:
        given = {text.partition("=")[0] for text in options.dim}
        types = [graph.type_of(name) for name in graph.caller_inputs]
        taken = sorted({d for t in types for d in t.shape if isinstance(d, str)} - given)
        if not taken or options.input or getattr(options, "shapes", None):
            raise
        flags = " ".join(f"--dim {name}=N" for name in taken)
        raise InputError(
            f"{error}; sizes that no file tells were taken as 1: give {flags}"
        ) from error


def random_array(type_: TensorType, sizes: dict[str, int], generator: np.random.Generator) -> Array:
    """Return seeded data of a type: uniform integers, standard normal floats, 0/1 booleans."""
    shape = tuple(d if isinstance(d, int) else sizes.get(d, 1) for d in type_.shape)
    dtype = type_.dtype.numpy
    if dtype.kind == "f":
        return np.asarray(generator.standard_normal(shape)).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(generator.integers(0, 2, shape)).astype(dtype)
    if dtype.itemsize == 1:
        info = np.iinfo(dtype)
        return np.asarray(generator.integers(info.min, info.max + 1, shape)).astype(dtype)
    return np.asarray(generator.integers(0, 10, shape)).astype(dtype)


def _pair(text: str, form: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name or not value:
        raise InputError(f"'{text}' is not of the form {form}")
    return name, value


def _whole(text: str) -> int:
    if not text.isdigit():
        raise InputError(f"--dim takes a whole number, got '{text}'")
    return int(text)


def model_bytes(path: str) -> int:
    """Return the size of a model's file."""
    return Path(path).stat().st_size


def thread_list(text: str) -> Sequence[int]:
    """Parse ``1`` or ``1,2,4``.

    Raises
    ------
    argparse.ArgumentTypeError
        If a part is not a positive whole number.
    """
    parts = text.split(",")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of positive whole numbers")
    return [int(part) for part in parts]
