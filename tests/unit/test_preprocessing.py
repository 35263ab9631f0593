from __future__ import annotations

import struct
import sys
import zlib

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.cli import main
from linnet.errors import CalibrationError, InputError
from linnet.graph import Graph
from linnet.images import read_bmp, read_image, read_png, read_ppm, resize
from linnet.preprocessing import Preprocessing, describe, feeds_of, parse, record, recorded
from linnet.sampling import samples_of
from linnet.types import DType, Quantization, TensorType


def graph_of(shape=(1, 8, 8, 3), dtype=DType.FLOAT32, q=None):
    graph = Graph("g")
    x = graph.add_input("image", TensorType(dtype, shape, q))
    if dtype is DType.FLOAT32 and shape[-1] == 3:
        w = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
        x = graph.add(ops.Conv2D(), [x, graph.add_constant("w", w)], "conv")
    graph.outputs = [graph.add(ops.Identity(), [x], "y")]
    return graph


def picture(height=10, width=14, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def png(image, filters=(0, 1, 2, 3, 4)):
    """A PNG file's bytes, its rows filtered in turn."""
    height, width, step = image.shape
    rows, above = [], np.zeros(width * step, int)
    for i, row in enumerate(image.reshape(height, -1).astype(int)):
        kind = filters[i % len(filters)]
        left = np.concatenate([np.zeros(step, int), row[:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        p = left + above - corner
        gaps = np.abs(p - left), np.abs(p - above), np.abs(p - corner)
        nearest = np.where((gaps[0] <= gaps[1]) & (gaps[0] <= gaps[2]), left,
                         np.where(gaps[1] <= gaps[2], above, corner))  # fmt: skip
        guess = (0, left, above, (left + above) // 2, nearest)[kind]
        rows.append(bytes([kind]) + ((row - guess) & 255).astype(np.uint8).tobytes())
        above = row

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    color = {1: 0, 3: 2, 4: 6}[step]
    head = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    data = zlib.compress(b"".join(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def ppm(image):
    return b"P6\n# made here\n%d %d\n255\n" % image.shape[1::-1] + image.tobytes()


def bmp(image):
    height, width = image.shape[:2]
    pad = -width * 3 % 4
    rows = b"".join(row[:, ::-1].tobytes() + b"\0" * pad for row in image[::-1])
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows


def test_images_are_read():
    image = picture()
    np.testing.assert_array_equal(read_png(png(image)), image)
    np.testing.assert_array_equal(read_ppm(ppm(image)), image)
    np.testing.assert_array_equal(read_bmp(bmp(image)), image)
    alpha = np.concatenate([image, image[..., :1]], axis=2)
    np.testing.assert_array_equal(read_png(png(alpha)), image)
    gray = read_png(png(image[..., :1]))
    np.testing.assert_array_equal(gray, np.repeat(image[..., :1], 3, axis=2))


@pytest.mark.parametrize("cut", [9, 20, 40, 60])
@pytest.mark.parametrize("make", [png, ppm, bmp])
@pytest.mark.parametrize("pillow", [True, False])
def test_damaged_images_are_refused(tmp_path, monkeypatch, make, cut, pillow):
    if not pillow:
        monkeypatch.setitem(sys.modules, "PIL.Image", None)
    path = tmp_path / "image"
    path.write_bytes(make(picture())[:cut])
    with pytest.raises(InputError, match="image"):
        read_image(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="image"):
        read_image(path)


def test_resizing_keeps_means_and_flat_images():
    flat = np.full((7, 9, 3), 5.0)
    np.testing.assert_allclose(resize(flat, (4, 20)), 5.0, rtol=1e-6)
    same = picture().astype(np.float32)
    np.testing.assert_allclose(resize(same, (10, 14)), same, rtol=1e-6)
    assert abs(resize(same, (5, 7)).mean() - same.mean()) < 3


def test_a_pixel_becomes_what_the_record_says():
    image = np.full((8, 8, 3), 100, np.uint8)
    image[..., 0] = 200
    made = Preprocessing("image", (8, 8), scale=255, mean=(0.5, 0.4, 0.3), std=(0.2, 0.1, 0.1))
    found = made.apply(image, TensorType(DType.FLOAT32, (1, 8, 8, 3)))
    wanted = (np.array([200, 100, 100]) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.1, 0.1]
    np.testing.assert_allclose(found[0, 3, 3], wanted, rtol=1e-5)
    assert made.range == pytest.approx((-4.0, 7.0))


def test_layout_color_gray_and_quantized_inputs():
    image = picture(8, 8)
    first = Preprocessing("image", (8, 8), color="bgr", layout="nchw")
    found = first.apply(image, TensorType(DType.FLOAT32, (1, 3, 8, 8)))
    np.testing.assert_allclose(found[0, 0], image[..., 2])
    gray = Preprocessing("image", (8, 8), color="gray")
    found = gray.apply(image, TensorType(DType.FLOAT32, (1, 8, 8, 1)))
    np.testing.assert_allclose(found[0, ..., 0], image @ [0.299, 0.587, 0.114], rtol=1e-5)
    plain = Preprocessing("image", (8, 8))
    np.testing.assert_array_equal(
        plain.apply(image, TensorType(DType.UINT8, (1, 8, 8, 3)))[0], image
    )
    q = Quantization(1.0, -128)
    stored = plain.apply(image, TensorType(DType.INT8, (1, 8, 8, 3), q))
    np.testing.assert_array_equal(stored[0].astype(int) + 128, image)


def test_cropping_keeps_proportions():
    image = np.zeros((8, 16, 3), np.uint8)
    image[:, 4:12] = 255
    type_ = TensorType(DType.FLOAT32, (1, 8, 8, 3))
    assert Preprocessing("image", (8, 8), crop=True).apply(image, type_).min() == 255
    assert Preprocessing("image", (8, 8)).apply(image, type_).min() == 0


def test_a_text_and_its_record_are_the_same():
    graph = graph_of()
    made = parse("image:8x8,crop,scale=255,mean=0.5/0.4/0.3,std=0.25,bgr", graph)
    assert made.crop and made.mean == (0.5, 0.4, 0.3) and made.color == "bgr"
    assert parse(describe(made), graph) == made
    record(graph, made)
    record(graph, made)
    assert recorded(graph) == [made]
    assert parse("image:8x8", graph_of((1, 3, 8, 8))).layout == "nchw"


WRONG = {
    "image": "not of the form", "image:8": "not of the form", "x:8x8": "no input 'x'",
    "image:9x8": "makes", "image:8x8,gray": "makes", "image:8x8,sepia": "not understood",
    "image:8x8,mean=a": "no number", "image:8x8,mean=1/2": "1 or 3 numbers",
    "image:8x8,std=0": "positive",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_wrong_texts_are_refused(text):
    with pytest.raises(InputError, match=WRONG[text]):
        parse(text, graph_of())


@pytest.mark.parametrize(
    ("array", "good"),
    [
        (np.linspace(-1, 1, 192), True),
        (np.linspace(0, 255, 192), False),
        (np.linspace(-0.004, 0.004, 192), False),
        (np.zeros(192), True),
    ],
)
def test_values_that_contradict_the_record_are_refused(array, good):
    graph = graph_of()
    made = parse("image:8x8,mean=127.5,std=127.5", graph)
    array = array.reshape(1, 8, 8, 3).astype(np.float32)
    if good:
        made.check(array, graph.type_of("image"))
    else:
        with pytest.raises(InputError, match="was converted for -1 to 1"):
            made.check(array, graph.type_of("image"))


@pytest.fixture
def model(tmp_path):
    graph = graph_of()
    record(graph, parse("image:8x8,mean=127.5,std=127.5", graph))
    linnet.save(graph, tmp_path / "m.linnet")
    (tmp_path / "a.png").write_bytes(png(picture(seed=1)))
    (tmp_path / "b.ppm").write_bytes(ppm(picture(seed=2)))
    return tmp_path


def test_images_run_and_calibrate(model, capsys):
    path = str(model / "m.linnet")
    assert main(["run", path, "--image", str(model / "a.png")]) == 0
    assert main(["bench", path, "--image", str(model / "a.png"), "--runs", "5"]) == 0
    target = model / "q.linnet"
    assert main(["quantize", path, "--calibration", str(model), "-o", str(target)]) == 0
    made = linnet.load(target).graph
    assert recorded(made) == recorded(linnet.load(path).graph)
    feeds = feeds_of(made, model / "b.ppm")
    left, right = (linnet.load(p).run(feeds)["y"] for p in (path, target))
    assert np.abs(left - right).max() < 0.1 * np.abs(left).max()


def test_arrays_that_contradict_the_record_write_nothing(model, capsys):
    np.save(model / "x.npy", picture(8, 8)[None].astype(np.float32))
    path, data = str(model / "m.linnet"), str(model / "x.npy")
    assert main(["run", path, "--input", f"image={data}"]) == 1
    assert "was converted for -1 to 1" in capsys.readouterr().err
    target = model / "q.linnet"
    assert main(["quantize", path, "--calibration", data, "-o", str(target)]) == 1
    assert not target.exists()


def test_a_model_without_a_record_takes_no_images(model):
    graph = graph_of()
    with pytest.raises(InputError, match="--preprocess"):
        feeds_of(graph, model / "a.png")
    with pytest.raises((InputError, CalibrationError), match="--preprocess"):
        list(samples_of(graph, model / "a.png"))


def test_conversion_records(tmp_path, capsys):
    from paths import ROOT

    source = str(ROOT / "examples" / "digits" / "cnn_float.onnx")
    target = tmp_path / "m.linnet"
    command = ["convert", source, "-o", str(target), "--preprocess"]
    assert main([*command, "image:8x8,scale=255,gray"]) == 0
    (made,) = recorded(linnet.load(target).graph)
    assert made.layout == "nchw" and made.color == "gray"
    assert main([*command, "image:9x9,gray"]) == 1
