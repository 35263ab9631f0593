"""Transformers beside their peers: a sentence encoder, attention, 4-bit products of one row.

``python -m linnet.benchmarks.transformers encoder --minilm FOLDER [--threads 1,2]``
``python -m linnet.benchmarks.transformers kernels``
``python -m linnet.benchmarks.transformers tokens --decoder FILE.linnet``

``encoder`` takes a folder with model_fp32.onnx, model_int8_dyn.onnx and model_int8_qdq.onnx. All
models and engines take turns in one run, each in a process of its own; linnet's int8 model is the
float one by ``quantize="dynamic"``. ``kernels`` holds attention against ONNX Runtime's
MultiHeadAttention and against float64, with calls that copy inputs and outputs as callers see them
and kernels alone, and a product with 4-bit weights against reading as many bytes, in one process
and by turns. The best try counts on every side. ``tokens`` generates with a
decoder that keeps its keys and values, and says how much of a token's time kernels do not take.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet import ops
from linnet.graph import Graph
from linnet.profile import profile_session
from linnet.types import Array, DType, TensorType

from .machine.describe import describe_machine
from .machine.peak import aligned_data, peak_rate
from .peers.worker import Worker

FLOAT, DYNAMIC, QDQ = "model_fp32.onnx", "model_int8_dyn.onnx", "model_int8_qdq.onnx"
LENGTHS = (16, 128)
HEADS, LENGTH, DEPTH = 8, 512, 64
SIDE, GROUP = 4096, 32
TOKENS = 30_000
GENERATED, TEXTS, PROFILED = 100, 12, 60
PAUSE = 0.01


def encoder(folder: Path, threads: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Time every engine on every form of the model, for each length of a sequence.

    Parameters
    ----------
    folder : path
    threads, rounds : int
    seconds : float
        Per engine and round.
    """
    with tempfile.TemporaryDirectory() as room:
        own = Path(room) / "dynamic.linnet"
        linnet.save(linnet.convert(folder / FLOAT, quantize="dynamic"), own)
        runs = [
            ("onnxruntime", folder / FLOAT, "float"),
            ("openvino", folder / FLOAT, "float"),
            ("onnxruntime", folder / DYNAMIC, "int8"),
            ("onnxruntime", folder / QDQ, "int8"),
            ("openvino", folder / QDQ, "int8"),
            ("linnet", folder / FLOAT, "float"),
            ("linnet", own, "int8"),
        ]
        return [_encode(runs, n, threads, rounds, seconds, Path(room)) for n in LENGTHS]


def _encode(
    runs: list[tuple[str, Path, str]],
    length: int,
    threads: int,
    rounds: int,
    seconds: float,
    room: Path,
) -> dict[str, Any]:
    tokens = np.random.default_rng(0).integers(0, TOKENS, (1, length))
    feeds = {
        "input_ids": tokens,
        "attention_mask": np.ones_like(tokens),
        "token_type_ids": np.zeros_like(tokens),
    }
    np.savez(room / "feeds.npz", **feeds)  # type: ignore[arg-type]
    workers = [Worker(engine, str(path), room / "feeds.npz", threads) for engine, path, _ in runs]
    try:
        for worker in workers:
            worker.answer()
            worker.round(seconds)
            worker.forget()
        for _ in range(rounds):
            for worker in workers:
                worker.round(seconds)
    finally:
        for worker in workers:
            worker.stop()
    rows: list[dict[str, Any]] = [
        {"engine": engine, "model": path.name, "kind": kind, "best": min(worker.rounds)}
        for worker, (engine, path, kind) in zip(workers, runs, strict=True)
        if worker.rounds
    ]
    peers = {
        kind: min(r["best"] for r in rows if r["engine"] != "linnet" and r["kind"] == kind)
        for kind in ("float", "int8")
    }
    mine = {r["kind"]: r["best"] for r in rows if r["engine"] == "linnet"}
    return {
        "length": length,
        "threads": threads,
        "runs": rows,
        "float": mine["float"] / peers["float"],
        "int8 of float": mine["int8"] / peers["float"],
        "int8 of int8": mine["int8"] / peers["int8"],
    }


