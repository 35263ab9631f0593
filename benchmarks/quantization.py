"""How near quantized models stay to their float models: linnet beside onnxruntime, same samples.

Both get the float model, the same calibration samples and the same class of settings: static int8,
weights symmetric per channel, activations asymmetric per tensor, ranges from the least and greatest
value (linnet's other calibrators are shown beside). Judged by the signal-to-noise ratio of all
outputs (SQNR, decibels) and by how often the choice is the float model's, on the real cases and on
samples that neither was calibrated on. A few samples make most of the noise: with 128 of them the
ratio is known to a decibel only, so there are a thousand, and intervals from drawing samples anew.

``python -m linnet.benchmarks.quantization MODEL... --json OUT.json --markdown OUT.md``
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import linnet
from linnet.commands.tables import progress, show_table
from linnet.graph import Graph
from linnet.types import Array

from .machine.describe import describe_machine
from .onnx_export import export

Feeds = dict[str, Array]
_DRAWS = 1000
CALIBRATORS = ("minmax", "percentile", "mse", "entropy", "auto")


def perturbed(feeds: Feeds, generator: np.random.Generator) -> Feeds:
    """Return a sample like another: images mirrored, moved, brighter or darker, with noise."""
    made = {}
    mirror, shift = generator.random() < 0.5, generator.uniform(-0.1, 0.1, 2)
    gain, noise = generator.uniform(0.8, 1.2), generator.uniform(0.0, 0.03)
    for name, array in feeds.items():
        if array.dtype.kind != "f":
            made[name] = array
            continue
        low, high = float(array.min()), float(array.max())
        changed = array.astype(np.float64)
        if array.ndim == 4:
            rows, columns = (1, 2) if array.shape[3] <= array.shape[1] else (2, 3)
            changed = np.flip(changed, columns) if mirror else changed
            for axis, part in zip((rows, columns), shift, strict=True):
                changed = np.roll(changed, round(part * array.shape[axis]), axis)
        middle = (low + high) / 2
        changed = (changed - middle) * gain + middle
        changed += noise * (high - low) * generator.standard_normal(array.shape)
        made[name] = np.clip(changed, low, high).astype(array.dtype)
    return made


class Variations:
    """Samples like some real ones, the same every time, made while they are read.

    Parameters
    ----------
    real : sequence of dict
    count, seed : int
    """

    def __init__(self, real: Sequence[Feeds], count: int, seed: int) -> None:
        self.real, self.count, self.seed = real, count, seed

    def __iter__(self) -> Iterator[Feeds]:
        """Make them one by one."""
        generator = np.random.default_rng(self.seed)
        for index in range(self.count):
            yield perturbed(self.real[index % len(self.real)], generator)


class Subject:
    """A model with samples to calibrate on and to judge by.

    Parameters
    ----------
    path : Path
        A folder with ``cases.json`` and ``cases.npz`` (real cases first), or a model with its
        samples in ``<model>.calibration`` and ``<model>.evaluation`` (.npz, samples along the
        first axis, or folders of such).
    count, judged : int
        Samples to make of the real cases for calibration, and to judge by.
    """

    def __init__(self, path: Path, count: int, judged: int = 128) -> None:
        self.model: Path = path
        if path.is_dir():
            about = json.loads((path / "cases.json").read_text())
            arrays = np.load(path / "cases.npz")
            self.name, self.model = path.name, path / about["model"]
            names = [tensor["name"] for tensor in about["inputs"]]
            self.real = [
                {name: arrays[f"{case['id']}_in{k}"] for k, name in enumerate(names)}
                for case in about["cases"]
                if case.get("kind", "real") == "real"
            ]
            variations = Variations(self.real, max(count - len(self.real), 0), 0)
            self.calibration = [*self.real, *variations]
            self.evaluation: Iterable[Feeds] = Variations(self.real, judged, 1)
        else:
            self.name, self.model = path.stem, path
            graph = linnet.convert(path)
            self.calibration = list(_read(path, "calibration", graph))
            self.evaluation = self.real = list(_read(path, "evaluation", graph))
        self.graph = linnet.convert(self.model)


def _read(path: Path, kind: str, graph: Graph) -> Iterator[Feeds]:
    from linnet.converters.quantization import Samples

    source = path.with_suffix(f".{kind}")
    return iter(Samples(source if source.is_dir() else source.with_suffix(f".{kind}.npz"), graph))


Run = Callable[[Feeds], dict[str, Array]]


@dataclass(frozen=True)
class Judgment:
    """How near outputs are to the float model's.

    Parameters
    ----------
    signal, noise : ndarray
        Power of each sample's float outputs, and of the difference from them.
    agreement : float
        How often both choose the same.
    """

    signal: Array
    noise: Array
    agreement: float

    def ratios(self) -> Array:
        """Return the ratio of all samples in decibels, then those of samples drawn anew."""
        count = len(self.signal)
        drawn = np.random.default_rng(0).integers(0, count, (_DRAWS, count))
        places = np.concatenate([np.arange(count)[None], drawn])
        noise = np.maximum(self.noise[places].sum(axis=1), 1e-300)
        return np.asarray(10 * np.log10(self.signal[places].sum(axis=1) / noise))

    def summary(self, peer: Judgment | None = None) -> dict[str, Any]:
        """Return plain data: the ratio, its interval, and by how much it is above a peer's."""
        own = self.ratios()
        found = {"sqnr": float(own[0]), "interval": _interval(own), "agreement": self.agreement}
        if peer is None:
            return found
        gain = own - peer.ratios()
        return found | {"gain": float(gain[0]), "gain_interval": _interval(gain)}


