"""Rules of operators that combine or look up rows by number, and of buckets."""

from __future__ import annotations

from collections.abc import Callable

from linnet.errors import FormatError
from linnet.ops import Bucketize, EmbeddingBag, KeyedLookup, SegmentReduce

from .node import TfliteNode

_COMBINERS = {0: "sum", 1: "mean", 2: "sqrtn"}


def segment_sum(node: TfliteNode) -> None:
    """SEGMENT_SUM: x, rising segment numbers."""
    node.emit(SegmentReduce(), [node.input(0), node.input(1)])


def _unsorted(reduction: str) -> Callable[[TfliteNode], None]:
    def convert(node: TfliteNode) -> None:
        count = node.as_int64(node.input(2))
        node.emit(SegmentReduce(reduction=reduction), [node.input(0), node.input(1), count])

    return convert


def bucketize(node: TfliteNode) -> None:
    """BUCKETIZE: constant boundaries."""
    boundaries = tuple(float(edge) for edge in node.option("Boundaries"))
    node.emit(Bucketize(boundaries=boundaries), [node.input(0)])


def embedding_lookup_sparse(node: TfliteNode) -> None:
    """EMBEDDING_LOOKUP_SPARSE: ids, indices, dense shape, weights, table."""
    number = node.option("Combiner", 0)
    if number not in _COMBINERS:
        raise FormatError(f"combiner {number}; expected one of {_COMBINERS}")
    inputs = [node.input(0), node.input(1), node.as_int64(node.input(2)), node.input(3)]
    node.emit(EmbeddingBag(combiner=_COMBINERS[number]), [*inputs, node.input(4)])


def hashtable_lookup(node: TfliteNode) -> None:
    """HASHTABLE_LOOKUP: lookups, keys, table."""
    node.emit(KeyedLookup(), [node.input(0), node.input(1), node.input(2)])


CONVERTERS = {
    "BUCKETIZE": bucketize,
    "EMBEDDING_LOOKUP_SPARSE": embedding_lookup_sparse,
    "HASHTABLE_LOOKUP": hashtable_lookup,
    "SEGMENT_SUM": segment_sum,
    "UNSORTED_SEGMENT_MAX": _unsorted("max"),
    "UNSORTED_SEGMENT_MIN": _unsorted("min"),
    "UNSORTED_SEGMENT_PROD": _unsorted("mul"),
    "UNSORTED_SEGMENT_SUM": _unsorted("add"),
}
