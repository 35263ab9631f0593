"""Every operator of ONNX in every version since opset 7: imported and right, or refused and listed.

Random models of one node, of each version, are held against ONNX Runtime, or against ONNX's own
evaluator where that does not know the version.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import linnet
from linnet.converters.onnx.registry import HANDLERS
from linnet.errors import UnsupportedError
from linnet.types import Array

from .forms import RECIPES, Maker
from .onnx_builder import runtime_outputs

OLDEST, TRIES, NEWEST_OF_RUNTIME = 7, 4, 26
REFUSED = {
    "text is no element type": """RegexFullMatch StringConcat StringNormalizer StringSplit
        TfIdfVectorizer""",
    "images are decoded outside of models": "ImageDecoder",
    "no other runtime repeats what they decide": "Bernoulli RandomUniformLike",
}
# Held elsewhere: by the backend suite, or by tests of their own.
ELSEWHERE = {
    "nested graphs, sequences and optionals": """ConcatFromSequence If Loop Optional
        OptionalGetElement OptionalHasElement Scan SequenceAt SequenceConstruct SequenceEmpty
        SequenceErase SequenceInsert SequenceLength SequenceMap SplitToSequence""",
    "attention and its parts": """Attention CausalConvWithState LinearAttention RotaryEmbedding
        TensorScatter""",
    "random numbers": "Multinomial RandomNormal RandomNormalLike RandomUniform",
    "functions, and operators of one form": """AffineGrid BitCast BlackmanWindow CenterCropPad
        Constant DeformConv DynamicQuantizeLinear HammingWindow HannWindow
        MelWeightMatrix NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss SwiGLU""",
}


def names(lists: dict[str, str]) -> set[str]:
    return {name for text in lists.values() for name in text.split()}


def schemas() -> Iterator[tuple[str, int]]:
    """Yield the operators of the standard domain with each opset from 7 on that changed them."""
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain or schema.deprecated:
            continue
        newer = [
            other.since_version
            for other in onnx.defs.get_all_schemas_with_history()
            if (other.domain, other.name) == ("", schema.name)
            and schema.since_version < other.since_version <= OLDEST
        ]
        if not newer:
            yield schema.name, max(schema.since_version, OLDEST)


VERSIONS = sorted(set(schemas()))
# Neither runtime computes them; they added element types only.
UNJUDGED = {("GlobalLpPool", 22), ("MaxRoiPool", 22)}


def expected(model: Any, feeds: dict[str, Array], opset: int) -> list[Any] | None:
    """Return what the model computes; None where it is one that nobody computes."""
    try:
        if opset <= NEWEST_OF_RUNTIME:
            return runtime_outputs(model, feeds)
    except Exception as error:
        if "NOT_IMPLEMENTED" not in str(error) and "NotImplemented" not in type(error).__name__:
            return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(ReferenceEvaluator(model).run(None, feeds))
    except Exception:
        return None


def agrees(got: Array, wanted: Array) -> bool:
    """Whether an output is the one wanted; quantized ones may differ by a step."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return False
    if wanted.dtype.itemsize == 1 and wanted.dtype.kind in "iu":
        return bool(np.abs(got.astype(int) - wanted.astype(int)).max(initial=0) <= 1)
    limit = 2e-3 if wanted.dtype == np.float16 else 1e-4
    return np.allclose(got, wanted, rtol=limit, atol=limit / 5, equal_nan=True)


@pytest.mark.parametrize(
    ("kind", "opset"), [v for v in VERSIONS if v[0] in RECIPES and v not in UNJUDGED]
)
def test_every_version_is_right(kind: str, opset: int) -> None:
    judged = 0
    for seed in range(TRIES * 5):
        drawn = Maker(seed, kind, opset, odd=False)
        model = drawn.model()
        wanted = expected(model, drawn.feeds, opset)
        if wanted is None:
            continue
        try:
            found = linnet.load(linnet.convert(model), threads=1).run(drawn.feeds)
        except UnsupportedError:
            continue
        for name, array in zip(found, wanted, strict=True):
            assert agrees(found[name], np.asarray(array)), f"seed {seed}, {name} of {drawn}"
        judged += 1
        if judged == TRIES:
            return
    assert judged, "no model of this version was compared"


def test_every_operator_is_imported_or_listed() -> None:
    known = names(REFUSED) | names(ELSEWHERE) | RECIPES.keys()
    assert sorted({kind for kind, _ in VERSIONS} - known) == []
    assert sorted(names(REFUSED) & {kind for domain, kind in HANDLERS if not domain}) == []


@pytest.mark.parametrize("kind", sorted(names(REFUSED)))
def test_what_is_refused_says_why(kind: str) -> None:
    info = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])
    made = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    node = onnx.helper.make_node(kind, ["x"], ["y"], "one")
    opset = max(version for name, version in VERSIONS if name == kind)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "one", [info], [made]),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
    )
    with pytest.raises(UnsupportedError, match=r"opset \d+\) '.*': \w"):
        linnet.convert(model)
