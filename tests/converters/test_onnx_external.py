"""External data of ONNX models: only inside of the model's folder, and only what is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from linnet import convert
from linnet.errors import FormatError
from tests.evaluate import execute

from .onnx_builder import TensorProto, build, node


def external(folder: Path, location: str, **entries: str) -> Path:
    """Write a model that adds six numbers of another file."""
    model = build([node("Add", "x c", "y")], {"x": (2, 3)}, "y", {"c": np.ones((2, 3), np.float32)})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    data = np.arange(8, dtype=np.float32)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.bin").write_bytes(data.tobytes())
    graph = convert(external(tmp_path, "weights/w.bin", offset="8", length="24"))
    made = execute(graph, {"x": np.zeros((2, 3), np.float32)})["y"]
    np.testing.assert_array_equal(made, data[2:].reshape(2, 3))


@pytest.mark.parametrize(
    ("location", "entries", "message"),
    [
        ("../w.bin", {}, "own folder"),
        ("/etc/passwd", {}, "own folder"),
        ("", {}, "own folder"),
        ("link/w.bin", {}, "own folder"),
        ("file", {}, "own folder"),
        ("round", {}, "cannot be read|missing"),
        ("a\0b", {}, "cannot be read"),
        ("n" * 5000, {}, "cannot be read"),
        ("pipe", {}, "missing"),
        ("absent.bin", {}, "missing"),
        ("inside", {}, "missing"),
        ("short.bin", {}, "bytes 0 to 24 of a file of 8"),
        ("short.bin", {"offset": "-8", "length": "8"}, "bytes -8"),
        ("short.bin", {"offset": "many"}, "malformed"),
        ("short.bin", {"length": "8"}, "holds 8 bytes"),
        ("short.bin", {"offset": "4", "length": "8"}, "bytes 4 to 12 of a file of 8"),
        ("short.bin", {"offset": str(1 << 70)}, "of a file of 8"),
        ("short.bin", {"length": str(1 << 62)}, "of a file of 8"),
    ],
)
def test_external_data_elsewhere_is_refused(
    tmp_path: Path, location: str, entries: dict[str, str], message: str
) -> None:
    home = tmp_path / "home"
    (home / "inside").mkdir(parents=True)
    (tmp_path / "w.bin").write_bytes(bytes(24))
    (home / "short.bin").write_bytes(bytes(8))
    (home / "link").symlink_to(tmp_path)
    (home / "file").symlink_to(tmp_path / "w.bin")
    (home / "round").symlink_to(home / "round")
    os.mkfifo(home / "pipe")
    with pytest.raises(FormatError, match=message):
        convert(external(home, location, **entries))


def test_external_data_needs_a_path(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(24))
    content = external(tmp_path, "w.bin").read_bytes()
    with pytest.raises(FormatError, match="path, not its bytes"):
        convert(content)


def test_links_inside_of_the_folder_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real.bin").write_bytes(np.full(6, 2, np.float32).tobytes())
    (tmp_path / "link.bin").symlink_to("real.bin")
    graph = convert(external(tmp_path, "sub/../link.bin"))
    assert (execute(graph, {"x": np.zeros((2, 3), np.float32)})["y"] == 2).all()


@pytest.mark.parametrize(("begin", "fits"), [(0, True), (24, True), (8, False), (23, False)])
def test_tensors_share_all_bytes_or_none(tmp_path: Path, begin: int, fits: bool) -> None:
    model = build(
        [node("Add", "x c", "a"), node("Mul", "a d", "y")],
        {"x": (2, 3)},
        "y",
        {"c": np.ones((2, 3), np.float32), "d": np.ones((2, 3), np.float32)},
    )
    numbers = np.arange(12, dtype=np.float32)
    for tensor, offset in zip(model.graph.initializer, (0, begin), strict=True):
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "w.bin"), ("offset", offset), ("length", 24)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
    (tmp_path / "w.bin").write_bytes(numbers.tobytes())
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    if not fits:
        with pytest.raises(FormatError, match="overlaps"):
            convert(path)
        return
    made = execute(convert(path), {"x": np.ones((2, 3), np.float32)})["y"]
    second = numbers[begin // 4 :][:6]
    np.testing.assert_array_equal(made.reshape(-1), (1 + numbers[:6]) * second)


def test_four_bit_numbers_come_from_files_too(tmp_path: Path) -> None:
    model = build([node("Cast", "c", "w", to=1), node("Add", "x w", "y")], {"x": (3,)}, "y")
    tensor = TensorProto(name="c", data_type=TensorProto.INT4, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "w.bin"
    model.graph.initializer.append(tensor)
    (tmp_path / "w.bin").write_bytes(bytes([0x8F, 0x07]))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    made = execute(convert(path), {"x": np.zeros(3, np.float32)})["y"]
    np.testing.assert_array_equal(made, [-1, -8, 7])
