"""Hash tables of TFLite between integers and texts, against LiteRT."""

import struct

import numpy as np
import pytest

import linnet
from linnet.converters.importer import import_model
from linnet.errors import UnsupportedError
from tests.converters.test_tflite_control import subgraph
from tests.converters.texts import decoded, encoded
from tests.converters.tflite_builder import Operator
from tests.converters.tflite_reference import litert

WORDS = ["cat", "", "dog", "hörse"]
TYPES = {"int64": 4, "string": 5}


def stored(texts):
    """Return the bytes of a constant of texts."""
    data = [text.encode() for text in texts]
    ends = np.cumsum([8 + 4 * len(data), *map(len, data)])
    return struct.pack(f"<{len(data) + 2}i", len(data), *ends) + b"".join(data)


def words_first(keys):
    """Return kinds and contents of keys, values and default: texts to integers, or back."""
    integers = ("int64", np.array(keys, np.int64), np.array(-7, np.int64))
    texts = ("string", stored(WORDS), stored(["?"]))
    return {"words": (texts, integers), "integers": (integers, texts)}


def table_model(kind, keys=(5, 2, 9, 7)):
    """y = table[x], z = how many there are; x is cut from a longer list where it holds words."""
    (key, keys_, _), (value, values, default) = words_first(keys)[kind]
    options = {"TableId": 3, "KeyDtype": TYPES[key], "ValueDtype": TYPES[value]}
    made = Operator("HASHTABLE", [], [0], options, "HashtableOptions")
    main = subgraph(
        "main",
        [("table", "resource", (1,)), ("x", key, (2, 3)), ("default", value, (), default),
         ("y", value, (2, 3)), ("z", "int64", (1,))],
        [Operator("CALL_ONCE", [], [], {"InitSubgraphIndex": 1}, "CallOnceOptions"), made,
         Operator("HASHTABLE_FIND", [0, 1, 2], [3], {}, "HashtableFindOptions"),
         Operator("HASHTABLE_SIZE", [0], [4], {}, "HashtableSizeOptions")], [1], [3, 4],
    )  # fmt: skip
    main.others.append(
        subgraph(
            "init",
            [("table", "resource", (1,)), ("k", key, (4,), keys_), ("v", value, (4,), values)],
            [made, Operator("HASHTABLE_IMPORT", [0, 1, 2], [], {}, "HashtableImportOptions")],
            [], [],
        )
    )  # fmt: skip
    return main.build()


CASES = {
    "words": (("words",), [["dog", "fish", ""], ["hörse", "cat", "?"]]),
    "integers": (("integers",), [[9, 2, 8], [5, -1, 2**40]]),
    "integers far apart": (("integers", (5, 2**62, -(2**63), 7)), [[2**62, 6, 7], [-1, 5, 2]]),
}


@pytest.mark.parametrize("name", CASES)
def test_looks_up_like_litert(name):
    arguments, given = CASES[name]
    model = table_model(*arguments)
    is_text = arguments[0] == "words"
    feed = np.array(given, np.object_ if is_text else np.int64)
    wanted, count = litert(model, {"x": feed})
    graph = linnet.convert(model)
    found = linnet.load(graph, threads=1).run({"x": encoded(graph, "x", feed)})
    got = decoded(graph, "y", found["y"])
    if wanted.dtype == np.object_:
        wanted = np.array([t.decode() for t in wanted.reshape(-1)]).reshape(wanted.shape)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(found["z"], count)


def test_a_table_that_nothing_fills_is_refused():
    main = subgraph(
        "main",
        [("table", "resource", (1,)), ("z", "int64", (1,))],
        [Operator("HASHTABLE", [], [0], {"TableId": 1}, "HashtableOptions"),
         Operator("HASHTABLE_SIZE", [0], [1], {}, "HashtableSizeOptions")], [], [1],
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="no HASHTABLE_IMPORT fills"):
        import_model(main.build())


def test_texts_are_not_computed_with():
    main = subgraph(
        "main", [("x", "string", (2,)), ("y", "bool", (2,))],
        [Operator("EQUAL", [0, 0], [1], {}, "EqualOptions")], [0], [1],
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="reads texts"):
        import_model(main.build())
