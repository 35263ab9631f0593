"""Variables, recurrence and branches inside the subgraphs of TFLite models, against LiteRT."""

import numpy as np
import pytest

import linnet
from linnet.converters.importer import import_model
from linnet.errors import UnsupportedError
from linnet.ops import If
from linnet.types import Quantization
from tests.converters.test_tflite_control import subgraph
from tests.converters.tflite_builder import Operator
from tests.converters.tflite_reference import litert_runs

HANDLE = {"SharedName": "total", "Container": ""}


def handle(index):
    return Operator("VAR_HANDLE", [], [index], HANDLE, "VarHandleOptions")


def read(source, index):
    return Operator("READ_VARIABLE", [source], [index], {}, "ReadVariableOptions")


def assign(source, index):
    return Operator("ASSIGN_VARIABLE", [source, index], [], {}, "AssignVariableOptions")


def add(left, right, index):
    return Operator("ADD", [left, right], [index], {}, "AddOptions")


ROW = ("float32", (3,))
CONDITION = {"ThenSubgraphIndex": 1, "ElseSubgraphIndex": 2}
LOOP = {"CondSubgraphIndex": 1, "BodySubgraphIndex": 2}
INIT = subgraph(
    "init",
    [("handle", "resource", ()), ("content", *ROW, np.array([5, 0, -5], np.float32))],
    [handle(0), assign(0, 1)], [], [],
)  # fmt: skip


def gated_sum():
    """Where the flag says so: total += x, y = total; else y = total."""
    main = subgraph(
        "main", [("flag", "bool", ()), ("x", *ROW), ("y", *ROW)],
        [Operator("CALL_ONCE", [], [], {"InitSubgraphIndex": 3}, "CallOnceOptions"),
         Operator("IF", [0, 1], [2], CONDITION, "IfOptions")], [0, 1], [2],
    )  # fmt: skip
    kinds = [("x", *ROW), ("handle", "resource", ()), ("before", *ROW), ("after", *ROW)]
    main.others += [
        subgraph("then", kinds, [handle(1), read(1, 2), add(2, 0, 3), assign(1, 3)], [0], [3]),
        subgraph("else", kinds[:3], [handle(1), read(1, 2)], [0], [2]),
        INIT,
    ]
    return main.build()


def counted_sum():
    """While n > 0: n -= 1, total += x; y = total. The handle is a value of the loop."""
    main = subgraph(
        "main",
        [("n", "int32", ()), ("x", *ROW), ("handle", "resource", ()), ("m", "int32", ()),
         ("z", *ROW), ("same", "resource", ()), ("y", *ROW)],
        [Operator("CALL_ONCE", [], [], {"InitSubgraphIndex": 3}, "CallOnceOptions"), handle(2),
         Operator("WHILE", [0, 1, 2], [3, 4, 5], LOOP, "WhileOptions"), read(5, 6)], [0, 1], [6],
    )  # fmt: skip
    kinds = [("n", "int32", ()), ("x", *ROW), ("handle", "resource", ())]
    main.others += [
        subgraph("condition", [*kinds, ("zero", "int32", (), np.int32(0)), ("more", "bool", ())],
                 [Operator("GREATER", [0, 3], [4], {}, "GreaterOptions")], [0, 1, 2], [4]),
        subgraph("body", [*kinds, ("one", "int32", (), np.int32(1)), ("m", "int32", ()),
                          ("before", *ROW), ("after", *ROW)],
                 [Operator("SUB", [0, 3], [4], {}, "SubOptions"), read(2, 5), add(5, 1, 6),
                  assign(2, 6)], [0, 1, 2], [4, 1, 2]),
        INIT,
    ]  # fmt: skip
    return main.build()


