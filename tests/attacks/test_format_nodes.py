"""Nodes that lie: unknown ops and attributes, wrong counts, cycles, double assignment."""

import pytest
from forge import Forgery, real_sample, refuse

from linnet.errors import FormatError, LinnetError, UnsupportedError
from linnet.format import read
from linnet.graph import Graph
from linnet.ops import Add, Clip, Op
from linnet.types import DType, TensorType


@pytest.fixture
def forgery():
    return Forgery()


def test_input_counts(forgery):
    pool = forgery.node("MaxPool2D")
    pool["inputs"] = []
    refuse(forgery, "MaxPool2D 'pool' has 0 inputs; expected 1 to 1")
    pool["inputs"] = [0] * 100
    refuse(forgery, "MaxPool2D 'pool' has 100 inputs")
    pool["inputs"] = [0] * 70000
    refuse(forgery, r"Expected `array` of length <= 65536 - at `\$.nodes\[1\].inputs`")


def test_output_counts(forgery):
    forgery.node("MaxPool2D")["outputs"] *= 2
    refuse(forgery, "already assigned")
    forgery = Forgery()
    forgery.node("Softmax")["outputs"].append(-1)
    refuse(forgery, "Softmax 'p' has 2 outputs, its op makes 1")
    forgery.node("Softmax")["outputs"] = []
    refuse(forgery, "'p' is never computed")


def test_a_cycle():
    graph = Graph("cycle")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (2,)))
    one = graph.add(Add(), [x, x], name="one")
    graph.outputs = [graph.add(Add(), [one, x], name="two")]
    forgery = Forgery(graph)
    first, second = forgery.header["nodes"]
    first["inputs"][1] = second["outputs"][0]
    refuse(forgery, "Add 'one' reads 'two' before it is computed")
    first["inputs"][1] = first["outputs"][0]
    refuse(forgery, "Add 'one' reads 'one' before it is computed")


def test_double_assignment_and_missing_producers(forgery):
    nodes = forgery.header["nodes"]
    nodes.append(nodes[0])
    refuse(forgery, "Conv2D 'conv' writes 'conv', which is already assigned")
    del nodes[0], nodes[-1]
    refuse(forgery, "MaxPool2D 'pool' reads 'conv' before it is computed")
    forgery = Forgery()
    forgery.node("Conv2D")["outputs"] = forgery.node("Conv2D")["inputs"][1:2]
    refuse(forgery, "Conv2D 'w' writes 'w', which is already assigned")
    forgery = Forgery()
    forgery.header["inputs"] *= 2
    refuse(forgery, "two graph inputs share a name")


def test_unknown_ops_are_all_named(forgery):
    forgery.node("MaxPool2D")["op"] = "Frobnicate"
    forgery.node("Softmax")["op"] = "os.system"
    with pytest.raises(UnsupportedError) as caught:
        read(forgery.seal())
    assert [reason.split(": ", 1)[1] for reason in caught.value.reasons] == [
        "nodes[1] Frobnicate 'pool': this linnet has no op Frobnicate; upgrade linnet",
        "nodes[4] os.system 'p': this linnet has no op os.system; upgrade linnet",
    ]


def test_unknown_attributes(forgery):
    forgery.node("Conv2D").setdefault("attributes", {})["winograd"] = True
    refuse(
        forgery, "Conv2D 'conv': this linnet's Conv2D has no attribute winograd", UnsupportedError
    )


@pytest.mark.parametrize("tag", ["Conv2D", "Softmax", 1])
def test_the_tag_is_no_attribute(forgery, tag):
    forgery.node("Conv2D")["attributes"]["type"] = tag
    refuse(forgery, "this linnet's Conv2D has no attribute type", UnsupportedError)


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ({"strides": [1]}, r"Conv2D 'conv' attributes: .*length 2.*at `\$.strides`"),
        ({"strides": "1"}, "Expected `array`, got `str`"),
        ({"strides": [1, 1.5]}, r"Expected `int`, got `float` - at `\$.strides\[1\]`"),
        ({"groups": None}, "Expected `int`, got `None`"),
        ({"groups": True}, "Expected `int`, got `bool`"),
        ({"auto_pad": 1}, "Expected `str`, got `int`"),
        ([1, 2], "Expected `object`, got `array`"),
        (None, "Expected `object`, got `None`"),
        ("__import__", "Expected `object`, got `str`"),
                ({"strides": [0, 0]}, "Conv2D 'conv'"),
        ({"strides": [-1, 1]}, "Conv2D 'conv'"),
        ({"groups": 0}, "Conv2D 'conv'"),
        ({"groups": (1 << 63)}, "Conv2D 'conv'"),
        ({"dilations": [1 << 62, 1]}, "Conv2D 'conv'"),
        ({"pads": [-(1 << 62), 0, 0, 0]}, "Conv2D 'conv'"),
        ({"auto_pad": "nowhere"}, "Conv2D 'conv'"),
    ],
)  # fmt: skip
def test_attributes(forgery, attributes, match):
    forgery.node("Conv2D")["attributes"] = attributes
    refuse(forgery, match)


def test_an_op_newer_than_the_file(monkeypatch):
    monkeypatch.setattr("linnet.format.layout.REVISION", 2)
    monkeypatch.setattr(Clip, "since", 2)
    forgery = Forgery(real_sample())
    assert read(forgery.seal(revision=2)).name == "real"
    with pytest.raises(FormatError, match="Clip 'clip': found format revision 1, expected 2"):
        read(forgery.seal(revision=1))


@pytest.mark.parametrize("name", ["__init_subclass__", "registry", "Op", "", "Conv2D "])
def test_only_registered_names_are_ops(forgery, name):
    forgery.node("MaxPool2D")["op"] = name
    assert name not in Op.registry
    refuse(forgery, "this linnet has no op|length >= 1", LinnetError)
