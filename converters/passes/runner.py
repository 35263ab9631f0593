"""The pass runner: declared order, cleanups between passes, validation after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linnet.errors import GraphError
from linnet.graph import Graph
from linnet.ops import Late

from .activations import fuse_activations
from .affine import fold_affine, split_batch_normalization
from .attention import fuse_attention, group_heads, take_in_transposes
from .branches import take_branches
from .composites import fuse_composites
from .flattened import permute_flattened_weights
from .fold import fold_constants
from .fourier import multiply_spectra
from .grown import stack_grown
from .linear import fuse_linear
from .lists import update_lists
from .noop import remove_noops
from .pads import fuse_pads
from .qdq import fuse_quantization
from .reshapes import merge_views, sink_views
from .rotary import fuse_rotary
from .shapes import renew_shapes, resolve_shapes
from .share import share_constants, share_nodes
from .shuffled import order_shuffled_channels
from .transposes import flatten_transposes, sink_transposes
from .unsigned import unsigned_to_int8

_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Pass:
    """A rewrite of a graph in place.

    Parameters
    ----------
    name : str
    run : callable
        Takes the graph, returns how many changes it made.
    after : tuple of str
        Passes that must have run before.
    """

    name: str
    run: Callable[[Graph], int]
    after: tuple[str, ...] = ()


CLEANUPS: tuple[Pass, ...] = (
    Pass("fold", fold_constants),
    Pass("shapes", resolve_shapes),
    Pass("branches", take_branches),
    Pass("noop", remove_noops),
    Pass("share", share_nodes),
    Pass("views", merge_views),
    Pass("prune", Graph.prune),
)
PASSES: tuple[Pass, ...] = (
    Pass("lists", update_lists),
    Pass("grown", stack_grown),
    Pass("fourier", multiply_spectra),
    Pass("unsigned", unsigned_to_int8),
    Pass("batchnorm", split_batch_normalization),
    Pass("transposes", sink_transposes, after=("batchnorm",)),
    Pass("affine", fold_affine, after=("transposes",)),
    Pass("pads", fuse_pads, after=("transposes",)),
    Pass("sink-views", sink_views, after=("transposes",)),
    Pass("composites", fuse_composites, after=("affine",)),
    Pass("attention", fuse_attention, after=("transposes",)),
    Pass("rotary", fuse_rotary, after=("transposes",)),
    Pass("attention-groups", group_heads, after=("attention",)),
    Pass("attention-transposes", sink_transposes, after=("attention-groups", "rotary")),
    Pass("attention-heads", take_in_transposes, after=("attention-transposes",)),
    Pass("activations", fuse_activations, after=("composites", "sink-views")),
    Pass("linear", fuse_linear, after=("composites", "activations")),
    Pass("qdq", fuse_quantization, after=("unsigned", "activations")),
    Pass("quantized-transposes", sink_transposes, after=("qdq",)),
    Pass("quantized-pads", fuse_pads, after=("quantized-transposes",)),
    Pass("quantized-activations", fuse_activations, after=("quantized-transposes",)),
    Pass("flattened", permute_flattened_weights, after=("quantized-transposes",)),
    Pass("shuffled", order_shuffled_channels, after=("quantized-activations",)),
    Pass("quantized-moves", fuse_quantization, after=("quantized-pads", "shuffled", "flattened")),
    Pass("unit-transposes", flatten_transposes, after=("quantized-moves",)),
    Pass("constants", share_constants, after=("unit-transposes",)),
    Pass("known-shapes", renew_shapes),
)


def simplify(graph: Graph, passes: Sequence[Pass] = PASSES) -> dict[str, int]:
    """Run passes in order, cleanups to a fixed point between them; validate after each.

    Nested graphs come first, each as a graph of its own.

    Parameters
    ----------
    graph : Graph
        Changed in place.
    passes : sequence of Pass

    Returns
    -------
    dict of str to int
        Changes made by each pass.

    Raises
    ------
    GraphError
        If the order breaks a pass's ``after``, or a pass breaks the graph; the message names it.
    """
    check_order(passes)
    made = {p.name: 0 for p in (*CLEANUPS, *passes)}
    for node in graph.nodes:
        # The body of a Late is one op with stand-ins for what a run tells.
        for body in () if isinstance(node.op, Late) else node.op.bodies:
            if isinstance(body, Graph):
                for name, changes in simplify(body, passes).items():
                    made[name] += changes
    _clean(graph, made)
    for step in passes:
        changes = step.run(graph)
        made[step.name] += changes
        if changes:
            _validate(graph, step)
            _clean(graph, made)
    return made


def check_order(passes: Sequence[Pass]) -> None:
    """Check that every pass comes after those it names.

    Raises
    ------
    GraphError
        With every pass that comes too early.
    """
    seen: set[str] = set()
    problems = []
    for step in passes:
        early = [name for name in step.after if name not in seen]
        if early:
            problems.append(f"pass '{step.name}' must come after {', '.join(early)}")
        seen.add(step.name)
    if problems:
        raise GraphError(problems)


def _clean(graph: Graph, made: dict[str, int]) -> None:
    for _ in range(_ROUNDS):
        total = 0
        for step in CLEANUPS:
            changes = step.run(graph)
            made[step.name] += changes
            if changes:
                _validate(graph, step)
            total += changes
        if not total:
            return
    raise GraphError(f"cleanups still change the graph after {_ROUNDS} rounds")


def _validate(graph: Graph, step: Pass) -> None:
    try:
        graph.validate()
    except GraphError as error:
        raise GraphError([f"after pass '{step.name}': {p}" for p in error.problems]) from error
