"""How many channels of each layer to keep: what saves most time for the least importance.

Every layer begins less the share. While less than the share of the time is saved, a step takes one
layer to a lower number of channels: the one that saves the most time per importance lost. Then
channels come back that neither the count nor the time needs. Vectors make times uneven: 24 channels
may cost what 32 do, and those of the first layers more than all others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from linnet.graph import Node
from linnet.types import Array

from .channels import Channels

# The shares of a whole run's time that a node takes, given how many channels its values have left:
# one for each way to run the graph.
Times = Callable[[Node, Mapping[str, int]], Array]
# No layer loses more than so many times the share, nor more than so much.
_MOST_TIMES, _MOST = 2.0, 0.75
_STEPS = 4
# Where time does not follow, no more channels go than so many times the share.
_MORE = 1.5


@dataclass(frozen=True)
class Ranked:
    """What can be removed of one space, the least important first.

    Parameters
    ----------
    classes : ndarray of int
    scores : ndarray
        Importance of each class.
    """

    classes: Array
    scores: Array

    def loss(self, gone: int) -> float:
        """Return what removing the first classes costs: the logarithm of the power that stays."""
        power = np.square(self.scores)
        return -math.log(max(float(power[gone:].sum() / max(power.sum(), 1e-30)), 1e-9))

    def levels(self, share: float) -> list[int]:
        """Return how many classes may be removed, ascending from none.

        Examples
        --------
        >>> [Ranked(np.arange(n), np.ones(n)).levels(0.25) for n in (8, 32, 64)]
        [[0, 4], [0, 4, 8, 12, 16], [0, 16, 32]]
        """
        size = len(self.classes)
        most = min(_MOST_TIMES * share, _MOST) * size
        unit = 4 if size < 48 else 16 * max(round(most / (16 * _STEPS)), 1)
        keeps = range(size // unit * unit, 0, -unit)
        return [0, *(size - keep for keep in keeps if 0 < size - keep <= most)]


class Chooser:
    """Finds the numbers of channels to remove.

    Parameters
    ----------
    channels : Channels
    spaces : list of Ranked
    times : callable
    """

    def __init__(self, channels: Channels, spaces: list[Ranked], times: Times) -> None:
        self.classes, self.spaces, self.times = channels.classes, spaces, times
        self._nodes: list[list[Node]] = []
        for space in spaces:
            named = {n for n, c in channels.classes.items() if np.isin(c, space.classes).any()}
            nodes = channels.graph.nodes
            self._nodes.append([n for n in nodes if named & {*n.inputs, *n.outputs}])
        touched = {node.outputs[0]: node for nodes in self._nodes for node in nodes}
        self._all = list(touched.values())

    def choose(self, share: float) -> list[int]:
        """Return how many classes of each space to remove."""
        levels = [space.levels(share) for space in self.spaces]
        sizes = [len(space.classes) for space in self.spaces]
        wanted = share * sum(sizes)
        gone = [
            min(ways, key=lambda to: abs(to - share * size))
            for ways, size in zip(levels, sizes, strict=True)
        ]
        saved = self._time(self._all, [0] * len(gone)) - self._time(self._all, gone)
        while sum(gone) < wanted or (sum(gone) < _MORE * wanted and (saved < share).any()):
            slow = saved < share
            moves = [(k, to) for k, ways in enumerate(levels) for to in ways if to > gone[k]]
            times = {move: self._saved(gone, *move) for move in moves}
            worth = {
                (k, to): (time[slow].sum() if slow.any() else to - gone[k])
                / self._lost(k, gone[k], to)
                for (k, to), time in times.items()
            }
            best = max(moves, key=lambda move: worth[move], default=None)
            if best is None or (worth[best] <= 0.0 and sum(gone) >= wanted):
                break
            gone[best[0]] = best[1]
            saved = saved + times[best]
        self._give_back(levels, gone, sum(gone) - wanted, saved - np.minimum(saved, share))
        return gone

    def _give_back(
        self, levels: list[list[int]], gone: list[int], spare: float, spare_time: Array
    ) -> None:
        """Put back what neither the number of channels nor the time needs, the dearest first."""
        while True:
            moves = [(k, to) for k, ways in enumerate(levels) for to in ways if to < gone[k]]
            moves = [(k, to) for k, to in moves if gone[k] - to <= spare]
            times = {move: -self._saved(gone, *move) for move in moves}
            moves = [move for move in moves if (times[move] <= spare_time).all()]
            if not moves:
                return
            k, to = max(moves, key=lambda move: self._lost(move[0], move[1], gone[move[0]]))
            spare, spare_time = spare - (gone[k] - to), spare_time - times[k, to]
            gone[k] = to

    def _lost(self, k: int, before: int, after: int) -> float:
        """Return the importance lost if space ``k`` loses more classes."""
        return max(self.spaces[k].loss(after) - self.spaces[k].loss(before), 1e-9)

    def _saved(self, gone: list[int], k: int, to: int) -> Array:
        """Return the time saved if space ``k`` loses ``to`` classes in all; negative for fewer."""
        nodes = self._nodes[k]
        return self._time(nodes, gone) - self._time(nodes, [*gone[:k], to, *gone[k + 1 :]])

    def _time(self, nodes: list[Node], gone: list[int]) -> Array:
        """Return the time of some nodes."""
        ways = zip(self.spaces, gone, strict=True)
        removed = np.concatenate([space.classes[:count] for space, count in ways])
        parts = []
        for node in nodes:
            names = [n for n in (*node.inputs, *node.outputs) if n in self.classes]
            left = {n: int((~np.isin(self.classes[n], removed)).sum()) for n in names}
            parts.append(self.times(node, left))
        return np.asarray(np.sum(parts, axis=0))
