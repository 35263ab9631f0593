"""The one op registry: what an operator is.

An operator is one frozen struct whose fields are its attributes. Defining a subclass registers it,
and the class name is its name in model files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Protocol

import msgspec
import numpy as np

from linnet.types import Array, Cost, NodeTypes, TensorType

Clamp = tuple[float, float]
NO_CLAMP: Clamp = (float("-inf"), float("inf"))


class Buffer(Protocol):
    """One input or output of a step being bound."""

    type: TensorType
    pointer: int
    array: Array | None


class Step(Protocol):
    """What `Op.bind` gets: the node's buffers and the program to add kernels to."""

    name: str
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    program: Any

    @property
    def types(self) -> NodeTypes:
        """Types of the node's inputs and outputs."""
        ...

    def keep(self, item: Any) -> Any:
        """Keep an object alive as long as the program."""
        ...

    def cached(self, key: str, make: Any) -> Any:
        """Return what ``make()`` gave for this node and key, made once per session, and keep it."""
        ...

    @property
    def has_bodies(self) -> bool:
        """Whether `bind_body` can be used: the shapes in all bodies are known."""
        ...

    def bind_body(self, index: int, inputs: Sequence[Any]) -> list[Any]:
        """Add the steps of a body that reads the given buffers; return those of its outputs."""
        ...


class Body:
    """A nested graph: what `linnet.graph.Graph` is, as far as operators may know it.

    Attributes
    ----------
    name : str
    inputs, outputs : list of str
        Names of values. A body reads nothing from outside: what it needs is among its inputs.
    values : dict
        By name: ``type``, and ``data`` of constants.
    nodes : list
        In running order: ``op``, ``inputs``, ``outputs``.
    """

    name: str
    inputs: list[str]
    outputs: list[str]
    values: dict[str, Any]
    nodes: list[Any]

    def validate(self) -> None:
        """Check every rule of graphs; raise GraphError with what is broken."""
        raise TypeError(f"{type(self).__name__} is no graph")


# Computes a nested graph: its input arrays in, its output arrays out.
Call = Callable[[Body, Sequence[Array]], Sequence[Array]]


class Registry(MutableMapping[str, "type[Op]"]):
    """Ops by name; the file that defines an op is imported when its name is first asked for."""

    def __init__(self) -> None:
        self._ops: dict[str, type[Op]] = {}
        self._modules: dict[str, str] = {}

    def expect(self, modules: Mapping[str, str]) -> None:
        """Say which modules define which ops."""
        self._modules.update(modules)

    def __getitem__(self, name: str) -> type[Op]:
        if name not in self._ops and name in self._modules:
            import_module(self._modules[name])
        return self._ops[name]

    def __setitem__(self, name: str, op: type[Op]) -> None:
        if name in self._ops:
            raise TypeError(f"op {name} is defined twice")
        self._ops[name] = op

    def __delitem__(self, name: str) -> None:
        del self._ops[name]

    def __iter__(self) -> Iterator[str]:
        for module in self._modules.values():
            import_module(module)
        return iter(tuple(self._ops))

    def __len__(self) -> int:
        return len(tuple(iter(self)))


class Op(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True, kw_only=True):
    """Base class of every operator; subclassing registers it.

    Notes
    -----
    Class-level facts: ``arity`` is the least and most number of inputs, ``since`` the format
    revision that knows the op, ``in_place`` the inputs whose buffer output 0 may take, ``alias``
    whether output 0 is input 0's bytes under another shape, ``pure`` whether equal inputs give
    equal outputs (so constants fold), ``outputs`` the number of outputs, ``elementwise`` whether
    each element of the output depends on one element of each input alone (NumPy broadcasting).
    """

    arity: ClassVar[tuple[int, int]] = (1, 1)
    since: ClassVar[int] = 1
    in_place: ClassVar[tuple[int, ...]] = ()
    alias: ClassVar[bool] = False
    pure: ClassVar[bool] = True
    runs_bodies: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    registry: ClassVar[Registry] = Registry()

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        if cls.__name__.startswith("_"):
            return
        Op.registry[cls.__name__] = cls

    @property
    def title(self) -> str:
        """What a plan's listing calls the op."""
        return type(self).__name__

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return 1

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Nested graphs, in the order of the fields; only control flow has any."""
        return ()

    def body_types(self, types: NodeTypes) -> tuple[list[TensorType], ...]:
        """Return the input types of each body, which hold in every iteration."""
        return ()

    @property
    def owned(self) -> tuple[tuple[int, int], ...]:
        """Per body the first and last (exclusive) of the inputs that it may overwrite."""
        return ()

    def reads_panels(self, *types: TensorType | None) -> tuple[int, ...]:
        """Return the inputs whose kernels read constants in panels; see `linnet.panels`."""
        return ()

    def execute(self, call: Call, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute the outputs of an op of control flow, its bodies by ``call``."""
        raise TypeError(f"{type(self).__name__} has no bodies")

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Return the output types for the input types (shapes may be symbolic).

        Parameters
        ----------
        *types : TensorType or None
            One per input, None where an optional input is absent. ``value`` is set where the
            content is known.

        Returns
        -------
        tuple of TensorType
            Quantization is set only where the op decides it (data movement keeps the input's);
            otherwise it is None and the graph's own declaration counts.

        Raises
        ------
        ShapeError
            If shapes or dtypes do not fit.
        """
        raise TypeError(f"{type(self).__name__} does not define infer")

    def reference(self, types: NodeTypes, *arrays: Array | None) -> tuple[Array, ...]:
        """Compute the outputs with plain NumPy: the oracle, the constant folder, the fallback.

        Parameters
        ----------
        types : NodeTypes
            Concrete types; quantized arithmetic reads scales and zero points from here.
        *arrays : ndarray or None
            One per input, as stored.

        Returns
        -------
        tuple of ndarray
            One per output, of the declared dtype and shape.
        """
        raise TypeError(f"{type(self).__name__} does not define reference")

    def bind(self, step: Step) -> bool:
        """Add this node's kernels to ``step.program``.

        Returns
        -------
        bool
            False where no kernel serves these types; the node then runs `reference` as a host step.
        """
        return False

    def cost(self, types: NodeTypes) -> Cost:
        """Return the multiply-accumulates and the bytes that one run moves."""
        present = [t for t in (*types.inputs, *types.outputs) if t is not None]
        return Cost(0, sum(t.nbytes for t in present))


def trimmed(types: tuple[TensorType | None, ...]) -> tuple[TensorType | None, ...]:
    """Return the types without the absent inputs at the end."""
    while types and types[-1] is None:
        types = types[:-1]
    return types


def as_array(array: Any, like: TensorType) -> Array:
    """Return the array with the type's dtype, contiguous."""
    return np.ascontiguousarray(array, like.dtype.numpy).reshape(np.shape(array))
