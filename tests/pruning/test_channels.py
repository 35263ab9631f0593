from __future__ import annotations

import json

import numpy as np
import pytest
from paths import MODELS, NO_MODELS, ROOT

import linnet
from linnet import ops
from linnet.cli import main
from linnet.commands.prune import macs, pruned
from linnet.converters.pruning import prune_channels, zeros
from linnet.converters.pruning.channels import Channels
from linnet.converters.quantization import Samples
from linnet.errors import CalibrationError, UnsupportedError
from linnet.graph import Graph
from linnet.types import DType, TensorType

DIGITS = ROOT / "examples" / "digits"
HELD_OUT = np.load(DIGITS / "heldout.npz")
PRODUCTS = (ops.Conv2D, ops.DepthwiseConv2D, ops.FullyConnected)


def deadened(graph, share=0.25, seed=0):
    """The graph with a share of each space's channels made of zeros."""
    graph = graph.copy()
    channels = Channels(graph)
    rng = np.random.default_rng(seed)
    for space in channels.spaces():
        dead = rng.permutation(space.classes)[: int(len(space.classes) * share)]
        for node in graph.nodes:
            if not isinstance(node.op, PRODUCTS):
                continue
            mask = np.isin(channels.classes[node.outputs[0]], dead)
            for name in node.inputs[1:]:
                value = graph.values[name]
                data = value.data.copy()
                if isinstance(node.op, ops.DepthwiseConv2D):
                    data[..., mask] = 0
                else:
                    data[mask] = 0
                value.data = data
    return graph


def outputs(graph, feeds):
    return next(iter(linnet.load(graph).run(feeds).values()))


def check_exact(graph, feeds, share=0.25):
    dead = deadened(graph, share)
    made = prune_channels(dead, share, align=1)
    np.testing.assert_allclose(outputs(made, feeds), outputs(dead, feeds), rtol=1e-4, atol=1e-5)
    return made


def test_channels_of_zeros_go_without_a_trace():
    graph = linnet.convert(DIGITS / "cnn_float.onnx")
    feeds = {"image": HELD_OUT["images"][:4]}
    made = check_exact(graph, feeds)
    assert macs(made, feeds) < 0.65 * macs(graph, feeds)


@pytest.mark.skipif(not MODELS.is_dir(), reason=NO_MODELS)
@pytest.mark.parametrize(
    ("name", "key"), [("mlperf_ic_resnet8_onnx", "input"), ("mobilenet_v1_025_224_fp32", "input")]
)
def test_real_models_lose_a_third_of_their_work(name, key):
    folder = MODELS / name
    graph = linnet.convert(next(folder.glob("model.*")))
    feeds = {key: np.load(folder / "cases.npz")["c0_in0"]}
    made = check_exact(graph, feeds)
    assert macs(made, feeds) <= 0.65 * macs(graph, feeds)


def build(body, channels=8):
    rng = np.random.default_rng(0)
    graph = Graph("built")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (1, 6, 6, 3)))

    def conv(source, count):
        shape = (count, 3, 3, graph.type_of(source).shape[-1])
        w = graph.add_constant("w", rng.standard_normal(shape).astype(np.float32))
        b = graph.add_constant("b", rng.standard_normal(count).astype(np.float32))
        return graph.add(ops.Conv2D(pads=(1, 1, 1, 1)), [source, w, b], graph.unique("conv"))

    y = body(graph, conv(x, channels), conv)
    y = conv(y, 4) if graph.type_of(y).rank == 4 else y
    graph.outputs = [y]
    return graph


def dense(graph, y, count=5):
    size = graph.type_of(y).shape[-1]
    w = np.random.default_rng(1).standard_normal((count, size)).astype(np.float32)
    return graph.add(ops.FullyConnected(), [y, graph.add_constant("w", w)], graph.unique("fc"))


