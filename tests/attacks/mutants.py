"""Mutated ONNX and TFLite files: whatever the bytes, a typed error or a model that loads.

``python tests/attacks/mutants.py --count 20000`` runs them in child processes with limits on memory
and time, and prints what broke the rule; ``--seed N --count 1 --keep FOLDER`` makes one again.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = Path(os.environ.get("LINNET_MODELS", ROOT.parent / "shared" / "models"))
MEMORY = 1 << 30  # beside what importing takes
SECONDS = 20  # of processor time per mutant
LARGEST = 60_000  # bytes of a real model
NUMBERS = (0, 1, 2, 3, 4, 8, 16, 127, 128, 255, 32767, 65535, (1 << 31) - 1, (1 << 32) - 1,
           (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip


def made_models() -> list[bytes]:
    """Return files that the tests build."""
    from tests.attacks.sources import onnx_models, tflite_models

    return [*onnx_models(), *tflite_models()]


def corpus() -> list[bytes]:
    """Return what is mutated: models made here, and small real ones where they are at hand."""
    real = sorted(MODELS.glob("*/model.*")) if MODELS.is_dir() else []
    return made_models() + [p.read_bytes() for p in real if p.stat().st_size <= LARGEST]


def mutate(source: bytes, other: bytes, dice: random.Random) -> bytes:
    """Return a file with a few places changed."""
    data = bytearray(source)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        if not data:
            break
        at = dice.randrange(len(data))
        # Flatbuffers keep their tables, protobufs their nodes, toward the ends of a file.
        if dice.random() < 0.5:
            near = min(len(data), 4096)
            at = dice.choice((dice.randrange(near), len(data) - 1 - dice.randrange(near)))
        kind = dice.choices(range(8), (6, 3, 4, 4, 6, 1, 1, 0.3))[0]
        if kind == 0:
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at] = dice.randrange(256)
        elif kind <= 3:
            size = dice.choice((1, 2, 4, 4, 8))
            number = dice.choice(NUMBERS) % (1 << 8 * size)
            data[at : at + size] = number.to_bytes(size, "little")
        elif kind == 4:
            size = dice.choice((1, 2, 4, 4))
            near = int.from_bytes(data[at : at + size], "little") + dice.randint(-4, 4)
            data[at : at + size] = (near % (1 << 8 * size)).to_bytes(size, "little")
        elif kind == 5:
            del data[at : at + dice.choice((1, 4, 16, 256))]
        elif kind == 6:
            start = dice.randrange(len(other))
            length = dice.choice((4, 16, 64))
            data[at : at + length] = other[start : start + length]
        else:
            del data[at:]
    return bytes(data)


def mutant(seed: int, sources: list[bytes]) -> bytes:
    """Return the mutant of a number."""
    dice = random.Random(seed)
    return mutate(dice.choice(sources), dice.choice(sources), dice)


class TooSlowError(BaseException):
    """One mutant took longer than it may."""


def examine(data: bytes) -> str:
    """Convert, write, read and load; return what came of it.

    A model that loads but needs more memory than there is counts as refused by name.

    Raises
    ------
    AssertionError
        If a converted model cannot be loaded.
    """
    import linnet
    from linnet.errors import LinnetError, PlanError
    from linnet.format import encode

    try:
        graph = linnet.convert(data)
    except LinnetError as error:
        return type(error).__name__
    try:
        linnet.load(encode(graph), threads=1)
    except PlanError as error:
        return type(error).__name__
    except LinnetError as error:
        raise AssertionError(f"converted, but does not load: {error}") from error
    return "loaded"


def child(first: int, count: int, keep: Path | None) -> None:
    """Examine mutants in this process, one line of output each."""
    import linnet  # noqa: F401

    def alarm(*_: object) -> None:
        raise TooSlowError

    sources = corpus()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGPROF, alarm)
    for seed in range(first, first + count):
        print("begin", seed, flush=True)
        data = mutant(seed, sources)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{seed}.bin").write_bytes(data)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            result = examine(data)
        except TooSlowError:
            result = "slow " + " / ".join(traceback.format_exc().splitlines()[-4:])
        except Exception as error:
            lines = traceback.format_exc().splitlines()
            result = f"broken {type(error).__name__}: {error} / " + " / ".join(lines[-6:])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        print("end", seed, result.replace("\n", " ")[:600], flush=True)


def run(first: int, count: int, keep: Path | None = None) -> tuple[dict[str, int], list[str]]:
    """Examine mutants in child processes; return how many came to what, and every failure."""
    totals: dict[str, int] = {}
    failures: list[str] = []
    seed, end = first, first + count
    while seed < end:
        size = min(500, end - seed)
        command = [sys.executable, __file__, "--child", "--seed", str(seed), "--count", str(size)]
        command += ["--keep", str(keep)] if keep is not None else []
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in paths if p)}
        try:
            process = subprocess.run(
                command, capture_output=True, text=True, timeout=size * SECONDS / 4 + 120,
                env=environment, check=False,
            )  # fmt: skip
            output, code = process.stdout, process.returncode
            complaint = process.stderr
        except subprocess.TimeoutExpired as expired:
            output = expired.stdout or b""
            output = output.decode() if isinstance(output, bytes) else output
            code, complaint = -1, "no end"
        begun = seed
        for line in output.splitlines():
            word, number, *rest = line.split(" ", 2)
            if word == "begin":
                begun = int(number)
            elif word == "end":
                result = rest[0] if rest else ""
                kind = result.split(" ", 1)[0]
                totals[kind] = totals.get(kind, 0) + 1
                if kind in ("broken", "slow"):
                    failures.append(f"mutant {number}: {result}")
                begun = int(number) + 1
        if code != 0:
            failures.append(f"mutant {begun}: the process ended with {code}: {complaint[-300:]}")
            begun += 1
        seed = max(begun, seed + 1)
    return totals, failures


def main() -> int:
    """Examine mutants and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--keep", type=Path, help="folder to write the mutants to")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.seed, options.count, options.keep)
        return 0
    totals, failures = run(options.seed, options.count, options.keep)
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(totals.items())))
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
