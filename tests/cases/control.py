"""Cases of control flow: bodies of a few nodes."""

from __future__ import annotations

import numpy as np

from linnet import ops
from linnet.graph import Graph
from linnet.types import DType, TensorType

from .case import Case, case, floats, just

F32 = DType.FLOAT32


def body(name: str, inputs: dict[str, TensorType], *nodes, outputs: tuple[str, ...]) -> Graph:
    """Return a graph; a node is (op, inputs, output)."""
    graph = Graph(name)
    for value, type_ in inputs.items():
        graph.add_input(value, type_)
    for op, read, made in nodes:
        graph.add(op, read, outputs=[made])
    graph.outputs = list(outputs)
    graph.validate()
    return graph


X = {"x": TensorType(F32, (3, 4))}
NUMBER = {"i": TensorType(DType.INT64, ()), "go": TensorType(DType.BOOL, ())}
DOUBLE = body("double", X, (ops.Add(), ["x", "x"], "y"), outputs=("y",))
SQUARE = body("square", X, (ops.Mul(), ["x", "x"], "y"), outputs=("y",))
GROW = body(
    "grow", {**NUMBER, **X}, (ops.Add(), ["x", "x"], "y"), (ops.Tanh(), ["x"], "z"),
    outputs=("go", "y", "z"),
)  # fmt: skip
STEP = body(
    "step",
    {"h": TensorType(F32, (4,)), "a": TensorType(F32, (4,)), "b": TensorType(F32, (3,))},
    (ops.Add(), ["h", "a"], "sum"),
    (ops.Neg(), ["b"], "minus"),
    outputs=("sum", "sum", "minus"),
)


def below() -> Graph:
    """Whether the largest of x is below the limit that is captured."""
    graph = Graph("below")
    for name, shape in (("x", (3, 4)), ("limit", ())):
        graph.add_input(name, TensorType(F32, shape))
    top = graph.add(ops.ReduceMax(axes=(0, 1), keepdims=False), ["x"])
    graph.outputs = [graph.add(ops.Less(), [top, "limit"])]
    return graph


LIMITED = body(
    "twice", {**X, "limit": TensorType(F32, ())}, (ops.Add(), ["x", "x"], "y"), outputs=("y",)
)

SUMS = body("sums", {"x": TensorType(F32, ("a", "b"))},
            (ops.ReduceSum(axes=(0,)), ["x"], "y"), outputs=("y",))  # fmt: skip

BRANCHES = ("binary_f32", "copy_strided")
LOOP = ("binary_f32", "unary_f32", "copy_strided", "copy_numbered", "fill_strided")
WHILE = ("binary_f32", "reduce_f32", "compare_f32", "copy_strided")


def wide(rows: int) -> ops.Scan:
    """Return a walk along the second axis of a matrix."""
    h = TensorType(F32, (rows,))
    return ops.Scan(
        body=body("wide", {"h": h, "a": h}, (ops.Add(), ["h", "a"], "y"), outputs=("y", "y")),
        carried=1,
        axes=(1,),
    )


CASES: list[Case] = [
    case("Late", ops.Late(body=SUMS, names=("axes",)), floats(3, 4), just([1]),
         constants=(1,)),
    case("If true", ops.If(then_branch=DOUBLE, else_branch=SQUARE), just(True, bool), floats(3, 4),
         kernels=BRANCHES),
    case("If false", ops.If(then_branch=DOUBLE, else_branch=SQUARE), just([False], bool),
         floats(3, 4), kernels=BRANCHES),
    case("If of two ranks", ops.If(then_branch=DOUBLE, else_branch=body(
        "flat", X, (ops.Reshape(shape=(12,)), ["x"], "y"), outputs=("y",)), assume="else"),
         just(False, bool), floats(3, 4)),
    case("Loop counted", ops.Loop(body=GROW, carried=1), just(3), None, floats(3, 4),
         constants=(0,), kernels=LOOP, bound=2e-6),
    case("Loop conditional", ops.Loop(body=GROW, carried=1), just(2), just(True, bool),
         floats(3, 4), constants=(0, 1), kernels=LOOP, bound=2e-6),
    case("Scan large", wide(64), floats(64), floats(64, 512), bench=True,
         kernels=("binary_f32", "copy_strided", "copy_numbered", "fill_strided")),
    case("Scan both ways",
         ops.Scan(body=STEP, carried=1, axes=(1, 0), backward=(False, True), output_axes=(1, 0),
                  output_backward=(True, False)),
         floats(4), floats(4, 5), floats(5, 3), kernels=LOOP),
    case("Scan without carried", ops.Scan(body=body(
        "minus", {"b": TensorType(F32, (3,))}, (ops.Neg(), ["b"], "y"), outputs=("y",),
    )), floats(5, 3), kernels=("unary_f32", "copy_numbered", "fill_strided")),
    case("While", ops.While(condition=below(), body=LIMITED), floats(3, 4), just(40, np.float32),
         kernels=WHILE),
    case("While of two", ops.While(
        condition=below(), body=body(
            "both", {**X, "limit": TensorType(F32, ())}, (ops.Add(), ["x", "x"], "y"),
            (ops.Sqrt(), ["limit"], "less"), outputs=("y", "less")),
        carried=2), floats(3, 4), just(1e9, np.float32), kernels=(*WHILE, "unary_f32")),
]  # fmt: skip
