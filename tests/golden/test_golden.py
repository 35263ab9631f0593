"""Every released format revision loads for ever, as what it was written."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import linnet
from linnet.format import REVISION, encode, read

FOLDER = Path(__file__).parent
REVISIONS = range(1, REVISION + 1)
MAKER = runpy.run_path(str(FOLDER / "make_golden.py"))


def golden(revision):
    """Return the path of a golden file and its stored content."""
    path = FOLDER / f"revision{revision}.linnet"
    return path, json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("revision", REVISIONS)
def test_it_loads_as_what_was_written(revision):
    path, stored = golden(revision)
    assert path.stat().st_size < 20_000
    assert path.read_bytes()[8] == revision
    for source in (path, path.read_bytes()):
        found = MAKER["describe"](read(source))
        # An attribute that came later has its default; all that were written are as they were.
        for node, expected in zip(found["nodes"], stored["graph"]["nodes"], strict=True):
            node["op"] = {key: node["op"].get(key) for key in expected["op"]}
        if revision < 2:
            assert found.pop("states") == []
        assert json.dumps(found, sort_keys=True) == json.dumps(stored["graph"], sort_keys=True)


@pytest.mark.parametrize("revision", REVISIONS)
def test_it_computes_what_it_computed(revision):
    path, stored = golden(revision)
    feeds = {name: np.array(data, dtype) for name, (dtype, data) in stored["feeds"].items()}
    session = linnet.load(path)
    results = session.run({spec.name: feeds[spec.name] for spec in session.inputs})
    kept = session.states.get()
    results |= {state.output: kept[state.input] for state in session.graph.states}
    assert set(results) == set(stored["results"])
    for name, (dtype, shape, content) in stored["results"].items():
        expected = np.frombuffer(bytes.fromhex(content), dtype).reshape(shape)
        assert results[name].dtype == expected.dtype and results[name].shape == expected.shape
        if name in ("classes", "chosen", "last", "every"):
            # int8 until here is exact; the exponential is float32 of some vector unit.
            np.testing.assert_allclose(results[name], expected, rtol=1e-5)
        else:
            np.testing.assert_array_equal(results[name], expected)


def test_the_newest_revision_is_still_written_byte_for_byte():
    path, _ = golden(REVISION)
    assert encode(MAKER["build"]()) == path.read_bytes() == encode(read(path))
