"""Typed records of the header: what msgspec encodes, decodes and type-checks.

Annotations are no strings here: msgspec would compile each of them when it is imported.
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from linnet.types import DType

from .layout import MAX_GRAPHS, MAX_NODE_VALUES, MAX_RANK

Natural = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Text = Annotated[str, Meta(min_length=1)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
# -1 is an optional input that is absent, or an output that nobody reads.
Reference = Annotated[int, Meta(ge=-1, le=(1 << 63) - 1)]
References = Annotated[tuple[Reference, ...], Meta(max_length=MAX_NODE_VALUES)]
Indices = Annotated[tuple[Natural, ...], Meta(max_length=MAX_NODE_VALUES)]
NO_ATTRIBUTES = Raw(b"\x80")


class Section(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One tensor section: where its bytes are, counted from the first section's start."""

    offset: Natural
    size: Natural
    sha256: Digest


class QuantizationRecord(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """Scales as float32 and zero points as int32, both little-endian bytes.

    ``zero_point`` is absent where all are zero, ``axis`` where one pair serves the whole tensor.
    """

    scale: Annotated[bytes, Meta(min_length=4)]
    zero_point: Annotated[bytes, Meta(min_length=4)] | None = None
    axis: Annotated[int, Meta(ge=0, lt=MAX_RANK)] | None = None


class ValueRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One value; a constant has the index of the section with its content.

    ``layout`` says in which order the content is stored, since revision 2; C order where absent.
    """

    name: Text
    dtype: DType
    shape: Annotated[tuple[Natural | Text, ...], Meta(max_length=MAX_RANK)] = ()
    quantization: QuantizationRecord | None = None
    section: Natural | None = None
    layout: Literal["panels"] | None = None


class NodeRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One node; its name is absent where it is its first output's.

    ``attributes`` is a map of those that differ from the op's defaults.
    """

    op: Text
    inputs: References = ()
    outputs: References = ()
    name: str | None = None
    attributes: Raw = NO_ATTRIBUTES


class StateRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A graph input and the graph output that it becomes after a run; without initial: zeros."""

    input: Natural
    output: Natural
    initial: Natural | None = None


class GraphRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A nested graph, which an attribute of an op in a graph before it refers to."""

    name: str
    inputs: Indices
    outputs: Indices
    values: tuple[ValueRecord, ...]
    nodes: tuple[NodeRecord, ...]


class Header(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The header; ``states`` and ``graphs`` since revision 2.

    ``preprocessing``, ``vectors`` and ``signature`` are names reserved for later revisions.
    """

    name: str
    inputs: Indices
    outputs: Indices
    values: tuple[ValueRecord, ...]
    nodes: tuple[NodeRecord, ...]
    sections: tuple[Section, ...]
    metadata: dict[str, str] = {}
    preprocessing: None = None
    vectors: None = None
    signature: None = None
    states: Annotated[tuple[StateRecord, ...], Meta(max_length=MAX_NODE_VALUES)] = ()
    graphs: Annotated[tuple[GraphRecord, ...], Meta(max_length=MAX_GRAPHS)] = ()
