"""The face of ONNX Runtime: ``import linnet.compat.onnxruntime as ort``.

Covers what application code calls: sessions on a path or bytes, ``run``, descriptions of inputs
and outputs, thread options. Execution providers are accepted and ignored with a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linnet import load
from linnet.errors import InputError
from linnet.opening import open_graph
from linnet.types import Array, Dim, TensorSpec

_TYPE_NAMES = {
    "float32": "float", "float64": "double", "float16": "float16", "bool": "bool",
    "int8": "int8", "uint8": "uint8", "int16": "int16", "uint16": "uint16",
    "int32": "int32", "uint32": "uint32", "int64": "int64", "uint64": "uint64",
    "complex64": "complex64",
}  # fmt: skip
_PROVIDER = "CPUExecutionProvider"


@dataclass
class SessionOptions:
    """Options of a session; only the number of threads has an effect."""

    intra_op_num_threads: int = 0
    inter_op_num_threads: int = 0
    graph_optimization_level: Any = None
    enable_profiling: bool = False
    log_severity_level: int = 2


@dataclass(frozen=True)
class NodeArg:
    """Description of an input or output: ``type`` like ``tensor(float)``."""

    name: str
    type: str
    shape: list[Dim]


@dataclass(frozen=True)
class ModelMetadata:
    """Name and free text of a model."""

    graph_name: str
    custom_metadata_map: dict[str, str]


class InferenceSession:
    """A model ready to run, by ONNX Runtime's names.

    Parameters
    ----------
    path_or_bytes : str, PathLike or bytes
        A ``.linnet``, ONNX or TFLite model.
    sess_options : SessionOptions, optional
    providers : sequence, optional
        Ignored but for a warning when it asks for anything other than the CPU.
    """

    def __init__(
        self,
        path_or_bytes: Any,
        sess_options: SessionOptions | None = None,
        providers: Sequence[Any] | None = None,
        provider_options: Any = None,
        **options: Any,
    ) -> None:
        other = [p for p in providers or () if p != _PROVIDER]
        if other:
            warnings.warn(f"providers {other} are ignored: linnet runs on the CPU", stacklevel=2)
        threads = (sess_options.intra_op_num_threads if sess_options else 0) or None
        self._session = load(open_graph(path_or_bytes), threads)

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: Any = None,
    ) -> list[Array]:
        """Return the named outputs, all of them for None, as a list.

        Raises
        ------
        InputError
            If an output is unknown or the inputs do not fit.
        """
        results = self._session.run({name: np.asarray(v) for name, v in input_feed.items()})
        unknown = [name for name in output_names or () if name not in results]
        if unknown:
            raise InputError(f"no outputs named {unknown}; the model has {list(results)}")
        return [results[name] for name in output_names or results]

    def get_inputs(self) -> list[NodeArg]:
        """Return the descriptions of the inputs."""
        return [_node_arg(spec) for spec in self._session.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """Return the descriptions of the outputs."""
        return [_node_arg(spec) for spec in self._session.outputs]

    def get_providers(self) -> list[str]:
        """Return the one provider there is."""
        return [_PROVIDER]

    def get_modelmeta(self) -> ModelMetadata:
        """Return the model's name and metadata."""
        graph = self._session.graph
        return ModelMetadata(graph.name, dict(graph.metadata))


def get_available_providers() -> list[str]:
    """Return the one provider there is."""
    return [_PROVIDER]


def _node_arg(spec: TensorSpec) -> NodeArg:
    return NodeArg(spec.name, f"tensor({_TYPE_NAMES[spec.dtype.name]})", list(spec.shape))
