"""``linnet prune``: cut channels or blocks of weights that matter least."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from linnet.errors import InputError
from linnet.graph import Graph
from linnet.opening import open_graph
from linnet.sampling import samples_of
from linnet.session import Session
from linnet.types import Array

from .models import MODEL_HELP, add_input_arguments, make_feeds, write_model
from .tables import bytes_text, progress

NAME = "prune"
HELP = "Remove the channels of a float model that matter least, or say what its zeros bring."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet prune``."""
    parser.add_argument("model", help=MODEL_HELP)
    parser.add_argument("-o", "--output", help=".linnet file to write")
    parser.add_argument(
        "--channels", type=float, default=0.0, metavar="SHARE",
        help="share of all channels to remove, such as 0.25",
    )  # fmt: skip
    parser.add_argument(
        "--blocks", type=float, default=0.0, metavar="SHARE",
        help="share of the blocks of 16 outputs by 4 inputs of every matrix product to make zero",
    )  # fmt: skip
    parser.add_argument(
        "--importance", choices=("magnitude", "activation"),
        help="what a channel is judged by: its weights, or with --data (then the default) its "
        "activations",
    )  # fmt: skip
    parser.add_argument(
        "--align", type=int, default=0, metavar="N",
        help="remove the same share of every layer and keep a multiple of N channels; by default "
        "layers are timed on this machine and lose what saves most time for the least importance",
    )  # fmt: skip
    parser.add_argument(
        "--data", metavar="DATA",
        help="samples (folder, .npy or .npz): remaining weights are fitted to them, and the "
        "agreement with the model before is reported",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, help="most samples to read")
    add_input_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Prune, write, and say what came of it."""
    from linnet.converters.pruning import zeros
    from linnet.converters.pruning.blocks import prune_blocks

    graph = open_graph(options.model)
    none, all_ = zeros(graph)
    if none and not block_share(graph):
        print(
            f"{100 * none / max(all_, 1):.1f} % of the weights are zero; single zeros bring no "
            "speed-up on this CPU; whole channels (--channels) and blocks (--blocks) do"
        )
    if not options.channels and not options.blocks:
        if options.output:
            raise InputError("nothing to prune; say how much with --channels or --blocks")
        return 0
    if not options.output:
        raise InputError("no file to write; name one with -o")
    samples = None
    if options.data is not None:
        samples = samples_of(graph, options.data, options.limit)
    made, feeds = graph, make_feeds(graph, options)
    with progress("pruning") as advance:
        if options.channels:
            chosen = options.importance or ("activation" if samples is not None else "magnitude")
            shapes = None if options.align else feeds
            how = chosen, samples, options.align, advance, shapes
            made = pruned(graph, options.channels, *how)
        if options.blocks:
            made = prune_blocks(made, options.blocks)
        advance(1.0)
    write_model(made, options.output)
    before, after = macs(graph, feeds), macs(made, feeds)
    print(
        f"{options.output}: {after:,} multiply-accumulates ({before:,} before, "
        f"{100 * (after / before - 1):+.1f} %), weights {bytes_text(weight_bytes(made))} "
        f"({bytes_text(weight_bytes(graph))} before)"
    )
    if options.blocks:
        print(
            f"{100 * options.blocks:.0f} % of the blocks of matrix products are zero: kernels skip "
            "them, in float and quantized to int8"
        )
    if samples is not None:
        _report(graph, made, samples)
    return 0


def pruned(
    graph: Graph,
    share: float,
    importance: str,
    samples: Any = None,
    align: int = 0,
    progress: Callable[[float], None] = lambda share: None,
    feeds: dict[str, Array] | None = None,
) -> Graph:
    """Return a graph less a share of its channels, fitted to samples where there are any.

    Layers are timed at the shapes of ``feeds``; without them each loses the same share.
    """
    from linnet.channel_times import ChannelTimes
    from linnet.converters.pruning import prune_channels
    from linnet.converters.quantization.methods import Job

    job = None if samples is None else Job(lambda g: Session(g).run, samples, progress)
    times = None if feeds is None else ChannelTimes(graph, feeds)
    return prune_channels(graph, share, importance, job, align, times)


def block_share(graph: Graph) -> float:
    """Return the largest share of zero blocks that a weight matrix of a graph has."""
    from linnet.ops.bind_sparse import zero_blocks

    matrices = (v.data for v in graph.values.values() if v.data is not None and v.data.ndim == 2)
    return max((zero_blocks(m) for m in matrices if m.dtype.kind == "f"), default=0.0)


def macs(graph: Graph, feeds: dict[str, Array]) -> int:
    """Return the multiply-accumulates of a run."""
    plan = Session(graph, 1).plan({name: array.shape for name, array in feeds.items()})
    return sum(int(span.item.node.op.cost(span.item.types).macs) for span in plan.spans)


def weight_bytes(graph: Graph) -> int:
    """Return the bytes of a graph's constants."""
    return sum(v.type.nbytes for v in graph.values.values() if v.is_constant)


def _report(graph: Graph, made: Graph, samples: Any) -> None:
    from linnet.agreement import Agreement

    agreement, runs = Agreement(), (Session(graph).run, Session(made).run)
    for feeds in samples:
        agreement.add(runs[0](feeds), runs[1](feeds))
    summary = agreement.summary()
    for output in summary["outputs"]:
        print(f"output {output['name']}: SQNR {output['sqnr']:.2f} dB against the model before")
    if "top1_agreement" in summary and np.isfinite(summary["top1_agreement"]):
        print(f"same choice: {100 * summary['top1_agreement']:.1f} % of {summary['samples']}")
