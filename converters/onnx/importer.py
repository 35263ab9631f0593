"""From an ONNX model to a graph: inputs, constants, nodes in order, outputs.

Owns names, versions and the collection of everything that cannot be imported. The operators
themselves are functions in the files beside this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import onnx

from linnet.converters.importer import Importer
from linnet.converters.texts import Texts
from linnet.errors import FormatError, LinnetError, UnsupportedError
from linnet.graph import Graph
from linnet.graph import State as GraphState
from linnet.ops import Identity, Narrow
from linnet.types import Dim, DType, TensorType

from . import catalog
from .node import OnnxNode, State
from .prepare import OLDEST_OPSET, STANDARD, prepared, subgraphs, tool_errors
from .proto import NARROW, attributes, check_ranges, dtype_of, tensor_array
from .quantized import declared_quantization
from .registry import HANDLERS
from .sequences import READERS
from .strings import KEEPERS
from .strings import READERS as TEXT_READERS
from .symbols import dimension

_MALFORMED = (IndexError, KeyError, ValueError, TypeError, OverflowError, AttributeError)


def import_onnx(model: Any, folder: Path | None = None, name: str = "") -> Graph:
    """Import an ONNX model.

    Parameters
    ----------
    model : onnx.ModelProto
    folder : Path, optional
        The model file's folder; external data is read from inside it only.
    name : str
        Name of the graph; the model's own where empty.

    Returns
    -------
    Graph
        As imported: not yet simplified.

    Raises
    ------
    FormatError
        If the model is damaged.
    UnsupportedError
        With every node and value that linnet cannot express.
    """
    return import_onnx_graph(prepared(model), folder, name)


def import_onnx_graph(model: onnx.ModelProto, folder: Path | None, name: str) -> Graph:
    """Import a model whose functions and older forms are resolved."""
    versions = {
        "" if entry.domain in STANDARD else entry.domain: entry.version
        for entry in model.opset_import
    }
    work = GraphImporter(Source(folder, versions, _narrow_types(model)), model.graph, name)
    version = versions.get("")
    if version is not None and version < OLDEST_OPSET:
        work.refuse(
            f"opset {version}",
            f"the oldest that is read is {OLDEST_OPSET}; upgrade with onnx.version_converter",
        )
        return work.finish()
    if any(node.op_type == "If" for node in model.graph.node):
        # Branches of different ranks: what follows tells which of them it was made for.
        try:
            return work.run()
        except UnsupportedError as error:
            again = GraphImporter(replace(work.source, assume="else"), model.graph, name)
            try:
                return again.run()
            except UnsupportedError:
                raise error from None
    return work.run()


@dataclass(frozen=True, slots=True)
class Source:
    """What all graphs of a model share.

    Parameters
    ----------
    folder : Path or None
    versions : dict of str to int
        Version of each operator set.
    narrow : dict of str to int
        Element types of values that are narrower than linnet's, by ONNX name.
    assume : "then" or "else"
        Which branch's ranks count where nothing else tells.
    """

    folder: Path | None
    versions: dict[str, int]
    narrow: dict[str, int] = field(default_factory=dict)
    assume: Literal["then", "else"] = "then"


class GraphImporter(Importer):
    """State of one graph's import; `lost` names values whose nodes are refused.

    Parameters
    ----------
    source : Source
    proto : onnx.GraphProto
    name : str
        Name of the graph; its own where empty.
    outer : GraphImporter, optional
        The importer of the graph around this one, whose values it may read.
    inline : bool
        Whether the nodes become part of the outer graph instead of one of their own.
    """

    def __init__(
        self,
        source: Source,
        proto: onnx.GraphProto,
        name: str = "",
        outer: GraphImporter | None = None,
        inline: bool = False,
    ) -> None:
        super().__init__(name or proto.name or "model")
        self.source = source
        self.folder = source.folder
        self.proto = proto
        self.outer = outer
        self.state = State(self.graph, nest=self.nested)
        self.lost: set[str] = set()
        self.captured: dict[str, str] = {}
        self.versions = source.versions
        if outer is None:
            self.state.counters = {}
        else:
            self.reasons = outer.reasons
            self.state.texts = Texts(outer.state.texts.places)
        if outer is not None and inline:
            self.graph = outer.graph
            self.state = State(outer.graph, known=outer.state.known, nest=self.nested)
            self.state.texts = outer.state.texts
            self.state.counters = outer.state.counters
        self.state.assume = source.assume
        self.state.shapes = _shapes(proto)

    def run(self) -> Graph:
        """Import everything and return the graph."""
        constants = self._constants()
        self._inputs(set(constants))
        self._nodes()
        if not self.reasons:
            self._outputs()
        return self.finish()

    def _nodes(self) -> None:
        wanted = used_names(self.proto)
        for index, proto in enumerate(self.proto.node):
            self._node(index, proto, wanted)

    def nested(self, proto: onnx.GraphProto, inline: bool = False) -> GraphImporter:
        """Return an importer of a graph inside of this one."""
        return GraphImporter(self.source, proto, outer=self, inline=inline)

    def run_inside(self, inputs: Sequence[TensorType | str]) -> list[str]:
        """Import a nested graph and return its outputs, values of `graph`.

        Parameters
        ----------
        inputs : sequence of TensorType or str
            The types that its inputs have here, or the outer values that they are.

        Raises
        ------
        UnsupportedError
            If something in it cannot be imported; the reasons are noted already.
        """
        before = len(self.reasons)
        self._constants()
        if len(inputs) != len(self.proto.input):
            raise FormatError(
                f"the nested graph '{self.proto.name}' has {len(self.proto.input)} inputs; "
                f"expected {len(inputs)}"
            )
        for info, given in zip(self.proto.input, inputs, strict=True):
            self._declare(info.name)
            if isinstance(given, str):
                self.state.bound[info.name] = given
            else:
                name = self.graph.unique(info.name)
                self.state.bound[info.name] = self.graph.add_input(name, given)
        self._nodes()
        names = [self._resolve(info.name) for info in self.proto.output]
        if any(name in self.state.lists for name in names):
            self.refuse(f"the nested graph '{self.proto.name}'", "gives out a sequence")
        if len(self.reasons) > before or not all(names):
            raise UnsupportedError(f"the nested graph '{self.proto.name}' cannot be imported")
        return names

    def _resolve(self, name: str) -> str:
        """Return the value of this graph for a name, "" where it is lost or nowhere.

        A value of the graph around becomes an input, a constant a constant of its own.
        """
        found = self.state.bound.get(name)
        if found is not None or self.outer is None:
            return found or ""
        outer = self.outer._resolve(name)
        if not outer:
            if name in self.outer.lost:
                self.lost.add(name)
            return ""
        if outer in self.outer.state.lists:
            items = self.outer.state.lists[outer]
            made = self.state.listed(
                [i._replace(value=self._taken(i.value, i.value)) for i in items]
            )
        elif self.graph is self.outer.graph:
            made = outer
        else:
            made = self._taken(outer, name)
        self.state.bound[name] = made
        return made

    def _taken(self, outer: str, name: str) -> str:
        """Return this graph's value for one of the graph around."""
        assert self.outer is not None
        if self.graph is self.outer.graph:
            return outer
        for made, known in self.captured.items():
            if known == outer:
                return made
        data, type_ = self.outer.graph.constant(outer), self.outer.graph.type_of(outer)
        if data is not None:
            made = self.graph.add_constant(name, data, type_.quantization)
        else:
            made = self.graph.add_input(self.graph.unique(name), type_)
            self.captured[made] = outer
            if outer in self.outer.state.texts.values:
                self.state.texts.values.add(made)
            if outer in self.outer.state.known:
                self.state.known[made] = self.outer.state.known[outer]
        return made

    def _constants(self) -> list[str]:
        names: list[str] = []
        check_ranges(self.proto.initializer)
        for tensor in self.proto.initializer:
            with self.converting(f"initializer '{tensor.name}'"):
                self._declare(tensor.name)
                array = tensor_array(tensor, self.folder)
                self.state.bound[tensor.name] = self.state.constant(tensor.name, array)
            if tensor.name not in self.state.bound:
                self.lost.add(tensor.name)
            names.append(tensor.name)
        for sparse in self.proto.sparse_initializer:
            name = sparse.values.name
            self.refuse(f"initializer '{name}'", "is sparse; store it dense")
            self.lost.add(name)
            names.append(name)
        return names

    def _declare(self, name: str) -> None:
        if not name or name in self.state.bound:
            raise FormatError(f"value '{name}' is defined twice" if name else "a value has no name")

    def _inputs(self, constants: set[str]) -> None:
        quantizations = declared_quantization(self.proto, self.folder)
        for info in self.proto.input:
            if info.name in constants:
                continue
            with self.converting(f"input '{info.name}'"):
                self._declare(info.name)
                type_ = _declared_type(info)
                if type_.dtype.is_integer:
                    type_ = type_.with_(quantization=quantizations.get(info.name))
                self.state.bound[info.name] = self.graph.add_input(info.name, type_)
                if info.type.tensor_type.elem_type == onnx.TensorProto.STRING:
                    self.state.texts.values.add(info.name)
            if info.name not in self.state.bound:
                self.lost.add(info.name)

    def _node(self, index: int, proto: onnx.NodeProto, wanted: set[str]) -> None:
        domain = "" if proto.domain in STANDARD else proto.domain
        outputs = tuple(o if o in wanted else "" for o in proto.output)
        name = proto.name or next(iter(proto.output), "") or f"{proto.op_type}_{index}"
        version = self.versions.get(domain, 0)
        where = f"{domain + ':' if domain else ''}{proto.op_type} (opset {version}) '{name}'"
        handler = HANDLERS.get((domain, proto.op_type))
        missing = [i for i in proto.input if i and not self._resolve(i) and i not in self.lost]
        if missing:
            raise FormatError(f"{where} reads '{missing[0]}', which nothing defines before it")
        for output in proto.output:
            if output and (output in self.state.bound or output in self.lost):
                raise FormatError(f"{where} defines '{output}', which is defined before")
        if handler is None:
            self.refuse(where, catalog.why_not(domain, proto.op_type))
        elif not self.lost.intersection(proto.input):
            with self.converting(where):
                self._convert(
                    handler, proto, (proto.op_type, domain, name, version), outputs, where
                )
        self.lost.update(o for o in proto.output if o and o not in self.state.bound)

    def _convert(
        self,
        handler: Any,
        proto: onnx.NodeProto,
        identity: tuple[str, str, str, int],
        outputs: tuple[str, ...],
        where: str,
    ) -> None:
        try:
            given = attributes(proto, self.folder)
            inputs = tuple(self.state.bound[i] for i in proto.input)
            codes = tuple(self._narrow(i) for i in proto.input)
            lists = self.state.lists
            if proto.op_type not in READERS and any(i in lists for i in inputs):
                raise UnsupportedError("reads a sequence; use separate tensors")
            texts = self.state.texts.values
            holds = not texts.isdisjoint(inputs)
            if holds and proto.op_type not in TEXT_READERS:
                raise UnsupportedError("reads texts; make what it computes outside the model")
            handler(OnnxNode(self.state, *identity, given, inputs, outputs, codes))
            if holds and proto.op_type in KEEPERS:
                texts.update(self.state.bound[o] for o in outputs if o in self.state.bound)
        except LinnetError as error:
            if isinstance(error, FormatError):
                raise FormatError(f"{where}: {error}") from error
            raise
        except _MALFORMED as error:
            raise FormatError(f"{where} is malformed: {type(error).__name__}: {error}") from error
        self._round(outputs)
        absent = [o for o in outputs if o and o not in self.state.bound]
        if absent:
            raise UnsupportedError(f"output '{absent[0]}' has no counterpart")

    def _narrow(self, name: str) -> int:
        """Return a value's element type where it is a narrow one, else 0."""
        return self.source.narrow.get(name, 0)

    def _round(self, outputs: Sequence[str]) -> None:
        """Round what a node made to the narrow types that the model gives it."""
        for name in outputs:
            code = self.source.narrow.get(name, 0)
            value = self.state.bound.get(name, "")
            if code not in NARROW or not value or value in self.state.lists:
                continue
            if self.graph.constant(value) is not None:
                continue
            form, dtype = NARROW[code]
            type_ = self.graph.type_of(value)
            last = self.graph.nodes[-1].op if self.graph.nodes else None
            rounded = isinstance(last, Narrow)
            if type_.dtype == dtype and dtype.is_float and not rounded:
                made = self.graph.unique(f"{value}/{form}")
                self.state.bound[name] = self.graph.add(Narrow(format=form), [value], name=made)
                self.state.settle()

    def _outputs(self) -> None:
        for info in self.proto.output:
            name = info.name
            if not name or name not in self.state.bound:
                raise FormatError(f"graph output '{name}' is never computed")
            value = self.state.bound[name]
            if value in self.state.lists:
                self.refuse(f"output '{name}'", "is a sequence; give out tensors")
                continue
            code = info.type.tensor_type.elem_type
            textual = value in self.state.texts.values
            declared = DType.INT64 if textual else dtype_of(code, f"'{name}'") if code else None
            made = self.graph.type_of(value)
            if declared is not None and declared != made.dtype:
                raise FormatError(
                    f"graph output '{name}' is {made.dtype.value}, "
                    f"the model declares {declared.value}"
                )
            named = self._named(value, name)
            self.graph.outputs.append(named)
            if textual:
                self.state.texts.values.add(named)
        self.state.texts.record(self.graph)
        for counter, after in (self.state.counters or {}).items():
            self.graph.outputs.append(after)
            self.graph.states.append(GraphState(counter, after))

    def _named(self, value: str, name: str) -> str:
        """Return the value under the name that the model gives it."""
        if value == name:
            return name
        if name in self.graph.values:
            self.graph.rename(name, self.graph.unique(f"{name}/inner"))
        kept = value in self.graph.inputs or value in self.graph.outputs
        if kept or self.graph.values[value].is_constant:
            return self.graph.add(Identity(), [value], name=name, outputs=[name])
        self.graph.rename(value, name)
        self.state.bound = {k: name if v == value else v for k, v in self.state.bound.items()}
        return name


