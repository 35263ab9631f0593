"""Files whose header lies: records, sections, references, types, ops; all properly sealed."""

import hashlib
import math
import struct

import msgspec
import numpy as np
import pytest
from forge import (
    Forgery,
    at,
    join,
    packed_sample,
    places,
    real_sample,
    refuse,
    sample,
    split_packed,
)  # fmt: skip

import linnet
from linnet.errors import FormatError, LinnetError
from linnet.format import encode, read
from linnet.graph import Graph
from linnet.ops import Gather
from linnet.panels import pack
from linnet.types import DType, TensorType


@pytest.fixture
def forgery():
    return Forgery()


HOSTILE = [
    None, True, -1, -2, 0, 7, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63),
    1.5, math.nan, math.inf, "", "text", "\0", "x" * 5000, b"", b"\xff" * 32, [], [0], [[[]]],
    [None], ["x"] * 40, {}, {"a": 1}, {"": {}}, {1: 2}, {None: None}, msgspec.msgpack.Ext(5, b"e"),
]  # fmt: skip


@pytest.mark.parametrize("graph", [sample, real_sample, packed_sample])
def test_every_field_replaced_by_every_kind_of_thing(graph):
    original = Forgery(graph())
    for path in places(original.header):
        for thing in HOSTILE:
            forgery = original.copy()
            at(forgery.header, path[:-1])[path[-1]] = thing
            try:
                read(forgery.seal()).validate()
            except LinnetError:
                continue


@pytest.mark.parametrize("graph", [sample, real_sample, packed_sample])
def test_every_field_renamed_or_removed_and_every_item_doubled(graph):
    original = Forgery(graph())
    optional = {"metadata", "attributes", "quantization", "section", "zero_point", "axis", "layout"}
    for path in places(original.header):
        forgery = original.copy()
        holder, key = at(forgery.header, path[:-1]), path[-1]
        if isinstance(holder, list):
            holder.append(holder[key])
        else:
            content = holder.pop(key)
            if path[0] != "metadata" and "attributes" not in path and key not in optional:
                with pytest.raises(FormatError):
                    read(forgery.seal())
            holder[f"{key}_"] = content
        try:
            read(forgery.seal()).validate()
        except LinnetError:
            continue
        assert isinstance(holder, list) or path[0] == "metadata"


@pytest.mark.parametrize("where", ["header", "values", "nodes", "sections", "quantization"])
def test_unknown_fields(forgery, where):
    record = {
        "header": forgery.header,
        "values": forgery.header["values"][0],
        "nodes": forgery.header["nodes"][0],
        "sections": forgery.header["sections"][0],
        "quantization": forgery.value("w")["quantization"],
    }[where]
    record["path"] = "/etc/passwd"
    refuse(forgery, "header: Object contains unknown field `path`")


@pytest.mark.parametrize("field", ["preprocessing", "vectors", "signature"])
def test_reserved_fields_are_empty(forgery, field):
    forgery.header[field] = None
    assert read(forgery.seal()).name == "sample"
    forgery.header[field] = b"something"
    refuse(forgery, rf"header: Expected `null`, got `bytes` - at `\$\.{field}`")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda s: s[1].update(offset=s[1]["offset"] - 64), "offset: found 0, expected 64"),
        (lambda s: s[1].update(offset=s[1]["offset"] + 64), "offset: found 128, expected 64"),
        (lambda s: s[1].update(offset=s[1]["offset"] + 1), "offset: found 65, expected 64"),
        (lambda s: s[0].update(offset=64), r"sections\[0\] offset: found 64, expected 0"),
        (lambda s: s.reverse(), r"sections\[0\] offset: found \d+, expected 0"),
        (lambda s: s.insert(1, s[0]), r"sections\[1\] offset: found 0, expected 64"),
        (lambda s: s[-1].update(size=13), "end: found 205, expected at most 204"),
        (lambda s: s[-1].update(size=(1 << 63) - 1), "beyond the file"),
        (lambda s: s[0].update(size=1 << 40), "beyond the file"),
        (lambda s: s[-1].update(size=11), "204 bytes, expected 203, the end of the last section"),
        (lambda s: s.pop(), "the end of the last section"),
        (lambda s: s.clear(), "204 bytes, expected 0, the end of the last section"),
        (lambda s: s[0].update(size=55), r"'w' section 0: found 55 bytes, expected 54 for int8"),
        (lambda s: s.append({**s[0], "offset": 256, "size": 0}), "256, expected at most 204"),
        (lambda s: s[0].update(offset=-64), r"Expected `int` >= 0 - at `\$.sections\[0\].offset`"),
        (lambda s: s[0].update(sha256=b"short"), "Expected `bytes` of length >= 32"),
        (lambda s: s[0].update(sha256=bytes(33)), "Expected `bytes` of length <= 32"),
    ],
)  # fmt: skip
def test_sections(forgery, change, match):
    change(forgery.header["sections"])
    refuse(forgery, match)


