"""Files whose first bytes lie: magic, revision, lengths, truncation, digests."""

import struct

import pytest
from forge import Forgery, join, prologue, real_sample, sample, split, split_packed

from linnet.errors import FormatError, UnsupportedError
from linnet.format import REVISION, encode, read

ENCODED = encode(sample())


def test_forged_files_equal_written_ones():
    for graph in (sample(), real_sample()):
        assert Forgery(graph).seal() == encode(graph)
    header, data = split(ENCODED)
    assert join(header, data) == ENCODED == join(split_packed(ENCODED), data)


def test_truncation_at_every_byte():
    for length in range(len(ENCODED)):
        with pytest.raises(FormatError, match=r"truncated|magic"):
            read(ENCODED[:length])


def test_truncation_that_fixes_the_length_is_seen_too():
    header, data = split(ENCODED)
    packed = split_packed(ENCODED)
    for length in range(len(data)):
        with pytest.raises(FormatError, match="beyond the file"):
            read(join(header, data[:length]))
    for length in range(len(packed)):
        with pytest.raises(FormatError, match="header: "):
            read(join(packed[:length], data))


def test_truncated_with_the_header_length_kept():
    packed = split_packed(ENCODED)
    for length in range(64, 64 + len(packed)):
        data = prologue(packed, length) + packed[: length - 64]
        with pytest.raises(FormatError, match="header length"):
            read(data)


@pytest.mark.parametrize("extra", [b"\0", b"\0" * 64, b"payload"], ids=len)
def test_appended_bytes(extra):
    with pytest.raises(FormatError, match="something was appended"):
        read(ENCODED + extra)
    with pytest.raises(FormatError, match=r"tensor data: found .* the end of the last section"):
        header, data = split(ENCODED)
        read(join(header, data + extra))


@pytest.mark.parametrize("offset", range(64))
def test_every_byte_of_the_prologue(offset):
    for flip in (0x01, 0x80, 0xFF):
        damaged = bytearray(ENCODED)
        damaged[offset] ^= flip
        with pytest.raises((FormatError, UnsupportedError)):
            read(damaged)


@pytest.mark.parametrize("verify", [True, False])
def test_every_byte_of_the_header_is_sealed_and_every_pad_byte_is_zero(verify):
    packed = split_packed(ENCODED)
    end = len(ENCODED) - len(split(ENCODED)[1])
    for offset in range(64, end):
        damaged = bytearray(ENCODED)
        damaged[offset] ^= 0x20
        where = "header SHA-256" if offset < 64 + len(packed) else "padding"
        with pytest.raises(FormatError, match=where):
            read(damaged, verify=verify)


def test_every_byte_of_the_sections():
    header, data = split(ENCODED)
    inside = [False] * len(data)
    for section in header["sections"]:
        for offset in range(section["offset"], section["offset"] + section["size"]):
            inside[offset] = True
    for offset, content in enumerate(inside):
        damaged = bytearray(data)
        damaged[offset] ^= 1
        with pytest.raises(FormatError, match="SHA-256" if content else "padding"):
            read(join(header, bytes(damaged)))


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 64, b"\x89LINNET", b"PK\3\4" + bytes(100), b"\x1c\0\0\0TFL3" + bytes(64)],
    ids=["empty", "zeros", "magic cut", "zip", "tflite"],
)
def test_other_files(data):
    with pytest.raises(FormatError, match=r"magic: found .*expected 89 4c 49 4e.*linnet convert"):
        read(data)


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.linnet").touch()
    with pytest.raises(FormatError, match=r"empty\.linnet: magic: found an empty file"):
        read(tmp_path / "empty.linnet")


@pytest.mark.parametrize("revision", [REVISION + 1, 9, 1 << 31, (1 << 32) - 1])
def test_a_revision_of_the_future(revision):
    with pytest.raises(UnsupportedError, match=f"revision {revision} is newer.*upgrade linnet"):
        read(Forgery().seal(revision=revision))


def test_revision_zero_and_reserved_bytes():
    with pytest.raises(FormatError, match="format revision: found 0, expected 1 to 2"):
        read(Forgery().seal(revision=0))
    with pytest.raises(FormatError, match="prologue bytes 12 to 15: found 0x1, expected 0"):
        read(Forgery().seal(reserved=1))


@pytest.mark.parametrize("length", [1 << 20, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1])
def test_a_header_beyond_the_file(length):
    with pytest.raises(FormatError, match=f"header length: found {length} bytes"):
        read(Forgery().seal(header_bytes=length))


def test_a_header_above_the_cap(monkeypatch):
    monkeypatch.setattr("linnet.format.layout.MAX_HEADER_BYTES", 100)
    with pytest.raises(FormatError, match=r"header length: found \d+ bytes, expected at most 100"):
        read(ENCODED)
    monkeypatch.setattr("linnet.format.writer.MAX_HEADER_BYTES", 100)
    with pytest.raises(FormatError, match=r"header: found \d+ bytes, expected at most 100"):
        encode(sample())


def test_the_header_length_decides_where_sections_start():
    header, data = split(ENCODED)
    packed = split_packed(ENCODED)
    for length in range(len(packed)):
        damaged = join(header, data, header_bytes=length)
        with pytest.raises(FormatError, match="header SHA-256"):
            read(damaged)


@pytest.mark.parametrize("length", [0, 1, 63, 64, (1 << 64) - 1])
def test_a_wrong_file_length(length):
    with pytest.raises(FormatError, match=f"file length: found {len(ENCODED)} bytes"):
        read(Forgery().seal(file_bytes=length))


def test_messages_name_the_file(tmp_path):
    path = tmp_path / "cut.linnet"
    path.write_bytes(ENCODED[:-1])
    with pytest.raises(FormatError, match=r"cut\.linnet: file length: found .* truncated"):
        read(path)
    path.write_bytes(ENCODED[:8] + struct.pack("<I", 9) + ENCODED[12:])
    with pytest.raises(UnsupportedError, match=r"cut\.linnet: format revision 9"):
        read(path)
