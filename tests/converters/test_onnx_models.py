"""Real ONNX models, converted and evaluated by the op references, match their stored cases.

tests/models runs these and the larger ones, which take NumPy seconds, with kernels.
"""

from __future__ import annotations

import pytest

from linnet import ops
from linnet.converters import convert
from linnet.graph import Graph, Node
from tests.converters.models import check_cases, model_path
from tests.evaluate import execute

EVALUATED = [
    "dtln_1", "gap_mnist_gru", "mlperf_ic_resnet8_onnx", "mlperf_ic_resnet8_qdq", "mlperf_vww_qdq",
    "mnist8", "rten_mnist", "silero_vad_16k_op15",
]  # fmt: skip
# How many transposes each model cannot do without: at its borders, or as its own arithmetic.
TRANSPOSES = {
    "dnsmos_model_v8": 0,
    "fastestdet": 2,
    "mlperf_ic_resnet8_onnx": 0,
    "mlperf_ic_resnet8_qdq": 0,
    "mlperf_vww_qdq": 0,
    "mnist8": 0,
    "rten_mnist": 0,
    "super_resolution": 1,
    "ultraface_qop": 1,
    "ultraface_rfb": 1,
    "yunet_n_dynamic": 1,
}


@pytest.mark.parametrize("name", EVALUATED)
def test_model_matches_its_stored_cases(name: str) -> None:
    graph = convert(model_path(name))
    problems = check_cases(name, lambda feeds: execute(graph, feeds), limit=2)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", sorted(TRANSPOSES))
def test_transposes_cancel(name: str) -> None:
    graph = convert(model_path(name))
    left = [str(node) for node in graph.nodes if isinstance(node.op, ops.Transpose)]
    assert len(left) == TRANSPOSES[name], left


@pytest.mark.parametrize("name", ["mlperf_ic_resnet8_qdq", "mlperf_vww_qdq"])
def test_no_float_is_left_in_a_quantized_model(name: str) -> None:
    graph = convert(model_path(name))
    floats = [str(node) for node in graph.nodes if not _quantized(graph, node)]
    assert not floats, floats
    assert not any(isinstance(n.op, (ops.Quantize, ops.Dequantize)) for n in graph.nodes)


def _quantized(graph: Graph, node: Node) -> bool:
    return all(graph.type_of(name).is_quantized for name in (*node.inputs[:1], *node.outputs))
