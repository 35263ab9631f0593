from __future__ import annotations

import numpy as np
import pytest
from paths import ROOT

import linnet
from linnet import ops
from linnet.cli import main
from linnet.converters.pruning.blocks import prune_blocks, zeroed
from linnet.errors import UnsupportedError
from linnet.graph import Graph
from linnet.kernels import _core
from linnet.ops.bind_sparse import pack, zero_blocks
from linnet.types import DType, TensorType

DIGITS = ROOT / "examples" / "digits"


def layer(rows, depth, outputs, share, conv=False):
    rng = np.random.default_rng(0)
    graph = Graph("layer")
    weights = zeroed(rng.standard_normal((outputs, depth)).astype(np.float32), share)
    bias = graph.add_constant("b", rng.standard_normal(outputs).astype(np.float32))
    if conv:
        x = graph.add_input("x", TensorType(DType.FLOAT32, (1, rows, 2, depth)))
        w = graph.add_constant("w", weights[:, None, None])
        graph.outputs = [graph.add(ops.Conv2D(clamp=(0.0, 6.0)), [x, w, bias], "y")]
    else:
        x = graph.add_input("x", TensorType(DType.FLOAT32, (rows, depth)))
        w = graph.add_constant("w", weights)
        graph.outputs = [graph.add(ops.FullyConnected(), [x, w, bias], "y")]
    feeds = {"x": rng.standard_normal(graph.type_of(x).static_shape).astype(np.float32)}
    return graph, feeds, weights


def kernels(graph, feeds, isa=""):
    plan = linnet.load(graph, threads=1, isa=isa).plan({n: a.shape for n, a in feeds.items()})
    return [name for name, _ in plan.program.steps]


@pytest.mark.parametrize("isa", _core.available_isas())
@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("size", [(7, 20, 32), (37, 33, 50), (64, 128, 96), (100, 130, 17)])
def test_sparse_equals_dense(isa, conv, size):
    graph, feeds, weights = layer(*size, 0.75, conv)
    assert kernels(graph, feeds, isa) == ["sparse_f32"]
    x = feeds["x"].reshape(-1, size[1]).astype(np.float64)
    wanted = x @ weights.T.astype(np.float64) + graph.constant("b")
    wanted = np.clip(wanted, 0.0, 6.0) if conv else wanted
    found = [linnet.load(graph, threads=t, isa=isa).run(feeds)["y"] for t in (1, 2)]
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0].reshape(wanted.shape), wanted, rtol=2e-5, atol=2e-5)


def test_nan_behind_a_row_does_not_reach_it():
    graph, feeds, _ = layer(12, 35, 32, 0.7)
    feeds["x"][1:] = np.nan
    found = linnet.load(graph).run(feeds)["y"]
    assert np.isfinite(found[0]).all()


@pytest.mark.parametrize(("rows", "share"), [(64, 0.0), (64, 0.3), (1, 0.9)])
def test_dense_runs_where_it_is_as_fast(rows, share):
    graph, feeds, _ = layer(rows, 64, 64, share)
    assert kernels(graph, feeds) == ["gemm_f32"]


def test_single_zeros_are_not_blocks():
    weights = np.ones((64, 64), np.float32)
    weights[np.random.default_rng(0).random(weights.shape) < 0.9] = 0
    assert zero_blocks(weights) < 0.02
    assert zero_blocks(zeroed(weights, 0.5)) >= 0.5


def test_packing_keeps_what_is_not_zero():
    weights = zeroed(np.random.default_rng(0).standard_normal((48, 30)).astype(np.float32), 0.5)
    packed = pack(weights)
    total = np.zeros((48, 30), np.float32)
    for panel in range(3):
        for b in range(packed.starts[panel], packed.starts[panel + 1]):
            k = packed.places[b]
            total[16 * panel : 16 * panel + 16, k : k + 4] += packed.blocks[b].T
    np.testing.assert_array_equal(total, weights)


def test_blocks_of_least_norm_go():
    weights = np.ones((32, 8), np.float32)
    weights[:16, :4] = 0.1
    made = zeroed(weights, 0.25)
    assert not made[:16, :4].any() and (made == 1).sum() == 32 * 8 - 64


def test_a_model_is_pruned_layer_by_layer():
    graph = linnet.convert(DIGITS / "vit_float.onnx")
    made = prune_blocks(graph, 0.7)
    shares = [
        zero_blocks(made.constant(n.inputs[1]))
        for n in made.nodes
        if isinstance(n.op, ops.FullyConnected)
    ]
    assert sum(share >= 0.65 for share in shares) >= 12
    images = np.load(DIGITS / "heldout.npz")["images"][:1]
    assert "sparse_f32" in kernels(made, {"image": images})


def test_too_small_models_and_wrong_shares_are_refused():
    with pytest.raises(UnsupportedError, match="expected from 0"):
        prune_blocks(Graph("g"), 1.5)
    with pytest.raises(UnsupportedError, match="no matrix product"):
        prune_blocks(Graph("g"), 0.5)


def test_the_command_prunes_blocks(tmp_path, capsys):
    target = tmp_path / "m.linnet"
    command = ["prune", str(DIGITS / "vit_float.onnx"), "-o", str(target), "--blocks", "0.7"]
    assert main(command) == 0
    assert "blocks" in capsys.readouterr().out
    assert linnet.load(target).outputs[0].name == "logits"