def attention_graph(by_bytes: bool) -> Graph:
    """Return a graph of attention over heads of one sequence, heads before rows."""
    graph = Graph("attention")
    shape = (1, HEADS, LENGTH, DEPTH)
    inputs = [graph.add_input(name, TensorType(DType.FLOAT32, shape)) for name in "qkv"]
    graph.outputs = [graph.add(ops.Attention(bytes=by_bytes), inputs)]
    return graph


def attention(threads: int, seconds: float) -> dict[str, Any]:
    """Time attention in float32 and on bytes, and ONNX Runtime's; measure the errors."""
    rng = np.random.default_rng(0)
    shape = (1, HEADS, LENGTH, DEPTH)
    feeds = {name: rng.standard_normal(shape).astype(np.float32) for name in "qkv"}
    sessions = {
        kind: linnet.load(attention_graph(kind == "int8"), threads=threads)
        for kind in ("float", "int8")
    }
    calls = {kind: _calling(session, feeds) for kind, session in sessions.items()}
    calls["onnxruntime"] = _multi_head_attention(feeds, threads)
    found = {kind: np.ravel(call()).astype(np.float64) for kind, call in calls.items()}
    types = ops.Attention().infer(*(TensorType.of(a) for a in feeds.values()))
    exact = ops.Attention().reference(_node(feeds, types), *feeds.values())[0]
    right = np.ravel(exact).astype(np.float64)
    for kind, session in sessions.items():
        calls[f"{kind} kernel"] = session.plan().program.run
    best = take_turns(calls, seconds)
    return {
        "threads": threads,
        "shape": shape,
        "best": best,
        "cosine": {
            kind: float(a @ right / np.linalg.norm(a) / np.linalg.norm(right))
            for kind, a in found.items()
            if kind != "onnxruntime"
        },
        "float of onnxruntime": best["float"] / best["onnxruntime"],
        "float over int8": best["float"] / best["int8"],
        "kernel over kernel": best["float kernel"] / best["int8 kernel"],
    }


def _node(feeds: dict[str, Array], outputs: tuple[TensorType, ...]) -> Any:
    from linnet.types import NodeTypes

    return NodeTypes(tuple(TensorType.of(a) for a in feeds.values()), outputs)


def _calling(session: linnet.Session, feeds: dict[str, Array]) -> Callable[[], Array]:
    name = session.outputs[0].name
    return lambda: session.run(feeds)[name]


