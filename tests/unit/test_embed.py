"""Vectors of texts: the mean over tokens that count, of length 1."""

from __future__ import annotations

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.errors import InputError
from linnet.graph import Graph
from linnet.types import DType, TensorType

TABLE = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)


@pytest.fixture
def session():
    graph = Graph("encoder")
    ids = graph.add_input("input_ids", TensorType(DType.INT64, ("b", "n")))
    graph.add_input("attention_mask", TensorType(DType.INT64, ("b", "n")))
    table = graph.add_constant("table", TABLE)
    graph.outputs = [graph.add(ops.Gather(), [table, ids], outputs=["last_hidden_state"])]
    graph.validate()
    return linnet.load(graph)


def test_padding_counts_for_nothing(session):
    found = linnet.embed(session, [[1, 2, 3], [4]], normalize=False)
    np.testing.assert_allclose(found, [TABLE[1:4].mean(0), TABLE[4]], rtol=1e-6)
    lengths = np.linalg.norm(linnet.embed(session, [[1, 2], [3]]), axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-6)


def test_nothing_to_embed_is_refused(session):
    with pytest.raises(InputError, match="nothing to embed"):
        linnet.embed(session, [[]])


def test_vectors_come_in_the_order_of_the_texts(session):
    ids = [[n % 10] * (1 + n % 4) for n in range(70)]
    found = linnet.embed(session, ids, normalize=False)
    np.testing.assert_allclose(found, [TABLE[one[0]] for one in ids], rtol=1e-6)


def test_texts_run_alone_where_no_mask_tells_their_lengths():
    """The states are running sums: what fills a row up would show in them."""
    graph = Graph("encoder")
    ids = graph.add_input("input_ids", TensorType(DType.INT64, (1, "n")))
    rows = graph.add(ops.Gather(), [graph.add_constant("table", TABLE), ids])
    whole = graph.add(ops.ReduceSum(axes=(1,), keepdims=True), [rows])
    graph.outputs = [graph.add(ops.Add(), [rows, whole])]
    session = linnet.load(graph)
    found = linnet.embed(session, [[1, 2, 3], [4], [5]], normalize=False)
    want = [TABLE[1:4].mean(0) + TABLE[1:4].sum(0), 2 * TABLE[4], 2 * TABLE[5]]
    np.testing.assert_allclose(found, want, rtol=1e-6)
