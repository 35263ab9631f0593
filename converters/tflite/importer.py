"""TFLite files into graphs.

Owns the order of conversion, the names of values and what is reported of a refused model. The rules
of single operators are in the tables of ``ops_*.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from linnet.converters.importer import Importer
from linnet.converters.texts import Texts
from linnet.errors import FormatError, UnsupportedError
from linnet.graph import Graph, Value
from linnet.ops import Identity
from linnet.types import Array, Dim, DType, Quantization, Shape, TensorType

from .node import TfliteNode
from .operators import CONVERTERS, CUSTOM, REFUSED, TEXTUAL
from .reader import Model, Operator, Signature, Subgraph, TensorInfo, read_model
from .variables import Lent, Resources, Variables

# Operators that read stored integers as plain numbers, whatever quantization the file declares.
_PLAIN_READERS = {"CAST"}
# Subgraphs are converted anew wherever they are run.
_MOST_NESTED = 1000


def import_tflite(data: bytes, name: str = "model", signature: str | None = None) -> Graph:
    """Convert the content of a TFLite file.

    Fully connected operators of dynamic-range ("hybrid") models, int8 weights beside float
    activations, keep their weights and quantize rows of activations as they come, as TFLite does;
    so do 1 x 1 convolutions of one image, which is a row there.
    Weights of the other hybrid operators become float32 constants; TFLite's own results stray from
    the float ones by up to the rounding of activations.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Name of the graph.
    signature : str, optional
        Entry point to convert; its names become those of inputs and outputs. By default the first
        subgraph under the names of its tensors, which is what interpreters run.

    Returns
    -------
    Graph
        Validated; uint8 values are as in the file.

    Raises
    ------
    FormatError
        If the file is damaged.
    UnsupportedError
        With every operator that cannot be converted.
    """
    model = read_model(data)
    chosen = chosen_signature(model, signature)
    importer = TfliteImporter(model, name, chosen.subgraph if chosen else 0)
    if chosen is not None:
        importer.rename_ports(chosen)
    importer.describe()
    return importer.convert()


def chosen_signature(model: Model, name: str | None) -> Signature | None:
    """Return the signature of a name; None for no name.

    Raises
    ------
    UnsupportedError
        If the model has none of that name; the message lists what it has.
    """
    for signature in model.signatures:
        if signature.name == name:
            return signature
    if name is None:
        return None
    names = [signature.name for signature in model.signatures]
    raise UnsupportedError(f"no signature '{name}'; the model has {names or 'none'}")


class TfliteImporter(Importer):
    """State of the conversion of one subgraph.

    Parameters
    ----------
    model : Model
    name : str
    subgraph : int
    outer : TfliteImporter, optional
        Importer of the subgraph that runs this one.
    """

    def __init__(
        self, model: Model, name: str, subgraph: int = 0, outer: TfliteImporter | None = None
    ) -> None:
        super().__init__(name)
        self.model = model
        self.main = model.subgraphs[subgraph]
        before: tuple[int, ...] = outer.chain if outer else ()
        self.chain: tuple[int, ...] = (*before, subgraph)
        self._nested: list[int] = outer._nested if outer else []
        self.names = self._name_tensors()
        self._reserved = self._value_names()
        self._floats: dict[int, str] = {}
        self._aliases: dict[int, str] = {}
        self.variables = Variables(self)
        self.resources: Resources = Resources(self, outer.resources if outer else None)
        self._plain = _plain_tensors(self.main)

    def describe(self) -> None:
        """Note in the graph where it comes from."""
        self.graph.metadata["source"] = "tflite"
        if self.model.description:
            self.graph.metadata["description"] = self.model.description
        if self.model.signatures:
            names = ", ".join(signature.name for signature in self.model.signatures)
            self.graph.metadata["signatures"] = names

    def rename_ports(self, signature: Signature) -> None:
        """Call inputs and outputs by a signature's names."""
        self.graph.metadata["signature"] = signature.name
        for index, name in (signature.outputs | signature.inputs).items():
            taken = self.names.index(name) if name in self.names else index
            self.names[taken], self.names[index] = self.names[index], name
        self._reserved = self._value_names()

    def convert(self) -> Graph:
        """Convert every operator and return the graph, or refuse with all reasons."""
        for index in self.main.inputs:
            self._declare_input(self.main.tensors[index])
        self.convert_operators()
        with self.converting("model outputs"):
            self.graph.outputs = [self.value(i) for i in self.main.outputs]
            self.variables.finish()
            self.resources.finish()
            ports = (*self.main.inputs, *self.main.outputs)
            held = {self.value(index) for index in ports if self.textual(index)}
            Texts(self.model.texts.places, held).record(self.graph)
        return self.finish()

    def convert_operators(self) -> None:
        """Convert every operator in the order they run."""
        for operator in self.main.operators:
            self._convert_operator(operator)

    def nested(self, subgraph: int) -> TfliteImporter:
        """Return an importer of a subgraph that this one runs.

        Raises
        ------
        FormatError
            If there is no such subgraph, or if it runs itself.
        UnsupportedError
            If subgraphs run each other too often.
        """
        if not 0 <= subgraph < len(self.model.subgraphs):
            raise FormatError(f"subgraph {subgraph} of {len(self.model.subgraphs)} is called")
        if subgraph in self.chain:
            raise FormatError(f"subgraph {subgraph} runs itself, by {self.chain}")
        self._nested.append(subgraph)
        if len(self._nested) > _MOST_NESTED:
            raise UnsupportedError(f"its subgraphs run each other {_MOST_NESTED} times and more")
        name = self.model.subgraphs[subgraph].name or f"subgraph {subgraph}"
        return TfliteImporter(self.model, name, subgraph, self)

    def body(self, subgraph: int, lent: Lent, assigns: bool = True) -> tuple[Graph, list[str]]:
        """Return a subgraph converted for what an operator lends to it.

        Its inputs and outputs are those that are values, then every resource that it is lent.

        Parameters
        ----------
        subgraph : int
        lent : Lent
        assigns : bool
            Whether the resources are among the outputs; without, it may not assign them.

        Returns
        -------
        Graph
        list of str
            For each output of the subgraph the resource whose handle it is, or "".

        Raises
        ------
        FormatError
            If there is no such subgraph, it runs itself, or takes other inputs.
        UnsupportedError
            With every operator in it that cannot be converted.
        """
        inner = self.nested(subgraph)
        inner.take(lent, subgraph)
        inner.convert_operators()
        if inner.reasons:
            raise UnsupportedError([f"in subgraph {subgraph}: {r}" for r in inner.reasons])
        handles = [inner.resources.name(index) for index in inner.main.outputs]
        pairs = zip(inner.main.outputs, handles, strict=True)
        names = [inner.value(index) for index, handle in pairs if not handle]
        kept = [inner.resources.current(name, type_) for name, type_ in lent.resources.items()]
        if assigns:
            names += kept
        elif kept != inner.graph.inputs[len(lent.types) :]:
            raise UnsupportedError(f"subgraph {subgraph} assigns variables while it decides")
        inner.give(names)
        return inner.graph, handles

    def take(self, lent: Lent, subgraph: int) -> None:
        """Declare as inputs what an operator of an outer subgraph lends."""
        indices, types = self.main.inputs, iter(lent.types)
        if len(indices) != len(lent.handles) or len(set(indices)) != len(indices):
            count = len(lent.handles)
            raise FormatError(f"subgraph {subgraph} takes {len(indices)} inputs, gets {count}")
        for index, handle in zip(indices, lent.handles, strict=True):
            if handle:
                self.resources.handle(index, handle)
                continue
            type_, declared = next(types), self.declared(index)
            if (declared.dtype, declared.is_quantized) != (type_.dtype, type_.is_quantized):
                raise UnsupportedError(f"subgraph {subgraph} takes {declared}, gets {type_}")
            self.graph.add_input(self.names[index], type_.with_(value=None))
        for name, type_ in lent.resources.items():
            self.resources.borrow(name, type_)

    def give(self, names: Sequence[str]) -> None:
        """Make values the outputs, by copies where they are inputs, constants or outputs twice."""
        graph = self.graph
        for name in names:
            if name in graph.inputs or name in graph.outputs or graph.values[name].is_constant:
                copy = self.fresh(f"{name}:out")
                name = graph.add(Identity(), [name], name=copy, outputs=[copy])
            graph.outputs.append(name)
        graph.prune()

    def alias(self, index: int, value: str) -> None:
        """Let a tensor be a value that there is already."""
        self._aliases[index] = value

    def value(self, index: int) -> str:
        """Return the graph's name of a tensor, adding constants when first read.

        Raises
        ------
        FormatError
            If no operator has computed the tensor yet.
        UnsupportedError
            If the tensor is of a kind that graphs cannot hold.
        """
        if index < 0:
            return ""
        if index in self._aliases:
            return self._aliases[index]
        name, info = self.names[index], self.main.tensors[index]
        if info.is_variable and info.data is None:
            return self.variables.read(index)
        if name not in self.graph.values:
            content = self._content(info)
            if info.blocks is not None:
                self.graph.add_constant(name, self._unblocked(info, content))
            else:
                self.graph.add_constant(name, content, self.declared(index).quantization)
        return name

    def _unblocked(self, info: TensorInfo, content: Array) -> Array:
        """Return the real values of a constant with one scale per block of its last axis."""
        scales, length = self._block_scales(info)
        real: Array = content.astype(np.float32) * np.repeat(scales, length, axis=-1)
        return real

    def _block_scales(self, info: TensorInfo) -> tuple[Array, int]:
        """Return the scales of a constant's blocks, and how long a block is."""
        index, length = info.blocks or (0, 1)
        if not 0 <= index < len(self.main.tensors):
            raise FormatError(f"the scales of '{info.name}' are tensor {index}, which is not there")
        scales = self.main.tensors[index].data
        wanted = (*info.shape[:-1], info.shape[-1] // length)
        if scales is None or scales.dtype.kind != "f" or scales.size != math.prod(wanted):
            raise FormatError(f"the scales of '{info.name}' do not fit blocks {wanted}")
        return scales.astype(np.float32).reshape(wanted), length

    def blocks(self, index: int) -> tuple[str, str] | None:
        """Return 4-bit weights in blocks as `BlockLinear` takes them, and their scales.

        None for tensors that are something else.
        """
        info = self.main.tensors[index]
        if info.blocks is None or info.data is None or info.kind != "INT4" or info.blocks[1] % 8:
            return None
        scales, length = self._block_scales(info)
        numbers = (self._content(info).astype(np.int16) + 8).astype(np.uint8)
        pairs = numbers.reshape(*scales.shape, length // 2, 2)
        name = self.names[index]
        return (
            self.graph.add_constant(f"{name}/blocks", pairs[..., 0] | pairs[..., 1] << 4),
            self.graph.add_constant(f"{name}/scales", scales),
        )

    def declared(self, index: int) -> TensorType:
        """Return the type that the file declares for a tensor."""
        info = self.main.tensors[index]
        if info.dtype is None:
            raise UnsupportedError(f"tensor '{info.name}' has element type {info.kind}")
        quantization = None if index in self._plain else info.quantization
        return TensorType(info.dtype, self._shape(info), quantization)

    def refined(self, inferred: Shape, index: int) -> Shape:
        """Return an inferred shape with numbers from the file where inference found none."""
        declared = self.declared(index).shape
        if len(declared) != len(inferred):
            return inferred
        known = {d for name in self.graph.inputs for d in self.graph.type_of(name).shape}
        return tuple(
            there if isinstance(here, str) and here not in known else here
            for here, there in zip(inferred, declared, strict=True)
        )

    def textual(self, index: int) -> bool:
        """Whether a tensor holds texts, as places in the model's list."""
        return index >= 0 and self.main.tensors[index].kind == "STRING"

    def float_constant(self, index: int, content: Array, quantization: Quantization) -> str:
        """Add a quantized constant's real values once and return their name."""
        if index not in self._floats:
            scale, zero = quantization.scale, quantization.zero_point
            if quantization.axis is not None:
                along = [1] * content.ndim
                along[quantization.axis] = -1
                scale, zero = scale.reshape(along), zero.reshape(along)
            with np.errstate(over="ignore"):
                real = (content.astype(np.int32) - zero).astype(np.float32) * scale
            name = self.fresh(f"{self.names[index]}:float")
            self._floats[index] = self.graph.add_constant(name, real.astype(np.float32))
        return self._floats[index]

    def fresh(self, name: str) -> str:
        """Return the name, or with a number appended where a tensor of the file or graph has it."""
        number, stem = 0, name
        while name in self._reserved or name in self.graph.values:
            number += 1
            name = f"{stem}_{number}"
        return name

    def _value_names(self) -> frozenset[str]:
        """Return the names that tensors may take in the graph; resources are no values."""
        pairs = zip(self.names, self.main.tensors, strict=True)
        return frozenset(name for name, info in pairs if info.kind != "RESOURCE")

    def _name_tensors(self) -> list[str]:
        """Return one name per tensor; only inner ones get a number where names repeat."""
        tensors = self.main.tensors
        names = [""] * len(tensors)
        public = dict.fromkeys((*self.main.inputs, *self.main.outputs))
        taken: dict[str, int] = {}
        for index in (*public, *(i for i in range(len(tensors)) if i not in public)):
            name = tensors[index].name
            number = taken.get(name, 0)
            taken[name] = number + 1
            while number and f"{name}_{number}" in taken:
                number += 1
            names[index] = f"{name}_{number}" if number else name
            taken.setdefault(names[index], 1)
        return names

    def _shape(self, info: TensorInfo) -> Shape:
        stem = re.sub(r"\W", "_", info.name)
        dims: list[Dim] = []
        for axis, dim in enumerate(info.signature):
            symbol = "batch" if axis == 0 else f"{stem}_{axis}"
            dims.append(dim if dim >= 0 else symbol)
        return tuple(dims)

    def _declare_input(self, info: TensorInfo) -> None:
        name = self.names[info.index]
        with self.converting(f"input '{name}'"):
            self.graph.add_input(name, self.declared(info.index))
            return
        self._stand_in(info)

    def _convert_operator(self, operator: Operator) -> None:
        where = f"{operator.kind} node {operator.index}"
        if operator.outputs:
            where += f" (output '{self.main.tensors[operator.outputs[0]].name}')"
        for index in operator.outputs:
            known = index in self._aliases or self.names[index] in self.graph.values
            if known or self.main.tensors[index].data is not None:
                raise FormatError(
                    f"{where} writes '{self.names[index]}', which has a value already"
                )
        done = False
        with self.converting(where):
            convert = CUSTOM.get(operator.custom) or CONVERTERS.get(operator.kind)
            if convert is None:
                name = f"custom operator '{operator.custom}'" if operator.custom else operator.kind
                raise UnsupportedError(
                    REFUSED.get(operator.kind, "{} has no converter").format(name)
                )
            if operator.kind not in TEXTUAL and any(map(self.textual, operator.inputs)):
                raise UnsupportedError("reads texts; make what it computes outside the model")
            convert(TfliteNode(self, operator))
            done = True
        if not done:
            for index in operator.outputs:
                self._stand_in(self.main.tensors[index])

    def _stand_in(self, info: TensorInfo) -> None:
        """Declare what a refused node would have made, so that later nodes are examined too."""
        type_ = TensorType(info.dtype or DType.FLOAT32, self._shape(info), info.quantization)
        self.graph.values[self.names[info.index]] = Value(self.names[info.index], type_)

    def _content(self, info: TensorInfo) -> Array:
        dtype = self.declared(info.index).dtype
        if info.data is not None:
            return info.data
        if math.prod(info.shape):
            raise FormatError(
                f"tensor {info.index} '{info.name}' is read but neither an input, a constant nor "
                "computed before"
            )
        return np.zeros(info.shape, dtype.numpy)


def _plain_tensors(subgraph: Subgraph) -> set[int]:
    """Return the inputs and constants whose quantization no reader looks at."""
    readers: dict[int, set[str]] = {}
    made = {i for operator in subgraph.operators for i in operator.outputs}
    for operator in subgraph.operators:
        for index in operator.inputs:
            readers.setdefault(index, set()).add(operator.kind)
    return {i for i, kinds in readers.items() if kinds <= _PLAIN_READERS and i not in made}
