"""Estimated cycles of executed blocks: how often each ran times llvm-mca's cycles for it.

Caches, branch misses, and the overlap of one block with the next are not modelled.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

LLVM = Path("/usr/lib/llvm-19/bin")
FEATURES = "-mattr=+v8.6a,+fp16fml,+crc"
ITERATIONS = 100
COVER = 0.999  # blocks are simulated until so much of the executed instructions is covered
SEPARATOR = ["nop"] * 9  # a run that no compiler emits
NOP = " ".join(["0x1f 0x20 0x03 0xd5"] * len(SEPARATOR))

Block = tuple[str, ...]  # instruction words in hexadecimal


def read_counts(path: Path) -> Counter[Block]:
    """Return how often each block ran, from what count.c wrote."""
    counts: Counter[Block] = Counter()
    lines = path.read_text().splitlines()
    if not lines or lines[0] != "regions 1":
        raise SystemExit(f"{path}: expected one region between markers, found {lines[:1]}")
    for line in lines[1:]:
        count, _, *words = line.split()
        counts[tuple(words)] += int(count)
    return counts


def instructions(counts: Counter[Block]) -> int:
    """Return the executed instructions."""
    return sum(count * len(block) for block, count in counts.items())


def disassemble(blocks: Iterable[Block]) -> list[list[str]]:
    """Return every block's instructions as text."""
    lines = []
    for block in blocks:
        data = [" ".join(f"0x{word[i : i + 2]}" for i in (6, 4, 2, 0)) for word in block]
        lines += [f"[{' '.join(data)}]", f"[{NOP}]"]
    found = subprocess.run(
        [LLVM / "llvm-mc", "-disassemble", "-triple=aarch64-linux-gnu", FEATURES],
        input="\n".join(lines), capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    text = [re.sub(r"\s+", " ", line).strip() for line in found]
    text = [line for line in text if line and not line.startswith(".")]
    result: list[list[str]] = [[]]
    k = 0
    while k < len(text):
        if text[k : k + len(SEPARATOR)] == SEPARATOR:
            result.append([])
            k += len(SEPARATOR)
        else:
            result[-1].append(text[k])
            k += 1
    return result[:-1]


def simulate(texts: list[list[str]], cpu: str) -> dict[int, float]:
    """Return llvm-mca's cycles of each block in a steady state."""
    source = "".join(
        f"# LLVM-MCA-BEGIN r{k}\n" + "\n".join(text) + "\n# LLVM-MCA-END\n"
        for k, text in enumerate(texts)
    )
    report = subprocess.run(
        [LLVM / "llvm-mca", "-mtriple=aarch64-linux-gnu", FEATURES, f"-mcpu={cpu}",
         f"-iterations={ITERATIONS}",
         "-skip-unsupported-instructions=any", "-call-latency=1", "-instruction-info=0",
         "-resource-pressure=0"],
        input=source, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    pattern = r"Region - r(\d+)\s+Iterations:\s+\d+\s+Instructions:\s+\d+\s+Total Cycles:\s+(\d+)"
    return {int(m[1]): int(m[2]) / ITERATIONS for m in re.finditer(pattern, report)}


def heaviest(counts: Counter[Block]) -> list[Block]:
    """Return the blocks that make up `COVER` of the instructions, heaviest first."""
    total, reached, chosen = instructions(counts), 0, []
    for block in sorted(counts, key=lambda b: -counts[b] * len(b)):
        chosen.append(block)
        reached += counts[block] * len(block)
        if reached >= COVER * total:
            break
    return chosen


def cycles(counts: Counter[Block], cpu: str) -> tuple[float, list[tuple[float, int, list[str]]]]:
    """Return estimated cycles of a region, and (cycles, runs, text) of its blocks, most first."""
    blocks = heaviest(counts)
    texts = disassemble(blocks)
    if len(texts) != len(blocks):
        raise SystemExit(f"{len(blocks)} blocks, but {len(texts)} were disassembled")
    each = simulate(texts, cpu)
    covered = sum(counts[blocks[k]] * len(blocks[k]) for k in each)
    rows = sorted(
        ((counts[blocks[k]] * c, counts[blocks[k]], texts[k]) for k, c in each.items()),
        key=lambda row: -row[0],
    )
    return sum(row[0] for row in rows) * instructions(counts) / max(covered, 1), rows
