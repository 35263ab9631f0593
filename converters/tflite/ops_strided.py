"""The rule of STRIDED_SLICE: NumPy's basic indexing, packed into five bit masks."""

from __future__ import annotations

from dataclasses import dataclass, field

from linnet.errors import FormatError, UnsupportedError
from linnet.ops import Op, Slice, Squeeze, Unsqueeze

from .node import TfliteNode

_END = (1 << 63) - 1


@dataclass
class _Index:
    """What the masks say, per axis of the input, then which axes go and come."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    inserted: list[int] = field(default_factory=list)

    def take(self, start: int | None, end: int | None, step: int) -> None:
        """Add a range of the next axis; None means as far as possible."""
        first, last = (0, _END) if step > 0 else (_END, -_END)
        self.starts.append(first if start is None else start)
        self.ends.append(last if end is None else end)
        self.steps.append(step)

    def pick(self, index: int) -> None:
        """Add one entry of the next axis, which is removed."""
        self.removed.append(len(self.starts))
        self.take(index, index + 1 if index != -1 else None, 1)

    @property
    def output_axis(self) -> int:
        """Number of output axes so far."""
        return len(self.starts) - len(self.removed) + len(self.inserted)


def strided_slice(node: TfliteNode) -> None:
    """STRIDED_SLICE: x, begin, end, strides and masks."""
    begin, end = node.integers(1, "begin"), node.integers(2, "end")
    steps = node.integers(3, "strides")
    if not len(begin) == len(end) == len(steps) or 0 in steps:
        raise FormatError(f"begin {begin}, end {end} and strides {steps}; expected equal lengths")
    if node.option("Offset", False):
        raise UnsupportedError("end counted from begin (offset)")
    index = _decode(node, begin, end, steps)
    ops: list[Op] = [
        Slice(starts=tuple(index.starts), ends=tuple(index.ends), steps=tuple(index.steps))
    ]
    if index.removed:
        ops.append(Squeeze(axes=tuple(index.removed)))
    if index.inserted:
        ops.append(Unsqueeze(axes=tuple(index.inserted)))
    value = node.input(0)
    for op in ops[:-1]:
        value = node.step(op, [value], type(op).__name__.lower())
    node.emit(ops[-1], [value])


def _decode(
    node: TfliteNode, begin: tuple[int, ...], end: tuple[int, ...], steps: tuple[int, ...]
) -> _Index:
    masks = {
        name: int(node.option(f"{name}Mask", 0))
        for name in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")
    }
    rank, found = node.type(0).rank, _Index()
    for i, step in enumerate(steps):
        bit = 1 << i
        if masks["Ellipsis"] & bit:
            later = [j for j in range(i + 1, len(steps)) if not masks["NewAxis"] >> j & 1]
            while len(found.starts) < rank - len(later):
                found.take(None, None, 1)
        elif masks["NewAxis"] & bit:
            found.inserted.append(found.output_axis)
        elif masks["ShrinkAxis"] & bit:
            found.pick(begin[i])
        else:
            start = None if masks["Begin"] & bit else begin[i]
            found.take(start, None if masks["End"] & bit else end[i], step)
    if len(found.starts) > rank:
        raise FormatError(f"{len(found.starts)} ranges for an input of rank {rank}")
    return found


CONVERTERS = {"STRIDED_SLICE": strided_slice}