def nested_branches():
    """y = -x where both flags; x * x where the first alone; else |x|."""
    flags = [("a", "bool", ()), ("b", "bool", ()), ("x", *ROW), ("y", *ROW)]
    main = subgraph("main", flags, [Operator("IF", [0, 1, 2], [3], CONDITION, "IfOptions")],
                    [0, 1, 2], [3])  # fmt: skip
    inner = {"ThenSubgraphIndex": 3, "ElseSubgraphIndex": 4}
    rows = [("x", *ROW), ("y", *ROW)]
    main.others += [
        subgraph("then", flags[1:], [Operator("IF", [0, 1], [2], inner, "IfOptions")], [0, 1], [2]),
        subgraph("else", flags[1:], [Operator("ABS", [1], [2])], [0, 1], [2]),
        subgraph("negate", rows, [Operator("NEG", [0], [1])], [0], [1]),
        subgraph("square", rows, [Operator("MUL", [0, 0], [1], {}, "MulOptions")], [0], [1]),
    ]
    return main.build()


def recurrent_loop():
    """While n > 0: n -= 1, x = rnn(x); the cell's state lies in the body."""
    random = np.random.default_rng(4)
    sized = [("n", "int32", ()), ("x", "float32", (1, 3)), ("m", "int32", ()),
             ("y", "float32", (1, 3))]  # fmt: skip
    main = subgraph("main", sized, [Operator("WHILE", [0, 1], [2, 3], LOOP, "WhileOptions")],
                    [0, 1], [2, 3])  # fmt: skip
    body = subgraph(
        "body",
        [*sized, ("one", "int32", (), np.int32(1)),
         *((name, "float32", shape, random.normal(0, 0.5, shape).astype(np.float32))
           for name, shape in (("w", (3, 3)), ("r", (3, 3)), ("b", (3,))))],
        [Operator("SUB", [0, 4], [2], {}, "SubOptions"),
         Operator("RNN", [1, 5, 6, 7, 8], [3], {"FusedActivationFunction": 4}, "RNNOptions")],
        [0, 1], [2, 3],
    )  # fmt: skip
    body.add("h", "float32", (1, 3), is_variable=True)
    condition = subgraph(
        "condition", [*sized[:2], ("zero", "int32", (), np.int32(0)), ("more", "bool", ())],
        [Operator("GREATER", [0, 2], [3], {}, "GreaterOptions")], [0, 1], [3],
    )  # fmt: skip
    main.others += [condition, body]
    return main.build()


def recurrent_branch():
    """y = rnn(x) where the flag says so, else -x."""
    random = np.random.default_rng(6)
    sized = [("x", "float32", (1, 3)), ("y", "float32", (1, 3))]
    main = subgraph("main", [("flag", "bool", ()), *sized],
                    [Operator("IF", [0, 1], [2], CONDITION, "IfOptions")], [0, 1], [2])  # fmt: skip
    parts = (("w", (3, 3)), ("r", (3, 3)), ("b", (3,)))
    made = [(n, "float32", s, random.normal(0, 0.5, s).astype(np.float32)) for n, s in parts]
    then = subgraph("then", [*sized, *made], [
        Operator("RNN", [0, 2, 3, 4, 5], [1], {"FusedActivationFunction": 4}, "RNNOptions"),
    ], [0], [1])  # fmt: skip
    then.add("h", "float32", (1, 3), is_variable=True)
    main.others += [then, subgraph("else", sized, [Operator("NEG", [0], [1])], [0], [1])]
    return main.build()


def unsigned_loop():
    """While n > 0: n -= 1, x = w x; y = x + x where the flag says so, else x: all in uint8."""
    q, random = Quantization(0.05, 131), np.random.default_rng(8)
    stored = ("uint8", (1, 3), None, q)
    pair = [("n", "int32", ()), ("x", *stored)]
    main = subgraph(
        "main",
        [*pair, ("flag", "bool", ()), ("m", "int32", ()), ("z", *stored), ("y", *stored)],
        [Operator("WHILE", [0, 1], [3, 4], LOOP, "WhileOptions"),
         Operator("IF", [2, 4], [5], {"ThenSubgraphIndex": 3, "ElseSubgraphIndex": 4},
                  "IfOptions")],
        [0, 1, 2], [3, 5],
    )  # fmt: skip
    content = random.integers(0, 256, (3, 3)).astype(np.uint8)
    row = [("x", *stored), ("y", *stored)]
    main.others += [
        subgraph("condition", [*pair, ("zero", "int32", (), np.int32(0)), ("more", "bool", ())],
                 [Operator("GREATER", [0, 2], [3], {}, "GreaterOptions")], [0, 1], [3]),
        subgraph("body", [*pair, ("one", "int32", (), np.int32(1)), ("m", "int32", ()),
                          ("w", "uint8", (3, 3), content, Quantization(0.005, 120)),
                          ("y", *stored)],
                 [Operator("SUB", [0, 2], [3], {}, "SubOptions"),
                  Operator("FULLY_CONNECTED", [1, 4, -1], [5], {}, "FullyConnectedOptions")],
                 [0, 1], [3, 5]),
        subgraph("then", row, [Operator("ADD", [0, 0], [1], {}, "AddOptions")], [0], [1]),
        subgraph("else", row[:1], [], [0], [0]),
    ]  # fmt: skip
    return main.build()


