"""Which numbers of channels are chosen, by made-up times."""

from __future__ import annotations

import numpy as np
import pytest

from linnet import ops
from linnet.channel_times import ChannelTimes
from linnet.commands.prune import pruned
from linnet.converters.pruning.channels import Channels
from linnet.converters.pruning.counts import Chooser, Ranked
from linnet.graph import Graph
from linnet.types import DType, TensorType


def chain(*widths):
    """Convolutions one after the other: the last one's channels stay."""
    rng = np.random.default_rng(0)
    graph = Graph("chain")
    y = graph.add_input("x", TensorType(DType.FLOAT32, (1, 6, 6, 3)))
    for index, (before, after) in enumerate(zip((3, *widths), (*widths, 5), strict=True)):
        w = rng.standard_normal((after, 1, 1, before)).astype(np.float32)
        y = graph.add(ops.Conv2D(), [y, graph.add_constant(f"w{index}", w)], f"y{index}")
    graph.outputs = [y]
    return graph


def choose(graph, times, share=0.25, scores=None):
    channels = Channels(graph)
    spaces = [space.classes for space in channels.spaces()]
    scores = scores or [np.ones(len(classes)) for classes in spaces]
    ranked = [Ranked(*pair) for pair in zip(spaces, scores, strict=True)]
    return Chooser(channels, ranked, times).choose(share)


def by_vectors(node, left):
    """The time of a node, as if 16 channels were computed at a time."""
    return np.array([-(-left[node.outputs[0]] // 16) * 0.15])


def test_no_layer_is_cut_to_where_nothing_is_saved():
    assert choose(chain(24, 64), by_vectors, share=0.2) == [8, 16]


def test_the_dear_layer_is_cut_where_others_cost_nothing():
    def times(node, left):
        return np.array([left["y1"] / 128 if node.outputs[0] == "y1" else 0.0])

    assert choose(chain(64, 64), times) == [0, 32]


def test_channels_of_no_importance_go_first():
    scores = [np.ones(64), np.concatenate([np.zeros(32), np.ones(32)])]
    assert choose(chain(64, 64), by_vectors, share=0.3, scores=scores) == [16, 32]


def test_what_is_not_needed_is_given_back():
    # Cutting y0 by a step saves the most for its importance; cutting y1 by two is enough alone.
    def times(node, left):
        slow = {"y0": 0.12 * (left["y0"] > 48), "y1": 0.25 * (left.get("y1", 0) > 32)}
        return np.array([slow.get(node.outputs[0], 0.0)])

    assert choose(chain(64, 64), lambda node, left: times(node, {"y0": 0, **left})) == [0, 32]


def test_times_that_nothing_lowers_end_the_search():
    gone = choose(chain(64, 64), lambda node, left: np.array([0.5]))
    assert 32 <= sum(gone) <= 48


def test_layers_are_timed_in_float_and_int8():
    graph = chain(16, 16)
    feeds = {"x": np.random.default_rng(1).standard_normal((1, 6, 6, 3)).astype(np.float32)}
    times = ChannelTimes(graph, feeds)
    node = graph.nodes[1]
    whole, cut = times(node, {"y0": 16, "y1": 16}), times(node, {"y0": 8, "y1": 8})
    assert whole.shape == cut.shape == (2,)
    assert (cut > 0).all() and (whole > 0).all() and (whole < 1).all()
    known = times(node, {"y0": 8, "y1": 8})
    np.testing.assert_array_equal(known, cut)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_timed_model_loses_the_share(share):
    graph = chain(32, 32)
    feeds = {"x": np.zeros((1, 6, 6, 3), np.float32)}
    made = pruned(graph, share, "magnitude", feeds=feeds)
    widths = [made.type_of(f"y{k}").shape[-1] for k in range(2)]
    assert sum(widths) <= (1 - share) * 64 and made.type_of("y2").shape[-1] == 5
