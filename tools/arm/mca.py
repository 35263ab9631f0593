"""List the inner loops of the Arm kernels with llvm-mca's cycles and multiply-adds per cycle.

mca.py [BUILD_FOLDER]: reads the objects of a cross build (build/temp.linux-aarch64-*). A loop is
what a backward branch closes around no other one; the best three of each unit and ISA that multiply
are printed, after the bound that the core's multipliers set.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LLVM = Path("/usr/lib/llvm-19/bin")
UNITS = (
    "int8/unit_int8",
    "depthwise/unit_s8",
    "depthwise/unit_f32",
    "float/unit_float",
    "linear/unit_linear",
)
# Cores that run an ISA, by LLVM's models (LLVM's Cortex-A76 is its A57; the N1 is of its family).
# No Raspberry Pi has i8mm; the Neoverse N2 does.
CORES = {
    "base": ("cortex-a53", "cortex-a72"),
    "dotprod": ("neoverse-n1",),
    "i8mm": ("neoverse-n2",),
}
# Multiply-adds per instruction.
MACS = (
    (r"s[mu]*mmla ", 32),
    (r"[su]dot v\d+\.4s", 16),
    (r"s(mull|mlal)2? v\d+\.8h", 8),
    (r"s(mull|mlal)2? v\d+\.4s", 4),
    (r"fm(la|ul) v\d+\.4s", 4),
)
BOUNDS = {
    "cortex-a53": "A53: one 128-bit operation per cycle: 5.3 int8 (smull, smlal, sadalp), 4 float",
    "cortex-a72": "A72: multiplies on one pipe: 8 int8, 4 float (8 by LLVM's model)",
    "neoverse-n1": "A76: two pipes: 32 int8 by sdot, 8 float",
    "neoverse-n2": "N2: two pipes: 64 int8 by smmla, 8 float",
}
MOST_LISTED = 3

Code = list[tuple[int, str]]


def functions(path: Path) -> dict[str, Code]:
    """Return the disassembly of an object by function: (address, instruction)."""
    text = subprocess.run(
        ["aarch64-linux-gnu-objdump", "-dC", "--no-show-raw-insn", str(path)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found: dict[str, Code] = {}
    name = ""
    for line in text.splitlines():
        if header := re.match(r"^[0-9a-f]+ <(.*)>:$", line):
            name = header[1]
            found[name] = []
        elif code := re.match(r"^\s*([0-9a-f]+):\s+(.*)$", line):
            found[name].append((int(code[1], 16), re.sub(r"\s*//.*$", "", code[2]).strip()))
    return found


def inner_loops(code: Code) -> list[list[str]]:
    """Return the bodies of loops that hold no other loop."""
    spans = []
    for address, text in code:
        branch = re.match(r"^(?:b\.?\w*|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#\d+,)\s+([0-9a-f]+) <", text)
        if branch and int(branch[1], 16) <= address:
            spans.append((int(branch[1], 16), address))
    inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
    return [[t for a, t in code if first <= a <= last] for first, last in inner]


def multiply_adds(body: list[str]) -> int:
    """Return how many a run of the body makes."""
    spaced = [re.sub(r"\s+", " ", text) for text in body]
    return sum(macs for text in spaced for pattern, macs in MACS if re.match(pattern, text))


def cycles(body: list[str], core: str) -> float:
    """Return llvm-mca's cycles of one run of the body in a steady state."""
    labelled = [re.sub(r"[0-9a-f]+ <.*>", ".Lloop", text) for text in body]
    report = subprocess.run(
        [LLVM / "llvm-mca", "-mtriple=aarch64-linux-gnu", f"-mcpu={core}", "-mattr=+dotprod,+i8mm",
         "-iterations=200", "-skip-unsupported-instructions=any"],
        input=".Lloop:\n" + "\n".join(labelled) + "\n", capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"Total Cycles:\s+(\d+)", report)
    return int(found[1]) / 200 if found else float("inf")


def main() -> None:
    """Print the listing."""
    default = sorted(Path("build").glob("temp.linux-aarch64-*"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else (default or [Path("build")])[-1]
    for isa, cores in CORES.items():
        for core in cores:
            print(f"== {isa}; {BOUNDS[core]} multiply-adds per cycle")
            for unit in UNITS:
                path = folder / isa / "kernels" / "src" / f"{unit}.o"
                if not path.exists():
                    raise SystemExit(f"{path} is absent: run tools/arm/setup.sh arm64 first")
                rows = []
                for name, code in functions(path).items():
                    for body in inner_loops(code):
                        if (macs := multiply_adds(body)) >= 32:
                            spent = cycles(body, core)
                            rows.append((macs / spent, macs, spent, len(body), name))
                for rate, macs, spent, size, name in sorted(rows, reverse=True)[:MOST_LISTED]:
                    short = re.sub(r"linnet::\w+::|\(anonymous namespace\)::|\(.*", "", name)
                    shown = f"{rate:6.2f} = {macs:4d} / {spent:6.2f} cycles"
                    print(f"{shown}, {size:3d} instructions  {short}")


if __name__ == "__main__":
    main()
