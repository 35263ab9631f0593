"""The model file: round trips, determinism, atomic writing, memory mapping."""

import gc
import io
import math
import os
import threading

import msgspec
import numpy as np
import pytest
from forge import packed_sample
from hypothesis import given, settings
from hypothesis import strategies as st

import linnet
from linnet import kernels
from linnet.errors import FormatError, GraphError, UnsupportedError
from linnet.format import REVISION, encode, read, read_file, reader, write
from linnet.format.header import Header
from linnet.format.layout import Prologue, read_prologue
from linnet.graph import Graph
from linnet.model_file import ModelFile
from linnet.ops import Clip, FullyConnected, Op
from linnet.panels import Panels
from linnet.reference import evaluate
from linnet.types import DType, Quantization, TensorType

INF = math.inf


@pytest.fixture(scope="module")
def probe():
    """Register, for this module only, an op that has every kind of attribute."""

    class FormatProbe(Op, frozen=True, tag=True, kw_only=True):
        arity = (0, 8)

        dtype: DType = DType.FLOAT32
        shape: tuple[int | str, ...] = ()
        count: int = 1
        whole: int = 3
        real: float = 0.5
        flag: bool = False
        text: str = "nearest"
        pair: tuple[int, int] = (1, 1)
        clamp: tuple[float, float] = (-INF, INF)
        many: tuple[int, ...] | None = None
        maybe: float | None = None

        @property
        def outputs(self):
            return self.count

        def infer(self, *types):
            return (TensorType(self.dtype, self.shape),) * self.count

    yield FormatProbe
    del Op.registry["FormatProbe"]


def assert_same(left, right):
    """Compare two graphs completely: structure, types, attributes and their types, content."""
    assert (left.name, left.inputs, left.outputs) == (right.name, right.inputs, right.outputs)
    assert left.metadata == right.metadata
    assert set(left.values) == set(right.values)
    for name, value in left.values.items():
        other = right.values[name]
        assert (value.name, value.type) == (other.name, other.type)
        assert value.is_constant == other.is_constant
        if value.data is not None:
            assert value.data.dtype == other.data.dtype and value.data.shape == other.data.shape
            assert value.data.tobytes() == other.data.tobytes()
    assert len(left.nodes) == len(right.nodes)
    for node, other in zip(left.nodes, right.nodes, strict=True):
        assert (node.name, node.inputs, node.outputs) == (other.name, other.inputs, other.outputs)
        assert type(node.op) is type(other.op) and repr(node.op) == repr(other.op)


def small(weights=None):
    """Return a graph of two nodes with one quantized constant and an absent bias."""
    graph = Graph("small", metadata={"licence": "Apache-2.0", "author": "é"})
    x = graph.add_input("x", TensorType(DType.INT8, ("n", 4), Quantization(0.5, -3)))
    data = np.arange(12, dtype=np.int8).reshape(3, 4) if weights is None else weights
    w = graph.add_constant("w", data, Quantization([0.25, 0.5, 1.0], axis=0))
    fc = FullyConnected(clamp=(0.0, 6.0))
    y = graph.add(fc, [x, w, ""], name="fc", quantization=Quantization(0.125, 7))
    graph.outputs = [graph.add(Clip(minimum=0.0), [y], name="relu", quantization=Quantization(0.1))]
    return graph


DTYPES = st.sampled_from(list(DType))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
REALS = st.floats(allow_nan=False)
INTS = st.integers(-(1 << 63), (1 << 63) - 1)
SCALES = st.floats(2.0**-100, 2.0**100, width=32)


@st.composite
def quantizations(draw, dtype, shape):
    """Draw none, one pair, or one pair for each position of an axis."""
    info = np.iinfo(dtype.numpy) if dtype.is_integer else np.iinfo(np.int32)
    zeros = st.integers(max(int(info.min), -(1 << 31)), min(int(info.max), (1 << 31) - 1))
    axes = [axis for axis, dim in enumerate(shape) if dim]
    kind = draw(st.sampled_from(["none", "tensor", "axis"] if axes else ["none", "tensor"]))
    if kind == "none":
        return None
    if kind == "tensor":
        return Quantization(draw(SCALES), draw(zeros))
    axis = draw(st.sampled_from(axes))
    scales = draw(st.lists(SCALES, min_size=shape[axis], max_size=shape[axis]))
    zero = draw(st.lists(zeros, min_size=shape[axis], max_size=shape[axis]) | st.just(0))
    return Quantization(scales, zero, axis)