def _multi_head_attention(feeds: dict[str, Array], threads: int) -> Callable[[], Array]:
    """Return a call of ONNX Runtime's MultiHeadAttention, keys and values by heads."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    wide = (1, LENGTH, HEADS * DEPTH)
    shapes = {"q": wide, "k": feeds["k"].shape, "v": feeds["v"].shape}
    node = helper.make_node(
        "MultiHeadAttention", ["q", "k", "v"], ["y"], domain="com.microsoft", num_heads=HEADS
    )
    infos = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in shapes.items()
    ]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, list(wide))
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(
        helper.make_graph([node], "attention", infos, [result]), opset_imports=domains, ir_version=8
    )
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = feeds | {"q": np.ascontiguousarray(feeds["q"].swapaxes(1, 2)).reshape(wide)}
    return lambda: session.run(None, given)[0]


def block_linear(threads: int, seconds: float) -> dict[str, Any]:
    """Time a row times a square of 4-bit weights, and reading the bytes of such weights."""
    rng = np.random.default_rng(0)
    graph = Graph("row")
    x = graph.add_input("x", TensorType(DType.FLOAT32, (1, SIDE)))
    groups = SIDE // GROUP
    weights = rng.integers(0, 256, (SIDE, groups, GROUP // 2)).astype(np.uint8)
    scales = rng.random((SIDE, groups)).astype(np.float32)
    names = [graph.add_constant("w", weights), graph.add_constant("s", scales)]
    graph.outputs = [graph.add(ops.BlockLinear(), [x, *names])]
    session = linnet.load(graph, threads=threads)
    call = _calling(session, {"x": rng.standard_normal((1, SIDE)).astype(np.float32)})
    call()
    nbytes = weights.nbytes + scales.nbytes
    data = aligned_data(nbytes)
    best, read, end = 1e9, 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = min(best, take_turns({"row": call}, 0.0)["row"])
        read = max(read, peak_rate("peak_read", data, threads, "", 0.005))
    return {
        "threads": threads,
        "bytes": nbytes,
        "best": best,
        "rate": nbytes / best,
        "peak": read,
        "of peak": nbytes / best / read,
    }


def tokens(path: Path, threads: int) -> dict[str, Any]:
    """Time tokens of texts by the likeliest next one, and the kernels of one in the middle."""
    session = linnet.load(path, threads=threads)
    best = 1e9
    for _ in range(TEXTS):
        start = time.perf_counter()
        count = sum(1 for _ in linnet.generate(session, [1], GENERATED))
        best = min(best, (time.perf_counter() - start) / count)
    token, position = sorted(session.inputs, key=lambda spec: len(spec.shape), reverse=True)
    feeds = {token.name: np.array([[1]]), position.name: np.array([GENERATED // 2])}
    nodes = profile_session(session, feeds, PROFILED).rows
    kernels = sum(float(row["seconds"]) for row in nodes)
    return {"threads": threads, "token": best, "kernels": kernels, "outside": best - kernels}


def take_turns(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Return the least seconds of each call; they take turns of six at least ten times.

    Each turn begins after a pause, in which the threads of another one stop spinning.
    """
    best = dict.fromkeys(calls, 1e9)
    pause = PAUSE if len(calls) > 1 else 0.0
    end, turns = time.perf_counter() + seconds, 0
    while turns < 10 or time.perf_counter() < end:
        turns += 1
        for name, call in calls.items():
            time.sleep(pause)
            for _ in range(6):
                start = time.perf_counter()
                call()
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def lines(report: dict[str, Any]) -> list[str]:
    """Return a report as lines of Markdown."""
    found = []
    if report["encoder"]:
        found += [
            "| MiniLM, tokens | threads | float | int8 of peers' float | int8 of peers' int8 |",
            "|---:|---:|---:|---:|---:|",
        ]
    for row in report["encoder"]:
        ratios = [row[kind] for kind in ("float", "int8 of float", "int8 of int8")]
        shown = " | ".join(f"{ratio:.2f}" for ratio in ratios)
        found.append(f"| {row['length']} | {row['threads']} | {shown} |")
    for row in report["attention"]:
        found.append(
            f"attention {HEADS} x {LENGTH} x {DEPTH}, {row['threads']} thread(s): float "
            f"{row['float of onnxruntime']:.2f} of ONNX Runtime's time, int8 "
            f"{row['float over int8']:.2f} x as fast as float, its kernel alone "
            f"{row['kernel over kernel']:.2f} x, cosine {row['cosine']['int8']:.6f}"
        )
    for row in report["block linear"]:
        found.append(
            f"4-bit {SIDE} x {SIDE}, one row, {row['threads']} thread(s): "
            f"{row['rate'] / 1e9:.1f} of {row['peak'] / 1e9:.1f} GB/s = {row['of peak']:.0%}"
        )
    for row in report["tokens"]:
        found.append(
            f"{row['model']}, {row['threads']} thread(s): {1e6 * row['token']:.1f} us a token, "
            f"{1e6 * row['outside']:.1f} of them outside kernels"
        )
    return found


def main() -> int:
    """Measure, print the lines and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", choices=["encoder", "kernels", "tokens"])
    parser.add_argument("--minilm", type=Path, help="folder of the encoder's three ONNX files")
    parser.add_argument("--decoder", type=Path, help=".linnet file that generates")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--json", type=Path, help="report to write, or to renew the part of")
    options = parser.parse_args()
    threads = [int(n) for n in options.threads.split(",")]
    known = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    empty: dict[str, Any] = {"encoder": [], "attention": [], "block linear": [], "tokens": []}
    report = empty | known | {"machine": describe_machine(), "date": str(date.today())}
    if options.part == "encoder":
        if options.minilm is None:
            parser.error("encoder needs --minilm FOLDER")
        runs = [encoder(options.minilm, n, options.rounds, options.seconds) for n in threads]
        report["encoder"] = [row for rows in runs for row in rows]
    elif options.part == "tokens":
        if options.decoder is None:
            parser.error("tokens needs --decoder FILE")
        found = [tokens(options.decoder, n) for n in threads]
        report["tokens"] = [{"model": options.decoder.stem, **row} for row in found]
    else:
        report["attention"] = [attention(n, 10 * options.seconds) for n in threads]
        report["block linear"] = [block_linear(n, 10 * options.seconds) for n in threads]
    print("\n".join(lines(report)))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
