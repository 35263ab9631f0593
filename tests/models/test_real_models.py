"""Real trained models: right within their references' own spread, the same bytes everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from models.replay import Cases
from paths import MODELS, NO_MODELS

import linnet
from linnet.kernels import _core

pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason=NO_MODELS)

MUST_RUN = (
    "mlperf_ad_fp32", "mlperf_ad_int8", "mlperf_ic_resnet8_fp32", "mlperf_ic_resnet8_int8",
    "mlperf_ic_resnet8_onnx", "mlperf_ic_resnet8_qdq", "mlperf_ic_resnetL_int8", "mlperf_kws_int8",
    "mlperf_sww_int8", "mlperf_vww_fp32", "mlperf_vww_int8", "mlperf_vww_qdq",
    "mobilenet_v1_025_128_uint8", "mobilenet_v1_025_224_fp32", "mobilenet_v2_ptq_int8",
    "aeq_mnist_srq", "micro_speech_int8", "tflm_hello_int8", "mnist8", "rten_mnist",
    "super_resolution", "dnsmos_model_v8", "planestrike", "dtln_1", "gap_mnist_gru",
    "silero_vad_16k_op15",
)  # fmt: skip

FLOAT = {
    "mlperf_ad_fp32", "mlperf_ic_resnet8_fp32", "mlperf_ic_resnet8_onnx", "mlperf_vww_fp32",
    "mobilenet_v1_025_224_fp32", "mnist8", "rten_mnist", "super_resolution", "dnsmos_model_v8",
    "planestrike", "dtln_1", "gap_mnist_gru", "silero_vad_16k_op15",
}  # fmt: skip


def folders() -> list[str]:
    if not MODELS.is_dir():
        return []
    return sorted(p.parent.name for p in MODELS.glob("*/spread.json"))


@pytest.mark.parametrize("name", MUST_RUN)
def test_outputs_match_the_reference(name, tmp_path):
    cases = Cases.of(MODELS / name)
    path = tmp_path / "model.linnet"
    linnet.save(linnet.convert(cases.model), path)
    session = linnet.load(path, threads=2)
    for case in cases.about["cases"]:
        assert not cases.problems(case, session.run(cases.feeds(case)))


@pytest.mark.parametrize("name", [n for n in MUST_RUN if n not in FLOAT])
def test_quantized_bytes_are_the_same_at_every_isa_and_thread_count(name):
    cases = Cases.of(MODELS / name)
    assert cases.quantized
    graph = linnet.convert(cases.model)
    feeds = [cases.feeds(case) for case in cases.about["cases"]]
    wanted = None
    for isa in _core.available_isas():
        for threads in (1, 2):
            session = linnet.load(graph, threads=threads, isa=isa)
            outputs = [session.run(f) for f in feeds]
            wanted = wanted or outputs
            for found, expected in zip(outputs, wanted, strict=True):
                for key in expected:
                    np.testing.assert_array_equal(found[key], expected[key])


@pytest.mark.parametrize("name", sorted(set(folders()) - set(MUST_RUN)))
def test_every_other_model_is_right(name):
    cases = Cases.of(MODELS / name)
    session = linnet.load(linnet.convert(cases.model), threads=1)
    for case in cases.about["cases"]:
        assert not cases.problems(case, cases.run(session, case))
