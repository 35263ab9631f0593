"""Convert the digits models, run them, and hold them against ONNX Runtime on the same images."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.commands.tables import bytes_text, progress, show_table
from linnet.types import Array

HERE = Path(__file__).resolve().parent
MODELS = ("cnn_float", "cnn_int8_qdq", "vit_float", "vit_int8_qdq")
ROUNDS = 5


def median_seconds(run: Any, feeds: dict[str, Array], seconds: float = 0.15) -> float:
    """Return the median duration of ``run(feeds)`` over a short time."""
    samples = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        run(feeds)
        samples.append(time.perf_counter() - start)
    return float(np.median(samples))


def peer_session(path: Path) -> Any:
    """Return an ONNX Runtime session on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def try_model(name: str, images: Array, labels: Array, folder: Path) -> list[object]:
    """Convert one model, run every image, compare with ONNX Runtime; return a table row."""
    source = HERE / f"{name}.onnx"
    target = folder / f"{name}.linnet"
    linnet.save(linnet.convert(source), target)
    session = linnet.load(target, threads=1)
    peer = peer_session(source)
    mine = session.run({"image": images})["logits"].argmax(axis=1)
    theirs = peer.run(None, {"image": images})[0].argmax(axis=1)
    one = {"image": images[:1]}
    turns = [
        (median_seconds(session.run, one), median_seconds(lambda f: peer.run(None, f), one))
        for _ in range(ROUNDS)
    ]
    linnet_time, peer_time = (float(np.median(times)) for times in zip(*turns, strict=True))
    return [
        name,
        f"{100 * (mine == labels).mean():.2f} %",
        f"{100 * (mine == theirs).mean():.2f} %",
        bytes_text(target.stat().st_size),
        f"{linnet_time * 1e6:.1f}",
        f"{peer_time * 1e6:.1f}",
        f"{peer_time / linnet_time:.2f}x",
    ]


def main() -> int:
    """Run the demonstration; return the exit code."""
    from linnet.cli import main as command

    held_out = np.load(HERE / "heldout.npz")
    images, labels = held_out["images"], held_out["labels"]
    print("$ linnet info")
    command(["info"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = []
        with progress("converting, running, comparing") as advance:
            for done, name in enumerate(MODELS):
                rows.append(try_model(name, images, labels, folder))
                advance((done + 1) / len(MODELS))
        print("\n$ linnet inspect cnn_int8_qdq.linnet")
        command(["inspect", str(folder / "cnn_int8_qdq.linnet")])
    columns = (
        "model", "accuracy", "same digit as ONNX Runtime", "file", "linnet us/image",
        "ONNX Runtime us/image", "speed-up",
    )  # fmt: skip
    show_table(
        f"\n{len(labels)} handwritten digits that the models never saw, one thread", columns, rows
    )
    print(
        "accuracy: share of digits read correctly; _float models compute in 32-bit floats, "
        "_int8 ones in 8-bit integers"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
