"""Rules of hash tables between integers and texts, which are places in a list."""

from __future__ import annotations

import numpy as np

from linnet.converters import lookup
from linnet.errors import FormatError, UnsupportedError
from linnet.ops import Identity, Op
from linnet.types import Array, DType

from .node import TfliteNode


def hashtable(node: TfliteNode) -> None:
    """HASHTABLE: the table of a number."""
    if node.output_count != 1:
        raise FormatError(f"HASHTABLE node {node.operator.index} has no output")
    name = f"table {int(node.option('TableId', 0))}"
    node.importer.resources.handle(node.operator.outputs[0], name)


def hashtable_import(node: TfliteNode) -> None:
    """HASHTABLE_IMPORT: constant keys and values; a table that has some keeps them."""
    keys, values = (node.constant(i, "keys and values") for i in (1, 2))
    if keys.size != values.size:
        raise FormatError(f"{keys.size} keys and {values.size} values")
    tables = node.importer.resources.tables
    tables.setdefault(_name(node), (keys.reshape(-1), values.reshape(-1)))


def hashtable_find(node: TfliteNode) -> None:
    """HASHTABLE_FIND: the key's value, or the default."""
    keys, values = _table(node)
    default = node.constant(2, "the default value").reshape(-1)[:1].reshape(())
    x, rank = node.input(1), node.type(1).rank
    if not keys.size:
        keys, values = np.zeros(1, np.int64), default.reshape(1)

    def emit(op: Op, *inputs: str) -> str:
        return node.step(op, inputs, "found")

    def constant(array: Array) -> str:
        return node.array(array, "entries")

    if node.type(1).dtype is not DType.INT64:
        raise UnsupportedError(f"keys of {node.type(1)}; tables have int64 and texts")
    if lookup.is_dense(keys):
        found = lookup.by_place(emit, constant, x, keys, values, default)
    else:
        same = lookup.match(emit, constant, x, rank, keys)
        found = lookup.by_match(emit, constant, same, values, default)
    node.emit(Identity(), [found])


def hashtable_size(node: TfliteNode) -> None:
    """HASHTABLE_SIZE: how many keys there are."""
    node.emit_constant(np.array([len(np.unique(_table(node)[0]))], np.int64))


def _name(node: TfliteNode) -> str:
    name = node.importer.resources.name(node.operator.inputs[0]) if node.has(0) else ""
    if not name:
        raise FormatError(f"{node.operator.kind} node {node.operator.index} reads no table")
    return name


def _table(node: TfliteNode) -> tuple[Array, Array]:
    """Return keys and values.

    Raises
    ------
    UnsupportedError
        If nothing has set them.
    """
    found = node.importer.resources.tables.get(_name(node))
    if found is None:
        raise UnsupportedError("a table that no HASHTABLE_IMPORT fills before")
    return found


CONVERTERS = {
    "HASHTABLE": hashtable,
    "HASHTABLE_FIND": hashtable_find,
    "HASHTABLE_IMPORT": hashtable_import,
    "HASHTABLE_SIZE": hashtable_size,
}