def _narrow_types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the narrow element types of a model's values; ONNX infers them where there are any."""
    declared = [i.type.tensor_type.elem_type for i in (*model.graph.input, *model.graph.output)]
    declared += [tensor.data_type for tensor in model.graph.initializer]
    casts = [a.i for node in model.graph.node for a in node.attribute if a.name == "to"]
    casts += [a.t.data_type for node in model.graph.node for a in node.attribute if a.HasField("t")]
    if not any(code in NARROW for code in (*declared, *casts)):
        return {}
    from onnx import shape_inference

    try:
        graph = shape_inference.infer_shapes(model).graph
    except tool_errors():
        graph = model.graph
    infos = (*graph.input, *graph.value_info, *graph.output)
    found = {info.name: info.type.tensor_type.elem_type for info in infos}
    found |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and node.op_type == "Constant":
                found[node.output[0]] = attribute.t.data_type
    return {name: code for name, code in found.items() if code in NARROW}


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[Dim, ...]]:
    """Return the shapes that a graph declares."""
    return {
        info.name: tuple(
            dimension(dim, f"{info.name}_{i}")
            for i, dim in enumerate(info.type.tensor_type.shape.dim)
        )
        for info in (*graph.value_info, *graph.output)
        if info.type.tensor_type.HasField("shape")
    }


def used_names(graph: onnx.GraphProto) -> set[str]:
    """Return every value that a node, a subgraph or the graph's outputs read."""
    used = {output.name for output in graph.output}
    for node in graph.node:
        used.update(node.input)
        for attribute in node.attribute:
            for inner in subgraphs(attribute):
                used |= used_names(inner)
    return used


def _declared_type(info: onnx.ValueInfoProto) -> TensorType:
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        raise UnsupportedError(f"is a {kind or 'value without a type'}; only tensors are supported")
    tensor = info.type.tensor_type
    textual = tensor.elem_type == onnx.TensorProto.STRING
    dtype = DType.INT64 if textual else dtype_of(tensor.elem_type, f"'{info.name}'")
    if not tensor.HasField("shape"):
        raise UnsupportedError("has no declared rank; give the model's input a shape")
    dims = [dimension(d, f"{info.name}_{i}") for i, d in enumerate(tensor.shape.dim)]
    return TensorType(dtype, tuple(dims))
