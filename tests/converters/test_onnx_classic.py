"""ai.onnx.ml models against onnxruntime: boosted trees, linear models, scalers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linnet

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
helper, TensorProto = onnx.helper, onnx.TensorProto


def forest(rng: np.random.Generator, trees: int, depth: int, targets: int) -> dict[str, Any]:
    """Return the attributes of random complete trees, weights of leaves under `weights`."""
    nodes: dict[str, list[Any]] = {
        k: []
        for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids",
                  "falsenodeids", "missing_value_tracks_true")
    }  # fmt: skip
    leaves: list[tuple[int, int, int, float]] = []
    for tree in range(trees):
        inner = 2**depth - 1
        for index in range(2 * inner + 1):
            leaf = index >= inner
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(index)
            nodes["featureids"].append(0 if leaf else int(rng.integers(5)))
            nodes["values"].append(0.0 if leaf else float(np.float32(rng.normal())))
            nodes["modes"].append("LEAF" if leaf else ("BRANCH_LEQ", "BRANCH_LT")[tree % 2])
            nodes["truenodeids"].append(0 if leaf else 2 * index + 1)
            nodes["falsenodeids"].append(0 if leaf else 2 * index + 2)
            nodes["missing_value_tracks_true"].append(int(rng.integers(2)))
            if leaf:
                chosen = range(2) if targets == 2 else [int(rng.integers(targets))]
                leaves += [(tree, index, t, float(np.float32(rng.normal()))) for t in chosen]
    return {f"nodes_{k}": v for k, v in nodes.items()} | {"leaves": leaves}


def weights(found: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return attributes of a forest for an operator."""
    leaves = found.pop("leaves")
    names = ("treeids", "nodeids", "ids", "weights")
    return found | {f"{prefix}_{n}": [leaf[i] for leaf in leaves] for i, n in enumerate(names)}


def compare(nodes: list[Any], outputs: dict[str, int], width: int = 5) -> None:
    graph = helper.make_graph(
        nodes,
        "classic",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(n, t, None) for n, t in outputs.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    session = linnet.load(linnet.convert(model))
    reference = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(5).normal(size=(64, width)).astype(np.float32)
    x[::7, 1] = np.nan if len(nodes) == 1 and "Tree" in nodes[0].op_type else 0.5
    found = session.run({"x": x})
    for name, wanted in zip(outputs, reference.run(list(outputs), {"x": x}), strict=True):
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_boosted_trees_regress(aggregate: str) -> None:
    targets = 1 if aggregate in ("MIN", "MAX") else 2
    trees = weights(forest(np.random.default_rng(0), 12, 4, targets), "target")
    compare(
        [
            helper.make_node(
                "TreeEnsembleRegressor",
                ["x"],
                ["y"],
                domain="ai.onnx.ml",
                n_targets=targets,
                base_values=[0.5, -0.25][:targets],
                aggregate_function=aggregate,
                **trees,
            )
        ],
        {"y": TensorProto.FLOAT},
    )


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("classes", [2, 4])
def test_boosted_trees_classify(transform: str, classes: int) -> None:
    trees = weights(forest(np.random.default_rng(1), 10, 3, classes), "class")
    compare(
        [
            helper.make_node(
                "TreeEnsembleClassifier",
                ["x"],
                ["label", "scores"],
                domain="ai.onnx.ml",
                classlabels_int64s=[0, 1] if classes == 2 else [7, 3, 5, 1],
                post_transform=transform,
                **trees,
            )
        ],
        {"label": TensorProto.INT64, "scores": TensorProto.FLOAT},
    )


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_two_classes_of_one_score(transform: str) -> None:
    trees = weights(forest(np.random.default_rng(2), 10, 3, 1), "class")
    compare(
        [
            helper.make_node(
                "TreeEnsembleClassifier",
                ["x"],
                ["label", "scores"],
                domain="ai.onnx.ml",
                classlabels_int64s=[0, 1],
                base_values=[0.1],
                post_transform=transform,
                **trees,
            )
        ],
        {"label": TensorProto.INT64, "scores": TensorProto.FLOAT},
    )


@pytest.mark.parametrize("norm", ["L1", "L2", "MAX"])
def test_scaled_and_normalized_linear_models(norm: str) -> None:
    ml = {"domain": "ai.onnx.ml"}
    rng = np.random.default_rng(3)
    coefficients = rng.normal(size=15).tolist()
    compare(
        [
            helper.make_node("Scaler", ["x"], ["s"], offset=[0.5] * 5, scale=[2.0] * 5, **ml),
            helper.make_node("Normalizer", ["s"], ["m"], norm=norm, **ml),
            helper.make_node(
                "LinearClassifier",
                ["m"],
                ["label", "scores"],
                **ml,
                coefficients=coefficients,
                intercepts=[0.1, 0.2, 0.3],
                classlabels_ints=[4, 5, 6],
                post_transform="SOFTMAX",
            ),
            helper.make_node(
                "LinearRegressor",
                ["m"],
                ["value"],
                **ml,
                targets=3,
                coefficients=coefficients,
                intercepts=[0.1, 0.2, 0.3],
            ),
            helper.make_node("Binarizer", ["s"], ["b"], threshold=0.25, **ml),
        ],
        {
            "label": TensorProto.INT64,
            "scores": TensorProto.FLOAT,
            "value": TensorProto.FLOAT,
            "b": TensorProto.FLOAT,
        },
    )


def test_probabilities_come_as_a_tensor_instead_of_dictionaries() -> None:
    trees = weights(forest(np.random.default_rng(1), 4, 3, 3), "class")
    nodes = [
        helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml",
                         classlabels_int64s=[0, 1, 2], post_transform="SOFTMAX", **trees),
        helper.make_node("ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml",
                         classlabels_int64s=[0, 1, 2]),
    ]  # fmt: skip
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5])
    maps = onnx.ValueInfoProto(name="maps")
    maps.type.sequence_type.elem_type.map_type.key_type = TensorProto.INT64
    label = helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])
    graph = helper.make_graph(nodes, "g", [x], [label, maps])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    session = linnet.load(linnet.convert(helper.make_model(graph, opset_imports=opsets)))
    found = session.run({"x": np.ones((2, 5), np.float32)})
    assert found["maps"].shape == (2, 3)
    np.testing.assert_allclose(found["maps"].sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("one_class", [0, 1])
def test_support_vectors_regress(kind: str, one_class: int) -> None:
    rng, count = np.random.default_rng(8), 7
    vectors = rng.normal(size=(count, 5)).astype(np.float32)
    node = helper.make_node(
        "SVMRegressor", ["x"], ["y"], domain="ai.onnx.ml", kernel_type=kind, one_class=one_class,
        n_supports=count, kernel_params=[0.25, 0.5, 3.0], rho=[0.125],
        support_vectors=vectors.reshape(-1).tolist(), coefficients=rng.normal(size=count).tolist(),
    )  # fmt: skip
    compare([node], {"y": TensorProto.FLOAT})


def test_leaf_listed_several_times_counts_once_for_one_target() -> None:
    found = forest(np.random.default_rng(4), 1, 3, 1)
    found["leaves"] = [leaf for leaf in found["leaves"] for _ in range(3)]
    attributes = weights(found, "target") | {"n_targets": 1}
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **attributes
    )
    compare([node], {"y": TensorProto.FLOAT})


