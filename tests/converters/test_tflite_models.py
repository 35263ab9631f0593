"""Trained TFLite models, converted and evaluated by the op references, against LiteRT's outputs.

The models are no part of the project; where they are absent the cases are skipped. tests/models
runs these and the larger ones, which take NumPy a second, with kernels.
"""

import numpy as np
import pytest

from linnet.converters.importer import import_model
from tests.converters.models import check_cases, model_path
from tests.evaluate import execute

EVALUATED = [
    "aeq_mnist_srq", "gap_kws_dscnn_l", "litert_pose_classifier",
    "mcunet_detection", "mcunet_vww", "micro_speech_int8", "mlperf_ad_fp32", "mlperf_ad_hybrid",
    "mlperf_ad_int8", "mlperf_ic_resnet8_fp32", "mlperf_ic_resnet8_int8", "mlperf_ic_resnetL_int8",
    "mlperf_kws_fp32", "mlperf_kws_int8", "mlperf_sww_int8", "mlperf_vww_fp32", "mlperf_vww_int8",
    "mobilenet_v1_025_128_uint8", "mobilenet_v1_025_224_fp32",
    "movie_review", "mp_face_detection_short", "planestrike", "tflm_hello_int8",
]  # fmt: skip


@pytest.mark.parametrize("name", EVALUATED)
def test_first_case_matches(name):
    graph = import_model(model_path(name))
    assert check_cases(name, lambda feeds: execute(graph, feeds), limit=1) == []


def test_batch_is_symbolic_and_any_size_runs():
    path = model_path("mlperf_ic_resnet8_int8")
    arrays = np.load(path.parent / "cases.npz")
    graph = import_model(path)
    (name,), (output,) = graph.inputs, graph.outputs
    assert graph.type_of(name).shape == ("batch", 32, 32, 3)
    assert graph.type_of(output).shape == ("batch", 10)
    both = np.concatenate([arrays["c0_in0"], arrays["c1_in0"]])
    together = execute(graph, {name: both})[output]
    single = [execute(graph, {name: both[i : i + 1]})[output] for i in range(2)]
    np.testing.assert_array_equal(together, np.concatenate(single))
