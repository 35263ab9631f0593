from __future__ import annotations

import numpy as np
import pytest

import linnet
from linnet.converters.quantization import Samples
from linnet.errors import CalibrationError
from linnet.graph import Graph
from linnet.ops import Clip
from linnet.types import DType, TensorType


def graph_of(*inputs: tuple[str, DType, tuple]) -> Graph:
    graph = Graph("g")
    for name, dtype, shape in inputs:
        graph.add_input(name, TensorType(dtype, shape))
    graph.outputs = [graph.add(Clip(minimum=0.0), [inputs[0][0]], name="y")]
    return graph


IMAGE = graph_of(("x", DType.FLOAT32, (1, 4)))
PAIR = graph_of(("x", DType.FLOAT32, ("n", 3)), ("m", DType.INT64, ("n",)))


def data(count=5, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32)


def listed(samples):
    return [{name: array.copy() for name, array in feeds.items()} for feeds in samples]


def same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize(
    "form", ["array", "stack", "list", "flat", "generator", "mappings", "mapping"]
)
def test_every_form_of_the_same_samples_is_the_same_data(form):
    rows = data()
    source = {
        "array": lambda: rows,
        "stack": lambda: rows[:, None],
        "list": lambda: [row[None] for row in rows],
        "flat": lambda: list(rows),
        "generator": lambda: (row[None] for row in rows),
        "mappings": lambda: ({"x": row[None]} for row in rows),
        "mapping": lambda: {"x": rows},
    }[form]()
    samples = Samples(source, IMAGE)
    first = listed(samples)
    same(first, [{"x": row[None]} for row in rows])
    same(listed(samples), first)
    assert samples.count == 5
    assert samples.sha256 == Samples(rows, IMAGE).sha256


def test_files_are_read_in_order_of_name(tmp_path):
    rows = data()
    np.save(tmp_path / "b.npy", rows[3:])
    np.savez(tmp_path / "a.npz", x=rows[:3])
    (tmp_path / "notes.txt").write_text("not a sample")
    samples = Samples(tmp_path, IMAGE)
    assert samples.sha256 == Samples(rows, IMAGE).sha256
    same(listed(Samples(tmp_path / "b.npy", IMAGE)), [{"x": row[None]} for row in rows[3:]])


def test_the_digest_tells_content_order_and_number_apart():
    rows = data()
    digests = {Samples(r, IMAGE).sha256 for r in (rows, rows[::-1], rows[:4], rows + 1)}
    assert len(digests) == 4


def test_a_limit_stops_reading():
    samples = Samples(data(), IMAGE, limit=2)
    assert len(listed(samples)) == 2 and samples.count == 2


def test_a_generator_is_read_once():
    drawn = []

    def source():
        for row in data():
            drawn.append(1)
            yield row[None]

    samples = Samples(source(), IMAGE)
    listed(samples), listed(samples)
    assert len(drawn) == 5


def fine(n=4):
    return {"x": np.arange(3 * n, dtype=np.float32).reshape(n, 3), "m": np.ones(n, np.int64)}


BAD = {
    "nothing": ([], IMAGE, "no sample"),
    "empty array": (np.zeros((0, 4), np.float32), IMAGE, "no sample"),
    "none": (None, IMAGE, "NoneType"),
    "number": (3, IMAGE, "int"),
    "nan": (np.full((2, 4), np.nan, np.float32), IMAGE, "8|4 numbers that are NaN"),
    "infinity": ([np.array([[1, 2, np.inf, 0]], np.float32)], IMAGE, "NaN or infinite"),
    "constant": (np.full((6, 4), 0.5, np.float32), IMAGE, "0.5 in all of the 6 samples"),
    "wrong dtype": (data().astype(np.float64), IMAGE, "float64; expected float32"),
    "wrong shape": (np.zeros((3, 5), np.float32), IMAGE, r"\(1, 5\); expected \(1, 4\)"),
    "wrong rank": ([np.zeros((1, 1, 4), np.float32)], IMAGE, r"\(1, 1, 4\)"),
    "no name": ([np.zeros(3, np.float32)], PAIR, "without names"),
    "too few": ([(np.zeros((1, 3), np.float32),)], PAIR, "1 arrays for 2 inputs"),
    "missing": ({"x": fine()["x"]}, PAIR, r"missing: \['m'\]"),
    "unknown": ({**fine(), "z": fine()["m"]}, PAIR, r"unknown: \['z'\]"),
    "uneven": ({"x": fine(4)["x"], "m": fine(3)["m"]}, PAIR, "different numbers of samples"),
    "text": ([b"abc"], IMAGE, "sample 0 is bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_degenerate_data_is_refused_with_the_reason(case):
    source, graph, message = BAD[case]
    with pytest.raises(CalibrationError, match=message):
        listed(Samples(source, graph))


def test_integers_may_stay_the_same_beside_something_that_varies():
    samples = Samples(fine(), PAIR)
    assert len(listed(samples)) == 4


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(CalibrationError, match="does not hold arrays"):
        listed(Samples(tmp_path, IMAGE))


def test_folders_without_samples_and_missing_paths_are_refused(tmp_path):
    with pytest.raises(CalibrationError, match="holds no sample"):
        listed(Samples(tmp_path, IMAGE))
    with pytest.raises(CalibrationError, match="does not exist"):
        listed(Samples(tmp_path / "absent", IMAGE))


def test_images_need_preprocessing(tmp_path):
    (tmp_path / "cat.png").write_bytes(b"\x89PNG")
    with pytest.raises(CalibrationError, match="--preprocess"):
        listed(Samples(tmp_path, IMAGE))


def test_calibration_errors_are_input_errors():
    assert issubclass(linnet.CalibrationError, linnet.InputError)
