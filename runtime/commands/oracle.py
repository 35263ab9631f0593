"""Outputs of a source model: by its own runtime where installed, else by NumPy references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from linnet.types import Array


def run_source(path: str, feeds: dict[str, Array]) -> tuple[dict[str, Array], str]:
    """Return the source model's outputs by name, and which engine computed them.

    TFLite models run in LiteRT's reference interpreter, ONNX models in ONNX Runtime with graph
    optimizations off; where that engine is not installed, linnet's own NumPy references run the
    freshly converted graph.
    """
    content = Path(path).read_bytes()
    try:
        if content[4:8] == b"TFL3":
            return _litert(content, feeds), "LiteRT reference interpreter"
        return _onnxruntime(content, feeds), "ONNX Runtime without optimizations"
    except ImportError:
        from linnet import convert
        from linnet.reference import evaluate

        return evaluate(convert(path), feeds), "linnet's NumPy references (no other engine)"


def _litert(content: bytes, feeds: dict[str, Array]) -> dict[str, Array]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    engine: Any = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    for detail in engine.get_input_details():
        if tuple(detail["shape"]) != feeds[detail["name"]].shape:
            engine.resize_tensor_input(detail["index"], feeds[detail["name"]].shape)
    engine.allocate_tensors()
    for detail in engine.get_input_details():
        engine.set_tensor(detail["index"], feeds[detail["name"]])
    engine.invoke()
    return {
        detail["name"]: np.array(engine.get_tensor(detail["index"]))
        for detail in engine.get_output_details()
    }


def _onnxruntime(content: bytes, feeds: dict[str, Array]) -> dict[str, Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))
