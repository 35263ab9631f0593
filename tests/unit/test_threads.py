"""The thread pool under sessions that run at once, and in a forked child."""

from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest

import linnet
from linnet.graph import Graph
from linnet.ops import Conv2D, FullyConnected
from linnet.types import DType, TensorType

X = np.random.default_rng(0).standard_normal((1, 40, 40, 16)).astype(np.float32)


def graph(layers: int = 4) -> Graph:
    made = Graph("stack")
    value = made.add_input("x", TensorType(DType.FLOAT32, X.shape))
    generator = np.random.default_rng(1)
    for layer in range(layers):
        weights = generator.standard_normal((16, 3, 3, 16)).astype(np.float32) / 12
        name = made.add_constant(f"w{layer}", weights)
        value = made.add(Conv2D(pads=(1, 1, 1, 1)), [value, name], outputs=[f"y{layer}"])
    made.outputs = [value]
    return made


def run_in_child(queue) -> None:
    queue.put(linnet.load(graph(), threads=2).run({"x": X})["y3"])


def test_steps_of_this_graph_are_shared():
    session = linnet.load(graph(), threads=2)
    assert any(threads == 2 for _, threads in session.plan().program.steps)


def test_sessions_that_run_at_once_give_the_bytes_of_one_alone():
    wanted = linnet.load(graph(), threads=1).run({"x": X})["y3"]
    wrong: list[int] = []

    def work(seed: int) -> None:
        session = linnet.load(graph(), threads=2 + seed % 2)
        for _ in range(30):
            if not np.array_equal(session.run({"x": X})["y3"], wanted):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gets_a_pool_of_its_own():
    wanted = linnet.load(graph(), threads=2).run({"x": X})["y3"]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=run_in_child, args=(queue,))
    child.start()
    found = queue.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    np.testing.assert_array_equal(found, wanted)


def test_runs_through_trials_and_after_them_give_the_same_bytes():
    wanted = linnet.load(graph(), threads=1).run({"x": X})["y3"]
    session = linnet.load(graph(), threads=2)
    for _ in range(60):
        np.testing.assert_array_equal(session.run({"x": X})["y3"], wanted)


def test_a_program_too_small_to_gain_runs_on_one_thread():
    small = Graph("small")
    x = small.add_input("x", TensorType(DType.FLOAT32, (1, 24)))
    weights = small.add_constant("w", np.ones((8, 24), np.float32))
    small.outputs = [small.add(FullyConnected(), [x, weights], outputs=["y"])]
    session = linnet.load(small, threads=2)
    for _ in range(20):
        session.run({"x": np.ones((1, 24), np.float32)})
    assert [threads for _, threads in session.plan().program.steps] == [1]
