"""What the rules about transposes share: orders of axes, and a node without its transposes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from linnet import ops
from linnet.converters.rewrite import Links
from linnet.graph import Graph, Node
from linnet.ops import Op

Perm = tuple[int, ...]
Change = Callable[[Graph, Node], str]


@dataclass(slots=True)
class Moved:
    """A node without the transposes before it.

    Parameters
    ----------
    op : Op
    perms : list of Perm or None
        Per output the order of axes that restores it; None where it is already right.
    sources : list of str
        Inputs, where a change has none.
    changes : dict of int to callable
        Inputs that must be made anew (permuted constants), by index.
    """

    op: Op
    perms: list[Perm | None]
    sources: list[str]
    changes: dict[int, Change] = field(default_factory=dict)

    def inputs(self, graph: Graph, node: Node) -> list[str]:
        """Return the inputs, making those anew that change."""
        return [
            self.changes[i](graph, node) if i in self.changes else name
            for i, name in enumerate(self.sources)
        ]


def compose(first: Perm, second: Perm) -> Perm:
    """Return the order of one transpose after another."""
    return tuple(first[axis] for axis in second)


def inverse(perm: Perm) -> Perm:
    """Return the order that undoes a transpose."""
    return tuple(perm.index(axis) for axis in range(len(perm)))


def settled(perm: Perm) -> Perm | None:
    """Return the order, None where it changes nothing."""
    return None if perm == tuple(range(len(perm))) else perm


def dropped(perm: Perm, axes: Perm) -> Perm:
    """Return the order of what is left when output ``axes`` are removed on both sides."""
    gone = sorted(perm[a] for a in axes)
    kept = [perm[i] for i in range(len(perm)) if i not in axes]
    return tuple(axis - sum(g < axis for g in gone) for axis in kept)


def before_input(links: Links, node: Node, index: int = 0) -> tuple[str, Perm] | None:
    """Return what the transpose before an input reads, and its order."""
    maker = links.maker(node.inputs[index], ops.Transpose)
    if maker is None or not isinstance(maker.op, ops.Transpose):
        return None
    return maker.inputs[0], maker.op.perm
