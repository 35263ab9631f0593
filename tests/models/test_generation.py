"""Generation with a cache: the tokens of ONNX Runtime's whole text, flat memory, sampling."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from paths import MODELS, NO_MODELS

import linnet
from linnet.errors import InputError
from linnet.generation import Sampling
from linnet.kernels import _core
from tests.models.stories import decoder

MODEL = MODELS / "stories260k_prefill" / "model.onnx"
PROMPT = [1, 403, 407, 261, 378]
pytestmark = pytest.mark.skipif(not MODEL.exists(), reason=NO_MODELS)


@pytest.fixture(scope="module")
def graph():
    return decoder(MODEL)


def likeliest_after_prefixes(tokens: list[int]) -> list[int]:
    """Return the token that ONNX Runtime chooses after the prompt and every prefix of a text."""
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"tokens": np.array([PROMPT + tokens[:-1]], np.int64)})
    return logits[0, len(PROMPT) - 1 :].argmax(axis=-1).tolist()


def test_greedy_tokens_are_those_of_onnxruntime(graph):
    session = linnet.load(graph, threads=1)
    found = list(linnet.generate(session, PROMPT, 200))
    assert len(found) == 200 and found == likeliest_after_prefixes(found)


def test_every_isa_and_block_gives_the_same_tokens(graph):
    wanted = None
    for isa in _core.available_isas():
        for block in (1, 2, 64):
            session = linnet.load(graph, threads=2, isa=isa)
            found = list(linnet.generate(session, PROMPT, 40, block=block))
            wanted = wanted or found
            assert found == wanted


def test_a_saved_decoder_generates_and_a_second_text_starts_anew(graph, tmp_path):
    linnet.save(graph, tmp_path / "stories.linnet")
    session = linnet.load(tmp_path / "stories.linnet")
    first = list(linnet.generate(session, PROMPT, 30))
    list(linnet.generate(session, [1, 300, 301], 30))
    assert list(linnet.generate(session, PROMPT, 30)) == first


def test_generation_ends_at_stop_and_where_the_cache_is_full(graph):
    session = linnet.load(decoder(MODEL, capacity=20))
    found = list(linnet.generate(session, PROMPT, 100))
    assert len(found) == 20 - len(PROMPT) + 1
    assert list(linnet.generate(session, PROMPT, 100, stop=[found[3]])) == found[:3]
    with pytest.raises(InputError, match="holds 20"):
        list(linnet.generate(session, list(range(21)), 1))


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_tokens(graph):
    session = linnet.load(graph, threads=1)
    list(linnet.generate(session, PROMPT, 200))
    before = resident_bytes()
    for _ in range(5):
        list(linnet.generate(session, PROMPT, 200))
    assert resident_bytes() - before < 1 << 20


def test_draws_are_repeatable(graph):
    session = linnet.load(graph)

    def draw(seed):
        call = {"temperature": 1.0, "top_k": 40, "top_p": 0.95, "min_p": 0.01, "seed": seed}
        return list(linnet.generate(session, PROMPT, 30, repetition_penalty=1.1, **call))

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_sampling_keeps_to_its_bounds():
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    rng = np.random.default_rng(0)

    def drawn(**fields):
        sampling = Sampling(temperature=1.0, **fields)
        return {sampling.choose(logits, [], rng) for _ in range(300)}

    assert drawn() == {0, 1, 2, 3}
    assert drawn(top_k=2) == {0, 1}
    assert drawn(top_p=0.7) == {0, 1}
    assert drawn(min_p=0.2) == {0, 1, 2}
    penalized = Sampling(repetition_penalty=10.0)
    assert penalized.choose(np.array([2.0, 1.0], np.float32), [0], rng) == 1
    assert penalized.choose(np.array([-1.0, -2.0], np.float32), [0], rng) == 1


@pytest.mark.parametrize(
    "fields",
    [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"min_p": 1.0}],
)
def test_numbers_out_of_range_are_refused(graph, fields):
    with pytest.raises(InputError, match="out of range"):
        linnet.generate(linnet.load(graph), PROMPT, **fields)


def test_other_models_and_empty_prompts_are_refused(graph):
    with pytest.raises(InputError, match="empty"):
        linnet.generate(linnet.load(graph), [])
    with pytest.raises(InputError, match="a decoder takes"):
        linnet.generate(linnet.load(linnet.convert(MODEL)), PROMPT)