@st.composite
def graphs(draw, kind):
    """Draw a valid graph of probe ops with arbitrary attributes, constants and wiring."""
    graph = Graph(draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)))
    graph.metadata = draw(st.dictionaries(NAMES, NAMES, max_size=3))
    for _ in range(draw(st.integers(0, 2))):
        dtype, shape = draw(DTYPES), draw(st.lists(st.integers(0, 9) | NAMES, max_size=3))
        name = graph.unique(draw(NAMES))
        graph.add_input(name, TensorType(dtype, tuple(shape), Quantization(draw(SCALES))))
    for _ in range(draw(st.integers(0, 4))):
        dtype, shape = draw(DTYPES), draw(SHAPES)
        size = math.prod(shape) * dtype.itemsize
        content = draw(st.binary(min_size=size, max_size=size))
        if dtype is DType.BOOL:
            content = bytes(byte & 1 for byte in content)
        data = np.frombuffer(content, dtype.numpy).reshape(shape)
        graph.add_constant(draw(NAMES), data, draw(quantizations(dtype, shape)))
    for _ in range(draw(st.integers(0, 4))):
        op = kind(
            dtype=draw(DTYPES),
            shape=draw(SHAPES),
            count=draw(st.integers(1, 2)),
            whole=draw(INTS | st.just(3)),
            real=draw(REALS | st.just(0.5)),
            flag=draw(st.booleans()),
            text=draw(st.just("type") | NAMES),
            pair=draw(st.tuples(INTS, INTS)),
            clamp=draw(st.tuples(st.sampled_from([-INF, -0.0, 0.0, -1.5]), REALS | st.just(INF))),
            many=draw(st.none() | st.lists(INTS, max_size=3).map(tuple)),
            maybe=draw(st.none() | REALS),
        )
        inputs = draw(st.lists(st.sampled_from(["", *graph.values]), max_size=4))
        outputs = [graph.unique(draw(NAMES)) for _ in range(op.count)]
        if len(set(outputs)) < op.count or draw(st.booleans()):
            outputs = None
        declared = [draw(quantizations(op.dtype, op.shape)) for _ in range(op.count)]
        graph.add(op, inputs, draw(st.just("") | NAMES), outputs, declared)
    if graph.values:
        graph.outputs = draw(st.lists(st.sampled_from(list(graph.values)), max_size=3))
        produced = {o for n in graph.nodes for o in n.outputs} | set(graph.inputs)
        constants = {name for name, value in graph.values.items() if value.is_constant}
        graph.outputs = [o for o in graph.outputs if o in produced | constants]
    return graph


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_round_trip_of_random_graphs(probe, data):
    graph = data.draw(graphs(probe))
    encoded = encode(graph)
    back = read(encoded)
    assert_same(graph, back)
    assert encode(back) == encoded


def test_round_trip_of_real_ops():
    graph = small()
    back = read(encode(graph))
    assert_same(graph, back)
    assert back.nodes[0].inputs == ("x", "w", "")


@pytest.mark.parametrize("dtype", list(DType), ids=lambda dtype: dtype.value)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 3)], ids=str)
def test_constants_of_every_dtype(dtype, shape):
    graph = Graph()
    data = np.arange(math.prod(shape)).astype(dtype.numpy).reshape(shape)
    graph.outputs = [graph.add_constant("c", data)]
    back = read(encode(graph)).constant("c")
    assert back.dtype == data.dtype and back.shape == shape
    assert np.array_equal(back, data)


PLAIN = np.arange(12, dtype="<f4").reshape(3, 4)


@pytest.mark.parametrize(
    "data",
    [PLAIN.astype(">f4"), np.asfortranarray(PLAIN), np.repeat(PLAIN, 2, axis=1)[:, ::2]],
    ids=["big-endian", "fortran order", "strided"],
)
def test_constants_are_stored_little_endian_and_contiguous(data):
    graph = Graph()
    graph.outputs = [graph.add_constant("c", data)]
    encoded = encode(graph)
    assert np.array_equal(read(encoded).constant("c"), data)
    assert encoded.endswith(PLAIN.tobytes())


def test_equal_graphs_give_equal_bytes():
    one, other = small(), small()
    other.values = dict(reversed(other.values.items()))
    other.metadata = dict(reversed(other.metadata.items()))
    other.nodes[0].op = FullyConnected(clamp=(0, 6))
    assert one.nodes[0].op == other.nodes[0].op
    assert encode(one) == encode(other)


def test_defaults_are_not_stored():
    graph = Graph()
    x = graph.add_input("x", TensorType(DType.FLOAT32, (2,)))
    graph.outputs = [graph.add(Clip(), [x], name="c")]
    assert b"attributes" not in encode(graph)
    graph.nodes[0].op = Clip(minimum=-0.0)
    assert math.copysign(1.0, read(encode(graph)).nodes[0].op.minimum) == -1.0


