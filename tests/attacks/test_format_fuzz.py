"""Bounded fuzzing of the reader: whatever the bytes, a LinnetError or a graph that is valid."""

import copy
import math
import os
import typing

import msgspec
import numpy as np
import pytest
from forge import Forgery, at, join, places, real_sample, sample, split, split_packed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linnet.errors import LinnetError
from linnet.format import REVISION, encode, read
from linnet.graph import Graph, State
from linnet.ops import Body, Exp, If, Loop, Neg, Op
from linnet.types import DType, TensorType


def looping() -> Graph:
    """Return a graph with a loop around a branch, and states."""
    inner, outer, graph = Graph("inner"), Graph("outer"), Graph("graph")
    truth, number = TensorType(DType.BOOL, ()), TensorType(DType.INT64, ())
    vector = TensorType(DType.FLOAT32, (3,))
    inner.add_input("v", vector)
    inner.outputs = [inner.add(Neg(), ["v"])]
    for name, type_ in (("i", number), ("go", truth), ("v", vector)):
        outer.add_input(name, type_)
    branch = outer.add(If(then_branch=inner, else_branch=inner.copy()), ["go", "v"])
    outer.outputs = ["go", branch, outer.add(Exp(), ["v"])]
    graph.add_input("x", vector)
    limit = graph.add_constant("limit", np.array(4))
    graph.add(Loop(body=outer, carried=1), [limit, "", "x"], outputs=["y", "z"])
    graph.outputs = ["y", "z"]
    graph.states.append(State("x", "y"))
    return graph


FILES = [encode(sample()), encode(real_sample()), encode(looping())]
# LINNET_FUZZ=100 looks a hundred times longer.
EFFORT = int(os.environ.get("LINNET_FUZZ", "1"))


def effort(examples):
    """Return settings for a bounded number of examples."""
    checks = list(HealthCheck)
    return settings(max_examples=examples * EFFORT, deadline=None, suppress_health_check=checks)


POWERS = [1 << bits for bits in (5, 7, 8, 15, 16, 31, 32, 62, 63)]
EDGES = [0, 1, -1, 2, *POWERS, *(power - 1 for power in POWERS), *(-power for power in POWERS)]
EDGES.append((1 << 64) - 1)
INTEGERS = st.sampled_from(EDGES) | st.integers(-(1 << 63), (1 << 64) - 1) | st.integers(-9, 9)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats() | st.text(max_size=8) | st.binary()
THINGS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def survive(data, verify=True):
    """Read; anything but a LinnetError or a valid graph fails the test."""
    try:
        graph = read(data, verify=verify)
    except LinnetError:
        return None
    graph.validate()
    for value in graph.values.values():
        if value.data is not None:
            value.data.tobytes()
    return graph


@st.composite
def mutations(draw, data):
    """Draw a mutation of bytes: flips, insertions, deletions, splices, extreme numbers."""
    mutant = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(mutant)))
        length = draw(st.integers(0, 16) | st.integers(0, len(mutant)))
        kind = draw(st.sampled_from(["flip", "set", "insert", "delete", "splice", "number"]))
        if kind == "flip" and start < len(mutant):
            mutant[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and start < len(mutant):
            mutant[start] = draw(st.integers(0, 255))
        elif kind == "insert":
            mutant[start:start] = draw(st.binary(max_size=16))
        elif kind == "delete":
            del mutant[start : start + length]
        elif kind == "splice":
            other = draw(st.sampled_from(FILES))
            source = draw(st.integers(0, len(other)))
            mutant[start : start + draw(st.integers(0, 16))] = other[source : source + length]
        elif kind == "number":
            number = draw(st.sampled_from(EDGES)) % (1 << 64)
            mutant[start : start + 8] = number.to_bytes(8, draw(st.sampled_from(["little", "big"])))
    return bytes(mutant)


@effort(200)
@given(st.data())
def test_mutated_files(data):
    survive(data.draw(mutations(data.draw(st.sampled_from(FILES)))))


@effort(200)
@given(st.data())
def test_mutated_headers_sealed_again(data):
    encoded = data.draw(st.sampled_from(FILES))
    survive(join(data.draw(mutations(split_packed(encoded))), split(encoded)[1]))


@effort(200)
@given(st.data(), st.booleans())
def test_mutated_sections_sealed_again(data, verify):
    header, content = split(data.draw(st.sampled_from(FILES)))
    survive(join(header, data.draw(mutations(content))), verify)


@effort(100)
@given(st.data())
def test_mutated_records(data):
    forgery = Forgery(data.draw(st.sampled_from([sample, real_sample]))())
    for _ in range(data.draw(st.integers(1, 3))):
        paths = places(forgery.header)
        path = data.draw(st.sampled_from(paths))
        holder, key = at(forgery.header, path[:-1]), path[-1]
        kind = data.draw(st.sampled_from(["replace", "replace", "remove", "repeat", "swap"]))
        if kind == "replace":
            holder[key] = data.draw(THINGS)
        elif kind == "remove":
            del holder[key]
        elif kind == "repeat" and isinstance(holder, list):
            holder.insert(data.draw(st.integers(0, len(holder))), copy.deepcopy(holder[key]))
        elif kind == "swap":
            other = data.draw(st.sampled_from(paths))
            if other[: len(path)] != path and path[: len(other)] != other:
                at(forgery.header, other[:-1])[other[-1]] = copy.deepcopy(holder[key])
    survive(forgery.seal(), data.draw(st.booleans()))


NUMBERS = st.sampled_from([v for v in EDGES if v >= -(1 << 63)]) | st.integers(-9, 9)
REALS = st.floats() | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1e308])


