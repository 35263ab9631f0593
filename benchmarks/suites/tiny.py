"""The four tasks of MLPerf Tiny, their models found in a folder by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from linnet.errors import InputError

ENDINGS = {".tflite", ".onnx", ".linnet"}


@dataclass(frozen=True)
class Task:
    """One task of the benchmark.

    Parameters
    ----------
    name, about : str
    words : tuple of str
        Any of them in a model's path, in lower case, says that it is of this task.
    """

    name: str
    about: str
    words: tuple[str, ...]


# The words of the reference files (ad01_int8, kws_ref_model, pretrainedResnet_quant,
# vww_96_int8) and of folders named after the tasks.
TASKS = (
    Task("kws", "keyword spotting", ("kws",)),
    Task("vww", "visual wake words", ("vww",)),
    Task("ic", "image classification", ("resnet", "_ic_", "/ic_", "/ic.")),
    Task("ad", "anomaly detection", ("ad01", "toycar", "_ad_", "/ad_", "/ad.")),
)


def find_models(folder: str) -> dict[str, Path]:
    """Return the model of each task: an int8 one where there are several, the shortest path.

    Raises
    ------
    InputError
        If a task has none, with what was looked for.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"'{folder}' is no folder; --suite mlperf-tiny takes one with the models")
    files = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in ENDINGS]
    found = {}
    for task in TASKS:
        fitting = [path for path in files if _fits(task, path.relative_to(root))]
        if not fitting:
            raise InputError(
                f"no model for {task.name} ({task.about}) in '{folder}': a .tflite, .onnx or "
                f".linnet file with one of {list(task.words)} in its path"
            )
        found[task.name] = min(fitting, key=lambda path: _rank(path.relative_to(root)))
    return found


def _fits(task: Task, path: Path) -> bool:
    text = f"/{path.as_posix().lower()}"
    return any(word in text for word in task.words)


def _rank(path: Path) -> tuple[bool, bool, int, str]:
    text = path.as_posix().lower()
    quantized = any(word in text for word in ("int8", "quant", "qdq"))
    return (not quantized, path.suffix != ".tflite", len(text), text)
