"""Texts of ONNX models: numbers with a list in the metadata, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet
from linnet.errors import UnsupportedError

from .texts import decoded, encoded

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
helper, TensorProto = onnx.helper, onnx.TensorProto
ML = {"domain": "ai.onnx.ml"}
TEXT, WORDS = TensorProto.STRING, ["red", "green", "blue"]


def model(
    nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, int], constants: Any = ()
) -> Any:
    """Return a model; inputs map names to (type, shape), outputs to types."""
    given = [helper.make_tensor_value_info(n, *item) for n, item in inputs.items()]
    made = [helper.make_tensor_value_info(n, code, None) for n, code in outputs.items()]
    graph = helper.make_graph(nodes, "texts", given, made, list(constants))
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("ai.onnx.ml", 4)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def holds(made: Any, feeds: dict[str, Any]) -> None:
    """Require ONNX Runtime's outputs, texts too."""
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(None, feeds)
    graph = linnet.convert(made)
    found = linnet.load(graph).run({n: encoded(graph, n, a) for n, a in feeds.items()})
    for (name, got), expected in zip(found.items(), wanted, strict=True):
        if expected.dtype == np.float32:
            np.testing.assert_allclose(got, expected, rtol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(decoded(graph, name, got), expected, err_msg=name)


def words(shape: tuple[int, ...], also: str = "pink") -> np.ndarray:
    return np.random.default_rng(1).choice(np.array([*WORDS, also], object), shape)


def test_labels_of_classifiers_are_texts() -> None:
    node = helper.make_node("LinearClassifier", ["x"], ["label", "scores"], **ML,
                            coefficients=[1.0, -1.0, 0.5, 2.0, -2.0, 0.25],
                            intercepts=[0.0, 0.1, 0.2], classlabels_strings=WORDS)  # fmt: skip
    x = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    outputs = {"label": TEXT, "scores": TensorProto.FLOAT}
    holds(model([node], {"x": (TensorProto.FLOAT, ["n", 2])}, outputs), {"x": x})


def test_labels_chosen_from_a_constant() -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["best"], axis=1, keepdims=0),
        helper.make_node("ArrayFeatureExtractor", ["words", "best"], ["found"], **ML),
        helper.make_node("Cast", ["found"], ["cast"], to=TEXT),
        helper.make_node("Reshape", ["cast", "flat"], ["label"]),
    ]
    constants = [helper.make_tensor("words", TEXT, [3], WORDS),
                 helper.make_tensor("flat", TensorProto.INT64, [1], [-1])]  # fmt: skip
    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    made = model(nodes, {"x": (TensorProto.FLOAT, ["n", 3])}, {"label": TEXT}, constants)
    holds(made, {"x": x})


def test_categories_of_texts_become_columns_and_numbers() -> None:
    nodes = [
        helper.make_node("OneHotEncoder", ["x"], ["columns"], cats_strings=WORDS, **ML),
        helper.make_node("LabelEncoder", ["x"], ["number"], keys_strings=WORDS,
                         values_int64s=[5, 3, 4], default_int64=9, **ML),
        helper.make_node("LabelEncoder", ["x"], ["other"], keys_strings=WORDS,
                         values_strings=["a", "b", "c"], default_string="none", **ML),
        helper.make_node("Constant", [], ["blue"],
                         value=helper.make_tensor("blue", TEXT, [], ["blue"])),
        helper.make_node("Equal", ["x", "blue"], ["is_blue"]),
        helper.make_node("CategoryMapper", ["x"], ["mapped"], cats_strings=WORDS,
                         cats_int64s=[7, 8, 9], **ML),
    ]  # fmt: skip
    outputs = {"columns": TensorProto.FLOAT, "number": TensorProto.INT64, "other": TEXT,
               "is_blue": TensorProto.BOOL, "mapped": TensorProto.INT64}  # fmt: skip
    made = model(nodes, {"x": (TEXT, ["n", 2])}, outputs)
    holds(made, {"x": words((7, 2))})


def test_numbers_become_texts_and_numbers() -> None:
    nodes = [
        helper.make_node("LabelEncoder", ["x"], ["word"], keys_int64s=[3, 1, 2],
                         values_strings=WORDS, **ML),
        helper.make_node("CategoryMapper", ["x"], ["mapped"], cats_strings=WORDS,
                         cats_int64s=[1, 2, 3], **ML),
        helper.make_node("Cast", ["x"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("LabelEncoder", ["real"], ["value"], keys_floats=[2.0, float("nan"), 1.0],
                         values_floats=[0.5, 0.25, 4.0], default_float=-1.0, **ML),
    ]  # fmt: skip
    outputs = {"word": TEXT, "mapped": TEXT, "value": TensorProto.FLOAT}
    made = model(nodes, {"x": (TensorProto.INT64, ["n"])}, outputs)
    holds(made, {"x": np.arange(6)})


def test_columns_of_dictionaries_are_named() -> None:
    nodes = [
        helper.make_node("LinearClassifier", ["x"], ["label", "scores"], **ML,
                         coefficients=[1.0, -1.0], intercepts=[0.5, 0.1],
                         classlabels_strings=WORDS[:2]),
        helper.make_node("ZipMap", ["scores"], ["maps"], classlabels_strings=WORDS[:2], **ML),
    ]  # fmt: skip
    made = model(nodes, {"x": (TensorProto.FLOAT, ["n", 1])}, {"label": TEXT})
    made.graph.output.append(onnx.ValueInfoProto(name="maps"))
    metadata = linnet.convert(made).metadata
    assert metadata == {"columns": '{"maps": ["red", "green"]}', "texts": metadata["texts"]}
    assert metadata["texts"] == '{"label": ["red", "green"]}'


@pytest.mark.parametrize(
    ("node", "outputs", "why"),
    [
        (helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT), TensorProto.FLOAT,
         "reads numbers from texts"),
        (helper.make_node("Equal", ["x", "x"], ["y"]), TensorProto.BOOL, "both unknown"),
        (helper.make_node("Unique", ["x"], ["y"]), TEXT, "reads texts"),
        (helper.make_node("StringNormalizer", ["x"], ["y"]), TEXT, "text is not supported"),
    ],
)  # fmt: skip
def test_work_on_texts_is_refused(node: Any, outputs: int, why: str) -> None:
    with pytest.raises(UnsupportedError, match=why):
        linnet.convert(model([node], {"x": (TEXT, ["n"])}, {"y": outputs}))


def test_numbers_do_not_become_texts_by_cast() -> None:
    node = helper.make_node("Cast", ["x"], ["y"], to=TEXT)
    with pytest.raises(UnsupportedError, match="string"):
        linnet.convert(model([node], {"x": (TensorProto.FLOAT, ["n"])}, {"y": TEXT}))