def attribute(type_):
    """Return a strategy of values that an attribute of this type may have in a file."""
    if type_ is bool:
        return st.booleans()
    if type_ is int:
        return NUMBERS
    if type_ is float:
        return REALS
    if type_ is str:
        modes = ["", "same_upper", "linear", "nearest", "constant", "reflect", "edge", "symmetric"]
        return st.sampled_from([*modes, "DCR", "CRD", "half_pixel", "floor"]) | st.text(max_size=4)
    if type_ is type(None):
        return st.none()
    if type_ is Body:
        return st.integers(-2, 3) | st.text(max_size=4)
    if typing.get_origin(type_) is typing.Literal:
        return st.sampled_from(typing.get_args(type_))
    if typing.get_origin(type_) is tuple:
        inner = typing.get_args(type_)
        if inner[-1] is Ellipsis:
            return st.lists(attribute(inner[0]), max_size=5)
        return st.tuples(*map(attribute, inner)).map(list)
    if typing.get_args(type_):
        return st.one_of(*map(attribute, typing.get_args(type_)))
    return st.sampled_from(list(type_)).map(lambda member: member.value)


@st.composite
def one_node(draw, name):
    """Draw a sealed file of one node of an op, its attributes and inputs arbitrary but typed."""
    kind = Op.registry[name]
    fields = [f for f in msgspec.structs.fields(kind) if f.required or draw(st.booleans())]
    attributes = {field.encode_name: draw(attribute(field.type)) for field in fields}
    values, sections, content = [], [], b""
    quantizations = st.none() | st.just({"scale": b"\0\0\0\x3f"})
    dims = st.integers(0, 4) | st.sampled_from(["n", "m", 1 << 31, 1 << 40])
    for index in range(draw(st.integers(0, 4))):
        dtype = draw(st.sampled_from(["float32", "int8", "int64", "int32", "uint8", "bool"]))
        shape = draw(st.lists(dims, max_size=4))
        value = {"name": f"v{index}", "dtype": dtype, "shape": shape}
        value["quantization"] = draw(quantizations)
        if draw(st.booleans()):
            value["dtype"], value["shape"], value["section"] = "int64", [2], len(sections)
            numbers = draw(st.lists(NUMBERS, min_size=2, max_size=2))
            block = b"".join((number % (1 << 64)).to_bytes(8, "little") for number in numbers)
            sections.append({"offset": len(content), "size": 16, "sha256": bytes(32)})
            content += block + bytes(48)
        values.append(value)
    inputs = [i for i, value in enumerate(values) if "section" not in value]
    values.append({"name": "out", "dtype": "float32", "shape": draw(st.lists(dims, max_size=4))})
    node = {"op": name, "inputs": list(range(len(values) - 1)), "attributes": attributes}
    node["outputs"] = [len(values) - 1]
    header = {"name": "g", "inputs": inputs, "outputs": node["outputs"], "values": values}
    header |= {"nodes": [node], "sections": sections}
    bodies = sum(field.type is Body for field in msgspec.structs.fields(kind))
    if bodies and draw(st.booleans()):
        inner = {"name": "b", "values": values, "nodes": [], "inputs": inputs}
        places = st.lists(st.integers(0, len(values) - 1), max_size=3)
        header["graphs"] = [
            inner | {"inputs": draw(places | st.just(inputs)), "outputs": draw(places)}
            for _ in range(bodies)
        ]
    return join(header, content[: len(content) - 48] if content else b"", revision=REVISION)


@pytest.mark.parametrize("name", sorted(Op.registry))
@effort(20)
@given(data=st.data())
def test_every_op_with_hostile_attributes(name, data):
    survive(data.draw(one_node(name)), verify=False)
