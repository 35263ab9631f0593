"""One way to call every engine: hand the inputs in, run, take the outputs out."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
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


def ncnn_engine(path: str, feeds: Feeds, threads: int) -> Call:
    """Return a call of ncnn on an ONNX model that pnnx converts, computing in float32.

    Outputs come in the model's order and without a batch axis, because ncnn has none.
    """
    import tempfile

    import ncnn

    with tempfile.TemporaryDirectory() as folder:
        stem = _pnnx(path, feeds, Path(folder))
        net: Any = ncnn.Net()
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(net.opt, f"use_{name}", False)
        net.opt.num_threads = threads
        if net.load_param(f"{stem}.ncnn.param") or net.load_model(f"{stem}.ncnn.bin"):
            raise RuntimeError("ncnn cannot load what pnnx made of the model")
    inputs = [(f"in{k}", array[0]) for k, array in enumerate(feeds.values())]
    outputs = list(net.output_names())

    def call() -> dict[str, Array]:
        with net.create_extractor() as extractor:
            for name, array in inputs:
                extractor.input(name, ncnn.Mat(array))
            return {name: np.array(extractor.extract(name)[1]) for name in outputs}

    return call


def _pnnx(path: str, feeds: Feeds, folder: Path) -> Path:
    """Convert an ONNX model in a folder of its own, because pnnx writes beside the model."""
    spec = importlib.util.find_spec("pnnx")
    places = list(spec.submodule_search_locations or ()) if spec else []
    program = next((p for p in (Path(place) / "pnnx" for place in places) if p.is_file()), None)
    if program is None:
        raise ImportError("pnnx is not installed", name="pnnx")
    model = folder / "model.onnx"
    shutil.copyfile(path, model)
    kinds = {"float32": "f32", "int32": "i32", "int64": "i64", "uint8": "u8", "int8": "i8"}
    shapes = ",".join(
        f"[{','.join(map(str, array.shape))}]{kinds[str(array.dtype)]}" for array in feeds.values()
    )
    if not os.access(program, os.X_OK):
        raise PermissionError(f"'{program}' may not be executed")
    subprocess.run(
        [str(program), str(model), f"inputshape={shapes}"],
        cwd=folder, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    return folder / "model"


def installed(engine: str) -> bool:
    """Return whether an engine's package is installed."""
    return any(importlib.util.find_spec(name) is not None for name in PACKAGES[engine])


def suits(engine: str, path: str) -> bool:
    """Return whether an engine reads a source model, judged by the file's ending."""
    ending = Path(path).suffix
    return {
        "linnet": True,
        "litert": ending == ".tflite",
        "onnxruntime": ending == ".onnx",
        "openvino": ending in {".onnx", ".tflite"},
        "ncnn": ending == ".onnx",
    }[engine]


ENGINES: dict[str, Callable[[str, Feeds, int], Call]] = {
    "linnet": linnet_engine,
    "litert": litert_engine,
    "onnxruntime": onnxruntime_engine,
    "openvino": openvino_engine,
    "ncnn": ncnn_engine,
}
PACKAGES = {
    "linnet": ("linnet",),
    "litert": ("ai_edge_litert", "tflite_runtime"),
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "ncnn": ("ncnn",),
}
# The runtime that a format belongs to says what the right answer is.
OWNERS = {".tflite": "litert", ".onnx": "onnxruntime"}
