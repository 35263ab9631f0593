"""Mapped constants after their pages went back to the system."""

import mmap

import numpy as np
import pytest

import linnet
from linnet.format import read, release_pages, write
from linnet.graph import Graph
from linnet.ops import FullyConnected
from linnet.types import DType, TensorType

pytestmark = pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="no madvise here")
WEIGHTS = np.random.default_rng(0).standard_normal((256, 512)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    graph = Graph("dense")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (1, 512)))
    graph.outputs = [graph.add(FullyConnected(), [x, graph.add_constant("w", WEIGHTS)])]
    file = tmp_path / "dense.linnet"
    write(graph, file)
    return file


def resident(array):
    """Kilobytes of the mapping under an array that are in memory."""
    address = array.ctypes.data
    with open("/proc/self/smaps", encoding="ascii") as lines:
        inside = False
        for line in lines:
            head = line.split()[0]
            if "-" in head and not head.endswith(":"):
                begin, end = (int(part, 16) for part in head.split("-"))
                inside = begin <= address < end
            elif inside and head == "Rss:":
                return int(line.split()[1])
    raise AssertionError("the array lies in no mapping")


def test_pages_leave_and_their_content_stays(path):
    (weights,) = [v.data for v in read(path).values.values() if v.data is not None]
    assert resident(weights) >= 512
    release_pages([weights, np.zeros(3)])
    assert resident(weights) < 64
    np.testing.assert_array_equal(weights, WEIGHTS)


def test_a_session_keeps_what_it_packed(path):
    session = linnet.load(path, threads=1)
    (weights,) = [v.data for v in session._executor.graph.values.values() if v.data is not None]
    assert resident(weights) < 64
    x = np.ones((1, 512), np.float32)
    (found,) = session.run({"x": x}).values()
    np.testing.assert_allclose(found, x @ WEIGHTS.T, rtol=1e-4, atol=1e-4)