def rows(*shape):
    return np.random.default_rng(9).normal(0, 1, shape).astype(np.float32)


X = rows(3)
CASES = {
    "variable in a branch": (gated_sum, [{"flag": np.array(f), "x": X} for f in (1, 0, 1, 0)]),
    "variable in a loop": (counted_sum, [{"n": np.array(n), "x": X} for n in (3, 0, 2)]),
    "branch in a branch": (
        nested_branches,
        [{"a": np.array(a), "b": np.array(b), "x": X} for a in (0, 1) for b in (0, 1)],
    ),
    "recurrence in a branch": (
        recurrent_branch,
        [{"flag": np.array(f), "x": rows(1, 3)} for f in (1, 1, 0, 1)],
    ),
    "uint8 in a loop and a branch": (
        unsigned_loop,
        [
            {"n": np.array(n), "x": np.array([[9, 250, 140]]), "flag": np.array(n % 2)}
            for n in (3, 0, 2, 1)
        ],
    ),
    "recurrence in a loop": (recurrent_loop, [{"n": np.array(n), "x": rows(1, 3)} for n in (3, 2)]),
}


@pytest.mark.parametrize("name", CASES)
def test_runs_like_litert(name, tmp_path):
    build, feeds = CASES[name]
    model = build()
    kinds = {"n": np.int32, "x": np.uint8 if name.startswith("uint8") else np.float32}
    feeds = [{k: v.astype(kinds.get(k, bool)) for k, v in feed.items()} for feed in feeds]
    linnet.save(linnet.convert(model), tmp_path / "model.linnet")
    session = linnet.load(tmp_path / "model.linnet", threads=1)
    wanted = litert_runs(model, feeds)
    for _ in range(2):
        for feed, want in zip(feeds, wanted, strict=True):
            found = session.run(feed)
            for got, one in zip(found.values(), want, strict=True):
                np.testing.assert_allclose(got, one, rtol=1e-5, atol=1e-6)
        session.reset()


def test_a_called_subgraph_takes_the_operators_place():
    """LiteRT has no kernel for CALL."""
    kinds, options = [("x", *ROW), ("y", *ROW)], {"Subgraph": 1}
    main = subgraph("main", kinds, [Operator("CALL", [0], [1], options, "CallOptions")], [0], [1])
    main.others.append(subgraph("inner", kinds, [Operator("NEG", [0], [1])], [0], [1]))
    graph = linnet.convert(main.build())
    assert not any(isinstance(node.op, If) for node in graph.nodes)
    np.testing.assert_array_equal(linnet.load(graph, threads=1).run({"x": X})["y"], -X)


def test_a_condition_may_not_assign():
    data = counted_sum()
    graph = import_model(data)
    assert graph.states
    main = subgraph(
        "main", [("x", *ROW), ("y", *ROW)],
        [Operator("WHILE", [0], [1], LOOP, "WhileOptions")], [0], [1],
    )  # fmt: skip
    main.others += [
        subgraph("condition", [("x", *ROW), ("handle", "resource", ()),
                               ("no", "bool", (), np.array(False))],
                 [handle(1), assign(1, 0)], [0], [2]),
        subgraph("body", [("x", *ROW)], [], [0], [0]),
    ]  # fmt: skip
    with pytest.raises(UnsupportedError, match="assigns variables while it decides"):
        import_model(main.build())