def test_equal_constants_share_one_section():
    graph, data = Graph(), np.arange(64, dtype=np.float32)
    graph.outputs = [graph.add_constant(name, data.copy()) for name in "ab"]
    graph.outputs.append(graph.add_constant("c", data.view(np.int32).reshape(8, 8)))
    encoded = encode(graph)
    assert encoded.count(data.tobytes()) == 1
    assert_same(graph, read(encoded))


def test_layout_on_disk(tmp_path):
    write(small(), tmp_path / "m.linnet")
    data = (tmp_path / "m.linnet").read_bytes()
    prologue = read_prologue(memoryview(data))
    header = msgspec.msgpack.decode(data[64 : 64 + prologue.header_bytes], type=Header)
    assert data[:8] == b"\x89LINNET\n" and len(data) == prologue.file_bytes
    assert prologue == Prologue(1, prologue.header_bytes, len(data))
    start = prologue.data_start + header.sections[0].offset
    assert start % 64 == 0
    assert data[start : start + 12] == bytes(range(12))


def test_arrays_are_read_only_aligned_views_of_the_file(tmp_path):
    write(small(np.zeros((3, 4), np.int8)), tmp_path / "m.linnet")
    data = read(tmp_path / "m.linnet").constant("w")
    gc.collect()
    assert not data.flags.writeable and not data.flags.owndata
    assert data.ctypes.data % 64 == 0
    assert data.sum() == 0
    os.unlink(tmp_path / "m.linnet")
    assert data.sum() == 0


def test_buffers_are_copied_unless_read_only_and_aligned():
    encoded = encode(small())
    room = np.zeros(len(encoded) + 128, np.uint8)
    start = -room.ctypes.data % 64
    for shift, shared in ((0, True), (1, False), (8, False)):
        part = room[start + shift : start + shift + len(encoded)]
        part[:] = np.frombuffer(encoded, np.uint8)
        constant = read(memoryview(part).toreadonly()).constant("w")
        assert np.shares_memory(constant, room) == shared
        assert constant.ctypes.data % 64 == 0 and not constant.flags.writeable
    writable = bytearray(encoded)
    constant = read(writable).constant("w")
    writable[:] = bytes(len(writable))
    assert constant.sum() == sum(range(12))


def test_strided_buffer_is_refused():
    with pytest.raises(FormatError, match="strided buffer"):
        read(memoryview(encode(small()))[::2])


def test_write_to_an_open_file():
    stream = io.BytesIO()
    write(small(), stream)
    assert stream.getvalue() == encode(small())


def test_write_replaces_atomically(tmp_path, monkeypatch):
    path = tmp_path / "m.linnet"
    write(small(), path)
    before = path.read_bytes()
    held = read(path)

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write(small(np.ones((3, 4), np.int8)), path)
    monkeypatch.undo()
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["m.linnet"]
    write(small(np.ones((3, 4), np.int8)), path)
    assert path.read_bytes() != before and os.listdir(tmp_path) == ["m.linnet"]
    assert held.constant("w").sum() == sum(range(12))


def test_write_a_graph_over_the_file_it_was_read_from(tmp_path):
    path = tmp_path / "m.linnet"
    write(small(), path)
    graph = read(path)
    graph.name = "renamed"
    write(graph, path)
    assert_same(read(path), graph)


def test_write_follows_links_and_keeps_to_the_umask(tmp_path):
    target, link = tmp_path / "target.linnet", tmp_path / "link.linnet"
    write(small(), target)
    link.symlink_to(target)
    write(small(np.ones((3, 4), np.int8)), link)
    assert link.is_symlink() and read(target).constant("w").sum() == 12
    (tmp_path / "plain").touch()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_only_regular_files(tmp_path):
    with pytest.raises(FormatError, match="not a regular file"):
        write(small(), tmp_path)
    with pytest.raises(FormatError, match="not a regular file"):
        read("/dev/zero")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.linnet")


def test_an_invalid_graph_is_not_written(tmp_path):
    graph = small()
    graph.nodes.reverse()
    with pytest.raises(GraphError, match="before it is computed"):
        write(graph, tmp_path / "m.linnet")
    assert os.listdir(tmp_path) == []


def test_what_has_no_place_in_the_format_is_refused(probe):
    def with_op(**attributes):
        graph = Graph()
        graph.outputs = [graph.add(probe(**attributes), [], name="p")]
        return graph

    with pytest.raises(FormatError, match="FormatProbe 'p': an attribute"):
        encode(with_op(whole=1 << 65))
    with pytest.raises(FormatError, match="Expected `int`, got `str`"):
        encode(with_op(whole="three"))
    with pytest.raises(FormatError, match="surrogates"):
        encode(with_op(text="\ud800"))
    graph = small()
    graph.values["w"].type = graph.type_of("w").with_(quantization=Quantization([1, 2, 3], axis=-2))
    with pytest.raises(FormatError, match=r"Expected `int` >= 0 - at `\$.values\[1\]"):
        encode(graph)
    graph = small()
    graph.name = "\udcff"
    with pytest.raises(FormatError, match="cannot be stored"):
        encode(graph)