BODIES = {
    "residual": lambda g, y, conv: g.add(ops.Add(), [y, conv(y, 8)]),
    "two residuals": lambda g, y, conv: g.add(
        ops.Add(), [g.add(ops.Add(), [y, conv(y, 8)]), conv(y, 8)]
    ),
    "concat": lambda g, y, conv: g.add(ops.Concat(axis=3), [y, conv(y, 4)]),
    "concat then add": lambda g, y, conv: g.add(
        ops.Add(), [g.add(ops.Concat(axis=3), [y, conv(y, 4)]), conv(y, 12)]
    ),
    "gate": lambda g, y, conv: g.add(
        ops.Mul(), [y, conv(g.add(ops.ReduceMean(axes=(1, 2)), [y]), 8)]
    ),
    "bias": lambda g, y, conv: g.add(
        ops.Add(), [y, g.add_constant("c", np.arange(8, dtype=np.float32))]
    ),
    "pool": lambda g, y, conv: g.add(ops.MaxPool2D(kernel=(2, 2)), [y]),
    "flatten": lambda g, y, conv: dense(g, g.add(ops.Reshape(shape=(1, -1)), [y])),
    "flatten by number": lambda g, y, conv: dense(g, g.add(ops.Reshape(shape=(1, 288)), [y])),
    "mean": lambda g, y, conv: dense(g, g.add(ops.ReduceMean(axes=(1, 2), keepdims=False), [y])),
    "batch norm": lambda g, y, conv: g.add(
        ops.BatchNormalization(),
        [y, *(g.add_constant("p", np.linspace(1, 2, 8, dtype=np.float32)) for _ in range(4))],
    ),
    "pad": lambda g, y, conv: g.add(ops.Pad(pads=(0, 1, 0, 0, 0, 0, 1, 0)), [y]),
}


@pytest.mark.parametrize("body", BODIES)
def test_dependent_channels_go_together(body):
    graph = build(BODIES[body])
    feeds = {"x": np.random.default_rng(2).standard_normal((1, 6, 6, 3)).astype(np.float32)}
    before = sum(v.type.nbytes for v in graph.values.values() if v.is_constant)
    if body in ("bias", "batch norm"):
        made = prune_channels(graph, 0.25)
        assert outputs(made, feeds).shape == outputs(graph, feeds).shape
    else:
        made = check_exact(graph, feeds)
    assert sum(v.type.nbytes for v in made.values.values() if v.is_constant) < before


FROZEN = {
    "softmax": lambda g, y, conv: g.add(ops.Softmax(axis=-1), [y]),
    "transpose": lambda g, y, conv: g.add(ops.Transpose(perm=(0, 3, 1, 2)), [y]),
    "channel pad": lambda g, y, conv: g.add(ops.Pad(pads=(0, 0, 0, 1, 0, 0, 0, 0)), [y]),
    "broadcast": lambda g, y, conv: g.add(ops.Mul(), [y, conv(y, 1)]),
}


@pytest.mark.parametrize("body", FROZEN)
def test_what_is_not_understood_stays(body):
    graph = build(FROZEN[body])
    first = graph.nodes[0]
    spaces = Channels(graph).spaces()
    assert not any(node is first for space in spaces for node in space.nodes)


def test_a_residual_is_one_space():
    graph = build(BODIES["residual"])
    (space,) = Channels(graph).spaces()
    assert len(space.nodes) == 2 and len(space.classes) == 8


def test_alignment_keeps_multiples():
    graph = build(BODIES["residual"], 8)
    made = prune_channels(graph, 0.4, align=4)
    assert made.type_of(made.nodes[0].outputs[0]).shape[-1] == 8
    assert prune_channels(graph, 0.5, align=4).type_of(made.nodes[0].outputs[0]).shape[-1] == 4


def test_fitting_to_samples_brings_outputs_back():
    graph = linnet.convert(DIGITS / "cnn_float.onnx")
    samples = Samples(HELD_OUT["calibration"], graph)
    feeds = {"image": HELD_OUT["images"]}
    wanted = outputs(graph, feeds)
    plain, fitted = pruned(graph, 0.1, "magnitude"), pruned(graph, 0.1, "magnitude", samples)
    errors = [float(np.square(outputs(g, feeds) - wanted).mean()) for g in (plain, fitted)]
    assert errors[1] < 0.5 * errors[0]
    by_activation = pruned(graph, 0.25, "activation", samples)
    assert (outputs(by_activation, feeds).argmax(1) == wanted.argmax(1)).mean() > 0.97


