"""Models made ready for import: checked text, older operator sets and functions resolved.

Owns what happens to a model as a message, through the tools of the onnx package.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import onnx

from linnet.errors import FormatError

from .dynamic import without_dynamic_quantization
from .expanded import expanded
from .proto import NARROW
from .registry import HANDLERS

OLDEST_OPSET = 7
STANDARD = ("", "ai.onnx")
_DEFINED = (*STANDARD, "ai.onnx.preview")
_EXPANDED = "expanded"
_NESTING = 5
_FUNCTIONS = 500
_LARGEST = 200_000


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose nodes are operators that have importers, as far as ONNX can make it so.

    Raises
    ------
    FormatError
        If functions cannot be inlined.
    """
    return expanded(without_dynamic_quantization(_inlined(_modern(model))))


def subgraphs(attribute: onnx.AttributeProto) -> Iterable[onnx.GraphProto]:
    """Yield the graphs that an attribute holds."""
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def tool_errors() -> tuple[type[Exception], ...]:
    """Return what the onnx package raises on models that it cannot work with."""
    from onnx import shape_inference, version_converter

    inference: type[Exception] = shape_inference.InferenceError
    conversion: type[Exception] = version_converter.ConvertError
    return (ValueError, RuntimeError, TypeError, inference, conversion)


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of an operator set before 7 in the forms of 7, where ONNX can convert it."""
    versions = [o.version for o in model.opset_import if o.domain in STANDARD]
    if not versions or versions[0] >= OLDEST_OPSET:
        return model
    from onnx import version_converter

    try:
        return version_converter.convert_version(model, OLDEST_OPSET)
    except tool_errors():
        return model


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its own functions inlined, and ONNX's where no op function serves.

    Functions that ONNX cannot inline stay; their operators are refused later.
    """
    from onnx import inliner

    if model.functions:
        _check_expansion(model)
        try:
            model = inliner.inline_local_functions(model)
        except tool_errors() as error:
            raise FormatError(f"the model's functions cannot be inlined: {error}") from error
    for _ in range(_NESTING):
        kinds = {(n.domain, n.op_type) for n in model.graph.node}
        defined = sorted(kind for kind in kinds if _is_function(*kind, _is_narrow(model)))
        if not defined:
            break
        model = _with_defaults(model, set(defined))
        with suppress(*tool_errors()):
            model = inliner.inline_selected_functions(model, defined, inline_schema_functions=True)
        left = set(defined) & {(n.domain, n.op_type) for n in model.graph.node}
        if left:
            try:
                model = inliner.inline_local_functions(_with_functions(model, left))
            except tool_errors():
                break
    return model


def _with_functions(model: onnx.ModelProto, kinds: set[tuple[str, str]]) -> onnx.ModelProto:
    """Return a model whose nodes of functions that depend on types call functions of their own."""
    from onnx import shape_inference

    schemas: dict[tuple[str, str], Any] = {kind: _schema(*kind) for kind in kinds}
    kinds = {kind for kind, schema in schemas.items() if schema.has_context_dependent_function}
    if not kinds:
        return model
    try:
        known = shape_inference.infer_shapes(model).graph
    except tool_errors():
        known = model.graph
    types = {i.name: i.type for i in (*known.input, *known.value_info, *known.output)}
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for index, node in enumerate(copy.graph.node):
        if (node.domain, node.op_type) not in kinds:
            continue
        inputs = [types[i].SerializeToString() if i in types else b"" for i in node.input]
        schema = schemas[node.domain, node.op_type]
        body = schema.get_context_dependent_function(node.SerializeToString(), inputs)
        function = onnx.FunctionProto.FromString(body)
        function.name, function.domain = f"{node.op_type}{index}", _EXPANDED
        node.op_type, node.domain = function.name, function.domain
        copy.functions.append(function)
    copy.opset_import.append(onnx.helper.make_opsetid(_EXPANDED, 1))
    return copy


def _with_defaults(model: onnx.ModelProto, kinds: set[tuple[str, str]]) -> onnx.ModelProto:
    """Return a model whose nodes of some kinds have their default attributes, as inlining needs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if (node.domain, node.op_type) not in kinds:
            continue
        given = {attribute.name for attribute in node.attribute}
        for name, attribute in _schema(node.domain, node.op_type).attributes.items():
            if name not in given and attribute.default_value.name:
                node.attribute.append(attribute.default_value)
    return copy


def _check_expansion(model: onnx.ModelProto) -> None:
    """Check that inlining the model's functions ends, and with a number of nodes that fits.

    Raises
    ------
    FormatError
        If functions call themselves, or nest so that they multiply.
    """
    bodies = {(f.domain, f.name): f.node for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Any, above: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            kind = (node.domain, node.op_type)
            if kind in above:
                raise FormatError(f"function {kind[0]}:{kind[1]} calls itself")
            if kind in bodies and kind not in sizes:
                sizes[kind] = size(bodies[kind], (*above, kind))
            inner = [g for a in node.attribute for g in subgraphs(a)]
            total += sizes.get(kind, 1) + sum(size(graph.node, above) for graph in inner)
        return total

    if len(bodies) > _FUNCTIONS or size(model.graph.node, ()) > _LARGEST:
        raise FormatError(f"inlining the model's functions makes more than {_LARGEST} nodes")


def _is_narrow(model: onnx.ModelProto) -> bool:
    """Whether inputs have elements narrower than linnet's: each step is then rounded."""
    return any(info.type.tensor_type.elem_type in NARROW for info in model.graph.input)


def _is_function(domain: str, kind: str, narrow: bool) -> bool:
    """Whether ONNX defines an operator by others, and no op function imports it.

    Attention on narrow numbers is done as ONNX defines it, rounded after each step.
    """
    known = ("", kind) in HANDLERS and not (narrow and kind == "Attention")
    if (
        domain not in _DEFINED
        or known
        or not onnx.defs.has(kind, "" if domain in STANDARD else domain)
    ):
        return False
    schema = _schema(domain, kind)
    return bool(schema.has_function or schema.has_context_dependent_function)


def _schema(domain: str, kind: str) -> Any:
    return onnx.defs.get_schema(kind, "" if domain in STANDARD else domain)
