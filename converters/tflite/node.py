"""One TFLite operator while it is converted: what rules read and how they add to the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from linnet.converters.rewrite import evaluate, late, turn_constant
from linnet.errors import FormatError, UnsupportedError
from linnet.graph import Graph
from linnet.ops import NO_CLAMP, Cast, Clamp, Op, Quantize
from linnet.types import Array, DType, Quantization, Shape, TensorType

if TYPE_CHECKING:
    from .importer import TfliteImporter
    from .reader import Operator

# Fused activation numbers of the schema and what they clip real values to.
_CLAMPS: dict[int, Clamp] = {
    0: NO_CLAMP,
    1: (0.0, float("inf")),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}
# Results up to this many elements are folded at conversion: shapes, axes, counts.
_FOLDED_SIZE = 64
_ACTIVATIONS = {4: "TANH", 5: "SIGN_BIT"}


class TfliteNode:
    """One operator: options and inputs by position, and `emit` for the ops that replace it.

    Parameters
    ----------
    importer : TfliteImporter
    operator : Operator
    """

    def __init__(self, importer: TfliteImporter, operator: Operator) -> None:
        self.importer = importer
        self.graph = importer.graph
        self.operator = operator

    @property
    def input_count(self) -> int:
        """Number of inputs that the file lists, absent optional ones among them."""
        return len(self.operator.inputs)

    def has(self, position: int) -> bool:
        """Whether an optional input is present."""
        inputs = self.operator.inputs
        return 0 <= position < len(inputs) and inputs[position] >= 0

    def input(self, position: int) -> str:
        """Return the graph's name of an input.

        Raises
        ------
        FormatError
            If the operator has no such input.
        """
        if not self.has(position):
            raise FormatError(
                f"{self.operator.kind} node {self.operator.index} has no input {position}"
            )
        return self.importer.value(self.operator.inputs[position])

    def optional(self, position: int) -> str:
        """Return the graph's name of an input, "" where it is absent."""
        return self.input(position) if self.has(position) else ""

    def inputs(self) -> list[str]:
        """Return the names of all inputs."""
        return [self.input(i) for i in range(self.input_count)]

    def type(self, position: int) -> TensorType:
        """Return the type of an input."""
        return self.graph.known_type(self.input(position))

    def constant(self, position: int, meaning: str) -> Array:
        """Return the content of an input that must be known at conversion.

        Raises
        ------
        UnsupportedError
            If it is computed at run time; the message says what ``meaning`` it has.
        """
        content = self.graph.constant(self.input(position))
        if content is None:
            raise UnsupportedError(f"{meaning} computed at run time; it must be constant")
        return content

    def integers(self, position: int, meaning: str) -> tuple[int, ...]:
        """Return a constant input as integers, flattened."""
        content = self.constant(position, meaning)
        if content.dtype.kind not in "iu":
            raise FormatError(
                f"{meaning} of {self.operator.kind} are {content.dtype}, not integers"
            )
        return tuple(int(n) for n in content.reshape(-1))

    def integer(self, position: int, meaning: str) -> int:
        """Return a constant input as one integer."""
        numbers = self.integers(position, meaning)
        if len(numbers) != 1:
            raise FormatError(f"{meaning} of {self.operator.kind} has {len(numbers)} numbers")
        return numbers[0]

    def option(self, name: str, default: Any = None) -> Any:
        """Return an option by its schema name; ``default`` where the file has no options.

        Raises
        ------
        FormatError
            If it is missing and has no default.
        """
        value = self.operator.options.get(name, default)
        if value is None:
            raise FormatError(
                f"{self.operator.kind} node {self.operator.index} lacks its option {name}"
            )
        return value

    @property
    def clamp(self) -> Clamp:
        """The fused activation as bounds of real values."""
        number = self.option("FusedActivationFunction", 0)
        if number not in _CLAMPS:
            name = _ACTIVATIONS.get(number, f"number {number}")
            raise UnsupportedError(f"fused activation {name}; only ReLU kinds can be fused")
        return _CLAMPS[number]

    def output_type(self, position: int = 0) -> TensorType:
        """Return the type that the file declares for an output."""
        if position >= self.output_count:
            raise FormatError(
                f"{self.operator.kind} node {self.operator.index} has no output {position}"
            )
        return self.importer.declared(self.operator.outputs[position])

    @property
    def output_count(self) -> int:
        """Number of outputs that the file lists."""
        return len(self.operator.outputs)

    @property
    def output_name(self) -> str:
        """The name of the first output, which also names the node."""
        if not self.operator.outputs:
            raise FormatError(f"{self.operator.kind} node {self.operator.index} has no output")
        return self.importer.names[self.operator.outputs[0]]

    def step(
        self,
        op: Op,
        inputs: Sequence[str],
        suffix: str,
        quantization: Quantization | None = None,
    ) -> str:
        """Add an op whose result is not the operator's own; return its name."""
        name = self.importer.fresh(f"{self.output_name}:{suffix}")
        self.graph.add(op, inputs, name=name, outputs=[name], quantization=quantization)
        fold_integers(self.graph)
        return name

    def steps(self, op: Op, inputs: Sequence[str], suffix: str) -> list[str]:
        """Add an op of several results that are not the operator's own; return their names."""
        name = self.importer.fresh(f"{self.output_name}:{suffix}")
        outputs = [self.importer.fresh(f"{name}{i}") for i in range(op.outputs)]
        self.graph.add(op, inputs, name=name, outputs=outputs)
        return outputs

    def emit(self, op: Op, inputs: Sequence[str], refine: bool = True) -> None:
        """Add the op that makes all of the operator's outputs; see `emit_one`."""
        if self.output_count != op.outputs:
            raise FormatError(
                f"{self.operator.kind} node {self.operator.index} lists {self.output_count} "
                f"outputs; expected {op.outputs}"
            )
        self._emit(range(op.outputs), op, inputs, refine=refine)

    def emit_late(self, op: Op, x: str, given: Mapping[str, str]) -> None:
        """Add an op on one value, with attributes (stand-ins in it) that only a run knows.

        Parameters
        ----------
        op : Op
        x : str
        given : mapping of str to str
            From attributes to the values that they are.
        """
        self.emit(late(self.graph, op, [x], tuple(given)), [x, *given.values()])

    def emit_first(self, op: Op, inputs: Sequence[str]) -> list[str]:
        """Add an op whose first result is the operator's only output; return the others' names."""
        others = [self.importer.fresh(f"{self.output_name}:{i}") for i in range(1, op.outputs)]
        if self.output_count != 1:
            raise FormatError(
                f"{self.operator.kind} node {self.operator.index} lists {self.output_count} "
                "outputs; expected one"
            )
        self._emit(range(1), op, inputs, others)
        return others

    def emit_some(self, positions: Sequence[int], op: Op, inputs: Sequence[str]) -> list[str]:
        """Add an op whose first results are outputs of the operator; return the others' names.

        Dimensions are those that inference gives.
        """
        count = op.outputs - len(positions)
        if count < 0 or any(i >= self.output_count for i in positions):
            raise FormatError(
                f"{self.operator.kind} node {self.operator.index} lists {self.output_count} "
                f"outputs, its subgraphs {op.outputs}"
            )
        others = [self.importer.fresh(f"{self.output_name}:{i}") for i in range(count)]
        self._emit(positions, op, inputs, others, refine=False)
        return others

    def alias(self, value: str) -> None:
        """Let the operator's output be a value that there is already."""
        self.importer.alias(self.operator.outputs[0], value)

    def emit_one(self, position: int, op: Op, inputs: Sequence[str], refine: bool = True) -> None:
        """Add the op that makes one of the operator's outputs.

        Small integer results of constants become constants, as shapes are computed that way.
        Outputs are rescaled where the op keeps its input's quantization and the file declares
        another. With ``refine``, dimensions that inference does not know are the file's.

        Raises
        ------
        UnsupportedError
            If the op computes another element type than the file declares.
        """
        self._emit(range(position, position + 1), op, inputs, refine=refine)

    def emit_constant(self, content: Array) -> None:
        """Make the operator's output a constant."""
        wanted = self.output_type().dtype
        if DType.of(content) != wanted:
            raise UnsupportedError(f"it is {content.dtype}, the file declares {wanted.value}")
        self.graph.add_constant(self.output_name, content)

    def _emit(
        self,
        positions: Sequence[int],
        op: Op,
        inputs: Sequence[str],
        others: Sequence[str] = (),
        refine: bool = True,
    ) -> None:
        indices = [self.operator.outputs[i] for i in positions]
        names = [self.importer.names[i] for i in indices]
        declared = [self.importer.declared(i) for i in indices]
        quantization = [*(d.quantization for d in declared), *(None for _ in others)]
        outputs = [*names, *others]
        self.graph.add(op, inputs, name=outputs[0], outputs=outputs, quantization=quantization)
        for index, name, wanted in zip(indices, names, declared, strict=True):
            value = self.graph.values[name]
            if refine:
                value.type = value.type.with_(shape=self.importer.refined(value.type.shape, index))
            if value.type.dtype != wanted.dtype:
                raise UnsupportedError(
                    f"{type(op).__name__} computes {value.type.dtype.value}, "
                    f"the file declares {wanted.dtype.value}"
                )
            self._check_quantization(op, inputs, wanted)
            if wanted.quantization not in (None, value.type.quantization):
                self._rescale(name, wanted)
        fold_integers(self.graph)

    def _check_quantization(self, op: Op, inputs: Sequence[str], wanted: TensorType) -> None:
        """Refuse stored numbers made of plain ones and the reverse, but where that is the op's use.

        Raises
        ------
        UnsupportedError
            If only the inputs or only the output of the same storage type have a scale.
        """
        kin = [t for t in (self.graph.type_of(i) for i in inputs if i) if t.dtype == wanted.dtype]
        scaled = [t.is_quantized for t in kin]
        if kin and not isinstance(op, Quantize) and wanted.is_quantized != any(scaled):
            have = "its output has" if wanted.is_quantized else "its inputs have"
            raise UnsupportedError(f"only {have} a scale; expected inputs and output alike")

    def _rescale(self, name: str, wanted: TensorType) -> None:
        inner = self.importer.fresh(f"{name}:unscaled")
        self.graph.rename(name, inner)
        self.graph.add(
            Quantize(dtype=wanted.dtype),
            [inner],
            name=name,
            outputs=[name],
            quantization=wanted.quantization,
        )

    def array(self, content: Array, suffix: str) -> str:
        """Add a constant of the rule's own and return its name."""
        name = self.importer.fresh(f"{self.output_name}:{suffix}")
        return self.graph.add_constant(name, content)

    def scalar(self, value: float, dtype: DType) -> str:
        """Add a scalar constant."""
        return self.array(np.array(value, dtype.numpy), "constant")

    def state(self, position: int, shape: Shape | None = None) -> str:
        """Return the name of what a variable input holds now.

        Parameters
        ----------
        position : int
        shape : tuple, optional
            Its shape where that is more than the file says.
        """
        if not self.has(position):
            raise FormatError(
                f"{self.operator.kind} node {self.operator.index} has no variable {position}"
            )
        return self.importer.variables.read(self.operator.inputs[position], shape)

    def keep(self, position: int, name: str) -> None:
        """Let a variable input hold a value from now on."""
        self.importer.variables.write(self.operator.inputs[position], name)

    def as_int64(self, name: str) -> str:
        """Return a value as int64, as ops that take shapes read them."""
        content = self.graph.constant(name)
        if self.graph.type_of(name).dtype is DType.INT64:
            return name
        if content is not None:
            return self.array(content.astype(np.int64), "int64")
        return self.step(Cast(to=DType.INT64), [name], "int64")

    def real_weights(self, position: int, beside: int = 0) -> str:
        """Return an input, as float where it is a quantized constant beside a float operand.

        Such operators are "hybrid" in TFLite; see `import_tflite`.
        """
        name = self.input(position)
        type_ = self.graph.known_type(name)
        is_hybrid = self.type(beside).dtype.is_float and type_.quantization is not None
        if not is_hybrid or type_.value is None:
            return name
        assert type_.quantization is not None
        return self.importer.float_constant(
            self.operator.inputs[position], type_.value, type_.quantization
        )


def fold_integers(graph: Graph) -> None:
    """Replace the last node by constants where it computes a few integers from constants."""
    node = graph.nodes[-1]
    if all(_is_few_integers(graph.type_of(name)) for name in node.outputs):
        arrays = evaluate(graph, node)
        if arrays is not None:
            turn_constant(graph, node, arrays)


def _is_few_integers(type_: TensorType) -> bool:
    plain = not type_.dtype.is_float and not type_.is_quantized
    return plain and type_.is_static and type_.size <= _FOLDED_SIZE