def test_a_hidden_section(forgery):
    content = b"hidden payload"
    forgery.header["sections"].append(
        {"offset": 256, "size": len(content), "sha256": hashlib.sha256(content).digest()}
    )
    forgery.data += bytes(256 - len(forgery.data)) + content
    refuse(forgery, r"sections\[4\]: found no value that reads it")


def test_wrong_digests(forgery):
    for section in forgery.header["sections"]:
        section["sha256"] = bytes(32)
    with pytest.raises(FormatError, match=r"sections\[0\] SHA-256: .*expected 00000.*damaged"):
        read(forgery.seal())
    assert read(forgery.seal(), verify=False).constant("shape").tolist() == [-1, 3]


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("b", {"name": "w"}, r"values\[2\] 'w': found the name twice"),
        ("b", {"name": ""}, "Expected `str` of length >= 1"),
        ("b", {"dtype": "bfloat16"}, r"Invalid enum value 'bfloat16' - at `\$.values\[2\].dtype`"),
        ("b", {"dtype": "object"}, "Invalid enum value 'object'"),
        ("b", {"dtype": "int64"}, r"section 1: found 12 bytes, expected 24 for int64\[3\]"),
        ("b", {"shape": [4]}, r"section 1: found 12 bytes, expected 16 for int32\[4\]"),
        ("b", {"shape": [-3]}, r"Expected `int` >= 0 - at `\$.values\[2\].shape\[0\]`"),
        ("b", {"shape": [True]}, "Expected `int | str`, got `bool`"),
        ("b", {"shape": [3.0]}, "Expected `int | str`, got `float`"),
        ("b", {"shape": ["three"]}, "numbers only, it is a constant"),
        ("b", {"shape": [1] * 32 + [3]}, "Expected `array` of length <= 32"),
        ("b", {"shape": [1 << 31, 1 << 31, 2]}, "expected at most 9223372036854775807 bytes"),
        ("b", {"shape": [0, 1 << 62, 1 << 62]}, "expected at most 9223372036854775807 bytes"),
        ("b", {"shape": [(1 << 63) - 1]}, "expected at most 9223372036854775807 bytes"),
        ("b", {"section": 4}, "section: found 4, expected below 4"),
        ("b", {"section": (1 << 63) - 1}, "expected below 4"),
        ("b", {"section": -1}, "Expected `int` >= 0"),
        ("b", {"section": None}, r"sections\[1\]: found no value that reads it"),
        ("x", {"shape": ["n", 4, 4, 1 << 62]}, "expected at most 9223372036854775807 bytes"),
        ("x", {"shape": [1 << 63]}, r"Expected `int` <= 9223372036854775807 - at `\$.values"),
        ("x", {"shape": [""]}, "Expected `str` of length >= 1"),
        ("conv", {"dtype": "int16"}, r"Conv2D 'conv' makes int8.* declared int16"),
        ("conv", {"shape": ["n", 4, 4, 4]}, r"Conv2D 'conv' makes .*4,4,3\].* declared"),
        ("conv", {"shape": [4]}, "Conv2D 'conv' makes"),
        ("x", {"section": 0}, "numbers only, it is a constant"),
    ],
)  # fmt: skip
def test_values(forgery, name, change, match):
    forgery.value(name).update(change)
    refuse(forgery, match)