@pytest.mark.parametrize("kind", ["conv", "strided conv", "depthwise", "linear"])
def test_a_layer_is_fitted_to_what_it_made_before(kind):
    """Of two equal channels one goes; fitting finds the weights that make the same of one."""
    rng = np.random.default_rng(0)
    graph = Graph("twins")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (1, 9, 9, 4)))
    first = rng.standard_normal((6, 1, 1, 4)).astype(np.float32)
    first = np.concatenate([first, 0.5 * first[:2]])
    y = graph.add(ops.Conv2D(), [x, graph.add_constant("a", first)], "first")
    shapes = {"conv": (5, 3, 3, 8), "strided conv": (5, 2, 3, 8), "linear": (5, 8)}
    if kind == "depthwise":
        w = rng.standard_normal((1, 3, 3, 8)).astype(np.float32)
        y = graph.add(ops.DepthwiseConv2D(auto_pad="same_upper"), [y, graph.add_constant("d", w)])
        shapes["depthwise"] = (5, 1, 1, 8)
    last: ops.Op = ops.Conv2D(clamp=(0.0, 1.0))
    if kind == "linear":
        last = ops.FullyConnected(clamp=(0.0, 1.0))
    if kind == "strided conv":
        last = ops.Conv2D(strides=(2, 2), pads=(1, 0, 0, 2))
    w = rng.standard_normal(shapes[kind]).astype(np.float32)
    b = rng.standard_normal(5).astype(np.float32)
    inputs = [y, graph.add_constant("b", w), graph.add_constant("bias", b)]
    graph.outputs = [graph.add(last, inputs, "last")]
    data = rng.standard_normal((16, 1, 9, 9, 4)).astype(np.float32)
    made = pruned(graph, 0.25, "magnitude", Samples(list(data), graph))
    assert made.type_of("first").shape[-1] == 6
    assert json.loads(made.metadata["pruning"])["refitted"] >= 1
    wanted, found = (outputs(g, {"x": data[0]}) for g in (graph, made))
    if kind == "depthwise":
        # The depthwise layer in between treats twins unlike; only their share is lost.
        assert np.square(found - wanted).mean() < 0.25 * np.square(wanted).mean()
    else:
        np.testing.assert_allclose(found, wanted, atol=0.02)


def test_too_few_samples_leave_weights_as_they_are():
    graph = build(BODIES["mean"])
    one = [np.random.default_rng(2).standard_normal((1, 6, 6, 3)).astype(np.float32)]
    made = pruned(graph, 0.25, "activation", Samples(one, graph))
    assert json.loads(made.metadata["pruning"])["refitted"] == 0


def test_the_record_says_what_was_done():
    graph = build(BODIES["pool"])
    record = json.loads(prune_channels(graph, 0.5).metadata["pruning"])
    assert record == {"share": 0.5, "importance": "magnitude", "removed": 4}
    assert "pruning" not in graph.metadata


def test_wrong_requests_are_refused():
    graph = build(BODIES["pool"])
    for wrong in (dict(share=1.0), dict(share=-0.1), dict(share=0.5, importance="luck")):
        with pytest.raises(UnsupportedError, match="expected a share"):
            prune_channels(graph, **wrong)
    with pytest.raises(CalibrationError, match="needs data"):
        prune_channels(graph, 0.5, "activation")
    with pytest.raises(UnsupportedError, match="no layer whose channels"):
        prune_channels(Graph("empty"), 0.5)


def test_the_command_prunes_and_reports(tmp_path, capsys):
    np.save(tmp_path / "x.npy", HELD_OUT["calibration"][:16])
    target = tmp_path / "small.linnet"
    command = ["prune", str(DIGITS / "cnn_float.onnx"), "-o", str(target), "--channels", "0.25"]
    assert main([*command, "--data", str(tmp_path / "x.npy")]) == 0
    text = capsys.readouterr().out
    assert "multiply-accumulates" in text and "same choice" in text and "SQNR" in text
    assert outputs(target, {"image": HELD_OUT["images"][:2]}).shape == (2, 10)


def test_single_zeros_are_told_to_bring_nothing(tmp_path, capsys):
    graph = build(BODIES["pool"])
    value = graph.values["w"]
    value.data = np.where(np.abs(value.data) < 0.6, 0, value.data).astype(np.float32)
    linnet.save(graph, tmp_path / "m.linnet")
    none, all_ = zeros(graph)
    assert 0 < none < all_
    assert main(["prune", str(tmp_path / "m.linnet")]) == 0
    assert "no speed-up on this CPU" in capsys.readouterr().out
