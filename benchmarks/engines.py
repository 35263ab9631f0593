"""One way to call every engine: hand the inputs in, run, take the outputs out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from linnet.types import Array

Feeds = dict[str, Array]
Call = Callable[[], dict[str, Array]]


def linnet_engine(path: str, feeds: Feeds, threads: int) -> Call:
    """Return a call of linnet on a ``.linnet`` file, or on a model converted on the fly."""
    from linnet import load
    from linnet.opening import open_graph

    session = load(open_graph(path), threads=threads)
    return lambda: session.run(feeds)


def litert_engine(path: str, feeds: Feeds, threads: int) -> Call:
    """Return a call of LiteRT, or of tflite-runtime where only that is installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    engine: Any = Interpreter(path, num_threads=threads)
    for detail in engine.get_input_details():
        if tuple(detail["shape"]) != feeds[detail["name"]].shape:
            engine.resize_tensor_input(detail["index"], feeds[detail["name"]].shape)
    engine.allocate_tensors()
    inputs = [(d["index"], feeds[d["name"]]) for d in engine.get_input_details()]
    outputs = [(d["name"], d["index"]) for d in engine.get_output_details()]

    def call() -> dict[str, Array]:
        for index, array in inputs:
            engine.set_tensor(index, array)
        engine.invoke()
        return {name: engine.get_tensor(index) for name, index in outputs}

    return call


def onnxruntime_engine(path: str, feeds: Feeds, threads: int) -> Call:
    """Return a call of ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda: dict(zip(names, session.run(names, feeds), strict=True))


def openvino_engine(path: str, feeds: Feeds, threads: int) -> Call:
    """Return a call of OpenVINO on the CPU, computing float models in float32."""
    import openvino

    core: Any = openvino.Core()
    model = core.read_model(path)
    model.reshape({i.get_any_name(): list(feeds[i.get_any_name()].shape) for i in model.inputs})
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    names = [i.get_any_name() for i in request.model_inputs]
    outputs = [o.get_any_name() for o in request.model_outputs]

    def call() -> dict[str, Array]:
        request.infer({name: feeds[name] for name in names}, share_inputs=False)
        tensors = request.output_tensors
        return {n: np.array(t.data) for n, t in zip(outputs, tensors, strict=True)}

    return call


def suits(engine: str, path: str) -> bool:
    """Return whether an engine reads a source model, judged by the file's ending."""
    ending = Path(path).suffix
    return {
        "linnet": True,
        "litert": ending == ".tflite",
        "onnxruntime": ending == ".onnx",
        "openvino": ending in {".onnx", ".tflite"},
    }[engine]


ENGINES: dict[str, Callable[[str, Feeds, int], Call]] = {
    "linnet": linnet_engine,
    "litert": litert_engine,
    "onnxruntime": onnxruntime_engine,
    "openvino": openvino_engine,
}