def _interval(figures: Array) -> list[float]:
    return [float(f) for f in np.percentile(figures[1:], [2.5, 97.5])]


def judge(wanted: Run, found: Run, samples: Iterable[Feeds]) -> Judgment:
    """Compare outputs on samples.

    The choice is the place of the first output's largest entry; of an output [batch, length,
    width], which holds embeddings, the other sample with the nearest mean over the length.
    """
    powers: list[tuple[float, float]] = []
    firsts: tuple[list[Array], list[Array]] = ([], [])
    for feeds in samples:
        left, right = wanted(feeds), found(feeds)
        signal = noise = 0.0
        for k, name in enumerate(left):
            one, other = left[name].astype(np.float64), right[name].astype(np.float64)
            signal += float((one**2).sum())
            noise += float(((one - other) ** 2).sum())
            if k == 0:
                firsts[0].append(one)
                firsts[1].append(other)
        powers.append((signal, noise))
    same = [a == b for a, b in zip(*(_choices(side) for side in firsts), strict=True)]
    signals, noises = np.array(powers).T
    return Judgment(signals, noises, float(np.mean(same)))


def _choices(outputs: list[Array]) -> list[Any]:
    if outputs[0].ndim != 3:
        rows = (row for output in outputs for row in output)
        return [int(row.argmax()) for row in rows]
    means = np.stack([output.mean(axis=(0, 1)) for output in outputs])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    near = means @ means.T
    np.fill_diagonal(near, -np.inf)
    return [int(row.argmax()) for row in near]


def onnxruntime_float(subject: Subject, folder: Path) -> Path:
    """Return the model as a float ONNX file, exported where it was not one."""
    if subject.model.suffix == ".onnx":
        return subject.model
    import onnx

    path = folder / f"{subject.name}.onnx"
    onnx.save(export(subject.graph), path)
    return path


def onnxruntime_session(path: Path) -> Run:
    """Return a function that runs an ONNX file in onnxruntime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(names, feeds), strict=True))


def onnxruntime_static(source: Path, samples: Sequence[Feeds], folder: Path) -> Path:
    """Quantize with onnxruntime's `quantize_static` and return the file."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(samples)

        def get_next(self) -> Feeds | None:
            return next(self.rest, None)

    prepared, made = Path(folder, "prepared.onnx"), Path(folder, "quantized.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared), str(made), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
    )  # fmt: skip
    return made


def measure(subject: Subject, folder: Path) -> dict[str, Any]:
    """Quantize one model by both and judge all results."""
    wanted = linnet.load(subject.graph).run
    source = onnxruntime_float(subject, folder)
    peer_float = onnxruntime_session(source)
    samples = {"real": subject.real, "other": subject.evaluation}
    file = onnxruntime_static(source, subject.calibration, folder)
    peer = onnxruntime_session(file)
    peers = {kind: judge(peer_float, peer, feeds) for kind, feeds in samples.items()}
    report: dict[str, Any] = {
        "samples": len(subject.calibration),
        "judged": len(peers["other"].signal),
        "float": judge(wanted, peer_float, subject.real).summary(),
        "results": {},
    }
    for calibrator in CALIBRATORS:
        made = linnet.quantize(subject.graph, subject.calibration, calibrator=calibrator)
        path = folder / "made.linnet"
        linnet.save(made, path)
        found = linnet.load(path).run
        report["results"][f"linnet {calibrator}"] = {
            kind: judge(wanted, found, feeds).summary(peers[kind])
            for kind, feeds in samples.items()
        } | {"bytes": path.stat().st_size}
    report["results"]["onnxruntime minmax"] = {
        kind: judgment.summary() for kind, judgment in peers.items()
    } | {"bytes": file.stat().st_size}
    return report


def markdown(report: dict[str, Any]) -> str:
    """Return the table of all results."""
    lines = [
        "| model | samples | others | quantizer | SQNR, real cases | top-1, real cases "
        "| SQNR, others | above onnxruntime (95 %) | top-1, others | bytes |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, model in report["models"].items():
        for quantizer, result in model["results"].items():
            real, other = result["real"], result["other"]
            gain = "-"
            if "gain" in other:
                low, high = other["gain_interval"]
                gain = f"{other['gain']:+.2f} ({low:+.2f} to {high:+.2f})"
            lines.append(
                f"| {name} | {model['samples']} | {model.get('judged', 128)} | {quantizer} | "
                f"{real['sqnr']:.2f} dB | "
                f"{100 * real['agreement']:.1f} % | {other['sqnr']:.2f} dB | {gain} | "
                f"{100 * other['agreement']:.1f} % | {result['bytes']:,} |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=32, help="samples per model (default 32)")
    parser.add_argument("--judged", type=int, default=1024, help="samples to judge by (1024)")
    parser.add_argument("--add", action="store_true", help="keep what the JSON file already holds")
    parser.add_argument("--json", type=Path, help="write the report to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {"machine": describe_machine(), "models": {}}
    if options.add and options.json and options.json.exists():
        report["models"] = json.loads(options.json.read_text())["models"]
    with progress("quantizing") as advance, tempfile.TemporaryDirectory() as folder:
        for index, path in enumerate(options.models):
            subject = Subject(path, options.count, options.judged)
            report["models"][subject.name] = measure(subject, Path(folder))
            advance((index + 1) / len(options.models))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    text = markdown(report)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
    show_table("", [c.strip() for c in text.splitlines()[0].strip("| ").split(" | ")], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
