"""How a reshape works on axes in another order: where it only splits and merges neighbors."""

from __future__ import annotations

from linnet import ops
from linnet.converters.rewrite import Links, before, made_up, reshape_target
from linnet.graph import Graph, Node
from linnet.types import Dim, Shape

from .moved import Moved, Perm, before_input, settled

Group = tuple[list[int], list[int]]


def reshape(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Reshape the axes in their old order, group by group, then transpose the groups."""
    moved, order = _by_groups(graph, links, node)
    return moved if moved is not None and order == tuple(range(len(order))) else None


def split_reshape(graph: Graph, links: Links, node: Node) -> Moved | None:
    """Split a transpose in two: one that orders the axes of each group, one that orders groups.

    The first stays before the reshape, the second moves behind it. A channel shuffle between two
    transposed images is such a case.
    """
    moved, order = _by_groups(graph, links, node)
    if moved is None or order == tuple(range(len(order))) or moved.perms == [None]:
        return None
    source = moved.sources[0]
    moved.changes[0] = lambda g, n: before(g, n, ops.Transpose(perm=order), [source])
    return moved


def _by_groups(graph: Graph, links: Links, node: Node) -> tuple[Moved | None, Perm]:
    """Return the reshape of grouped axes, and the order that brings the axes of a group together.

    Groups come in the order of their first axes before the transpose.
    """
    found = before_input(links, node)
    if found is None or len(node.inputs) != 1:
        return None, ()
    source, perm = found
    x, y = graph.type_of(source), graph.type_of(node.outputs[0])
    if x.quantization is not None and not x.quantization.per_tensor:
        return None, ()
    groups = grouped(tuple(x.shape[axis] for axis in perm), y.shape)
    if not groups:
        return None, ()
    groups.sort(key=lambda group: min((perm[axis] for axis in group[0]), default=-1))
    order = _with_units([perm[axis] for taken, _ in groups for axis in taken], x.shape)
    made = [axis for _, after in groups for axis in after]
    target = reshape_target(
        tuple(x.shape[axis] for axis in order), tuple(y.shape[axis] for axis in made)
    )
    if target is None:
        return None, ()
    back: Perm = tuple(made.index(axis) for axis in range(y.rank))
    return Moved(ops.Reshape(shape=target), [settled(back)], [source]), order


def _with_units(long: list[int], shape: Shape) -> Perm:
    """Return an order of all axes in which those of one keep their places."""
    rest = iter(long)
    return tuple(axis if dim == 1 else next(rest) for axis, dim in enumerate(shape))


def grouped(old_shape: Shape, new_shape: Shape) -> list[Group] | None:
    """Return which axes of a reshape become which: groups of neighbors of equal product.

    Axes of one do not count before; after, they belong to the group on their left, leading ones to
    a group of their own. None where it cannot be told.
    """
    old = [axis for axis, dim in enumerate(old_shape) if dim != 1]
    new = [axis for axis, dim in enumerate(new_shape) if dim != 1]
    if 0 in old_shape or 0 in new_shape:
        return None
    groups: list[Group] = []
    while old or new:
        group = _next(old_shape, new_shape, old, new)
        if group is None:
            return None
        groups.append(group)
    for axis, dim in enumerate(new_shape):
        if dim == 1:
            left = [group for group in groups if min(group[1]) < axis]
            if not left:
                groups.insert(0, ([], [axis]))
            else:
                left[-1][1].append(axis)
    for _, axes in groups:
        axes.sort()
    return groups


def _next(old_shape: Shape, new_shape: Shape, old: list[int], new: list[int]) -> Group | None:
    """Take the next group off the two lists of axes."""
    if not (old and new):
        return None
    took: Group = ([old.pop(0)], [new.pop(0)])
    left, right = old_shape[took[0][0]], new_shape[took[1][0]]
    if isinstance(left, str) or isinstance(right, str):
        return took if left == right and not made_up(left) else None
    while left != right:
        source, axes, side = (old_shape, old, 0) if left < right else (new_shape, new, 1)
        if not axes:
            return None
        axis = axes.pop(0)
        dim: Dim = source[axis]
        if isinstance(dim, str):
            return None
        took[side].append(axis)
        left, right = (left * dim, right) if side == 0 else (left, right * dim)
    return took
