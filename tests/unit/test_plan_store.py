"""Stored plans: used where they fit, ignored where anything about them is not as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linnet
from linnet import Graph, plan_writer
from linnet.commands.models import write_model
from linnet.graph import State
from linnet.model_file import ModelFile
from linnet.ops import Add, CachedAttention, Clip, Conv2D, FullyConnected, Pad, Reshape, Unique
from linnet.types import DType, Quantization, TensorType

RNG = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "plans"
    monkeypatch.setenv("LINNET_CACHE", str(place))
    # Tests do not wait until the times of files tell changes apart.
    monkeypatch.setattr(ModelFile, "settled", True)
    return place


def quantized_model(batch: Any = 1) -> Graph:
    graph = Graph("small")
    q = Quantization(0.05, 3)
    graph.add_input("x", TensorType(DType.INT8, (batch, 6, 5, 3), q))
    weights = RNG.integers(-127, 128, (20, 3, 3, 3), np.int8)
    w = graph.add_constant("w", weights, Quantization(RNG.uniform(0.01, 0.02, 20), 0, 0))
    b = graph.add_constant("b", RNG.integers(-500, 500, 20, np.int32))
    y = graph.add(Conv2D(auto_pad="same_upper"), ["x", w, b], "y", quantization=q)
    graph.outputs = [graph.add(Clip(minimum=0.0), [y], "z", quantization=q)]
    return graph


def float_model() -> Graph:
    graph = Graph("floats")
    graph.add_input("x", TensorType(DType.FLOAT32, (2, 40)))
    w = graph.add_constant("w", RNG.normal(size=(24, 40)).astype(np.float32))
    b = graph.add_constant("b", RNG.normal(size=24).astype(np.float32))
    y = graph.add(FullyConnected(clamp=(0.0, 6.0)), ["x", w, b], "y")
    graph.outputs = [graph.add(Reshape(shape=(4, 12)), [y], "z")]
    return graph


def saved(tmp_path: Path, graph: Graph) -> Path:
    path = tmp_path / "model.linnet"
    linnet.save(graph, path)
    return path


def feeds_of(session: linnet.Session, batch: int = 1) -> dict[str, Any]:
    feeds = {}
    for spec in session.inputs:
        shape = [d if isinstance(d, int) else batch for d in spec.shape]
        feeds[spec.name] = (RNG.normal(size=shape) * 30).astype(spec.dtype)
    return feeds


def is_restored(session: linnet.Session) -> bool:
    return session._planned is None


@pytest.mark.parametrize("make", [quantized_model, float_model])
def test_second_process_takes_the_stored_plan(make: Any, tmp_path: Path) -> None:
    path = saved(tmp_path, make())
    first, second = linnet.load(path), linnet.load(path)
    assert not is_restored(first)
    feeds = feeds_of(first)
    wanted, found = first.run(feeds), second.run(feeds)
    assert is_restored(second)
    assert second.inputs == first.inputs and second.outputs == first.outputs
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_restoring_imports_little(tmp_path: Path) -> None:
    path = tmp_path / "model.linnet"
    write_model(quantized_model(), str(path))
    program = f"""
import sys, numpy, linnet
session = linnet.load({str(path)!r})
session.run({{"x": numpy.zeros((1, 6, 5, 3), numpy.int8)}})
print(*sorted(name for name in sys.modules if name.startswith(("linnet.", "msgspec", "hashlib"))))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [
        "linnet.kernels", "linnet.kernels._core", "linnet.kernels._runner", "linnet.model_file",
        "linnet.plan_store", "linnet.session", "linnet.spec", "linnet.state",
    ]  # fmt: skip


def test_plans_are_stored_by_shape(tmp_path: Path, folder: Path) -> None:
    path = saved(tmp_path, quantized_model("n"))
    first = linnet.load(path)
    wanted = {n: first.run(feeds_of(first, n)) for n in (1, 3)}
    assert len(list(folder.glob("*.plan"))) == 2
    second = linnet.load(path)
    for batch in (3, 1, 3):
        second.run(feeds_of(second, batch))
        assert is_restored(second)
    found = second.run(feeds_of(second, 2))
    assert not is_restored(second)
    assert found["z"].shape[0] == 2 and wanted[3]["z"].shape[0] == 3


def test_a_restored_session_is_a_session(tmp_path: Path) -> None:
    path = saved(tmp_path, quantized_model())
    linnet.load(path)
    session = linnet.load(path, threads=2)
    assert is_restored(session) and session.threads == 2
    with pytest.raises(linnet.InputError, match="missing"):
        session.run({})
    with pytest.raises(linnet.InputError, match="shape"):
        session.run({"x": np.zeros((1, 6, 5, 4), np.int8)})
    wanted = session.run({"x": np.ones((1, 6, 5, 3), np.int8)})
    session.reset()
    assert session.graph.name == "small"
    assert is_restored(session)
    assert len(session.plan().spans) == len(session.graph.nodes)
    found = session.run({"x": np.ones((1, 6, 5, 3), np.int8)})
    np.testing.assert_array_equal(found["z"], wanted["z"])


