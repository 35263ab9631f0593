"""Decoders with keys and values as inputs and outputs, turned into ones that keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import linnet
from linnet import ops
from linnet.converters.caches import keep_caches
from linnet.errors import InputError, UnsupportedError
from linnet.graph import Graph
from linnet.types import DType, TensorType

EXPORTS = sorted((Path(__file__).parent / "exports").glob("*_cached_*.onnx"))
PROMPT, COUNT = [3, 5, 7], 15


def by_growing_inputs(path):
    """Return greedy tokens of the model as it was exported, keys and values handed back in."""
    session = linnet.load(linnet.convert(path), threads=1)
    names = [spec.name for spec in session.outputs]
    feeds = {name: np.zeros((1, 2, 0, 4), np.float32) for name in ("past_key", "past_value")}
    tokens, given = [], np.array([PROMPT])
    for _ in range(COUNT):
        found = session.run(feeds | {"input_ids": given})
        tokens.append(int(found[names[0]][0, -1].argmax()))
        feeds = dict(zip(feeds, (found[name] for name in names[1:]), strict=True))
        given = np.array([tokens[-1:]])
    return tokens


@pytest.mark.parametrize("path", EXPORTS, ids=lambda p: p.stem)
def test_an_export_with_a_cache_generates_the_same_tokens(path, tmp_path):
    linnet.save(linnet.convert(path, cache=24), tmp_path / "decoder.linnet")
    session = linnet.load(tmp_path / "decoder.linnet", threads=1)
    assert list(linnet.generate(session, PROMPT, COUNT)) == by_growing_inputs(path)
    assert [spec.name for spec in session.inputs] == ["input_ids", "position"]


@pytest.mark.parametrize("stored", ["float16", "int8"])
def test_a_smaller_cache_gives_nearly_the_same_logits(stored):
    tokens = np.array([[*PROMPT, 1, 2, 4]])
    logits = {}
    for kind in ("float32", stored):
        graph = linnet.convert(EXPORTS[0], cache=24, cache_type=kind)
        (output,) = graph.outputs
        feeds = {"input_ids": tokens, "position": np.array([0])}
        logits[kind] = linnet.load(graph, threads=1).run(feeds)[output]
    away = np.abs(logits[stored] - logits["float32"]).max()
    assert 0 < away < (1e-3 if stored == "float16" else 2e-2) * np.abs(logits["float32"]).max()


def test_an_unknown_type_of_cache_is_refused():
    with pytest.raises(UnsupportedError, match="a cache of int4"):
        linnet.convert(EXPORTS[0], cache=24, cache_type="int4")


def test_generation_tells_how_to_convert():
    session = linnet.load(linnet.convert(EXPORTS[0]), threads=1)
    with pytest.raises(InputError, match="cache=TOKENS"):
        linnet.generate(session, PROMPT)


def test_a_model_without_such_keys_is_refused():
    with pytest.raises(UnsupportedError, match="no attention joins keys"):
        linnet.convert(EXPORTS[0].with_name("llama_sdpa_dynamo.onnx"), cache=24)


@pytest.mark.parametrize("causal", [False, True])
def test_only_causal_attention_keeps_its_keys(causal):
    graph = Graph()
    tokens = graph.add_input("tokens", TensorType(DType.INT64, (1, "n")))
    past = TensorType(DType.FLOAT32, (1, 2, "p", 4))
    pasts = [graph.add_input(name, past) for name in ("past_key", "past_value")]
    table = graph.add_constant("table", np.ones((5, 8), np.float32))
    wide = graph.add(ops.Reshape(shape=(1, -1, 2, 4)), [graph.add(ops.Gather(), [table, tokens])])
    heads = graph.add(ops.Transpose(perm=(0, 2, 1, 3)), [wide])
    held = [graph.add(ops.Concat(axis=2), [name, heads]) for name in pasts]
    op = ops.Attention(causal=causal, from_end=causal)
    graph.outputs = [graph.add(op, [heads, *held]), *held]
    if causal:
        assert keep_caches(graph, 8) == 1
        assert graph.inputs == ["tokens", "position"]
    else:
        with pytest.raises(UnsupportedError, match="only causal attention"):
            keep_caches(graph, 8)
