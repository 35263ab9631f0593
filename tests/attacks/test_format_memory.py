"""Files that promise much: reading them may not allocate more than a multiple of their size."""

import subprocess
import sys
import tracemalloc

import msgspec
import numpy as np
import pytest
from forge import Forgery, join, prologue, sample, split_packed

from linnet.errors import LinnetError
from linnet.format import encode, read
from linnet.graph import Graph

SLACK = 1 << 20


def peak(source, verify=True):
    """Return the peak of memory traced while reading, and the error if there was one."""
    failure = None
    tracemalloc.start()
    try:
        read(source, verify=verify)
    except LinnetError as error:
        failure = error
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most, failure


def promising():
    """Return files with huge numbers in every place where one could be believed."""
    packed = split_packed(encode(sample()))
    huge = (1 << 63) - 1
    yield "header length", prologue(packed, 1 << 40, header_bytes=1 << 39) + packed
    yield "file length", prologue(packed, huge) + packed
    for width, code in ((4, b"\xdd"), (4, b"\xdf"), (4, b"\xdb"), (4, b"\xc6"), (4, b"\xc9")):
        count = b"\xff" * width
        yield f"whole header {code.hex()}", join(code + count, b"")
        for field in ("inputs", "values", "nodes", "sections", "metadata", "name"):
            start = b"\x81" + msgspec.msgpack.encode(field)
            yield f"{field} {code.hex()}", join(start + code + count + b"\0" * 64, b"")
    for shape in ([1 << 31] * 2, [1 << 62], [0, 1 << 62, 1 << 62], [huge], [1 << 40, 1 << 20]):
        for name in ("b", "x", "conv"):
            forgery = Forgery()
            forgery.value(name)["shape"] = shape
            yield f"shape {shape} of {name}", forgery.seal()
    forgery = Forgery()
    forgery.value("b")["shape"] = [1 << 40]
    forgery.header["sections"][1]["size"] = 1 << 42
    yield "section size", forgery.seal()
    for attributes in (
        {"strides": [huge, huge]},
        {"dilations": [huge, huge]},
        {"pads": [huge] * 4},
        {"pads": [-huge] * 4},
        {"groups": huge},
    ):
        forgery = Forgery()
        forgery.node("Conv2D")["attributes"] = attributes
        yield f"conv {attributes}", forgery.seal()


@pytest.mark.parametrize(
    "data", [pytest.param(data, id=name) for name, data in promising()]
)  # fmt: skip
def test_promises_are_not_believed(data):
    most, failure = peak(data)
    assert failure is not None
    assert most < SLACK, f"{most} bytes for a file of {len(data)}"


@pytest.mark.parametrize(
    "value",
    [[0] * (1 << 16), [[]] * (1 << 18), {str(i): "" for i in range(1 << 16)}, [{}] * (1 << 18)],
    ids=["numbers", "arrays", "strings", "maps"],
)
@pytest.mark.parametrize("field", ["name", "inputs", "values", "nodes", "sections", "metadata"])
def test_dense_headers_cost_a_small_multiple(field, value):
    forgery = Forgery()
    forgery.header[field] = value
    data = forgery.seal()
    most, _ = peak(data)
    assert most < 40 * len(data) + SLACK


def test_reading_a_file_does_not_load_its_content(tmp_path):
    graph = Graph("large")
    content = np.zeros(32 << 20, np.int8)
    content[::4096] = 1
    graph.outputs = [graph.add_constant("c", content)]
    path = tmp_path / "large.linnet"
    path.write_bytes(encode(graph))
    for verify in (True, False):
        most, failure = peak(path, verify)
        assert failure is None and most < SLACK
    most, failure = peak(path.read_bytes())
    assert failure is None and most < content.size + SLACK


UNDER_LIMIT = """
import resource, sys
from linnet.errors import LinnetError
from linnet.format import read
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
for path in sys.argv[1:]:
    try:
        read(path)
    except LinnetError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and RLIMIT_AS")
def test_promises_under_a_hard_limit(tmp_path):
    paths = []
    for index, (_, data) in enumerate(promising()):
        paths.append(tmp_path / f"{index}.linnet")
        paths[-1].write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", UNDER_LIMIT, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) == len(paths)
