"""``linnet quantize``: a float model into one of fewer bits."""

from __future__ import annotations

import argparse
import json
from typing import Any

from linnet.errors import QuantizationError
from linnet.opening import open_graph
from linnet.sampling import samples_of

from .models import (
    MODEL_HELP,
    add_preprocess_argument,
    model_bytes,
    record_preprocessing,
    write_model,
)
from .tables import bytes_text, progress

NAME = "quantize"
HELP = "Quantize a float model: int8 calibrated on samples, or another method."
# Below, answers begin to differ; some transformers' embeddings bear less.
_POOR = 20.0
_FEW = 8
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet quantize``."""
    parser.add_argument("model", help=MODEL_HELP)
    parser.add_argument("-o", "--output", required=True, help=".linnet file to write")
    parser.add_argument(
        "--calibration", metavar="DATA",
        help="folder of .npy, .npz or image files, or one such file; .npy and .npz may hold many "
        "samples along the first axis, .npz has one array per input name",
    )  # fmt: skip
    parser.add_argument(
        "--method", default="static", help="static (default), or another that --methods lists"
    )
    parser.add_argument("--methods", action=_List, nargs=0, help="list methods and options")
    parser.add_argument("--limit", type=int, help="most samples to read")
    parser.add_argument("--calibrator", help="auto (default), minmax, percentile, mse or entropy")
    parser.add_argument(
        "--keep", action="append", metavar="NODE", help="node or op to keep in float (* and ?)"
    )
    parser.add_argument(
        "--least-sqnr", type=float, metavar="DB",
        help="signal-to-noise ratio that the outputs keep on the samples: layers that int8 hurts "
        "most stay in float",
    )  # fmt: skip
    parser.add_argument(
        "--wide", action="append", metavar="NODE", help="node or op with int16 activations"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE",
        help="any other option of the method, such as percentile=99.9 or bias_correction=none",
    )  # fmt: skip
    add_preprocess_argument(parser)


class _List(argparse.Action):
    """Print the methods with their options, then exit."""

    def __call__(self, parser: argparse.ArgumentParser, *arguments: Any) -> None:
        """Print and exit."""
        from linnet.converters.quantization import METHODS

        for method in METHODS.values():
            print(f"{method.name}: {method.help}")
            print("".join(f"    {name}={value!r}\n" for name, value in method.options.items()))
        parser.exit()


def run(options: argparse.Namespace) -> int:
    """Quantize, write, and say what came of it."""
    import linnet

    graph = open_graph(options.model)
    record_preprocessing(graph, options)
    chosen = _options(options)
    data = None
    if options.calibration is not None:
        data = samples_of(graph, options.calibration, options.limit)
    with progress("quantizing") as advance:
        made = linnet.quantize(graph, data, options.method, progress=advance, **chosen)
    write_model(made, options.output)
    before, after = model_bytes(options.model), model_bytes(options.output)
    smaller = f"{bytes_text(after)}, {before / after:.1f} times smaller than {options.model}"
    print(f"{options.output}: {smaller}")
    for line in _words(made, options.method):
        print(line)
    return 0


def _words(made: Any, method: str) -> list[str]:
    """Return what was done, and how near the outputs stay, in plain words."""
    from linnet.converters.quantization import METHODS, RECORD

    record = json.loads(made.metadata[RECORD])
    if "sqnr" not in record:
        return [f"{method}: {METHODS[method].help}"]
    integers = sum(made.type_of(n.outputs[0]).is_quantized for n in made.nodes)
    said = [
        f"{integers} of {len(made.nodes)} nodes compute on integers, calibrated on "
        f"{record['samples']} samples ({record['calibrator']} ranges, "
        f"{record['bias_correction']} bias correction)"
    ]
    if record["sensitive"]:
        said.append(f"kept wider, because int8 hurts them: {', '.join(record['sensitive'])}")
    near = f"on these samples its outputs keep {record['sqnr']:.1f} dB of the float model's"
    if record["sqnr"] < _POOR:
        near += (
            f"; that is little: --least-sqnr {_POOR:.0f} keeps the layers that int8 hurts in "
            "float, and linnet compare shows them"
        )
    if record["samples"] < _FEW:
        near += f"; {record['samples']} samples are few: some dozens of typical ones tell more"
    return [*said, near]


def _options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the method's options that the command line sets."""
    chosen: dict[str, Any] = {
        name: value
        for name in ("calibrator", "keep", "wide", "least_sqnr")
        if (value := getattr(options, name)) is not None
    }
    for text in options.set:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise QuantizationError(f"'{text}' is not of the form --set OPTION=VALUE")
        chosen[name.replace("-", "_")] = _value(value)
    return chosen


def _value(text: str) -> Any:
    """Return the number or truth value that a text stands for, else the text."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