def test_a_changed_model_is_checked_again(tmp_path: Path) -> None:
    path = saved(tmp_path, quantized_model())
    linnet.load(path)
    assert is_restored(linnet.load(path))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(linnet.FormatError, match="SHA-256"):
        linnet.load(path)
    content[-1] ^= 1
    path.write_bytes(content)
    assert is_restored(linnet.load(path))


def test_a_file_that_may_still_change_is_held_against_its_digests(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelFile, "settled", False)
    path = saved(tmp_path, quantized_model())
    linnet.load(path)
    assert [stored.name.rpartition("-")[2] for stored in folder.iterdir()] == ["model"]
    assert is_restored(linnet.load(path))
    found = os.stat(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    with pytest.raises(linnet.FormatError, match="SHA-256"):
        linnet.load(path)


@pytest.mark.parametrize("batch", [1, "n"])
def test_a_copy_takes_the_plan_and_is_remembered(
    batch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, quantized_model(batch))
    first = linnet.load(path)
    feeds = feeds_of(first)
    wanted = first.run(feeds)["z"]
    copy = tmp_path / "copy.linnet"
    copy.write_bytes(path.read_bytes())
    session = linnet.load(copy)
    np.testing.assert_array_equal(session.run(feeds)["z"], wanted)
    assert is_restored(session)
    monkeypatch.setattr(ModelFile, "holds", lambda *_: False)
    assert session.inputs == linnet.load(copy).inputs
    for place in (copy, path):
        again = linnet.load(place)
        again.run(feeds)
        assert is_restored(again)
    other = tmp_path / "other.linnet"
    other.write_bytes(path.read_bytes())
    again = linnet.load(other)
    again.run(feeds)
    assert not is_restored(again)


@pytest.mark.parametrize("batch", [1, "n"])
def test_commands_store_a_plan_with_what_they_write(batch: Any, tmp_path: Path) -> None:
    source = tmp_path / "model.linnet"
    write_model(quantized_model(batch), str(source))
    session = linnet.load(source)
    session.run(feeds_of(session))
    assert is_restored(session)


@pytest.mark.parametrize(("batch", "suffix"), [(1, "model"), ("n", "model"), ("n", "plan")])
def test_damaged_files_are_ignored(batch: Any, suffix: str, tmp_path: Path, folder: Path) -> None:
    path = saved(tmp_path, quantized_model(batch))
    session = linnet.load(path)
    feeds = feeds_of(session)
    wanted = session.run(feeds)
    (stored,) = folder.glob(f"*{suffix}")
    good = stored.read_bytes()
    cuts = [good[:size] for size in (0, 7, 63, 64, 200, len(good) - 1)]
    flips = [
        good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1 :]
        for at in (0, 8, 16, 24, 32, 40, 64, 90, len(good) - 1)
    ]
    for damaged in [*cuts, *flips, good + b"\0"]:
        stored.write_bytes(damaged)
        again = linnet.load(path)
        for name, array in again.run(feeds).items():
            np.testing.assert_array_equal(array, wanted[name])
        assert not is_restored(again)
        stored.write_bytes(good)
    again = linnet.load(path)
    again.run(feeds)
    assert is_restored(again)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs owners of files")
def test_what_others_may_write_is_not_used(tmp_path: Path, folder: Path) -> None:
    path = saved(tmp_path, quantized_model())
    linnet.load(path)
    (stored,) = folder.glob("*model")
    stored.chmod(0o666)
    assert not is_restored(linnet.load(path))
    assert is_restored(linnet.load(path))
    for file in folder.iterdir():
        file.unlink()
    folder.chmod(0o777)
    linnet.load(path)
    assert not list(folder.iterdir())


