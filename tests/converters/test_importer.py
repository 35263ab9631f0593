"""Which importer reads what, and what is said of files that none reads."""

import pytest

from linnet.converters.importer import Importer, import_model
from linnet.errors import FormatError, ShapeError, UnsupportedError
from linnet.format import MAGIC
from tests.converters.test_tflite import relu_model


def test_tflite_is_known_by_its_content(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(relu_model().build())
    assert import_model(path).inputs == ["x"]
    assert import_model(str(path)).name == "model"
    assert import_model(path.read_bytes()).inputs == ["x"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n" + bytes(9), "HDF5"),
        (b"PK\x03\x04" + bytes(30), "ZIP archive"),
        (b"<!DOCTYPE html>", "web page"),
        (bytes(4) + b"ORTM" + bytes(30), "an ONNX Runtime .ort file"),
        (MAGIC + bytes(30), "a linnet model already"),
        (b"\xff" * 40, "start with ff ff ff ff"),
        (bytes(64), "start with 00 00"),
    ],
)
def test_other_content_is_named(data, found, tmp_path):
    with pytest.raises(FormatError, match=found):
        import_model(data)
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"model\.onnx: "):
        import_model(path)


def test_folders_and_absent_files(tmp_path):
    with pytest.raises(FormatError, match="is a folder"):
        import_model(tmp_path)
    with pytest.raises(FileNotFoundError):
        import_model(tmp_path / "none.tflite")


def test_reasons_are_collected_once_and_raised_together():
    importer = Importer()
    for _ in range(2):
        with importer.converting("A node 0"):
            raise UnsupportedError(["one", "two"])
    with importer.converting("B node 1"):
        raise ShapeError("three")
    with pytest.raises(UnsupportedError) as caught:
        importer.finish()
    assert caught.value.reasons == ["A node 0: one", "A node 0: two", "B node 1: three"]
