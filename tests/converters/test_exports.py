"""What PyTorch's exporters make of Hugging Face's modeling code becomes fused operators.

`tools/export_transformers.py` wrote the models and the results of the modules that they come from.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import linnet
from linnet.reference import evaluate

EXPORTS = sorted((Path(__file__).parent / "exports").glob("*.onnx"))
# What no export may keep: the pieces of attention, normalization and activations.
PIECES = {"Softmax", "MatMul", "Erf", "Tanh", "Neg", "Pow", "Sqrt", "Reciprocal", "ReduceMean"}
# Pieces that are none of those here: a cap on logits, distances between tokens.
OTHERWISE = {"gemma2": {"Tanh"}, "mpnet": {"Neg"}}
MOVED = {"falcon", "mpnet"}
TURNED = {"cohere", "falcon", "gemma2", "gptj", "llama", "neox"}
# One for each layer less those that are the same.
NORMS = {"cohere": 2, "falcon": 2, "gemma2": 5, "gptj": 2, "neox": 2}


def kinds(graph):
    return Counter(type(node.op).__name__ for node in graph.nodes)


@pytest.mark.parametrize("path", EXPORTS, ids=lambda p: p.stem)
def test_an_export_becomes_fused_operators(path):
    graph = linnet.convert(path)
    found = kinds(graph)
    family = path.stem.split("_")[0]
    assert found["Attention"] == 1
    assert not (PIECES - OTHERWISE.get(family, set())) & set(found), found
    # A cache holds heads before rows, which linear layers do not make, as one head of keys is.
    assert "cached" in path.stem or family in MOVED or not found["Transpose"]
    assert found["RotaryEmbedding"] == (2 if family in TURNED else 0)
    assert found["LayerNormalization"] + found["RMSNormalization"] == NORMS.get(family, 3)
    assert found["Gelu"] + found["Silu"] + found["Swish"] == 1


@pytest.mark.parametrize("path", EXPORTS, ids=lambda p: p.stem)
def test_an_export_gives_the_results_of_its_module(path):
    graph = linnet.convert(path)
    with np.load(path.with_suffix(".npz")) as arrays:
        feeds = {name: arrays[name] for name in graph.inputs}
        expected = {name: arrays[name] for name in graph.outputs}
    session = linnet.load(graph, threads=1)
    for found in (session.run(feeds), evaluate(graph, feeds)):
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, atol=2e-6)


def test_scores_are_capped_and_masks_added_up_within_attention():
    for stem, cap in (("gemma2_dynamo", 50.0), ("mpnet_dynamo", 0.0)):
        graph = linnet.convert(EXPORTS[0].with_name(f"{stem}.onnx"))
        (node,) = (n for n in graph.nodes if type(n.op).__name__ == "Attention")
        assert node.op.softcap == pytest.approx(cap)
        assert len(node.inputs) == 4


def test_neighbors_turn_and_parts_of_heads():
    for stem, interleaved, half in (("cohere", True, 4), ("gptj", True, 2), ("neox", False, 2)):
        graph = linnet.convert(EXPORTS[0].with_name(f"{stem}_dynamo.onnx"))
        turned = [n for n in graph.nodes if type(n.op).__name__ == "RotaryEmbedding"]
        assert [node.op.interleaved for node in turned] == [interleaved] * 2
        assert {graph.type_of(node.inputs[1]).shape[1] for node in turned} == {half}
        assert {graph.type_of(node.inputs[0]).shape[3] for node in turned} == {8}