def test_the_store_can_be_off(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, quantized_model())
    linnet.load(path)
    monkeypatch.setenv("LINNET_CACHE", "off")
    assert not is_restored(linnet.load(path))
    monkeypatch.setenv("LINNET_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert not is_restored(linnet.load(path))
    assert is_restored(linnet.load(path))
    assert list((tmp_path / "xdg" / "linnet" / "plans").iterdir())


def summing_model(batch: Any) -> Graph:
    graph = Graph("sum")
    type_ = TensorType(DType.FLOAT32, (batch, 3))
    graph.add_input("x", type_)
    graph.add_input("total", type_)
    first = graph.add_constant("first", np.full((2, 3), 5, np.float32))
    y = graph.add(Add(), ["x", "total"], "y")
    graph.outputs = [graph.add(Clip(minimum=0.0), [y], "z"), y]
    graph.states = [State("total", y, first if batch == 2 else "")]
    return graph


@pytest.mark.parametrize("batch", [2, "n"])
def test_states_go_on(batch: Any, tmp_path: Path) -> None:
    path = saved(tmp_path, summing_model(batch))
    x = np.ones((2, 3), np.float32)
    first = linnet.load(path)
    wanted = [first.run({"x": x * k})["z"] for k in range(5)]
    session = linnet.load(path)
    assert [spec.name for spec in session.inputs] == ["x"]
    assert [spec.name for spec in session.outputs] == ["z"]
    for _ in range(2):
        for k in range(5):
            np.testing.assert_array_equal(session.run({"x": x * k})["z"], wanted[k])
        session.reset()
    assert is_restored(session)
    for k in range(2):
        session.run({"x": x * k})
    assert session.plan({} if batch == 2 else {"x": (2, 3)}).spans
    assert not is_restored(session)
    for k in range(2, 5):
        np.testing.assert_array_equal(session.run({"x": x * k})["z"], wanted[k])


def test_what_keeps_content_between_runs_is_not_stored(tmp_path: Path, folder: Path) -> None:
    graph = Graph("cache")
    for name in "qkv":
        graph.add_input(name, TensorType(DType.FLOAT32, (1, 2, 1, 8)))
    position = graph.add_input("position", TensorType(DType.INT64, (1,)))
    graph.outputs = [graph.add(CachedAttention(capacity=4), ["q", "k", "v", position], "y")]
    path = saved(tmp_path, graph)
    linnet.load(path)
    assert not folder.exists()
    assert not is_restored(linnet.load(path))


def test_host_steps_are_not_stored(tmp_path: Path, folder: Path) -> None:
    graph = Graph("host")
    graph.add_input("x", TensorType(DType.INT64, (6,)))
    graph.outputs = [graph.add(Unique(), ["x"], "y", outputs=["y", "i", "j", "c"])]
    path = saved(tmp_path, graph)
    linnet.load(path)
    assert not is_restored(linnet.load(path))


def test_levels_have_plans_of_their_own(tmp_path: Path) -> None:
    path = saved(tmp_path, quantized_model())
    isas = linnet.kernels.available_isas()
    feeds = feeds_of(linnet.load(path, isa=isas[0]))
    results = [linnet.load(path, isa=isa).run(feeds)["z"] for isa in [*isas, *isas]]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    assert is_restored(linnet.load(path, isa=isas[-1]))
    with pytest.raises(linnet.InputError):
        linnet.load(path, isa="none such")


def test_a_tape_knows_addresses_by_their_type() -> None:
    program = linnet.kernels._core.Program(4096, "", 1)
    program.record()
    x, y = program.arena, program.arena + 1024
    program.flip_u8(x, y, 64)
    with pytest.raises(ValueError, match="no memory"):
        program.tape([(program.arena, 1024)])
    tape, used = program.tape([(0x40, 64), (program.arena, 4096)])
    assert used == [False, True]
    again = linnet.kernels._core.Program(4096, "", 1)
    again.replay(tape, [0, again.arena])
    assert again.steps == program.steps
    for cut in range(8, len(tape), 8):
        with pytest.raises(ValueError):
            again.replay(tape[:cut], [0, again.arena])
    with pytest.raises(ValueError, match="region"):
        again.replay(tape, [again.arena])
    with pytest.raises(ValueError, match="no method"):
        again.replay(b"\xff" * len(tape), [0, again.arena])


def test_patterns_are_no_addresses(tmp_path: Path) -> None:
    graph = Graph("padded")
    graph.add_input("x", TensorType(DType.FLOAT32, (2, 3)))
    graph.outputs = [graph.add(Pad(pads=(0, 1, 0, 2), value=-1.5), ["x"], "y")]
    path = saved(tmp_path, graph)
    feeds = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    wanted = linnet.load(path).run(feeds)["y"]
    session = linnet.load(path)
    np.testing.assert_array_equal(session.run(feeds)["y"], wanted)
    assert is_restored(session)


def test_what_nobody_read_for_longest_makes_room(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linnet.load(saved(tmp_path, float_model()))
    files = sorted(folder.iterdir())
    total = sum(file.stat().st_size for file in files)
    old, read = folder / "old", folder / "read"
    for file, accessed in ((old, 1000), (read, 2_000_000_000)):
        file.write_bytes(bytes(4096))
        os.utime(file, (accessed, 1000))
    monkeypatch.setattr(plan_writer, "_MOST_BYTES", total + 4096 + 8192)
    plan_writer._make_room(str(folder), 8192)
    assert sorted(folder.iterdir()) == sorted([*files, read])
