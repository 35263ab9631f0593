"""Samples for a model: arrays as they are, images by the model's own preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .graph import Graph
from .preprocessing import check_feeds, feeds_of

if TYPE_CHECKING:
    from .converters.quantization import Samples


def samples_of(graph: Graph, data: Any, limit: int | None = None) -> Samples:
    """Return samples of any source; see `linnet.converters.quantization.Samples`.

    Images are prepared as the model records; arrays that contradict the record are refused.

    Parameters
    ----------
    graph : Graph
    data : path, ndarray, mapping, iterable or Samples
    limit : int, optional
        Most samples to read.
    """
    from .converters.quantization import Samples

    if isinstance(data, Samples):
        return data
    return Samples(
        data,
        graph,
        decode=lambda path: feeds_of(graph, path),
        limit=limit,
        check=lambda feeds: check_feeds(graph, feeds),
    )