ONE = struct.pack("<f", 0.5)


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("w", {"scale": ONE * 2}, "'w' quantization scale: found 2 scales, expected 3, the size"),
        ("w", {"scale": ONE * 3 + b"\0"}, "scale: found 13 bytes, expected a multiple of 4"),
        ("w", {"scale": b""}, "Expected `bytes` of length >= 4"),
        ("w", {"axis": 4}, "axis: found 4, expected below the rank 4"),
        ("w", {"axis": -1}, "Expected `int` >= 0"),
        ("w", {"axis": 1 << 40}, "Expected `int` <"),
        ("w", {"axis": None}, "found 3 scales without axis, expected one"),
        ("w", {"scale": struct.pack("<3f", 1, 1, math.nan)}, "expected finite and positive ones"),
        ("w", {"scale": struct.pack("<3f", 1, 1, math.inf)}, "expected finite and positive ones"),
        ("w", {"scale": struct.pack("<3f", 1, 0, 1)}, "expected finite and positive ones"),
        ("w", {"scale": struct.pack("<3f", 1, -1, 1)}, "expected finite and positive ones"),
        ("w", {"zero_point": struct.pack("<2i", 1, 1)}, "zero_point: found 8 bytes, expected 12"),
        ("w", {"zero_point": struct.pack("<3i", 0, 0, 128)}, "found 0 to 128, expected -128 to"),
        ("x", {"zero_point": struct.pack("<i", 1 << 30)}, "expected -128 to 127"),
        ("x", {"zero_point": struct.pack("<i", -(1 << 31))}, "expected -128 to 127"),
        ("x", {"zero_point": b"\xff\xff\xff"}, "Expected `bytes` of length >= 4"),
        ("x", {"scale": 0.5}, "Expected `bytes`, got `float`"),
    ],
)  # fmt: skip
def test_quantization(forgery, name, change, match):
    forgery.value(name)["quantization"].update(change)
    refuse(forgery, match)


@pytest.mark.parametrize("byte", [2, 128, 255])
def test_a_bool_that_is_neither(byte):
    forgery = Forgery(real_sample())
    section = forgery.header["sections"][forgery.value("mask")["section"]]
    content = bytes([1, byte, 0])
    start = section["offset"]
    forgery.data = forgery.data[:start] + content + forgery.data[start + 3 :]
    section["sha256"] = hashlib.sha256(content).digest()
    refuse(forgery, f"constant 'mask': found a bool of {byte}, expected 0 or 1")


@pytest.mark.parametrize("field", ["inputs", "outputs"])
@pytest.mark.parametrize("index", [-2, 10, 1 << 31, (1 << 63) - 1])
def test_references(forgery, field, index):
    forgery.node("MaxPool2D")[field] = [index]
    refuse(forgery, "Expected `int` >= -1" if index < 0 else f"{field}: found value {index}")
    forgery = Forgery()
    forgery.header[field] = [index]
    refuse(
        forgery, "Expected `int` >= 0" if index < 0 else f"{field}: found value {index}, expected"
    )


def test_integers_above_63_bits(forgery):
    for holder in (forgery.header, forgery.node("MaxPool2D")):
        changed = Forgery()
        target = changed.header if holder is forgery.header else changed.node("MaxPool2D")
        target["inputs"] = [(1 << 64) - 1]
        refuse(changed, r"Expected `int` <= 9223372036854775807 - at `\$\..*inputs\[0\]`")


def packed_with(old, new):
    """Return the sample with bytes of its packed header replaced."""
    packed = split_packed(encode(sample()))
    assert packed.count(old) == 1
    return join(packed.replace(old, new), Forgery().data)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"\xa6sample", b"\xa6samp\xff\xfe", "header: .*utf-8"),
        (b"\xa6sample", b"\xa6\xed\xa0\x80ple", "header: .*utf-8"),
        (b"\xa6sample", b"\xdb\xff\xff\xff\xffsample", "truncated|a length of"),
        (b"\xa6sample", b"\xc6\xff\xff\xff\xffsample", "truncated|a length of"),
        (b"\xa6sample", b"\xdd\xff\xff\xff\xff", "Expected `str`, got `array`|a length of"),
        (b"\xa6sample", b"\xc1", "header: "),
        (b"\xa8metadata", b"\xa8m\xffdata\0", "header: "),
    ],
)
def test_malformed_msgpack(old, new, match):
    with pytest.raises(FormatError, match=match):
        read(packed_with(old, new))