def vectors(rng: np.random.Generator, classes: int, linear: bool, proba: bool) -> dict[str, Any]:
    """Return attributes of a random classifier by support vectors."""
    pairs = classes * (classes - 1) // 2
    if linear:
        return {"coefficients": rng.normal(size=classes * 5).tolist(), "rho": [0.1]}
    sizes = rng.integers(1, 5, classes).tolist()
    made = {
        "vectors_per_class": sizes,
        "support_vectors": rng.normal(size=sum(sizes) * 5).tolist(),
        "coefficients": rng.normal(size=(classes - 1) * sum(sizes)).tolist(),
        "rho": rng.normal(size=pairs).tolist(),
    }
    if proba:
        made["prob_a"] = (-np.abs(rng.normal(size=pairs))).tolist()
        made["prob_b"] = rng.normal(size=pairs).tolist()
    return made


@pytest.mark.parametrize("kind", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("form", ["linear", "votes", "probabilities"])
@pytest.mark.parametrize("classes", [2, 4])
def test_support_vectors_classify(kind: str, transform: str, form: str, classes: int) -> None:
    rng = np.random.default_rng(len(kind) + len(transform) + classes)
    node = helper.make_node(
        "SVMClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", kernel_type=kind,
        kernel_params=[0.25, 0.5, 2.0], post_transform=transform,
        classlabels_ints=list(range(3, 3 + classes)),
        **vectors(rng, classes, form == "linear", form == "probabilities"),
    )  # fmt: skip
    compare([node], {"label": TensorProto.INT64, "scores": TensorProto.FLOAT})


@pytest.mark.parametrize("transform", ["PROBIT", "SOFTMAX_ZERO"])
def test_rare_transforms_of_scores(transform: str) -> None:
    node = helper.make_node(
        "LinearRegressor", ["p"], ["y"], domain="ai.onnx.ml", targets=3, post_transform=transform,
        coefficients=[0.02, 0.01, 0.03, 0.01, 0.02] * 3, intercepts=[0.7, 0.8, 0.1],
    )  # fmt: skip
    compare([helper.make_node("Sigmoid", ["x"], ["p"]), node], {"y": TensorProto.FLOAT})