def test_an_unregistered_op_is_refused(probe):
    graph = Graph()
    graph.outputs = [graph.add(probe(), [], name="p")]
    encoded = encode(graph)
    del Op.registry["FormatProbe"]
    try:
        with pytest.raises(UnsupportedError, match="FormatProbe 'p': the op is not registered"):
            encode(graph)
        with pytest.raises(
            UnsupportedError, match=r"nodes\[0\] FormatProbe 'p': this linnet has no"
        ):
            read(encoded)
    finally:
        Op.registry["FormatProbe"] = probe


def test_the_revision_is_the_oldest_that_knows_every_op(probe, monkeypatch):
    graph = Graph()
    graph.outputs = [graph.add(probe(), [], name="p")]
    monkeypatch.setattr(probe, "since", REVISION + 1)
    encoded = encode(graph)
    assert encoded[8] == REVISION + 1
    with pytest.raises(UnsupportedError, match=f"revision {REVISION + 1} is newer than {REVISION}"):
        read(encoded)
    monkeypatch.setattr("linnet.format.layout.REVISION", REVISION + 1)
    assert_same(read(encoded), graph)


@pytest.mark.parametrize("threads", [True, False], ids=["threads", "no threads left"])
def test_large_sections_are_verified(tmp_path, monkeypatch, threads):
    graph = Graph()
    random = np.random.default_rng(5)
    content = [random.integers(-128, 128, 1 << 18, np.int8) for _ in range(3)]
    graph.outputs = [graph.add_constant("c", data) for data in content]
    damaged = bytearray(encode(graph))
    damaged[-1] ^= 1
    if not threads:

        def start(self):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(FormatError, match=r"sections\[2\] SHA-256.*damaged"):
        read(damaged)
    assert read(damaged, verify=False).constant("c_2")[-1] == content[2][-1] ^ 1
    damaged[-1] ^= 1
    assert_same(read(damaged), graph)


def test_weights_are_stored_in_panels_and_read_in_place(tmp_path):
    graph = packed_sample()
    path = tmp_path / "m.linnet"
    write(graph, path)
    data = path.read_bytes()
    prologue = read_prologue(memoryview(data))
    header = msgspec.msgpack.decode(data[64 : 64 + prologue.header_bytes], type=Header)
    (record,) = [value for value in header.values if value.name == "w"]
    section = header.sections[record.section]
    assert (prologue.revision, record.layout, section.size) == (2, "panels", 2 * 16 * 24)
    content = np.frombuffer(data, np.int8)[prologue.data_start + section.offset :][: section.size]
    panels, w = content.reshape(2, 6, 16, 4), graph.constant("w").reshape(24, 24)
    for row, column in np.ndindex(32, 24):
        wanted = w[row, column] if row < 24 else 0
        assert panels[row // 16, column // 4, row % 16, column % 4] == wanted
    np.testing.assert_array_equal(read(path).constant("w"), graph.constant("w"))
    kept = read_file(ModelFile(path), panels=True).constant("w")
    assert isinstance(kept, Panels) and not kept.packed.flags.owndata
    np.testing.assert_array_equal(np.asarray(kept), graph.constant("w"))
    assert encode(read(path)) == data
    feeds = {"x": np.random.default_rng(1).integers(-128, 128, (1, 6, 5, 8), np.int8)}
    (wanted,) = evaluate(graph, feeds).values()
    for isa in kernels.available_isas():
        for source in (path, data, graph):
            np.testing.assert_array_equal(linnet.load(source, isa=isa).run(feeds)["y"], wanted)


@pytest.mark.parametrize(
    "changes", [{"rows": 9}, {"rows": 16, "groups": 2}, {"zero_point": 1}, {"shape": (1, 4, 6)}]
)
def test_other_weights_are_stored_plain(changes):
    data = encode(packed_sample(**changes))
    assert b"layout" not in data and data[8] == 1
    graph = packed_sample()
    graph.outputs.append("w")
    assert b"layout" not in encode(graph)


@pytest.mark.parametrize(
    ("error", "said"),
    [(msgspec.MsgspecError("cut"), "header: cut"), (SystemError("NULL"), "a length of 4294967295")],
)
def test_what_other_builds_of_msgspec_raise_is_damage(monkeypatch, error, said):
    class Decoder:
        def decode(self, packed):
            raise error

    encoded = encode(Graph("empty"))
    monkeypatch.setattr(reader, "_decoder", Decoder())
    with pytest.raises(FormatError, match=said):
        read(encoded)