@pytest.mark.parametrize(
    "opener", [b"\x91", b"\x81\xa1a", b"\x81\x80", b"\xdc\x00\x01"], ids=bytes.hex
)
@pytest.mark.parametrize("depth", [100, 10_000, 1_000_000])
def test_deep_nesting(forgery, opener, depth):
    deep = opener * depth + b"\xc0"
    with pytest.raises(FormatError, match="header"):
        read(join(deep, b""))
    for record in (forgery.header, forgery.node("Conv2D")["attributes"]):
        changed = msgspec.Raw(deep)
        holder = Forgery()
        target = holder.header if record is forgery.header else holder.node("Conv2D")["attributes"]
        target["pads"] = changed
        with pytest.raises(LinnetError):
            read(holder.seal())


def test_trailing_bytes_in_the_header(forgery):
    packed = msgspec.msgpack.encode(forgery.header)
    with pytest.raises(FormatError, match="trailing"):
        read(join(packed + b"\xc0", forgery.data))


def test_huge_but_honest_strings(forgery):
    long = "x" * (1 << 20)
    forgery.value("conv")["name"] = long
    forgery.header["metadata"]["note"] = long
    graph = read(forgery.seal())
    assert graph.nodes[0].outputs == (long,) and graph.metadata["note"] == long


def test_zero_sized_files_are_graphs_too():
    graph = read(encode(Graph("nothing")))
    assert graph.name == "nothing" and not graph.values
    empty = Graph("zeros")
    empty.outputs = [empty.add_constant("z", np.zeros((0, 3), np.float32))]
    assert read(encode(empty)).constant("z").shape == (0, 3)


PACKED = {
    "unknown layout": ({"layout": "rows"}, "layout"),
    "layout of a number": ({"layout": 1}, "layout"),
    "no section": ({"section": None}, "no section, expected a constant"),
    "other rows": ({"shape": [33, 1, 3, 8]}, "768 bytes|section"),
    "fewer columns": ({"shape": [24, 1, 3, 4]}, "section"),
    "odd columns": ({"shape": [24, 1, 3, 6]}, "whole 4 numbers"),
    "no rows": ({"shape": [0, 1, 3, 8]}, "layout"),
    "one axis": ({"shape": [768]}, "layout"),
    "symbolic": ({"shape": ["n", 1, 3, 8]}, "numbers only"),
    "huge": ({"shape": [1 << 40, 1 << 20, 1, 4]}, "bytes"),
    "floats": ({"dtype": "float32"}, "layout"),
}


@pytest.mark.parametrize("lie", PACKED)
def test_lies_about_panels(lie):
    changes, message = PACKED[lie]
    forgery = Forgery(packed_sample())
    forgery.value("w").update(changes)
    with pytest.raises(FormatError, match=message):
        read(forgery.seal())


def test_panels_hold_nothing_behind_their_rows():
    forgery = Forgery(packed_sample())
    section = forgery.header["sections"][forgery.value("w")["section"]]
    start, size = section["offset"], section["size"]
    content = bytearray(forgery.data[start : start + size])
    content[-1] = 1
    forgery.data = forgery.data[:start] + bytes(content) + forgery.data[start + size :]
    section["sha256"] = hashlib.sha256(content).digest()
    with pytest.raises(FormatError, match="behind its last row"):
        read(forgery.seal())


def test_panels_came_with_revision_2():
    with pytest.raises(FormatError, match="layouts: found format revision 1"):
        read(Forgery(packed_sample()).seal(revision=1))


def test_panels_that_others_read_are_unpacked(tmp_path):
    table = np.random.default_rng(2).integers(-128, 128, (16, 8), np.int8)
    graph = Graph("table")
    graph.add_input("i", TensorType(DType.INT64, (2,)))
    t = graph.add_constant("t", table)
    graph.outputs = [graph.add(Gather(axis=0), [t, "i"], "y")]
    forgery = Forgery(graph)
    section = forgery.header["sections"][forgery.value("t")["section"]]
    content = pack(table).tobytes()
    start = section["offset"]
    forgery.data = forgery.data[:start] + content + forgery.data[start + section["size"] :]
    section["sha256"] = hashlib.sha256(content).digest()
    forgery.value("t")["layout"] = "panels"
    path = tmp_path / "table.linnet"
    path.write_bytes(forgery.seal(revision=2))
    found = linnet.load(path).run({"i": np.array([3, 15], np.int64)})["y"]
    np.testing.assert_array_equal(found, table[[3, 15]])
