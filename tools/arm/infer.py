"""One inference between two markers: what profile.sh runs under the emulator.

infer.py MARKER ENGINE MODEL: ENGINE is linnet, litert, onnxruntime or nothing (the markers' own
cost); MODEL the file that it takes.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def filled(shape: Any, dtype: Any) -> Any:
    """Return random values: the time of int8 kernels does not depend on them."""
    rng = np.random.default_rng(0)
    shape = [1 if isinstance(dim, str) else int(dim) for dim in shape]
    if np.issubdtype(dtype, np.integer):
        return rng.integers(0, 100, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def linnet_call(path: str) -> Callable[[], Any]:
    """Return a call of `Session.run` on one thread."""
    import linnet

    session = linnet.load(path, threads=1)
    feeds = {t.name: filled(t.shape, t.dtype) for t in session.inputs}
    return lambda: session.run(feeds)


def litert_call(path: str) -> Callable[[], Any]:
    """Return a call of the interpreter's `invoke`, inputs set before."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], filled(tensor["shape"], tensor["dtype"]))
    return interpreter.invoke


def onnxruntime_call(path: str) -> Callable[[], Any]:
    """Return a call of `InferenceSession.run` on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    kinds = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(float)": np.float32}
    feeds = {t.name: filled(t.shape, kinds[t.type]) for t in session.get_inputs()}
    return lambda: session.run(None, feeds)


def main() -> None:
    """Run one engine's call three times, the last one between the markers."""
    marker, engine, path = sys.argv[1:]
    calls = {"linnet": linnet_call, "litert": litert_call, "onnxruntime": onnxruntime_call}
    call = calls[engine](path) if engine in calls else lambda: None
    hints = ctypes.CDLL(marker)
    call()
    call()
    hints.region_start()
    call()
    hints.region_stop()


if __name__ == "__main__":
    main()
